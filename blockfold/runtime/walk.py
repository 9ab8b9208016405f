"""A place among the frames that moves back and forth: a step costs what the frame changed."""

from __future__ import annotations

from blockfold.domain.canonical import Canonical
from blockfold.domain.state import Changes
from blockfold.runtime.past import Past, frames_in, put_over

STEPS = 64
"""Blocks up to which a jump is made step by step; farther away, the state is read anew."""

NOTED = 512
"""Blocks whose old values are found at once when somebody goes back, to begin with. It doubles up
to `MOST_NOTED`: a step back costs what was changed, and one of so many a look at the past."""

MOST_NOTED = 4_096


class Walk:
    """A whole state in memory that is moved from frame to frame.

    Args:
        past: Where frames are read from.
        number: The block that it begins at.
        position: The frame in it; 0 if the block brings a state back, or for the first frame.

    Attributes:
        number: The block that it stands at.
        position: The frame in it.
        entries: The state there: key → value as canonical bytes, in no order.
    """

    def __init__(self, past: Past, number: int, position: int) -> None:
        self._past = past
        self.number = number
        self.position = position
        self.entries: dict[str, Canonical] = past.entries(number, position)
        self._old: dict[tuple[int, int], Changes] = {}
        self._window = NOTED

    def forward(self) -> bool:
        """Go to the next frame; whether there was one."""
        number, position = self.number, self.position
        if number > self._past.first and 0 < position < frames_in(self._past.block(number)):
            position += 1
        elif number < self._past.head:
            number += 1
            position = 1 if self._past.block(number).body.origin is None else 0
        else:
            return False
        changes = self._past.changes(self._past.block(number), position)
        self._old[number, position] = put_over(self.entries, changes)
        self.number, self.position = number, position
        return True

    def back(self) -> bool:
        """Go to the frame before; whether there was one."""
        number, position = self.number, self.position
        if number == self._past.first:
            return False
        if (number, position) not in self._old:
            self._note_back()
        put_over(self.entries, self._old.pop((number, position)))
        if position > 1:
            self.position -= 1
        else:
            self.number -= 1
            self.position = self._end(self.number)
        return True

    def move(self, number: int, position: int) -> None:
        """Go to a frame, wherever it is."""
        if abs(number - self.number) > STEPS:
            self.entries = self._past.entries(number, position)
            self.number, self.position = number, position
            self._old.clear()
        while (self.number, self.position) < (number, position) and self.forward():
            pass
        while (self.number, self.position) > (number, position) and self.back():
            pass

    def _note_back(self) -> None:
        """Come to this place again from some blocks before, noting the old values on the way."""
        number, position = self.number, self.position
        start = max(self._past.first, number - self._window)
        self._window = min(self._window * 2, MOST_NOTED)
        self.number, self.position = start, self._end(start)
        self.entries = self._past.entries(self.number, self.position)
        while (self.number, self.position) != (number, position):
            self.forward()

    def _end(self, number: int) -> int:
        """The position of the last frame of a block."""
        if number == self._past.first:
            return 0
        block = self._past.block(number)
        return frames_in(block) if block.body.origin is None else 0
