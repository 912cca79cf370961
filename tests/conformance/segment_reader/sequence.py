"""What a reader remembers of a histogram in one lane, so that no count goes down: SPEC 10.15, and the table in 12.3.

A sequence is one of live snapshots or one of cuts [14]. A cut may need live reads, whose sequence is then another.
"""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import COUNT, LATCH_VERSION, RETRIES, Block, State

LIVE_TRIES = 2  # live copies before a histogram is considered hot
SEAL_INTERVAL = 16384  # records between two seals [19]


@dataclass(slots=True)
class Kept:
    """`live`, `at_epoch` and `shared` read the lane into `state`, which is then shown. They return by how much its count
    may be off.
    """

    state: State = State()
    newest: State = State()  # the greatest that was read live
    cut: State = State()  # what the last cut showed
    count_at_epoch: int = 0  # of the last cut that was a state at an epoch
    hot: bool = False
    latch_version: int = 0  # when the latch was last taken

    def live(self, block: Block) -> int:
        error = self._live(block)
        self.state = self.newest
        return error

    def at_epoch(self, block: Block, epoch: int) -> int:
        """For cuts."""
        if block.shape.ring_slots == 0:
            return self.live(block)
        if (state := block.at_epoch(epoch)) is not None:
            self.count_at_epoch = state.count
            error = max(0, self.cut.count - state.count)
            self.cut = self.cut if error else state
        else:
            # The truth lies between the last state at an epoch, however long ago, and what is there now.
            error = max(self._live(block), self.newest.count - self.count_at_epoch, 1)
            self.cut = self.newest if self.newest.count > self.cut.count else self.cut
        self.state = self.cut
        return error

    def shared(self, block: Block) -> int:
        state, error = block.shared()
        error = max(error, self._take(state))
        self.state = self.newest
        return error

    def _live(self, block: Block) -> int:
        begun = block.load(COUNT)
        if self.hot and block.load(LATCH_VERSION) != self.latch_version:
            before = block.load(COUNT)
            if self._take_latch(block):
                # Idle: a live copy disturbs nobody, and may have more than the seal.
                state = block.live() if block.load(COUNT) == before else None
                return 0 if state is None else self._take(state)
        for tried in range(RETRIES):
            if (state := block.live()) is not None:
                return self._take(state)
            if tried + 1 >= LIVE_TRIES and self._take_latch(block):
                return 0
        if block.load(LATCH_VERSION) == 0 and block.load(COUNT) != begun:
            # Nothing sealed yet, and the count moves: what is kept is less than a seal interval old.
            if self.newest.count or self._first(block):
                return 0
        return max(1, block.load(COUNT) - self.newest.count)

    def _first(self, block: Block) -> bool:
        """Nothing is kept: each failure means that a record began, so there is a seal after so many at the latest."""
        for _ in range(SEAL_INTERVAL):
            if (state := block.live()) is not None:
                self._take(state)
                return True
            if self._take_latch(block):
                return True
        return False

    def _take(self, state: State) -> int:
        """Keeps the greater one; by how much the new one is below the kept."""
        below = self.newest.count - state.count
        if below <= 0:
            self.newest = state
        return max(0, below)

    def _take_latch(self, block: Block) -> bool:
        """It is exact, also when what is kept is newer."""
        self.hot, self.latch_version = True, block.load(LATCH_VERSION)
        if (state := block.latch()) is None:
            return False
        self._take(state)
        return True
