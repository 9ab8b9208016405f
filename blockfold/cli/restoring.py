"""Restores as the command line follows them: begun by a call, finished by the workflow if large."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import msgspec
import typer
from rich.progress import Progress, TaskID

from blockfold.adapters.workflows import Workflows
from blockfold.application.restore import Restorer
from blockfold.bootstrap import restorer
from blockfold.cli.output import progress, say
from blockfold.client import Stack
from blockfold.domain.errors import BlockfoldError, Unavailable

POLL_SECONDS = 1.0
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""


class Follower:
    """Follows a restore until its machine's state table holds it.

    Args:
        stack: The stack.
        machine: The machine that gets the state.
        json: Write the progress as JSON lines, instead of a bar.
    """

    def __init__(self, stack: Stack, machine: str, *, json: bool) -> None:
        self._stack = stack
        self._machine = machine
        self._json = json
        self._restorer: Restorer = restorer(stack.adapters)
        self._told = -1.0

    def carry_out(self, payload: Mapping[str, object]) -> dict[str, Any]:
        """Call the restore function, and let the workflow finish what it left.

        Args:
            payload: What to restore.

        Returns:
            The function's answer; without counts if the workflow finished it.
        """
        call = _Call(
            lambda: self._stack.call("RestoreFunctionName", {**payload, "begin_large": True})
        )
        with self._bar() as (bar, task):
            while not call.wait(POLL_SECONDS):
                self._tell(bar, task)
            answer = call.answer()
            if answer["done"]:
                return answer
            self._work(bar, task)
        return {**answer, "written": None, "deleted": None, "done": True, "share": 1.0}

    def go_on(self) -> None:
        """Let the workflow finish a restore that was interrupted."""
        with self._bar() as (bar, task):
            self._work(bar, task)

    def _work(self, bar: Progress, task: TaskID) -> None:
        workflows = Workflows(
            lambda: self._stack.clients.stepfunctions, self._stack.outputs["RestoreWorkflowArn"]
        )
        execution = workflows.start(self._machine, {"machine": self._machine})
        while (found := workflows.look(execution)).running:
            self._tell(bar, task)
            time.sleep(POLL_SECONDS)
        if found.error:
            raise Unavailable(
                f"the restore of {self._machine} stopped half-way: {found.error}",
                hint=f"go on with: blockfold restore --resume {self._machine}",
            )

    @contextmanager
    def _bar(self) -> Iterator[tuple[Progress, TaskID]]:
        with progress() as bar:
            task = bar.add_task(f"restore {self._machine}", total=None)
            try:
                yield bar, task
            except KeyboardInterrupt:
                say(
                    f"interrupted: what was begun goes on as far as its function or workflow "
                    f"gets; nothing is lost\n"
                    f"watch it or go on with: blockfold restore --resume {self._machine}"
                )
                raise typer.Exit(INTERRUPTED) from None

    def _tell(self, bar: Progress, task: TaskID) -> None:
        try:
            found = self._restorer.progress(self._machine)
        except BlockfoldError:
            return  # only the bar stands still
        if found is None:
            return
        bar.update(task, total=found.rows, completed=int(found.share * found.rows))
        if self._json and found.share != self._told:
            line = {"machine": found.machine, "number": found.number, "share": found.share}
            sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
            self._told = found.share


class _Call(Thread):
    """A call in the background, which does not keep the process alive."""

    def __init__(self, call: Callable[[], dict[str, Any]]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._answer: dict[str, Any] | BlockfoldError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._answer = self._call()
        except BlockfoldError as error:
            self._answer = error

    def wait(self, seconds: float) -> bool:
        """Wait for the call; whether it is over."""
        self.join(seconds)
        return not self.is_alive()

    def answer(self) -> dict[str, Any]:
        """The answer.

        Raises:
            BlockfoldError: The call failed.
        """
        if isinstance(self._answer, BlockfoldError):
            raise self._answer
        if self._answer is None:
            raise Unavailable("the call ended without an answer")
        return self._answer
