"""Every boundary of every phase: the last second takes what belongs to it, the next one takes what comes after, never both."""

import pytest
from attacks.gallery import files, root
from support.evm import refused
from support.system import STRANGER, System, operator, salt

from fl.protocol.phases import Phase

UPDATES = files(4)


def at(phase: Phase) -> System:
    s = System.create().join(4).fund().open()
    s.rich(STRANGER)
    s.commit({i: UPDATES[i] for i in range(4)})
    if phase is Phase.COMMIT:
        return s
    s.skip()
    if phase is Phase.REVEAL:
        s.reveal(0, 1, 2)
        return s
    s.reveal()
    s.skip()
    if phase is Phase.DRAW:
        return s
    drawn = s.draw()
    if phase is Phase.SCORE_COMMIT:
        s.commit_scores({seat: bytes([9] * 4) for seat in drawn[:2]})
        s.scores[drawn[2]] = bytes([9] * 4)
        return s
    s.commit_scores({seat: bytes([9] * 4) for seat in drawn})
    s.skip()
    if phase is Phase.SCORE_REVEAL:
        s.reveal_scores(*drawn[:2])
        return s
    s.reveal_scores()
    s.skip()
    if phase is Phase.SETTLE:
        return s
    s.settle()
    if phase is Phase.SHOW:
        return s
    s.skip()
    return s if phase is Phase.PROPOSE else s.propose(s.aggregate())


# phase -> (a call that belongs to it, the phase that follows if nobody calls)
CALLS = {
    Phase.COMMIT: (lambda s: s.do("commit", 3, s.commitment(3, root(UPDATES[0])), by=operator(3)), Phase.REVEAL),
    Phase.REVEAL: (lambda s: s.do("reveal", 3, root(UPDATES[3]), salt(3), b""), Phase.DRAW),
    Phase.DRAW: (lambda s: s.do("close"), Phase.VOID),
    Phase.SCORE_COMMIT: (lambda s: s.commit_scores({s.committee()[2]: bytes([9] * 4)}), Phase.SCORE_REVEAL),
    Phase.SCORE_REVEAL: (lambda s: s.reveal_scores(s.committee()[2]), Phase.SETTLE),
    Phase.SETTLE: (lambda s: s.settle(), Phase.VOID),
    Phase.SHOW: (lambda s: s.do("reportMissing", 0, 1, by=operator(0)), Phase.PROPOSE),
    Phase.PROPOSE: (lambda s: s.propose(s.aggregate()), Phase.FINAL),
}


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("phase", CALLS, ids=lambda p: p.name)
def test_boundary__one_second_decides(phase, after):
    call, following = CALLS[phase]
    s = at(phase)
    end = s.see("phaseEnd")
    s.evm.warp(end - 1)
    assert s.phase is phase
    call(s)
    s = at(phase)
    s.evm.warp(end + after)
    assert s.phase is following
    with refused("WrongPhase", phase, following):
        call(s)


def test_challenge_window__ends_to_the_second():
    s = at(Phase.CHALLENGE)
    end, window = s.see("phaseEnd"), s.terms.answer_window
    s.evm.warp(end - 1)
    assert s.phase is Phase.CHALLENGE
    with refused("WrongPhase", Phase.FINAL, Phase.CHALLENGE):
        s.do("finalize")
    with refused("DemandTooLate", end - 1, end - 2 * window):
        s.do("demand", 0, 0, 0)
    s.evm.warp(end)
    with refused("WrongPhase", Phase.CHALLENGE, Phase.FINAL):
        s.do("challenge", 0, 0, s.proof())
    s.do("finalize")
    assert s.phase is Phase.IDLE


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_answer_window__belongs_to_the_answerer_until_its_last_second(offset):
    from attacks.gallery import leaf_and_path

    from fl.protocol.artifact import Kind

    s = at(Phase.CHALLENGE)
    s.do("demand", 0, 0, 0)
    deadline = s.see("demandInfo", 0, 0, 0)[1]
    s.evm.warp(deadline + offset)
    shown = leaf_and_path(s.proposal, Kind.MODEL, 0)
    if offset < 0:
        with refused("AnswerPending", deadline - 1, deadline):
            s.do("expire", 0, 0, 0)
        s.do("answer", 0, 0, 0, *shown)
    else:
        with refused("AnswerTooLate", deadline + offset, deadline):
            s.do("answer", 0, 0, 0, *shown)
        s.do("expire", 0, 0, 0)


def test_next_attempt__begins_when_the_window_closed_however_late_it_is_booked():
    s = at(Phase.CHALLENGE)
    s.do("demand", 0, 0, 0)
    closed = s.see("phaseEnd")
    end = closed + s.terms.propose_window
    s.evm.warp(end - 1)
    assert s.phase is Phase.PROPOSE and s.see("phaseEnd") == end
    s.do("expire", 0, 0, 0)
    assert s.phase is Phase.PROPOSE and s.see("phaseEnd") == end
    s.evm.warp(end)
    assert s.phase is Phase.FINAL
