"""The matrix has everything that the code can do, is as the page shows it, and can fail."""

from __future__ import annotations

from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from tests.simulation.defects import DEFECTS
from tests.simulation.matrix.cases import CASES
from tests.simulation.matrix.covered import NOT_HERE, all_recorded, called, calls, functions
from tests.simulation.matrix.crossing import Recorded, hold, on_stage
from tests.simulation.matrix.table import shown, table

MADE = {each.name: each.made for each in DEFECTS}

FOUND = {
    "a cold executor skips the marks": "execute: a message of three blocks",
    "acknowledged before the commit": "execute: a machine's first message",
    "acknowledged while the table is behind": "execute: a machine's first message",
    "a lost race is ignored": "execute: another executor was first",
    "dumped is raised before the snapshot": "dump: a due event",
    "a restore forgets the old tail": "restore: behind an unfinished flush",
    "a restore block drops the marks": "restore: behind an unfinished flush",
}
"""Defects, and the use case that shows each of them when it is struck."""


@pytest.fixture(scope="module")
def recorded() -> list[Recorded]:
    with on_stage():
        return all_recorded()


def test_every_public_function_of_the_application_is_in_a_use_case(
    recorded: list[Recorded],
) -> None:
    entered = set().union(*(each.entered for each in recorded))
    assert {*functions().values()} - entered == set(NOT_HERE)


def test_functions_are_called_with_everything_that_they_take(recorded: list[Recorded]) -> None:
    assert calls() - called(recorded) == set()


def test_the_page_shows_the_table(recorded: list[Recorded]) -> None:
    assert shown() == table(recorded), "run: python -m tests.simulation.matrix --write"


def test_names_are_told_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def _wrong(recorded: list[Recorded], case: str, defect: AbstractContextManager[object]) -> str:
    """What goes wrong in a use case with a defect."""
    [one] = [each for each in recorded if each.case.name == case]
    with on_stage(), defect:
        _, wrong = hold(one, every_part=False, enough=1)
    return "".join(wrong)


@pytest.mark.parametrize("name", FOUND)
def test_a_defect_is_found(recorded: list[Recorded], name: str) -> None:
    assert _wrong(recorded, FOUND[name], MADE[name]())


def test_a_rebuild_that_failed_lets_no_executor_go_on(recorded: list[Recorded]) -> None:
    """Found here: the rows of lost blocks were still there, and the log had no hole any more."""
    defect = patch("blockfold.application.rebuild.REBUILDING", 0)
    assert _wrong(recorded, "rebuild: without the last blocks", defect)


def test_readers_refuse_a_machine_that_is_being_rebuilt(recorded: list[Recorded]) -> None:
    """Found here: they took rows that were not back yet for absent."""
    defect = patch("blockfold.application.read.check_reaches", lambda *_: None)
    assert "readers: m is read" in _wrong(recorded, "rebuild: without the last blocks", defect)
