"""A cursor: time travel by steps, for notebooks and debuggers."""

from __future__ import annotations

from collections.abc import Iterator

from blockfold.runtime.frames import Frame, Frames, frame_at
from blockfold.runtime.past import Past
from blockfold.runtime.view import StateView, view_of
from blockfold.runtime.walk import Walk


class Cursor:
    """Stands at a frame, and moves. A step costs what the frame changed, not what the state holds.

    Moving it changes nothing but the cursor. It may go on to frames that came after it was made.

    Args:
        past: Where frames are read from.
        frames: The frames.
    """

    def __init__(self, past: Past, frames: Frames) -> None:
        self._past = past
        self._frames = frames
        end = frame_at(past, past.head)
        self._walk = Walk(past, end.number, end.position)

    def __repr__(self) -> str:
        """Where it stands."""
        return f"<Cursor at {self.frame!r}>"

    @property
    def index(self) -> int:
        """The index of the frame that it stands at."""
        return self._frames.index_of(self._walk.number, self._walk.position)

    @property
    def frame(self) -> Frame:
        """The frame that it stands at."""
        return frame_at(self._past, self._walk.number, self._walk.position)

    @property
    def state(self) -> StateView:
        """The state there. It is the cursor's own: a step changes it, `Frame.state` is a copy."""
        return view_of(self._walk.entries)

    def forward(self) -> bool:
        """Go to the next frame; whether there was one."""
        return self._walk.forward()

    def back(self) -> bool:
        """Go to the frame before; whether there was one."""
        return self._walk.back()

    def jump(self, index: int) -> Frame:
        """Go to any frame; a negative index counts from the end.

        Raises:
            IndexError: There is no such frame.
        """
        frame = self._frames[index]
        self._walk.move(frame.number, frame.position)
        return frame

    def play(self) -> Iterator[Frame]:
        """Go to the end step by step, handing out the frames that it comes to."""
        while self.forward():
            yield self.frame

    def replay(self) -> Iterator[Frame]:
        """The same from the beginning, the first frame included."""
        yield self.jump(0)
        yield from self.play()
