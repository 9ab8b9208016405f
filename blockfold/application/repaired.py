"""What a repair did, and what it could not do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Healed:
    """An object that is whole again.

    Attributes:
        key: Its key.
        how: What was done.
    """

    key: str
    how: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that could not be healed.

    Attributes:
        key: The object's key; empty if it is no object.
        what: What is wrong with it.
        advice: What to do about it.
    """

    key: str
    what: str
    advice: str


@dataclass(slots=True)
class Repaired:
    """What a repair did.

    Attributes:
        machine: The machine's id.
        healed: What is whole again, in the order in which it was healed.
        lost: What is not.
    """

    machine: str
    healed: list[Healed] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    def heal(self, key: str, how: str) -> None:
        """Note an object that is whole again, once."""
        if all(healed.key != key for healed in self.healed):
            self.healed.append(Healed(key, how))

    def lose(self, key: str, what: str, advice: str) -> None:
        """Note what could not be healed, once."""
        lost = Lost(key, what, advice)
        if lost not in self.lost:
            self.lost.append(lost)
