"""The sentences of the report: what happened, in words that need no glossary. Numbers come from the facts."""

from __future__ import annotations

from datetime import UTC, datetime

from fl.tools.report.facts import Facts, Person, Round

SMALL = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def number(n: int) -> str:
    """Small numbers as words."""
    return SMALL[n] if 0 <= n < len(SMALL) else f"{n:,}"


def some(n: int, one: str, many: str = "") -> str:
    """`three rounds`, `one round`."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def moment(seconds: float) -> str:
    """A time on the chain's clock."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y %H:%M UTC") if 0 < seconds < 1e11 else "unknown"


def lasting(seconds: float) -> str:
    """`2 h 10 min`: the two largest units that are not zero."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts) or "0 s"


def measure(facts: Facts, value: float) -> str:
    """A metric's value, with four decimals if it is small and three otherwise."""
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


def opening(facts: Facts) -> list[str]:
    """The sentences of the first screen."""
    sentences = [_who(facts)]
    if facts.known.metrics:
        sentences.append(_learned(facts))
    sentences.append(_trouble(facts))
    sentences.append(_excluded(facts))
    sentences.append(_money(facts))
    return [s for s in sentences if s]


def _who(facts: Facts) -> str:
    final = sum(r.log.finalized for r in facts.rounds)
    ever = len(facts.people)
    if not facts.rounds:
        stand = f"{some(ever, 'participant has', 'participants have')} joined" if ever else "Nobody has joined yet"
        return f"{stand[0].upper()}{stand[1:]}. No round has been opened so far."
    who = some(ever, "participant")
    cheats = sum(p.cheats for p in facts.people)
    among = f", {number(cheats)} of them a cheat," if cheats == 1 else f", {number(cheats)} of them cheats," if cheats else ""
    sentence = f"{who[0].upper()}{who[1:]}{among} trained one model together in {some(final, 'round')}"
    running = facts.rounds[-1].state == "running"
    live = f"; round {facts.rounds[-1].number} is in its {facts.phase} phase" if running else ""
    return f"{sentence}{live}. Nobody handed over data: only updates to the model were shared."


def _learned(facts: Facts) -> str:
    known = facts.known
    rounds = sorted(known.metrics)
    first, last = known.metrics[rounds[0]], known.metrics[rounds[-1]]
    sentence = f"Measured by {facts.metric}, the model went from {measure(facts, first)} to {measure(facts, last)}"
    alone = known.baselines.local_only if known.baselines else {}
    if alone:
        mean = sum(alone.values()) / len(alone)
        sentence += f"; training on local data only would have given each participant {measure(facts, mean)} on average"
    if known.baselines:
        sentence += f", and all their data in one place {measure(facts, known.baselines.pooled)}"
    better = "Higher is better." if known.higher_is_better else "Lower is better."
    return f"{sentence}. {better}"


def _trouble(facts: Facts) -> str:
    slashed = [p for p in facts.people if p.slashes]
    void = sum(r.state == "void" for r in facts.rounds)
    losses = []
    for p in slashed[:4]:
        offences = listed(sorted({s.offence for s in p.slashes}))
        losses.append(f"{p.name} lost {tokens(facts, p.lost)} of its stake: it {offences}")
    sentence = "; ".join(losses)
    if len(slashed) > 4:
        sentence += f"; {some(len(slashed) - 4, 'other')} lost stake too"
    out = "".join(f" {some(void, 'round was', 'rounds were')} void and paid nobody." if void else "")
    quiet = [p for p in facts.people if p.cheats and not p.slashes]
    kept = _left_out(facts, quiet)
    if not sentence:
        return ("Nobody lost any stake." if facts.rounds else "") + kept + _capital(out)
    return sentence[0].upper() + sentence[1:] + "." + kept + _capital(out)


def _capital(text: str) -> str:
    return f" {text.strip()[0].upper()}{text.strip()[1:]}" if text.strip() else ""


def _left_out(facts: Facts, cheats: list[Person]) -> str:
    return "".join(f" {p.name} cheated and {verdict(facts, p)}." for p in cheats[:3])


def _excluded(facts: Facts) -> str:
    """Whose accepted updates are in no model, in the last round with such."""
    last = next((r for r in reversed(facts.rounds) if r.log.excluded), None)
    return "" if last is None else f"In round {last.number}, {'; '.join(last.excluded)}."


def verdict(facts: Facts, person: Person) -> str:
    """What happened to a cheat."""
    out = sum(person.seat in r.left_out for r in facts.rounds)
    settled = sum(r.log.settled for r in facts.rounds)
    parts = []
    if out:
        parts.append(f"was left out, unpaid, in {out} of {some(settled, 'round')}")
    if person.slashes:
        parts.append(f"lost {tokens(facts, person.lost)} of its stake")
    if not parts:
        parts.append("was neither left out nor slashed")
    return listed(parts)


def _money(facts: Facts) -> str:
    paid = sum(p.pay for p in facts.people)
    lost = sum(p.lost for p in facts.people)
    if not facts.rounds:
        return ""
    sentence = f"Participants were paid {tokens(facts, paid)} in all"
    slashed = f"{facts.denomination.brief(lost)} was slashed and went to nobody in the federation"
    return f"{sentence}; {slashed}." if lost else f"{sentence}."


def audited(facts: Facts) -> tuple[str, str]:
    """(passed, failed or none; the sentence)."""
    audit = facts.known.audit
    if audit is None:
        return "none", "This page was made without the store that holds the updates, so nothing was recomputed."
    if audit.passed:
        n = sum(audit.checks.values())
        what = "committees, scores, pay, stakes and models"
        sentence = f"The audit recomputed {what} from the public record, {n:,} facts, and found no difference."
        open_ = some(len(audit.unknown), "other fact")
        return "passed", f"{sentence} For {open_} a file is not in the store." if audit.unknown else sentence
    return "failed", f"The audit found a difference: {audit.difference}"


def status(given: Round) -> str:
    """A round in half a sentence."""
    log = given.log
    if given.state == "running":
        return f"{given.phase} phase, until {moment(given.ends)}" if given.ends else f"{given.phase} phase"
    if given.state == "void":
        return "void: nobody was paid, the model stayed"
    fell = f"{some(len(given.fallen), 'proposal')} fell; " if given.fallen else ""
    if given.state == "unchanged":
        return f"{fell}no proposal stood, the model stayed"
    who = f"{len(log.accepted)} of {len(log.active)} updates entered the model"
    return "; ".join([fell + who, *given.excluded])


def tokens(facts: Facts, units: int) -> str:
    """An amount as people write it, in the federation's token."""
    return f"{facts.denomination.brief(units)} {facts.denomination.symbol}"


def counted(facts: Facts) -> str:
    """Which token the amounts are in, and with how many decimals."""
    symbol, decimals = facts.denomination.symbol, facts.denomination.decimals
    return f"Amounts are in {symbol}, which has {decimals} decimals according to the token contract."
