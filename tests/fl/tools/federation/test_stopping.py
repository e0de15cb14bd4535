"""When a federation has learned enough: at its target, or when it no longer gets better; and not before."""

import re

import pytest

from fl.errors import TaskError
from fl.tools.federation.stopping import Stop


@pytest.mark.parametrize(
    "stop, metrics, higher, told",
    [
        (Stop(), [0.1, 0.99], True, ""),
        (Stop(until=0.9), [0.95], True, ""),  # the first model alone ends nothing
        (Stop(until=0.9), [0.1, 0.89], True, ""),
        (Stop(until=0.9), [0.1, 0.9], True, "0.9000 reaches --until-metric 0.9"),
        (Stop(until=0.5), [3.0, 0.6], False, ""),
        (Stop(until=0.5), [3.0, 0.4], False, "0.4000 reaches"),
        (Stop(patience=2), [0.1, 0.5, 0.4], True, ""),
        (Stop(patience=2), [0.1, 0.5, 0.4, 0.6, 0.5], True, ""),
        (Stop(patience=2), [0.1, 0.5, 0.4, 0.5], True, r"no better than 0.5000 for 2 rounds \(--patience 2\)"),
        (Stop(patience=1), [3.0, 1.0, 2.0], False, "no better than 1.0000 for 1 rounds"),
        (Stop(until=0.9, patience=1), [0.95, 0.92], True, "0.9200 reaches"),
    ],
)
def test_reason(stop, metrics, higher, told):
    why = stop.reason(metrics, higher=higher)
    assert bool(why) is bool(told) and re.match(told, why)


@pytest.mark.parametrize("wrong", [{"until": float("nan")}, {"patience": 0}], ids=str)
def test_stop__that_can_never_come__is_refused(wrong):
    with pytest.raises(TaskError, match=r"--until-metric nan|--patience 0"):
        Stop(**wrong)
