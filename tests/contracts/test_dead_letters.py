"""Dead letters and the way back: in memory, and on FIFO queues of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from blockfold.adapters.clients import Clients
from blockfold.adapters.dead_letters import SqsDeadLetters
from blockfold.adapters.envelope import ENCODING, PRODUCER, named, seal, unseal
from blockfold.adapters.memory_letters import MemoryDeadLetters
from blockfold.adapters.outgoing import Outgoing
from blockfold.adapters.sqs import SqsQueue
from blockfold.domain.action import Message
from blockfold.domain.errors import NotFound, Refused, Unavailable
from blockfold.ports import DeadLetters, Letter, Receipt
from tests.contracts import resources
from tests.emulator import BareEmulator

LONG = f"[{','.join(['{}'] * 600)}]"


@dataclass
class Backend:
    """Letters, how they come to be, and what the actions queue took.

    Attributes:
        letters: The port.
        bury: Gives a message up: machine, body, attributes.
        taken: What the actions queue took since it was asked last: machine, body, attributes.
    """

    letters: DeadLetters
    bury: Callable[[str, str, dict[str, str]], None]
    taken: Callable[[], list[tuple[str, str, dict[str, str]]]]


def in_memory() -> Backend:
    found: list[Outgoing] = []

    def take(message: Outgoing) -> Receipt:
        found.append(message)
        return Receipt(str(len(found)), str(len(found)), "queue")

    def taken() -> list[tuple[str, str, dict[str, str]]]:
        new = [(each.machine, each.body, dict(each.attributes)) for each in found]
        found.clear()
        return new

    letters = MemoryDeadLetters(take)
    return Backend(
        letters,
        lambda machine, body, attributes: letters.bury(
            machine, Message(str(uuid4()), "", sent=1_700_000_000_000), body, attributes
        ),
        taken,
    )


def on_emulator(emulator: BareEmulator) -> Backend:
    clients = resources.clients_of(emulator)
    actions, dead = _queue(clients, "actions"), _queue(clients, "dead")

    def taken() -> list[tuple[str, str, dict[str, str]]]:
        answer = clients.sqs.receive_message(
            QueueUrl=actions,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["MessageGroupId"],
            MessageAttributeNames=["All"],
        )
        new: list[tuple[str, str, dict[str, str]]] = []
        for each in answer.get("Messages", []):
            clients.sqs.delete_message(QueueUrl=actions, ReceiptHandle=each["ReceiptHandle"])
            found = each.get("MessageAttributes", {})
            attributes = {name: value["StringValue"] for name, value in found.items()}
            new.append((each["Attributes"]["MessageGroupId"], each["Body"], attributes))
        return new

    def bury(machine: str, body: str, attributes: dict[str, str]) -> None:
        SqsQueue(clients.sqs, dead).send_batch([Outgoing(machine, body, str(uuid4()), attributes)])

    queue = SqsQueue(clients.sqs, actions)
    return Backend(SqsDeadLetters(clients.sqs, dead, queue, wait=0), bury, taken)


def _queue(clients: Clients, kind: str) -> str:
    answer = clients.sqs.create_queue(
        QueueName=f"{kind}-{uuid4().hex[:8]}.fifo",
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "360"},
    )
    return answer["QueueUrl"]


@pytest.fixture(params=["memory", "ministack"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "memory":
        return in_memory()
    return on_emulator(request.getfixturevalue("emulator"))


def ids(letters: Any) -> list[str]:
    return [each.message.id for each in letters]


def test_a_letter_is_out_of_its_envelope_and_as_it_was_sent(backend: Backend) -> None:
    body, packed = seal(LONG)
    assert packed
    backend.bury("m", body, named("p", 7) | packed)
    backend.bury("m", "plain", {})
    backend.bury("m", "plain", {PRODUCER: "no name"})
    first, second, third = backend.letters.receive(60)
    assert (first.machine, first.message.body, first.body) == ("m", LONG, body)
    assert (first.message.producer, first.message.count) == ("p", 7)
    assert first.attributes == named("p", 7) | packed
    assert (second.message.body, second.attributes, second.message.spoiled) == ("plain", {}, "")
    assert third.message.spoiled
    assert len({*ids([first, second, third])}) == 3
    assert all(each.message.sent > 1_600_000_000_000 for each in (first, second, third))


def test_letters_of_a_machine_are_held_together_and_come_again_in_order(backend: Backend) -> None:
    for number in range(12):
        backend.bury("m", f"m{number}", {})
    held = backend.letters.receive(60)
    assert [each.body for each in held] == [f"m{number}" for number in range(10)]
    backend.bury("n", "n", {})
    (other,) = backend.letters.receive(60)
    assert other.machine == "n"
    assert backend.letters.receive(60) == []
    backend.letters.hold(held, 90)
    assert backend.letters.receive(60) == []
    backend.letters.hold(held, 0)
    assert ids(backend.letters.receive(60)) == ids(held)


def test_what_is_deleted_is_gone_and_those_behind_it_come(backend: Backend) -> None:
    for number in range(11):
        backend.bury("m", f"m{number}", {})
    for letter in backend.letters.receive(60):
        backend.letters.delete(letter)
    (last,) = backend.letters.receive(60)
    assert last.body == "m10"
    backend.letters.delete(last)
    assert backend.letters.receive(60) == []


def test_those_that_can_be_let_go_are_though_others_cannot(backend: Backend) -> None:
    for machine in ("m", "n"):
        for number in range(6):
            backend.bury(machine, f"{machine}{number}", {})
    held = [*backend.letters.receive(60), *backend.letters.receive(60)]
    mine = [each for each in held if each.machine == "m"]
    backend.letters.hold(mine, 0)
    theirs = [each for each in backend.letters.receive(60) if each.machine == "m"]
    with pytest.raises(Unavailable):
        backend.letters.hold([*mine, *(each for each in held if each.machine == "n")], 0)
    assert {each.machine for each in backend.letters.receive(60)} == {"n"}
    for letter in theirs:
        backend.letters.delete(letter)


def test_a_letter_is_sent_again_as_it_was_once_under_a_token(backend: Backend) -> None:
    body, packed = seal(LONG)
    backend.bury("m", body, named("p", 7) | packed)
    (letter,) = backend.letters.receive(60)
    receipts = [backend.letters.send_again(letter, token) for token in ("a", "a", "b")]
    assert receipts[0].message == receipts[1].message != receipts[2].message
    assert backend.taken() == [("m", body, named("p", 7) | packed)] * 2


def test_a_part_is_sent_in_a_name_packed_or_unread(backend: Backend) -> None:
    backend.letters.send("m", '{"type": "run"}', "redrive-x", 3, "a")
    backend.letters.send("m", LONG, "redrive-x", 4, "b")
    backend.letters.send("m", "[]", "redrive-x", 5, "c", "the attribute is no <id>/<count>")
    opened = [unseal(body, attributes) for _, body, attributes in backend.taken()]
    assert [(each.producer, each.count) for each in opened] == [
        ("redrive-x", 3), ("redrive-x", 4), ("redrive-x", 5)
    ]  # fmt: skip
    assert [each.body for each in opened] == ['{"type": "run"}', LONG, "[]"]
    assert [bool(each.spoiled) for each in opened] == [False, False, True]
    assert "the attribute is no <id>/<count>" in opened[2].spoiled


def test_what_somebody_else_received_meanwhile_cannot_be_deleted_unawares(
    backend: Backend,
) -> None:
    backend.bury("m", "body", {})
    (mine,) = backend.letters.receive(60)
    backend.letters.hold([mine], 0)
    (theirs,) = backend.letters.receive(60)
    with pytest.raises(Unavailable):
        backend.letters.delete(mine)
    backend.letters.delete(theirs)


def test_what_the_queue_never_takes_is_refused_and_a_missing_queue_is_told(
    emulator: BareEmulator,
) -> None:
    clients = resources.clients_of(emulator)
    url = _queue(clients, "actions")
    letters = SqsDeadLetters(clients.sqs, url + "x", SqsQueue(clients.sqs, url), wait=0)
    with pytest.raises(NotFound):
        letters.receive(60)
    letter = Letter("m", Message("id", ""), "", {}, "receipt")
    with pytest.raises(NotFound):
        letters.delete(letter)
    with pytest.raises(NotFound):
        letters.hold([letter], 0)
    assert ENCODING not in letter.attributes
    large = "x" * (1024 * 1024)
    with pytest.raises(Refused, match="with its name"):
        letters.send_again(Letter("m", Message("id", large), large, named("p", 1), ""), "token")


class Throttled:
    """An SQS client whose retries SQS does not take for such, so many times."""

    def __init__(self, times: int, said: str) -> None:
        self.left = times
        self.said = said
        self.attempts: list[str] = []

    def receive_message(self, **fields: Any) -> dict[str, Any]:
        self.attempts.append(fields["ReceiveRequestAttemptId"])
        self.left -= 1
        if self.left >= 0:
            error = {"Code": "InvalidParameterValue", "Message": self.said}
            raise ClientError({"Error": error}, "ReceiveMessage")
        return {}


INVALID = "The receiveRequestAttemptId is not valid anymore: ReceiveRequestAttemptId"


def test_an_attempt_that_is_not_valid_any_more_is_made_anew() -> None:
    client = Throttled(2, INVALID)
    letters = SqsDeadLetters(cast("Any", client), "url", cast("Any", None))
    assert letters.receive(60) == []
    assert len(set(client.attempts)) == 3


@pytest.mark.parametrize(("times", "said", "tries"), [(9, INVALID, 3), (9, "another", 1)])
def test_what_fails_again_is_told(times: int, said: str, tries: int) -> None:
    client = Throttled(times, said)
    letters = SqsDeadLetters(cast("Any", client), "url", cast("Any", None))
    with pytest.raises(Unavailable, match="could not receive from the dead-letter queue"):
        letters.receive(60)
    assert len(client.attempts) == tries
