"""The bot's memory in a stack that is all in memory, with processes that come and go."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from blockfold import Message
from blockfold.client import MachineReader
from blockfold.client import Stack as DeployedStack
from blockfold.domain.errors import BlockfoldError
from blockfold.ports import Receipt
from examples.bot.bot import Bot
from examples.bot.chat import Said
from examples.bot.stack_memory import StackMemory
from machines.remember import Remember
from tests.faults import Faults, Killed, faulty
from tests.properties.histories import NEVER
from tests.snapshots.stack import Stack
from tests.strategies import SENT

MINUTE = 60_000
SENDER = "AROATEST:the-bot"


@dataclass
class Cloud:
    """Stands for a deployed stack: queue, executor and stores; a `Clock`, too.

    Whenever somebody waits, the executor is given what the queue holds; what it does not finish
    comes again.

    Attributes:
        stack: The stores.
        executing: Faults of the executor's calls; each executor that is killed is replaced.
        minutes: How late it is.
        waiting: What the queue holds, by machine.
        sent: How many messages were sent.
    """

    stack: Stack = field(default_factory=Stack)
    executing: Faults = field(default_factory=Faults)
    minutes: int = 0
    waiting: dict[str, list[Message]] = field(default_factory=dict)
    sent: int = 0
    seconds: float = 0.0

    def send(self, machine: str, body: str) -> Receipt:
        self.sent += 1
        message = Message(
            id=f"message-{self.sent}",
            body=body,
            sequence=str(self.sent),
            sent=SENT + self.minutes * MINUTE,
            sender=SENDER,
        )
        self.waiting.setdefault(machine, []).append(message)
        return Receipt(message.id, message.sequence, message.queue)

    def machine(self, machine: str) -> MachineReader:
        return MachineReader(self.stack.reader(), machine, self)

    def now(self) -> int:
        return SENT + self.minutes * MINUTE

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.deliver()

    def deliver(self) -> None:
        """Run the executor once; its death and its errors are its own."""
        self.stack.clock.milliseconds = max(self.stack.clock.milliseconds, self.now())
        for machine, messages in self.waiting.items():
            if not messages:
                continue
            executor = replace(self.stack.executor(self.executing), machine=Remember())
            try:
                folded = executor.fold(machine, messages, deadline=NEVER)
            except (Killed, BlockfoldError):
                self.executing = Faults()
                continue
            messages[:] = [each for each in messages if each.id not in folded.done]


class FoldedMemory(StackMemory):
    """The bot's memory in a `Cloud`.

    Args:
        cloud: What it is in; a new one by default.
        faults: Of the bot's own calls to the stack.
    """

    def __init__(self, cloud: Cloud | None = None, faults: Faults | None = None) -> None:
        self.cloud = cloud or Cloud()
        reached = _Reached(self.cloud, faults or Faults())
        super().__init__(cast("DeployedStack", reached))

    @property
    def stack(self) -> Stack:
        return self.cloud.stack


@dataclass
class _Reached:
    """What `StackMemory` needs of a deployed stack; each call is a step."""

    cloud: Cloud
    faults: Faults

    @property
    def queue(self) -> Cloud:
        return faulty("queue", self.cloud, self.faults)

    def machine(self, machine: str) -> MachineReader:
        return faulty("reader", self.cloud.machine(machine), self.faults)


@dataclass
class People:
    """People on one server, who talk to a bot."""

    memory: FoldedMemory = field(default_factory=FoldedMemory)
    server: str = "lobby"

    def say(self, text: str, user: str = "ada", *, private: bool = True) -> str:
        """Say it; the answer in one string."""
        said = Said(self.server, user, text, private)
        return "\n".join(Bot(self.memory).answer(said))

    def wait(self, minutes: int) -> None:
        self.memory.cloud.minutes += minutes
