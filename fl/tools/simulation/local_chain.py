"""A chain on this machine with its own clock: rounds last as long as the work in them, not as long as their windows.

Windows are hours long so that nobody has to hurry. On a chain that nobody else uses there is no need to wait for their ends:
when every participant has done what a phase asks for, the clock jumps to the end of the phase. Daemons go only by the chain's
clock, so they run here as they would anywhere.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from fl.agents.record.history import History, RoundLog
from fl.errors import ChainError
from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.protocol.phases import Phase, phase_and_end

CHAIN_ID = 1337
BLOCK_SECONDS = 0.25  # between two blocks
CHECK_BLOCKS = 12  # blocks before the rest of Show or of a challenge window is skipped: time to fetch, to check and to demand


def start_chain(
    log: Path, accounts: int = 40, state: Path | None = None, chain_id: int = CHAIN_ID
) -> tuple[subprocess.Popen[bytes], str]:
    """A local chain in a process of its own, and its address. Raises ChainError with the remedy.

    state: a file that the chain is read from, if it exists, and written to when the process is terminated.
    """
    with log.open("wb") as out:
        command = ["anvil", "--port", "0", "--accounts", str(accounts), "--balance", "1000", "--chain-id", str(chain_id)]
        command += [] if state is None else ["--state", str(state)]
        try:
            # In a session of its own: Ctrl-C in a terminal goes to all of a session, and the chain is needed to the end.
            node = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ}, start_new_session=True)
        except FileNotFoundError:
            raise ChainError("there is no local chain to start: run `make setup`, then `. ./env.sh`") from None
    for _ in range(300):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("Listening on"):
                return node, f"http://{line.split()[-1]}"
        if node.poll() is not None:
            break
        time.sleep(0.1)
    node.kill()
    raise ChainError(f"the local chain did not start: see {log}")


def carry_on(rpc: Rpc) -> None:
    """Lets a chain that was read from a file go on from its last block's time, which its clock had run ahead to."""
    rpc("evm_setTime", int(rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 1)


class Clock:
    """Makes blocks, and jumps to the end of a phase in which nobody has anything left to do.

    awaited: the seats whose daemons run. watch: called with the history whenever a block brought something new.
    """

    def __init__(self, rpc: Rpc, reader: FederationReader, awaited: Callable[[], set[int]], watch: Callable[[History], None]):
        self.rpc, self.reader, self.awaited, self.watch = rpc, reader, awaited, watch
        self.history = History(reader.terms.committee)
        self._stood: tuple[int, int] = (0, 0)  # (accepted updates or attempt of a round, blocks for which they stood)

    def tick(self) -> None:
        """One block, a jump if nobody needs the time, and a look at what happened."""
        self.rpc("evm_mine")
        snapshot = self.reader.look()
        if snapshot is None:
            return
        if snapshot.anew:
            self.history = History(self.reader.terms.committee)
        self.history.apply(snapshot.events)
        self.watch(self.history)
        phase, end = phase_and_end(snapshot.facts, self.reader.terms, snapshot.head.time)
        log = self.history.round
        if log is not None and end > snapshot.head.time and self._over(phase, log):
            self.rpc("evm_setNextBlockTimestamp", end)
            self.rpc("evm_mine")

    def _over(self, phase: Phase, log: RoundLog) -> bool:
        """Whether all awaited seats have done what the phase asks for."""
        here = self.awaited()
        if phase is Phase.ANNOUNCE:
            return here & set(log.active) <= log.keys.keys()
        if phase is Phase.COMMIT:
            return here & set(log.keys or log.active) <= log.commitments.keys()
        if phase is Phase.REVEAL:
            return here & log.commitments.keys() <= log.reveals.keys()
        if phase is Phase.SCORE_COMMIT:
            return here & set(log.committee) <= log.score_commitments.keys()
        if phase is Phase.SCORE_REVEAL:
            return here & log.score_commitments.keys() <= log.scores.keys()
        if phase in (Phase.SHOW, Phase.CHALLENGE):  # on one machine all read one store: no accepted file is missing for long
            attempt = 1000 * log.number + len(log.proposals)
            known, stood = self._stood
            self._stood = attempt, stood + 1 if attempt == known else 1
            return self._stood[1] >= CHECK_BLOCKS and not log.demands
        return False
