"""Long work on a whole machine: its progress, the paused intake, and lost tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
import typer
from rich.progress import Progress, TaskID

from blockfold.adapters.aws import code_of
from blockfold.cli.output import progress, say
from blockfold.cli.restoring import INTERRUPTED
from blockfold.domain.errors import NotFound
from blockfold.ports import Intake

SECONDS = 0.5
"""How often progress is told."""


class Steps:
    """Tells how far long work is: by bars on a terminal, by JSON lines on stderr.

    Args:
        machine: The machine's id.
        totals: How much of each kind of work there is, where that is known.
        json: Write JSON lines.
    """

    def __init__(
        self, machine: str, totals: Mapping[str, int] | None = None, *, json: bool
    ) -> None:
        self._machine = machine
        self._totals = totals or {}
        self._json = json
        self._bar: Progress = progress()
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Steps:
        if not self._json:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, what: str, count: int) -> None:
        """So much is done of one kind of work."""
        now = time.monotonic()
        total = self._totals.get(what)
        if count != total and now - self._told.get(what, 0.0) < SECONDS:
            return
        self._told[what] = now
        if self._json:
            line = {"machine": self._machine, "done": what, "count": count, "total": total}
            sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(f"{self._machine}: {what}", total=total)
        self._bar.update(self._tasks[what], completed=count)


@contextmanager
def paused(intake: Intake) -> Iterator[None]:
    """Hold all actions of the stack in the queue meanwhile, whatever happens."""
    say("the intake pauses: actions wait in the queue")
    try:
        intake.pause()
        yield
    finally:
        try:
            intake.resume()
        except BaseException:
            say("the intake may still be paused: run this again, it ends with letting actions in")
            raise
        say("actions are let in again")


@contextmanager
def resumable(again: str) -> Iterator[None]:
    """Say how to go on after Ctrl-C.

    Args:
        again: The command.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; go on where it stopped with: {again}")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def tables_needed() -> Iterator[None]:
    """Say what to do where a whole table is missing."""
    try:
        yield
    except NotFound as error:
        if code_of(error.__cause__ or error) != "ResourceNotFoundException":  # type: ignore[arg-type]
            raise
        raise NotFound(
            error.message, hint="a table of the stack is missing: deploy the stack again first"
        ) from error
