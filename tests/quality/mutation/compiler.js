// Compiles the contracts again and again in one process: a line of JSON {file, source, roots} in, a line of JSON {contracts} out.
"use strict";
const fs = require("fs");
const path = require("path");
const root = path.join(__dirname, "..", "..", "..");
const solc = require(path.join(root, "node_modules", "solc"));

const ROOTS = ["Federation", "Disputes", "MaskedFederation", "MaskedDisputes", "FederationFactory", "mocks/LibraryHarness"];
const kept = {};
const load = (name) => (kept[name] ??= fs.readFileSync(path.join(root, name), "utf8"));

const compile = ({ file, source, roots }) => {
  const read = (name) => {
    try {
      return { contents: name === file ? source : load(name) };
    } catch (error) {
      return { error: "not found: " + name };
    }
  };
  const names = (roots || ROOTS).map((name) => `contracts/${name}.sol`);
  const sources = Object.fromEntries(names.map((name) => [name, { content: read(name).contents }]));
  const outputSelection = Object.fromEntries(names.map((name) => [name, { "*": ["abi", "evm.bytecode.object"] }]));
  const settings = {
    evmVersion: "cancun",
    optimizer: { enabled: false }, // three times as fast, and no test asks what a call costs
    remappings: ["@openzeppelin/=node_modules/@openzeppelin/"],
    outputSelection,
  };
  const input = { language: "Solidity", sources, settings };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
  if ((output.errors || []).some((e) => e.severity === "error")) return { contracts: null };
  const contracts = {};
  for (const group of Object.values(output.contracts))
    for (const [name, c] of Object.entries(group))
      contracts[name] = { abi: c.abi, deploymentBytecode: { bytecode: "0x" + c.evm.bytecode.object } };
  return { contracts };
};

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => process.stdout.write(JSON.stringify(compile(JSON.parse(line))) + "\n"));
