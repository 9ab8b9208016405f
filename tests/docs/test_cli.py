"""``docs/cli.md`` shows every command with the help that it really prints."""

from __future__ import annotations

import pytest

from tests.docs.cli_help import commands, documented, help_of

REFRESH = "run: python -m tests.docs.cli_help"


@pytest.mark.parametrize("path", list(commands()), ids=lambda path: " ".join(path) or "root")
def test_the_page_shows_the_help_of_every_command(path: tuple[str, ...]) -> None:
    assert path in documented(), f"docs/cli.md lacks `blockfold {' '.join(path)}`; {REFRESH}"
    assert documented()[path] == help_of(path), REFRESH


def test_the_page_shows_no_command_that_is_gone() -> None:
    assert set(documented()) == set(commands())


def test_help_shows_defaults_that_depend_on_circumstances() -> None:
    assert "[default: head]" in help_of(("state",))
