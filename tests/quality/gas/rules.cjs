// An EVM that follows a fork's rules: `node rules.cjs FORK CHAIN_ID`. It runs the transactions of a node a second time. Each line
// of its input is JSON, and so is each of its answers:
//
//   {"code": {address: bytes}}                                         what the chain begins with
//   {"hashes": {number: hash}, "block": header, "from", "to", "data", "gas"}     one transaction, in its block
//
// A transaction's answer: gas (what a receipt would say), address (of what it created), error.
"use strict";
const readline = require("readline");

const [, , fork, chain] = process.argv;
const { createBlock } = require("@ethereumjs/block");
const { Mainnet, createCustomCommon } = require("@ethereumjs/common");
const { createEVM } = require("@ethereumjs/evm");
const { createLegacyTx } = require("@ethereumjs/tx");
const { createAddressFromString, hexToBytes } = require("@ethereumjs/util");
const { createVM, runTx } = require("@ethereumjs/vm");

const HISTORY = createAddressFromString("0x0000f90827f1c53a10cb7a02335b175320002935"); // of EIP-2935
const WINDOW = 8191n;
const word = (value) => hexToBytes("0x" + value.toString(16).padStart(64, "0"));

async function main() {
  const common = createCustomCommon({ chainId: Number(chain) }, Mainnet, { hardfork: fork });
  const hashes = new Map();
  const blockchain = { getBlock: async (number) => ({ hash: () => hashes.get(BigInt(number)) }), shallowCopy: () => blockchain };
  const evm = await createEVM({ common, blockchain });
  const state = evm.stateManager;
  const vm = await createVM({ common, blockchain, evm, stateManager: state });

  async function begin(code) {
    for (const [address, bytes] of Object.entries(code)) await state.putCode(createAddressFromString(address), hexToBytes(bytes));
    return {};
  }

  async function learn(past) {
    const kept = (await state.getCode(HISTORY)).length > 0;
    for (const [number, hash] of Object.entries(past)) {
      hashes.set(BigInt(number), hexToBytes(hash));
      if (kept) await state.putStorage(HISTORY, word(BigInt(number) % WINDOW), hexToBytes(hash));
    }
  }

  async function run({ block: facts, from, to, data, gas }) {
    const { number, timestamp, mixHash } = facts;
    const header = { number, timestamp, mixHash, gasLimit: 1n << 40n, baseFeePerGas: 0n };
    const block = createBlock({ header }, { common });
    const sender = createAddressFromString(from);
    const nonce = (await state.getAccount(sender))?.nonce ?? 0n;
    // The node lets any address send; here, too, nobody has signed.
    const tx = createLegacyTx({ nonce, gasLimit: gas, gasPrice: 0n, to: to ?? undefined, data }, { common, freeze: false });
    tx.isSigned = () => true;
    tx.getSenderAddress = () => sender;
    tx.hash = () => new Uint8Array(32);
    const done = await runTx(vm, { tx, block, skipBalance: true });
    const error = done.execResult.exceptionError?.error ?? null;
    return { gas: Number(done.totalGasSpent), address: done.createdAddress?.toString() ?? null, error };
  }

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    if (asked.hashes) await learn(asked.hashes);
    process.stdout.write(JSON.stringify(asked.code ? await begin(asked.code) : await run(asked)) + "\n");
  }
}

main().catch((error) => {
  process.stderr.write(error.stack + "\n");
  process.exit(1);
});
