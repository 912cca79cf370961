"""The error log: SPEC 9.10, 10.18, and V-31 of 12.2."""

from __future__ import annotations

from dataclasses import dataclass

from .layout import WORD_MASK, Segment, acquire_fence, bytes_of, fnv1a_of_bytes

CLAIM, READY, HASH, LENGTH, COUNT, FIRST_NS, LAST_NS = range(7)  # words of an error entry
TEXT, END = 8, 32
TEXT_LENGTH, TEXT_CUT = 192, 1 << 32


@dataclass
class Error:
    """What is shown of all entries of one text."""

    message: str
    truncated: bool
    count: int
    first_ns: int
    last_ns: int


class ErrorLog:
    """A text never changes once its entry is ready, so verdicts are kept."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.verdicts: dict[int, tuple[str, bool] | None] = {}  # by entry; None: it fails V-31

    def read(self) -> tuple[list[Error], int, int]:
        """The errors, newest first; how many entries are taken, and how many are left out."""
        segment, errors, taken = self.segment, {}, 0
        for number in range(segment.header.errors):
            entry = segment.error_entry(number)
            taken += segment.load(entry, CLAIM) != 0
            if number not in self.verdicts:
                ready = segment.load(entry, READY) == 1
                acquire_fence()
                if not ready:
                    continue
                self.verdicts[number] = verdict(segment.copy(entry, 0, END))
            known = self.verdicts[number]
            if known is None:
                continue
            count, first_ns, last_ns = segment.copy(entry, COUNT, LAST_NS + 1)
            if known in errors:
                error = errors[known]
                error.count = error.count + count & WORD_MASK
                error.first_ns, error.last_ns = min(error.first_ns, first_ns), max(error.last_ns, last_ns)
            else:
                errors[known] = Error(*known, count, first_ns, last_ns)
        newest = sorted(errors.values(), key=lambda error: (
            -error.last_ns, -error.first_ns, error.message.encode("utf-8", "surrogatepass"), error.truncated))
        return newest, taken, sum(known is None for known in self.verdicts.values())


def verdict(words: list[int]) -> tuple[str, bool] | None:
    """V-31."""
    length, is_cut = words[LENGTH] & ~TEXT_CUT, words[LENGTH] & TEXT_CUT != 0
    if not 1 <= length <= TEXT_LENGTH:
        return None
    text = bytes_of(words[TEXT:END])[:length]
    if words[HASH] != (fnv1a_of_bytes(text) or 1):
        return None
    return text.decode("utf-8", "replace"), is_cut
