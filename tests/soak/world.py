"""One real local stack for a soak: emulator, Lambda processes, and the proxy before all of it.

Every client goes through the proxy, the Lambda functions included: their environment names it.
What the soak itself does to the stack (deploy, count, drain) goes to the emulator directly.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from blockfold import local
from blockfold.client import Stack, of_local
from blockfold.local import LocalStack, environment, interpreter
from blockfold.local import emulator as process
from blockfold.local.emulator import Emulator
from blockfold.local.folder import DataFolder
from blockfold.local.network import HOST
from tests.soak.ledger import Ledger
from tests.soak.proxy import FaultProxy

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("app.py", "cdk.json", "blockfold", "infra", "lambdas", "machines", "tests")
NAME = "Soak"
FUNCTIONS = ("Executor", "Announcer", "Archiver", "Dumper", "Pruner", "Restore")

VISIBILITY_SECONDS = 5
"""Not the template's 360, so that what a killed executor held comes again within the soak, and
what a frozen one holds is given to another: it wakes up as a zombie."""

STILL_SECONDS = 15.0
"""How long a queue stands still before its messages are taken to wait for their time; twice as long
each further time, for on a busy machine functions take long to come up."""


@dataclass(frozen=True)
class Worker:
    """A process that runs a Lambda function."""

    pid: int
    function: str


@dataclass
class World:
    """The stack `plain` as it is, `stack` as every client sees it: through the proxy."""

    folder: Path
    plain: Stack
    stack: Stack
    proxy: FaultProxy
    variables: dict[str, str]
    _emulator: Emulator
    _frozen: set[int] = field(default_factory=set)

    @classmethod
    def up(
        cls,
        folder: Path,
        *,
        machine: str,
        count: int,
        proxy: Callable[[int], FaultProxy],
        report: Callable[[str], None],
    ) -> World:
        """Bring the real template up in `folder`, and the proxy before it, still without faults.

        Args:
            folder: Where everything of it lies; must be empty.
            machine: ``module:Class`` of the machine.
            count: Every how many blocks a new machine is dumped.
            proxy: Makes the proxy before a port.
            report: Told about each step.
        """
        for part in PARTS:
            (folder / part).symlink_to(ROOT / part)
        context = {"count": str(count), "archive_seconds": "1"}
        try:
            found = local.up(folder, machine=machine, stack=NAME, context=context, report=report)
        except BaseException:
            if started := process.find(DataFolder.of(folder)):
                process.destroy(started)
            raise
        emulator = process.find(DataFolder.of(folder))
        assert emulator is not None, "it was just brought up"
        before = proxy(found.port)
        through: LocalStack = replace(found, endpoint=f"http://{HOST}:{before.start()}")
        world = cls(
            folder, of_local(found), of_local(through), before, environment(through), emulator
        )
        try:
            world._point_functions_at(through.endpoint)
            for queue in ("ActionsQueueUrl", "ChecksQueueUrl"):
                world.plain.clients.sqs.set_queue_attributes(
                    QueueUrl=found.outputs[queue],
                    Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)},
                )
        except BaseException:
            world.down()
            raise
        return world

    def _point_functions_at(self, endpoint: str) -> None:
        client = self.plain.clients.lambda_
        for each in FUNCTIONS:
            name = self.plain.outputs[f"{each}FunctionName"]
            told = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            client.update_function_configuration(
                FunctionName=name,
                Environment={"Variables": {**told, "AWS_ENDPOINT_URL": endpoint}},
            )

    @property
    def log(self) -> Path:
        """What the emulator and the functions said."""
        return DataFolder.of(self.folder).log

    def restart(self) -> None:
        """Stop the emulator, with all functions that run in it, and start it again.

        Its data survive only a graceful stop, and only what is stored before it begins: the proxy
        holds everything back meanwhile. Functions are killed where they are.
        """
        data = DataFolder.of(self.folder)
        self.proxy.hold()
        self._frozen.clear()
        stopped = threading.Event()
        killer = threading.Thread(target=self._end_workers, args=(stopped,))
        killer.start()
        try:
            process.stop(self._emulator)
            python = interpreter.ensure(lambda _: None)
            self._emulator = process.start(python, data, port=self._emulator.port)
        finally:
            stopped.set()
            killer.join()
            self.proxy.release()

    def _end_workers(self, stopped: threading.Event) -> None:
        """Kill whatever runs: the emulator would wait for what nobody can finish now."""
        while True:
            for worker in self.workers():
                self.kill(worker)
            if stopped.wait(0.3):
                return

    def workers(self) -> list[Worker]:
        """The processes of Lambda functions of this stack, and of no other.

        Told by the folder that their code lies in, which is this stack's alone. One that outlived
        its emulator is among them.
        """
        listed = subprocess.run(
            ["ps", "-ww", "-axo", "pid=,command="], capture_output=True, text=True, check=True
        ).stdout
        mark = f"{DataFolder.of(self.folder).temporary}/ministack-lambda-{NAME}-"
        found = []
        for line in listed.splitlines():
            pid, command = line.split(None, 1)
            if mark in command:
                found.append(Worker(int(pid), command.split(mark)[1].partition("Function")[0]))
        return sorted(found, key=lambda worker: worker.pid)

    def kill(self, worker: Worker) -> None:
        """End a process as the power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)

    def freeze(self, worker: Worker) -> None:
        """Stop a process in the middle of whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGSTOP)
            self._frozen.add(worker.pid)

    def thaw(self, worker: Worker) -> None:
        """Let a frozen process go on, not knowing that time went by."""
        if worker.pid in self._frozen:
            self._frozen.discard(worker.pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGCONT)

    def thaw_all(self) -> None:
        """Let all frozen processes go on."""
        for pid in [*self._frozen]:
            self.thaw(Worker(pid, ""))

    def waiting(self, queue: str) -> int:
        """Messages in a queue of the stack, whether visible or not."""
        found = self.plain.clients.sqs.get_queue_attributes(
            QueueUrl=self.plain.outputs[queue],
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
        return sum(int(number) for number in found["Attributes"].values())

    def drain(self, ledger: Ledger, seconds: float) -> None:
        """Wait until the actions queue is empty; a violation if it does not become so.

        Messages that failed often wait for up to 15 minutes. A restart of the emulator makes them
        visible at once, so there is one as soon as nothing moves any more.
        """
        begin = moved = time.monotonic()
        before, patience = -1, STILL_SECONDS
        while left := self.waiting("ActionsQueueUrl"):
            now = time.monotonic()
            if now >= begin + seconds:
                ledger.violate(f"after {seconds:.0f} s without faults {left} messages still wait")
                return
            if left != before:
                before, moved = left, now
            elif now >= moved + patience:
                ledger.count("restarts to end back-offs")
                self.restart()
                moved, patience = time.monotonic(), 2 * patience
            time.sleep(0.2)

    def down(self) -> None:
        """End everything that `up` started."""
        process.destroy(self._emulator)
        for worker in self.workers():
            self.kill(worker)
        self.proxy.stop()
