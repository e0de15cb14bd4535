#!/usr/bin/env node
// solc for Ape: npm's compiler, the same everywhere, behind the two calls Ape makes,
// `--version` and `--standard-json [--base-path DIR]`.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require(path.join(__dirname, "..", "node_modules", "solc"));

const args = process.argv.slice(2);
if (args.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface\nVersion: " + solc.version().replace(".Emscripten.clang", ""));
  process.exit(0);
}
const at = args.indexOf("--base-path");
const base = path.resolve(at >= 0 ? args[at + 1] : ".");
const read = (name) => {
  const file = path.resolve(base, name);
  if (!file.startsWith(base + path.sep)) return { error: "outside of the base path: " + name };
  try {
    return { contents: fs.readFileSync(file, "utf8") };
  } catch (error) {
    return { error: "not found: " + name };
  }
};
// No note about the sources behind the bytecode: it then depends on the code alone, so that anybody can recompute the contracts'
// addresses. Ape has no setting for this.
const input = JSON.parse(fs.readFileSync(0, "utf8"));
input.settings.metadata = { bytecodeHash: "none", appendCBOR: false };
process.stdout.write(solc.compile(JSON.stringify(input), { import: read }));
