"""Undo and redo, as editors have them, told from the log alone.

An undo is a restore block; so is a redo. Which of the blocks before it a block takes back is
derived, so that it is the same after a restart, and for whoever else reads the log:

- a block that changes something is a new step: what was undone before cannot be redone any more;
- a restore of the state before the newest step undoes that step;
- a restore of the state of the step undone last redoes it;
- any other restore is a new step itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blockfold.domain.block import Block


@dataclass(slots=True)
class Steps:
    """The steps of a machine, as far as its log was followed.

    Attributes:
        done: Blocks that states to go back to stand at, oldest first; the last is the present one.
        undone: Blocks whose states can be redone; the last comes next.
        number: The block that the log was followed to.
    """

    done: list[int]
    undone: list[int] = field(default_factory=list)
    number: int = 0

    @classmethod
    def since(cls, first: int) -> Steps:
        """No steps yet after a block."""
        return cls([first], number=first)

    def follow(self, block: Block) -> None:
        """Go on by one block."""
        self.number = block.number
        origin = block.body.origin
        if origin is None:
            if block.header.changes:
                self._step(block.number)
        elif origin.kind != "restore":
            self.done, self.undone = [block.number], []  # nothing of its own was before it
        elif len(self.done) > 1 and self.done[-2] == origin.number:
            self.undone.append(self.done.pop())
        elif self.undone and self.undone[-1] == origin.number:
            self.done.append(self.undone.pop())
        else:
            self._step(block.number)

    @property
    def before(self) -> int | None:
        """The block whose state an undo brings back; None if there is nothing to undo."""
        return self.done[-2] if len(self.done) > 1 else None

    @property
    def after(self) -> int | None:
        """The block whose state a redo brings back; None if there is nothing to redo."""
        return self.undone[-1] if self.undone else None

    def _step(self, number: int) -> None:
        self.done.append(number)
        self.undone.clear()
