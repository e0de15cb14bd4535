"""A second verifier, written after the pages (fl/guides/record-format.md, fl/protocol/README.md, contracts/README.md). It
imports nothing of the project. Plain functions over plain dictionaries; every disagreement is a line of text."""

import json
from hashlib import sha256
from math import isqrt

import numpy as np
from Crypto.Hash import keccak as _keccak

ONE = 2**30
CAP = 3 * ONE // 10
PLACE = b"(uint256 chainId,address federation,uint256 round,uint256 seat,"
UPDATE = b"TreatyUpdate" + PLACE + b"bytes32 root,bytes32 salt,bytes locator)"
SCORES = b"TreatyScores" + PLACE + b"bytes32 scoresHash,bytes32 salt)"


def keccak(data):
    return _keccak.new(data=data, digest_bits=256).digest()


def word(value):
    if isinstance(value, str):  # an address
        return bytes(12) + bytes.fromhex(value[2:])
    return value.to_bytes(32, "big") if isinstance(value, int) else value


def raw(text):
    return bytes.fromhex(text[2:])


def bits(bitmap):
    return [i for i in range(128) if int(bitmap) >> i & 1]


# ---- files


def root_of(data, leaf):
    level = [sha256(b"\0" + data[i : i + leaf]).digest() for i in range(0, len(data), leaf)]
    while len(level) > 1:
        level = [sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


def fetch(store, root, kind, depth):
    """The file, or None if there is none that hashes to its name."""
    path, leaf = store / f"{root.hex()}.{kind}", {"update": 264, "model": 1024}[kind]
    if not path.is_file():
        return None
    data = path.read_bytes()
    return data if len(data) == leaf << depth and root_of(data, leaf) == root else None


def parts(update):
    rows = np.frombuffer(update, np.uint8).reshape(-1, 264)
    return rows[:, :8].astype(np.int64), rows[:, 8:].copy().view(np.int8).astype(np.int64)


def units(update, most):
    e, q = parts(update)
    blocks = q.reshape(-1, 8, 32)
    bad = (e > most) | (blocks == -128).any(axis=2)
    values = blocks * (2 ** np.minimum(e, 23))[:, :, None]
    values[bad] = 0
    return values.reshape(-1)


def well_formed(update, most, parameters):
    if update is None:
        return False
    e, q = parts(update)
    return bool((e <= most).all() and (q != -128).all() and not q.reshape(-1)[parameters:].any())


def aggregated(base, updates, trim):
    before = np.frombuffer(base, ">i4").astype(np.int64)
    if not updates:
        return base
    k = min(trim, (len(updates) - 1) // 2)
    kept = np.sort(np.stack(updates), axis=0)[k : len(updates) - k]
    total, count = kept.sum(axis=0), len(kept)
    step = np.sign(total) * (np.abs(total) // count)
    return np.clip(before + step, -(2**31), 2**31 - 1).astype(">i4").tobytes()


# ---- the gate


def middle(values):
    return sorted(values)[len(values) // 2] if values else 0


def products(vectors):
    wide = [[int(x) for x in v[np.any(vectors, axis=0)]] for v in vectors]
    return [[sum(x * y for x, y in zip(a, b, strict=True)) for b in wide] for a in wide]


def let_in(squares, vectors):
    """The seats that the gate lets in; squares: the last rounds' (S); vectors by seat, well-formed ones."""
    seats = sorted(vectors)
    if not seats:
        return []
    p = products([vectors[s] for s in seats])
    limit = 441 * middle(squares) if squares else 3600 * middle([p[i][i] for i in range(len(seats))])
    fits = [i for i in range(len(seats)) if 0 < 400 * p[i][i] <= limit]
    v = dict.fromkeys(fits, 0)
    for i in fits:
        for j in fits:
            c = p[i][j] * ONE // isqrt(p[i][i] * p[j][j])
            v[i] += 0 if i == j or c > 7 * ONE // 10 else max(-CAP, min(CAP, c))
    n = len(fits)
    own = min(CAP * (n - 1), 21 * ONE // 20 if n <= 6 else max(6 * ONE // 5, 12 * ONE // 100 * n))
    ranked = sorted(fits, key=lambda i: (-v[i], i))
    most = max(sum(v[i] + own > 0 for i in fits), n - 2 * n // 5)
    return [seats[i] for i in sorted(ranked[:most])]


def remembered(rounds):
    """The squares of settled rounds, each the vectors that were accepted."""
    found = []
    for accepted in rounds[-5:]:
        s = sorted(sum(int(x) ** 2 for x in vector) for vector in accepted)
        found += [s[6 * len(s) // 10]] if s and s[6 * len(s) // 10] else []
    return found


# ---- draw, scores, pay


def randao(header):
    at = 1 + (header[0] - 0xF7)
    for _ in range(13):
        kind = header[at]
        at += (
            1
            if kind < 0x80
            else 1 + kind - 0x80
            if kind < 0xB8
            else 1 + kind - 0xB7 + int.from_bytes(header[at + 1 : at + 1 + kind - 0xB7], "big")
        )
    return header[at + 1 : at + 33]


def drawn(seed, revealed, size):
    seats = list(revealed)
    for j in range(size):
        r = j + int.from_bytes(keccak(seed + word(j)), "big") % (len(seats) - j)
        seats[j], seats[r] = seats[r], seats[j]
    return seats[:size]


def scored(revealed, vectors, terms):
    """(medians, trainers' pay, validators' pay), the validators in the order of `vectors`."""
    medians, far = [], dict.fromkeys(vectors, 0)
    for i, seat in enumerate(revealed):
        votes = {v: 255 if v == seat else vector[i] for v, vector in vectors.items()}
        order = sorted(votes.values())
        low, high = order[(len(order) - 1) // 2], order[len(order) // 2]
        medians.append(low)
        if low == 0 < high:
            continue
        for v, vote in votes.items():
            far[v] += 0 if v == seat else abs(vote - low)
    whole = 255 * (len(revealed) - 1)
    trainers = [terms["trainer_rate"] * m // 255 for m in medians]
    validators = [terms["validator_rate"] * max(0, whole - terms["strictness"] * d) // whole for d in far.values()]
    return medians, trainers, validators


# ---- the whole


def verify(folder):
    """Every disagreement of a record, as text; an empty list if there is none."""
    wrong = []

    def same(what, mine, theirs):
        if mine != theirs:
            wrong.append(f"{what}: {mine} != {theirs}")

    head, *lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    if (head["format"], head["version"]) != ("treaty-events", 1):
        return ["unknown format"]
    terms = {k: int(v) if not v.startswith("0x") else v for k, v in head["terms"].items()}
    chain, place, store = word(int(head["chain_id"])), word(head["federation"]), folder / "store"
    text = (store / f"{terms['manifest'][2:]}.json").read_bytes()
    same("manifest", sha256(text).hexdigest(), terms["manifest"][2:])
    manifest = json.loads(text)
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    same("canonical manifest", canonical, text)
    most, depth, params = terms["max_exponent"], terms["depth"], manifest["parameters"]
    blocks, model, past, r = {}, raw(terms["genesis"]), [], {}
    pots = dict.fromkeys(("stakes", "earned", "credit", "slashed", "deposits", "pool", "kept", "pot"), 0)
    stake, purse, owner, credit, last, fall, shown_until = {}, {}, {}, {}, (-1, -1), None, 0
    update = lambda seat: fetch(store, raw(r["reveals"][seat]["root"]), "update", depth)  # noqa: E731

    def judge():
        """The gate, when nobody can be excluded any more."""
        first = r.pop("first", None)
        if first is None:
            return
        vectors = {s: units(data, most) for s in r["revealed"] if well_formed(data := update(s), most, params)}
        if all(s in vectors for s in first if s not in r["accepted"]):
            if manifest["gate"] == {"name": "none", "version": manifest["gate"]["version"]}:
                same("gate", sorted(vectors), first)
            else:
                same("gate", ("agreement", 3), (manifest["gate"]["name"], manifest["gate"]["version"]))
                same("let in", let_in(remembered(past), vectors), first)
        past.append([vectors[s] for s in r["accepted"] if s in vectors])

    def pay(seat, amount):
        pots["pot"] -= amount
        if purse[seat] + amount < 2**96:
            purse[seat] += amount
            pots["earned"] += amount

    for line in lines:
        if "event" not in line:
            blocks[line["block"]] = line
            continue
        name, f = line["event"], line["fields"]
        same(f"order at {line['block']}", True, (line["block"], line["index"]) > last)
        last = line["block"], line["index"]
        seat, amount = int(f.get("seat", 0)), int(f.get("amount", 0))
        if name == "Joined":
            stake[seat], purse[seat], owner[seat] = int(f["stake"]), 0, f["owner"]
            pots["stakes"] += stake[seat]
        elif name == "ToppedUp":
            stake[seat] += amount
            pots["stakes"] += amount
        elif name == "HandedOver":
            same(f"the owner that handed seat {seat} over", owner[seat], f["from"])
            same(f"seat {seat} is handed to somebody else", True, int(f["owner"], 16) not in (0, int(owner[seat], 16)))
            owner[seat] = f["owner"]
        elif name == "Withdrawn":
            same("withdrawn", (stake[seat], purse[seat]), (int(f["stake"]), int(f["earned"])))
            pots["stakes"] -= stake.pop(seat)
            pots["earned"] -= purse.pop(seat)
        elif name == "Claimed":
            same(f"claim of {seat}", purse[seat], amount)
            purse[seat] -= amount
            pots["earned"] -= amount
        elif name == "Funded":
            pots["pool"] += amount
        elif name == "Refunded":
            same("refund", (pots["pool"], pots["kept"]), (amount, int(f["burnt"])))
            pots["slashed"] += pots["kept"]
            pots["pool"] = pots["kept"] = 0
        elif name in ("Credited", "CreditUsed", "CreditClaimed"):
            change = amount if name == "Credited" else -amount
            credit[f["account"]] = credit.get(f["account"], 0) + change
            pots["credit"] += change
            same("credit is not negative", True, credit[f["account"]] >= 0)
        elif name == "Swept":
            pots["slashed"] -= amount
        elif name == "Demanded":
            pots["deposits"] += terms["demand_deposit"]
        elif name in ("Answered", "DepositReclaimed"):
            pots["deposits"] -= terms["demand_deposit"]
        elif name == "Slashed":
            kind = ("no_reveal_slash", "no_scores_slash", "fraud_slash")[int(f["offence"])]
            same(f"slash of {seat}", min(stake[seat], terms[kind]), amount)
            stake[seat] -= amount
            same(f"stake of {seat}", stake[seat], int(f["stake"]))
            pots["stakes"] -= amount
            fee = 0
            if kind == "fraud_slash":
                same("the seat that fell", fall and int(fall["seat"]), seat)
                fee = min(terms["challenge_fee"], amount) if fall and int(fall["by"], 16) else 0
            else:
                r["slashed"].append((kind, seat))
            pots["slashed"] += amount - fee
        elif name == "RoundOpened":
            same("number", r.get("number", 0) + 1, int(f["round"]))
            same("base", model, raw(f["base"]))
            active = bits(f["active"])
            r = {"number": int(f["round"]), "active": active, "commits": {}, "reveals": {}, "sealed": {}, "scores": {}}
            r |= {"slashed": [], "committee": [], "proposed": None, "accepted": [], "revealed": []}
            cost = len(active) * terms["trainer_rate"] + terms["committee"] * terms["validator_rate"] + terms["proposer_fee"]
            same("pot", cost, int(f["pot"]))
            kept = min(cost, pots["kept"])
            pots["kept"], pots["pool"], pots["pot"] = pots["kept"] - kept, pots["pool"] - cost + kept, cost
        elif name == "Committed":
            r["commits"][seat] = raw(f["commitment"])
        elif name == "Revealed":
            facts = [keccak(UPDATE), chain, place, word(r["number"]), word(seat), raw(f["root"]), raw(f["salt"])]
            same(f"update of {seat}", keccak(b"".join([*facts, keccak(raw(f["locator"]))]))[:28], r["commits"][seat][:28])
            r["reveals"][seat] = f
        elif name == "Closed":
            r["revealed"], r["close"] = bits(f["revealed"]), int(f["closeBlock"])
            same("revealed", sorted(r["reveals"]), r["revealed"])
            silent = [("no_reveal_slash", s) for s in sorted(r["commits"]) if s not in r["reveals"]]
            same("slashed for not revealing", silent, r["slashed"])
        elif name == "DrawPostponed":
            r["close"] = int(f["closeBlock"])
        elif name == "Drawn":
            source = blocks[r["close"] + terms["draw_delay"]]
            header = raw(source["header"])
            same("header", "0x" + keccak(header).hex(), source["hash"])
            same("randomness", randao(header), raw(f["prevRandao"]))
            mix = b""
            for s in sorted(r["commits"]):
                opened = r["reveals"].get(s)
                mix += r["number"].to_bytes(3, "big") + (
                    b"\2" + raw(opened["root"])[:28] if opened else b"\1" + r["commits"][s][:28]
                )
            seed = keccak(raw(f["prevRandao"]) + keccak(mix) + chain + place + word(r["number"]))
            same("seed", seed, raw(f["seed"]))
            r["committee"] = drawn(seed, r["revealed"], terms["committee"])
            same("committee", bytes(r["committee"]).ljust(15, b"\0"), int(f["committee"]).to_bytes(15, "big"))
        elif name == "ScoresCommitted":
            r["sealed"][seat] = raw(f["commitment"])
        elif name == "ScoresRevealed":
            kind = (
                b"TreatyScores(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 scoresHash,bytes32 salt)"
            )
            facts = [keccak(kind), chain, place, word(r["number"]), word(seat), keccak(raw(f["scores"])), raw(f["salt"])]
            same(f"scores of {seat}", keccak(b"".join(facts))[:28], r["sealed"][seat][:28])
            r["scores"][seat] = raw(f["scores"])
        elif name in ("Settled", "Voided"):
            silent = [("no_scores_slash", s) for s in r["committee"] if s not in r["scores"]]
            same("slashed for silence", silent, [x for x in r["slashed"] if x[0] == "no_scores_slash"])
            if name == "Voided":
                continue
            vectors = {s: r["scores"][s] for s in r["committee"] if s in r["scores"]}
            medians, trained, judged = scored(r["revealed"], vectors, terms)
            same("medians", bytes(medians), raw(f["medians"]))
            same("validators' pay", [str(x) for x in judged], f["validatorPay"])
            same("paid", sum(trained) + sum(judged), int(f["paid"]))
            for s, x in [*zip(r["revealed"], trained, strict=True), *zip(vectors, judged, strict=True)]:
                pay(s, x)
            r["accepted"] = [s for s, m in zip(r["revealed"], medians, strict=True) if m]
            same("accepted", r["accepted"], bits(f["accepted"]))
            r["first"], r["reports"] = r["accepted"], {}
            shown_until = blocks[line["block"]]["time"] + terms["show_window"]
        elif name in ("MissingReported", "Excluded"):
            same(f"{name} came in Show", True, "first" in r and blocks[line["block"]]["time"] < shown_until)
            if name == "MissingReported":
                same("the reporter had revealed", True, seat in r["revealed"])
                for s in bits(f["missing"]):
                    same(f"{s} was accepted", True, s in r["accepted"])
                    r["reports"].setdefault(s, set()).add(seat)
            else:
                few = [s for s in r["accepted"] if 2 * len(r["reports"].get(s, ())) <= len(r["revealed"])]
                same("still accepted", few, bits(f["accepted"]))
                r["accepted"] = few
        elif name == "Proposed":
            judge()
            r["proposed"] = f
        elif name == "ProposalFell":
            fall, r["proposed"] = f | {"root": r["proposed"]["root"]}, None
        elif name == "Finalized":
            judge()
            if f["adopted"]:
                files = [update(s) for s in r["accepted"]]
                same(f"accepted updates of round {r['number']} that are missing", 0, files.count(None))
                base, model = fetch(store, model, "model", depth), raw(r["proposed"]["root"])
                if None not in files:
                    right = aggregated(base, [units(file, most) for file in files], terms["trim"])
                    same(f"model of round {r['number']}", root_of(right, 1024), model)
                pay(int(r["proposed"]["seat"]), terms["proposer_fee"])
            same("model in force", model, raw(f["model"]))
            pots["kept" if r["revealed"] else "pool"] += pots["pot"]
            pots["pot"] = 0
    summary = folder / "summary.json"
    if summary.is_file():
        facts = json.loads(summary.read_text())
        theirs = {name: int(units_) for name, units_ in facts["accounting"].items()}
        same("accounting", pots, {name: theirs[name] for name in pots})
        same("tokens held", True, theirs["held"] >= sum(pots.values()))
        same("last model", model.hex(), facts["totals"]["model_root"])
    return wrong
