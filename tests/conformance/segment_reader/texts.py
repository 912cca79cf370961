"""Texts that are replaced as a whole: SPEC 9.15, 10.24."""

from __future__ import annotations

from dataclasses import dataclass

from .in_flight import key_hash
from .layout import Segment, acquire_fence, bytes_of

HEAD, REFUSED = range(2)  # words of line 0
CLAIM, BEGIN, CONTENT, SET_NS, START = range(5)  # words of a slot
SLOTS, LINE_WORDS = 8, 16
MAX_TEXT_CAPACITY = 4096
CUT, RESERVED = 1 << 16, 0xFFFE0000  # of the content word
LOOKS = 64  # at a text that is replaced meanwhile [D-3]


@dataclass(frozen=True)
class TextShape:
    capacity: int

    @property
    def text_words(self) -> int:
        return (self.capacity + 7) // 8

    @property
    def slot_words(self) -> int:
        return (START + self.text_words + LINE_WORDS - 1) // LINE_WORDS * LINE_WORDS

    @property
    def length(self) -> int:
        return 8 * (LINE_WORDS + SLOTS * self.slot_words)


@dataclass
class Text:
    capacity: int
    refused: int
    text: str | None = None
    truncated: bool = False
    set_ns: int | None = None
    unreadable: bool = False

    @property
    def says_nothing(self) -> bool:
        return self.text is None and not self.unreadable and self.refused == 0


def read(segment: Segment, block: int, shape: TextShape) -> Text:
    found = Text(shape.capacity, segment.load(block, REFUSED))
    for _ in range(LOOKS):
        head = segment.load(block, HEAD)
        if head & 0xFF == 0:
            return found
        if head & 0xFF > SLOTS:
            break
        acquire_fence()
        slot = LINE_WORDS + ((head & 0xFF) - 1) * shape.slot_words
        words = segment.copy(block, slot, slot + START + shape.text_words)
        acquire_fence()
        if segment.load(block, slot + BEGIN) == head >> 8:
            text = stored(words[CONTENT], bytes_of(words[START:]), shape.capacity)
            if text is None:
                break
            found.text, found.truncated, found.set_ns = text, words[CONTENT] & CUT != 0, words[SET_NS]
            return found
    found.unreadable = True
    return found


def stored(content: int, text: bytes, capacity: int) -> str | None:
    length = content & 0xFFFF
    if content & RESERVED or length > capacity or content >> 32 != key_hash(text[:length]) >> 32:
        return None
    try:
        return text[:length].decode("utf-8")
    except UnicodeDecodeError:
        return None
