"""Dead letters in memory, as SQS keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from blockfold.adapters.dead_letters import unread
from blockfold.adapters.envelope import named, seal, unseal
from blockfold.adapters.outgoing import Outgoing
from blockfold.domain.action import Message
from blockfold.domain.errors import Unavailable
from blockfold.ports import Letter, Receipt

RECEIVED_AT_ONCE = 10
REMEMBERED_SECONDS = 300.0


class MemoryDeadLetters:
    """A `DeadLetters` that keeps letters in ``letters``, in order.

    Args:
        take: The actions queue: told of each message that it takes, and gives it its receipt.
        monotonic: Seconds since some fixed moment.
    """

    def __init__(
        self, take: Callable[[Outgoing], Receipt], monotonic: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.letters: list[Letter] = []
        self._take = take
        self._monotonic = monotonic
        self._hidden: dict[str, float] = {}
        self._taken: dict[tuple[str, str], tuple[float, Receipt]] = {}
        self._numbers = count(1)

    def bury(
        self, machine: str, message: Message, body: str, attributes: Mapping[str, str]
    ) -> None:
        """Give a message up.

        Args:
            machine: The machine's id.
            message: Its id, and when it was sent.
            body: Its text as it was sent.
            attributes: What its sender wrote beside it.
        """
        opened = unseal(body, attributes)
        kept = replace(
            message,
            body=opened.body,
            producer=opened.producer,
            count=opened.count,
            spoiled=opened.spoiled,
            first=0,
        )
        self.letters.append(Letter(machine, kept, body, dict(attributes), ""))

    def receive(self, seconds: int) -> list[Letter]:
        """See `DeadLetters.receive`."""
        now = self._monotonic()
        taken = {each.machine for each in self.letters if self._is_hidden(each)}
        chosen = [each for each in self.letters if each.machine not in taken][:RECEIVED_AT_ONCE]
        handed = {
            each.message.id: replace(each, receipt=f"{each.message.id}/{next(self._numbers)}")
            for each in chosen
        }
        self.letters = [handed.get(each.message.id, each) for each in self.letters]
        self._hidden.update({each.receipt: now + seconds for each in handed.values()})
        return list(handed.values())

    def hold(self, letters: Sequence[Letter], seconds: int) -> None:
        """See `DeadLetters.hold`."""
        mine = [each for each in letters if self._is_mine(each)]
        self._hidden.update((each.receipt, self._monotonic() + seconds) for each in mine)
        for letter in letters:
            if letter not in mine:
                raise _expired(letter)

    def send_again(self, letter: Letter, token: str) -> Receipt:
        """See `DeadLetters.send_again`."""
        return self._send(Outgoing(letter.machine, letter.body, token, letter.attributes))

    def send(
        self, machine: str, body: str, producer: str, count: int, token: str, spoiled: str = ""
    ) -> Receipt:
        """See `DeadLetters.send`."""
        sealed, attributes = (body, unread(spoiled)) if spoiled else seal(body)
        return self._send(Outgoing(machine, sealed, token, named(producer, count) | attributes))

    def delete(self, letter: Letter) -> None:
        """See `DeadLetters.delete`."""
        if not self._is_mine(letter):
            raise _expired(letter)
        self.letters = [each for each in self.letters if each.receipt != letter.receipt]

    def _send(self, message: Outgoing) -> Receipt:
        now = self._monotonic()
        key = (message.machine, message.deduplication)
        at, receipt = self._taken.get(key, (0.0, None))
        if receipt is None or now - at >= REMEMBERED_SECONDS:
            receipt = self._take(message)
            self._taken[key] = now, receipt
        return receipt

    def _is_hidden(self, letter: Letter) -> bool:
        return self._hidden.get(letter.receipt, 0.0) > self._monotonic()

    def _is_mine(self, letter: Letter) -> bool:
        """Whether nobody else may have a letter by now."""
        return letter in self.letters and self._is_hidden(letter)


def _expired(letter: Letter) -> Unavailable:
    return Unavailable(f"could not keep {letter.message.id}: its receipt has expired")
