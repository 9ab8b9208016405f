"""The project's Markdown pages, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """A fenced block: its language, its text and the line that it begins on."""

    language: str
    text: str
    line: int


def markdown_files() -> list[Path]:
    """Every page: those in the root and those below docs."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def snippets(page: Path, language: str) -> Iterator[Snippet]:
    """The fenced blocks of a page in one language, in order."""
    content = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(content):
        if found["language"] == language:
            line = content.count("\n", 0, found.start()) + 2
            yield Snippet(language, found["text"], line)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))
