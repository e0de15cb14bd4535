// A participant's calls, through the browser's wallet (EIP-1193). Encodes the few calls itself and checks them before it asks the wallet.
"use strict";
const FUNCTIONS = {
  approve: ["095ea7b3", ["address", "uint256"]],
  allowance: ["dd62ed3e", ["address", "address"]],
  balanceOf: ["70a08231", ["address"]],
  decimals: ["313ce567", []],
  join: ["36ba9c50", ["address", "address", "uint256", "bytes"]],
  give: ["f00388f7", ["address", "uint256"]],
  multicall: ["ac9650d8", ["bytes[]"]],
  topUp: ["de643a71", ["uint256", "uint256"]],
  exit: ["7f8661a1", ["uint256"]],
  withdraw: ["00f714ce", ["uint256", "address"]],
  claim: ["ddd5e1b2", ["uint256", "address"]],
  claimCredit: ["60e27464", ["address"]],
  credits: ["fe5ff468", ["address"]],
  seatInfo: ["113350fa", ["uint256"]],
  seatSets: ["15f6fa5e", []],
  bornAt: ["2964082c", ["address"]],
};
// The contract's errors, in words that say what they mean for the reader's money.
const REFUSALS = {
  NotOwner: ["041ba90f", "this seat belongs to another account"],
  SeatNotTaken: ["9b92544b", "nobody holds this seat"],
  SeatsFull: ["21525f6b", "every seat is taken"],
  NotAdmitted: ["f9eb7453", "this account is not on the list of those admitted; ask the sponsor for a proof of admission"],
  AlreadySeated: ["99d9c221", "this account already has a seat, and the allowlist gives one each"],
  StakeTooSmall: ["f74c0f33", "the stake is below the minimum"],
  AmountTooLarge: ["7f162703", "the amount is larger than a seat can hold"],
  AlreadyLeaving: ["fd59fa64", "this seat is already leaving"],
  NotLeaving: ["33625b40", "leave first, then withdraw"],
  StillEngaged: ["70c50deb", "the round that this seat takes part in is not over; come back when it is. Your stake is safe"],
  NothingToPay: ["4d63c252", "there is nothing to pay out"],
  ZeroAmount: ["1f2a2005", "the amount is zero"],
  ZeroAddress: ["d92e233d", "the address is zero"],
  ERC20InsufficientBalance: ["e450d38c", "the account holds too few tokens"],
  ERC20InsufficientAllowance: ["fb8f41b2", "the federation was not allowed to take the tokens"],
};
const UINT256 = 1n << 256n;

// Keccak-256 of a short ASCII text, in hexadecimal: the checksum of an address is taken from it (EIP-55).
function keccak(text) {
  const mask = (1n << 64n) - 1n, turn = (v, n) => ((v << n) | (v >> (64n - n))) & mask;
  const block = new Uint8Array(136), state = new Array(25).fill(0n);
  if (text.length > 134) throw new Error("the text is too long to be hashed here");
  for (let i = 0; i < text.length; i++) block[i] = text.charCodeAt(i);
  block[text.length] ^= 1;
  block[135] ^= 0x80;
  for (let i = 0; i < 17; i++) for (let j = 0; j < 8; j++) state[i] |= BigInt(block[8 * i + j]) << BigInt(8 * j);
  for (let round = 0, bits = 1; round < 24; round++) {
    const columns = [0, 1, 2, 3, 4].map((x) => state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]);
    for (let i = 0; i < 25; i++) state[i] ^= columns[(i + 4) % 5] ^ turn(columns[(i + 1) % 5], 1n);
    for (let t = 0, x = 1, y = 0, lane = state[1]; t < 24; t++) {
      [x, y] = [y, (2 * x + 3 * y) % 5];
      [lane, state[x + 5 * y]] = [state[x + 5 * y], turn(lane, BigInt(((t + 1) * (t + 2) / 2) % 64))];
    }
    for (let y = 0; y < 25; y += 5) {
      const row = state.slice(y, y + 5);
      for (let x = 0; x < 5; x++) state[y + x] = row[x] ^ ((row[(x + 1) % 5] ^ mask) & row[(x + 2) % 5]);
    }
    for (let j = 0; j < 7; j++) {
      if (bits & 1) state[0] ^= 1n << BigInt((1 << j) - 1);
      bits = bits & 0x80 ? (bits << 1) ^ 0x171 : bits << 1;
    }
  }
  const byte = (lane, j) => Number((lane >> BigInt(8 * j)) & 255n).toString(16).padStart(2, "0");
  return state.slice(0, 4).map((lane) => Array.from({ length: 8 }, (_, j) => byte(lane, j)).join("")).join("");
}

// An address whose letters are of mixed case carries a checksum: a single wrong letter would otherwise give a seat to nobody.
function checked(address) {
  if (!/^0x[0-9a-fA-F]{40}$/.test(address)) throw new Error("give an address: 0x and 40 hexadecimal digits");
  const digits = address.slice(2), small = digits.toLowerCase(), hash = keccak(small);
  const right = [...small].map((c, i) => (parseInt(hash[i], 16) > 7 ? c.toUpperCase() : c)).join("");
  if (![small, digits.toUpperCase(), right].includes(digits))
    throw new Error("the address has a wrong letter: its checksum does not fit; copy it again. Nothing was sent");
  return address;
}

function word(type, value) {
  if (type === "address") {
    checked(value);
    return value.slice(2).toLowerCase().padStart(64, "0");
  }
  const number = BigInt(value);
  if (number < 0n || number >= UINT256) throw new Error("that number is out of range");
  return number.toString(16).padStart(64, "0");
}

// What follows the head words: bytes with their length, padded to words; a list with its length, its offsets and its parts.
function tailOf(type, value) {
  if (type === "bytes[]") {
    const parts = value.map((one) => tailOf("bytes", one));
    let offsets = "", at = 32 * parts.length;
    for (const part of parts) { offsets += word("uint256", at); at += part.length / 2; }
    return word("uint256", parts.length) + offsets + parts.join("");
  }
  const hex = value.replace(/^0x/, "");
  if (!/^([0-9a-fA-F]{2})*$/.test(hex)) throw new Error("give bytes as pairs of hexadecimal digits");
  return word("uint256", hex.length / 2) + hex.toLowerCase().padEnd(Math.ceil(hex.length / 64) * 64, "0");
}

// The calldata of a call: head words, then the arguments of no fixed length.
function encode(name, ...values) {
  const [selector, types] = FUNCTIONS[name];
  if (values.length !== types.length) throw new Error(`${name} takes ${types.length} arguments`);
  let head = "", tail = "";
  types.forEach((type, i) => {
    if (!type.startsWith("bytes")) { head += word(type, values[i]); return; }
    head += word("uint256", 32 * types.length + tail.length / 2);
    tail += tailOf(type, values[i]);
  });
  return "0x" + selector + head + tail;
}

function words(data) {
  const hex = data.replace(/^0x/, "");
  return Array.from({ length: Math.floor(hex.length / 64) }, (_, i) => BigInt("0x" + hex.slice(64 * i, 64 * i + 64)));
}

// "12.5" to token units. Raises for anything that is not a plain decimal number.
function parseUnits(text, decimals) {
  const match = /^(\d+)(?:\.(\d*))?$/.exec(text.trim());
  if (!match || (match[2] || "").length > decimals) throw new Error("give an amount such as 100 or 12.5");
  return BigInt(match[1] + (match[2] || "").padEnd(decimals, "0"));
}

function formatUnits(units, decimals) {
  const digits = units.toString().padStart(decimals + 1, "0");
  const [whole, rest] = [digits.slice(0, digits.length - decimals), digits.slice(digits.length - decimals).replace(/0+$/, "")];
  return rest ? `${whole}.${rest.slice(0, 6)}` : whole;
}

// What an error of a wallet or a node means. Their shapes differ, so all of them are searched for the contract's own error.
function explain(error) {
  const seen = [];
  (function look(e, depth) {
    if (typeof e === "string") seen.push(e);
    else if (e && typeof e === "object" && depth < 5) for (const key of ["data", "error", "originalError", "cause", "message"]) look(e[key], depth + 1);
  })(error, 0);
  if (error && error.code === 4001) return "you declined in the wallet. Nothing was sent, nothing was lost";
  const text = seen.join(" ");
  for (const [name, [selector, message]] of Object.entries(REFUSALS))
    if (selector && seen.some((s) => s.startsWith("0x" + selector)) || text.includes(name)) return message;
  if (/insufficient funds/i.test(text)) return "the account has no ether to pay for gas";
  return (error && error.message ? String(error.message) : "the wallet gave no reason").slice(0, 300);
}

function start() {
  const config = JSON.parse(document.getElementById("config").textContent);
  const $ = (id) => document.getElementById(id);
  const DECIMALS = config.decimals, FORMS = ["join", "topUp", "claim", "exit", "withdraw", "claimCredit"];
  let account = null, busy = false, state = null;
  const wallet = () => window.ethereum;
  const ask = (method, params = []) => wallet().request({ method, params });
  const read = async (to, name, ...values) => words(await ask("eth_call", [{ to, data: encode(name, ...values) }, "latest"]));

  function say(text, kind = "") { $("said").textContent = text; $("said").className = kind; }
  const amount = (units) => `${formatUnits(units, DECIMALS)} ${config.symbol}`;
  const capital = (text) => text[0].toUpperCase() + text.slice(1) + ".";

  async function connect() {
    if (window.top !== window.self)
      return say("This page is shown inside another one, which could have you sign something else. Open it by itself.", "bad");
    if (!wallet()) return say("No wallet was found in this browser. Install one that offers EIP-1193, such as a wallet extension, and load the page again.", "bad");
    try {
      [account] = await ask("eth_requestAccounts");
      await refresh();
    } catch (error) { say("Not connected: " + explain(error) + ".", "bad"); }
  }

  async function refresh() {
    state = null;
    enable();
    $("switch").hidden = true;
    if (!account) { $("account").hidden = true; return say("No wallet is connected."); }
    const chain = Number(await ask("eth_chainId"));
    if (chain !== config.chainId) {
      $("account").hidden = true;
      $("switch").hidden = false;
      return say(`The wallet is on chain ${chain}; this federation is on chain ${config.chainId}. Switch the network; nothing can be signed until then.`, "bad");
    }
    if (!(await genuine())) {
      $("account").hidden = true;
      return say(capital(config.foreign.replace(/\.$/, "")), "bad");
    }
    const [[decimals], [balance], [credit], [taken]] = await Promise.all([
      read(config.token, "decimals"), read(config.token, "balanceOf", account),
      read(config.federation, "credits", account), read(config.federation, "seatSets"),
    ]);
    if (Number(decimals) !== DECIMALS) return say(`This page was made for a token of ${DECIMALS} decimals, and the chain says ${decimals}: load it again from whoever serves it.`, "bad");
    const numbers = Array.from({ length: 128 }, (_, i) => i).filter((i) => (taken >> BigInt(i)) & 1n);
    const [, , leaving] = await read(config.federation, "seatSets");
    const all = await Promise.all(numbers.map((i) => read(config.federation, "seatInfo", i)));
    const seats = numbers.map((seat, i) => ({ seat, owner: all[i][0], stake: all[i][1], earned: all[i][3], leaving: Boolean((leaving >> BigInt(seat)) & 1n) }))
      .filter((s) => s.owner === BigInt(account));
    const ether = BigInt(await ask("eth_getBalance", [account, "latest"]));
    state = { balance, credit, seats, ether };
    show();
    say(ether ? "Connected." : "Connected, but this account has no ether to pay for gas. Send it some first.", ether ? "good" : "bad");
  }

  // Whether the contract is the one that the page describes: its code holds the terms, and its factory says that it made it.
  async function genuine() {
    const code = (address) => ask("eth_getCode", [address, "latest"]);
    const [ours, factory] = await Promise.all([code(config.federation), code(config.factory)]);
    if (ours.toLowerCase() !== config.code || factory.toLowerCase() !== config.factoryCode) return false;
    const [born] = await read(config.factory, "bornAt", config.federation);
    return Boolean(born);
  }

  function show() {
    $("account").hidden = false;
    $("who").textContent = account;
    $("balance").textContent = `${amount(state.balance)}, ${formatUnits(state.ether, 18)} ether for gas`;
    $("credit").textContent = amount(state.credit);
    $("seats").textContent = state.seats.map((s) => `seat ${s.seat}: stake ${amount(s.stake)}, pay to claim ${amount(s.earned)}${s.leaving ? ", leaving" : ""}`).join("; ") || "none";
    const staying = state.seats.filter((s) => !s.leaving), leaving = state.seats.filter((s) => s.leaving);
    fill("topUp", staying); fill("exit", staying); fill("withdraw", leaving); fill("claim", state.seats.filter((s) => s.earned));
    $("claimCredit").hidden = !state.credit;
    enable();
  }

  function fill(form, seats) {
    $(form).hidden = !seats.length;
    const select = $(form + "-seat"), chosen = select.value;
    select.replaceChildren(...seats.map((s) => Object.assign(document.createElement("option"), { value: String(s.seat), textContent: `seat ${s.seat}` })));
    if (seats.some((s) => String(s.seat) === chosen)) select.value = chosen;
  }

  // Taking money out needs no consent to risks; putting it in does.
  function enable() {
    for (const form of FORMS) {
      const ready = state && !busy && ($("agreed").checked || !["join", "topUp"].includes(form));
      $(form).querySelector("button").disabled = !ready;
    }
  }

  async function send(to, name, ...values) {
    const call = { from: account, to, data: encode(name, ...values) };
    await ask("eth_call", [call, "latest"]); // an error here costs nothing
    if (Number(await ask("eth_chainId")) !== config.chainId) throw new Error("the wallet changed its network; nothing was sent");
    const hash = await ask("eth_sendTransaction", [call]);
    say(`Sent (${hash}); waiting for the chain. You may close this page; the transaction goes on.`);
    for (;;) {
      const receipt = await ask("eth_getTransactionReceipt", [hash]);
      if (receipt) {
        if (Number(receipt.status) !== 1) throw new Error("the contract rejected it on the chain; only gas was spent");
        return;
      }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  async function pay(units, then) {
    if (!state.ether) throw new Error("the account has no ether to pay for gas");
    if (units > state.balance) throw new Error(`the account holds ${amount(state.balance)}, but this takes ${amount(units)}. Nothing was sent`);
    const [allowed] = await read(config.token, "allowance", account, config.federation);
    if (allowed < units) {
      if (allowed > 0n) { // some tokens, such as USDT, change an allowance only from zero
        say("First, a signature that takes an earlier allowance back: some tokens demand it.");
        await send(config.token, "approve", config.federation, 0n);
      }
      say("First signature: the federation may take this amount, and no more.");
      await send(config.token, "approve", config.federation, units);
    }
    say("Second signature: the transaction itself.");
    await then();
  }

  const value = (id) => ($(id) ? $(id).value.trim() : "");
  const ACTS = {
    async join() {
      const units = parseUnits(value("join-amount"), DECIMALS), operator = value("join-operator") || account;
      if (units < BigInt(config.minStake)) throw new Error(`the stake is below the minimum of ${amount(BigInt(config.minStake))}. Nothing was sent`);
      const join = ["join", account, operator, units, value("join-evidence")], deposits = BigInt(config.deposits);
      const joining = encode(...join); // a typing error is reported before anything is signed
      if (deposits) await pay(units + deposits, () => send(config.federation, "multicall", [joining, encode("give", operator, deposits)]));
      else await pay(units, () => send(config.federation, ...join));
      return `You have a seat. It takes part from the next round on. Now start your program: ape run participate --owner ${account}`;
    },
    async topUp() {
      const units = parseUnits(value("topUp-amount"), DECIMALS);
      await pay(units, () => send(config.federation, "topUp", value("topUp-seat"), units));
      return "The stake was added";
    },
    async claim() { await send(config.federation, "claim", value("claim-seat"), account); return "Your pay is in your account"; },
    async exit() { await send(config.federation, "exit", value("exit-seat")); return "Your seat is leaving. Withdraw once its last round is over"; },
    async withdraw() { await send(config.federation, "withdraw", value("withdraw-seat"), account); return "Stake and pay are in your account"; },
    async claimCredit() { await send(config.federation, "claimCredit", account); return "Your credit is in your account"; },
  };

  for (const form of FORMS)
    $(form).addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy || !state) return;
      busy = true;
      enable();
      let message, kind = "good";
      try { message = await ACTS[form](); } catch (error) { message = "Not done: " + explain(error); kind = "bad"; }
      busy = false;
      try { await refresh(); } catch (error) { enable(); }
      say(capital(message.replace(/\.$/, "")), kind);
    });
  $("agreed").addEventListener("change", enable);
  $("connect").addEventListener("click", connect);
  $("switch").addEventListener("click", async () => {
    try { await ask("wallet_switchEthereumChain", [{ chainId: "0x" + config.chainId.toString(16) }]); await refresh(); }
    catch (error) { say("Not switched: " + explain(error) + ".", "bad"); }
  });
  if (wallet() && wallet().on) {
    wallet().on("accountsChanged", (accounts) => { account = accounts[0] || null; refresh().catch((e) => say(capital(explain(e)), "bad")); });
    wallet().on("chainChanged", () => refresh().catch((e) => say(capital(explain(e)), "bad")));
  }
}

if (typeof module !== "undefined") module.exports = { FUNCTIONS, REFUSALS, keccak, checked, encode, words, parseUnits, formatUnits, explain };
else start();
