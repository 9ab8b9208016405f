"""How the main job tells what it does, and keeps count of what held."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass(slots=True)
class Checks:
    """What was checked, and whether all of it held."""

    failed: list[str] = field(default_factory=list)
    held: int = 0

    def check(self, what: str, found: object, wanted: object) -> None:
        """Note one check and print it."""
        if found == wanted:
            self.held += 1
            print_line(f"  ok    {what}")
        else:
            self.failed.append(what)
            print_line(f"  WRONG {what}: found {found}, wanted {wanted}")


def print_line(text: str = "") -> None:
    """Print a line of the story."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def title(text: str) -> None:
    """Print a step's heading."""
    print_line(f"\n== {text}")
