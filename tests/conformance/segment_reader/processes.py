"""Who has a process slot, and whether it is alive: SPEC 9.1, 9.2, 10.4, 10.5, 10.16, and of 15 what is shown of it."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

from .layout import Segment, acquire_fence, bytes_of

RETRIES = 8  # of a slot that is changing hands [D-3]
OWNER, COMMITTED, DESCRIPTION = range(3)  # words of a process entry
PID, ROLE, COMMAND, END = 16, 20, 28, 44
STATE_FREE, STATE_ACTIVE = 0, 2  # others: claiming

# For people; decides nothing. Without arguments: nothing is known.
Description = namedtuple("Description", "pid pid_namespace start_ticks claimed_ns role command",
                         defaults=(0, 0, 0, 0, "", ""))


@dataclass(frozen=True)
class Process:
    """A slot as it was when the snapshot began."""

    slot: int
    owner: int
    alive: bool  # not found dead; may be claiming
    committed: bool
    description: Description

    @property
    def incarnation(self) -> int:
        return self.owner >> 2

    @property
    def is_live(self) -> bool:
        """Its gauges count [14]."""
        return self.alive and self.owner & 3 == STATE_ACTIVE

    @property
    def is_dead(self) -> bool:
        """Found dead, and nobody has its slot [15]."""
        return not self.alive and self.owner & 3 != STATE_FREE

    @property
    def tag(self) -> int:
        """The owner tag of this incarnation [9.2]."""
        return (self.slot + 1) << 48 | self.incarnation & 2**48 - 1

    @property
    def name(self) -> str:
        return self.description.role or f"slot-{self.slot}"


def read_process(segment: Segment, slot: int, known: Process | None) -> Process:
    """`known` is what an earlier snapshot saw of the slot."""
    entry = segment.process_entry(slot)
    owner, description = 0, None
    for _ in range(RETRIES):
        owner = segment.load(entry, OWNER)
        acquire_fence()
        description = read_description(segment, entry)
        acquire_fence()
        if segment.load(entry, OWNER) == owner:
            break
        description = None
    if description is None or owner & 3 not in (STATE_FREE, STATE_ACTIVE):
        is_known = known is not None and known.incarnation == owner >> 2
        description = known.description if is_known else Description()
    # The lock byte is held from before T2 to after U2: found free after the load of the owner word, that owner is dead.
    alive = owner & 3 != STATE_FREE and not segment.lock_is_free(slot)
    committed = segment.load(entry, COMMITTED) != 0
    acquire_fence()
    return Process(slot, owner, alive, committed, description)


def read_description(segment: Segment, entry: int) -> Description | None:
    """None: it is being changed [10.16]."""
    version = segment.load(entry, DESCRIPTION)
    acquire_fence()
    numbers = segment.copy(entry, PID, ROLE)
    role, command = segment.copy(entry, ROLE, COMMAND), segment.copy(entry, COMMAND, END)
    acquire_fence()
    if version & 1 or segment.load(entry, DESCRIPTION) != version:
        return None
    return Description(*numbers, shown_text(role), shown_text(command))


def shown_text(words: list[int]) -> str:
    """A `text` ends at its first NUL; what is not UTF-8 is replaced [9.1]."""
    return bytes_of(words).split(b"\0", 1)[0].decode("utf-8", "replace")
