"""What multiplies, divides or permutes, proved over numbers instead of words, which would keep a solver busy for hours.

Each claim names the Solidity it is about, and holds for all values that the terms allow. A claim proved for reals holds
for integers. The wrongs at the end must all be refuted, or this file proves nothing. Exits 1 at the first surprise.
"""

# ruff: noqa: SIM300  bounds read as bounds

from __future__ import annotations

import sys

import z3

AMOUNT, WORD = 2**88, 2**256  # TermsRules.MAX_AMOUNT; a Solidity word
VALUE = 127 * 2**23  # the largest update of a parameter

rate, pay, part, whole, paid, k = z3.Reals("rate pay part whole paid k")
total, value, share, count = z3.Reals("total value share count")
j, n, h, a, b = z3.Ints("j n h a b")
seats = z3.Array("seats", z3.IntSort(), z3.IntSort())


def distinct(array: z3.ArrayRef) -> z3.BoolRef:
    both = z3.And(0 <= a, a < n, 0 <= b, b < n, a != b)
    return z3.ForAll([a, b], z3.Implies(both, array[a] != array[b]))


def down(quotient: z3.ArithRef, numerator: z3.ArithRef, divisor: z3.ArithRef) -> z3.BoolRef:
    """quotient == numerator / divisor, as Solidity divides what is not negative."""
    return z3.And(quotient >= 0, quotient * divisor <= numerator, numerator < (quotient + 1) * divisor)


drawn = j + h % (n - j)  # Committee.draw: where the next seat comes from
swapped = z3.Store(z3.Store(seats, j, seats[drawn]), drawn, seats[j])
drawing = [0 <= j, j < n, n <= 128, 0 <= h, distinct(seats)]
paying = [0 <= rate, rate <= AMOUNT, 0 <= part, part <= whole, whole >= 1, down(pay, rate * part, whole)]

CLAIMS = {
    # Scores.trainerPayDown: part = median, whole = 255. Scores.validatorPayDown: part = whole - lost, whole = 255 * judged.
    "pay is at most the rate": (paying, z3.And(0 <= pay, pay <= rate)),
    "the whole part earns the whole rate": ([*paying, part == whole], z3.And(pay <= rate, rate < pay + 1)),
    "no product of the pay overflows": ([*paying, whole <= 255 * 127], z3.And(rate * part < WORD, 65535 * whole < WORD)),
    # Federation.settle: one seat after the other; a round is funded with seats * rate + committee * rate + fee.
    "pay never passes the budget": ([0 <= rate, pay <= rate, paid <= k * rate], paid + pay <= (k + 1) * rate),
    "the largest budget fits the pool's 128 bits": ([0 <= rate, rate <= AMOUNT], 128 * rate + 15 * rate + rate < 2**128),
    # FixedPoint.aggregate, unchecked: sum += values[i]; then sum / count, toward zero: the sign apart, it rounds down.
    "the sum of k updates is at most k times the largest": (
        [-VALUE <= value, value <= VALUE, -k * VALUE <= total, total <= k * VALUE],
        z3.And(-(k + 1) * VALUE <= total + value, total + value <= (k + 1) * VALUE),
    ),
    "128 updates sum to less than 2^38": (
        [-128 * VALUE <= total, total <= 128 * VALUE],
        z3.And(-(2**38) < total, total < 2**38),
    ),
    "the mean is no larger than the largest": (
        [1 <= count, 0 <= total, total <= count * VALUE, down(share, total, count)],
        z3.And(0 <= share, share <= VALUE),
    ),
    "the mean is off by less than one unit, toward zero": (
        [1 <= count, 0 <= total, down(share, total, count)],
        z3.And(share * count <= total, total - share * count < count),
    ),
    # Masks.next, unchecked: the lifted sum of n seats, at most 255 * n, times a step of at most 2^23 units, divided by n.
    "no step of a sum overflows": (
        [1 <= count, count <= 128, -255 * count <= total, total <= 255 * count],
        z3.And(-(2**39) < total * 2**23, total * 2**23 < 2**39),
    ),
    "a sum moves a parameter by at most 255 steps": (
        [1 <= count, 0 <= total, total <= 255 * count, 1 <= value, value <= 2**23, down(share, total * value, count)],
        share <= 255 * value,
    ),
    # Committee.draw
    "the draw stays inside the list, and behind what was drawn": (drawing, z3.And(j <= drawn, drawn < n)),
    "a swap repeats no seat": (drawing, distinct(swapped)),
    "what was drawn stays drawn": ([*drawing, 0 <= a, a < j], swapped[a] == seats[a]),
}
again = h % n  # a draw that may come back to what was drawn
copied = z3.Store(seats, j, seats[drawn])  # half a swap
WRONGS = {
    "a part above the whole is paid no more": (
        [0 <= rate, part <= whole + 1, whole >= 1, down(pay, rate * part, whole)],
        pay <= rate,
    ),
    "one seat more fits the same budget": ([0 <= rate, pay <= rate, paid <= k * rate], paid + pay <= k * rate),
    "without the clamp a sum moves a parameter no further": (
        [1 <= count, 0 <= total, total < 2**15, 1 <= value, value <= 2**23, down(share, total * value, count)],
        share <= 255 * value,
    ),
    "rounding down loses nothing": ([1 <= count, 0 <= total, down(share, total, count)], share * count == total),
    "any draw stays behind what was drawn": (drawing, j <= again),
    "half a swap repeats no seat": (drawing, distinct(copied)),
}


def follows(given: list[z3.BoolRef], claim: z3.BoolRef) -> str:
    solver = z3.Solver()
    solver.set(timeout=60_000)
    solver.add(*given, z3.Not(claim))
    return {"unsat": "proved", "sat": "refuted"}.get(str(solver.check()), "undecided")


if __name__ == "__main__":
    surprises = 0
    for expected, group in (("proved", CLAIMS), ("refuted", WRONGS)):
        for name, (given, claim) in group.items():
            found = follows(given, claim)
            surprises += found != expected
            print(f"{found}: {name}")
    sys.exit(min(surprises, 1))
