"""What a queue answers to a batch, and what that means for each message."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError

from blockfold.adapters.outgoing import Outgoing
from blockfold.adapters.sqs import SqsQueue
from blockfold.domain.errors import AccessDenied, Misconfigured, NotFound, Refused, Unavailable
from blockfold.ports import Receipt
from tests.producer.supply import PART, Supply
from tests.simulation.services.faults import refusal

MESSAGES = [Outgoing(f"m{number}", "{}", f"d{number}", {"a": "é"}) for number in range(3)]


def test_receipts_and_failures_come_in_the_order_of_the_messages() -> None:
    supply = Supply()
    supply.foresee(PART)
    first, second, third = supply.queue.send_batch(MESSAGES)
    assert isinstance(second, Unavailable)
    taken = supply.cloud.actions.accepted
    for answer, message in zip((first, third), taken, strict=True):
        assert answer == Receipt(message.id, message.sequence, supply.cloud.actions.arn)
        assert message.named == {"a": "é"}
    again = supply.queue.send_batch(MESSAGES)
    assert again[0] == first, "a repeat gets the first one's receipt"
    assert [each.group for each in taken] == ["m0", "m2", "m1"]
    assert again[0].queue is first.queue, "many receipts are kept: they share the name"


def test_a_message_has_the_bytes_of_its_attributes() -> None:
    assert MESSAGES[0].size == len("{}") + len("a") + len("String") + len("é".encode())


class Client:
    """An SQS client that answers as it is told."""

    meta: Any = type("Meta", (), {"partition": "aws", "region_name": "eu-west-1"})

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def send_message_batch(self, **_request: object) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def error(code: str, status: int = 400) -> ClientError:
    return refusal("SendMessageBatch", code, "…", status)


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (error("RequestThrottled", 403), Unavailable, "RequestThrottled"),
        (error("ThrottlingException"), Unavailable, "Throttling"),
        (error("KmsThrottled"), Unavailable, "KmsThrottled"),
        (error("OverLimit", 403), Unavailable, "OverLimit"),
        (error("InternalFailure", 500), Unavailable, "InternalFailure"),
        (ConnectTimeoutError(endpoint_url="x"), Unavailable, "could not send"),
        (error("AccessDenied", 403), AccessDenied, "sqs:SendMessage"),
        (error("KmsAccessDenied"), AccessDenied, "key"),
        (error("ExpiredToken", 403), Misconfigured, "expired"),
        (NoCredentialsError(), Misconfigured, "sign in"),
        (error("AWS.SimpleQueueService.NonExistentQueue"), NotFound, "is the stack deployed"),
        (error("AWS.SimpleQueueService.BatchRequestTooLong"), Refused, "no such message"),
        (error("InvalidParameterValue"), Refused, "no such message"),
        (error("UnsupportedOperation"), Refused, "before that is changed"),
        (error("RequestExpired"), Misconfigured, "clock"),
        (error("KmsDisabled"), Misconfigured, "the queue's key"),
        (error("KMS.InvalidStateException"), Misconfigured, "the queue's key"),
        (error("KMS.ThrottlingException"), Unavailable, "KMS.Throttling"),
        (error("KMS.AccessDeniedException"), AccessDenied, "sqs:SendMessage"),
    ],
)
def test_a_request_that_fails_fails_for_all(
    raised: Exception, kind: type[Exception], said: str
) -> None:
    client: Any = Client(raised)
    answers = SqsQueue(client, "https://x/1/q.fifo").send_batch(MESSAGES)
    assert [type(each) for each in answers] == [kind] * 3
    assert said in str(answers[0])


@pytest.mark.parametrize(
    ("code", "fault", "kind"),
    [
        ("InternalError", False, Unavailable),
        ("ServiceUnavailable", False, Unavailable),
        ("RequestThrottled", True, Unavailable),
        ("KmsThrottled", True, Unavailable),
        ("InvalidMessageContents", True, Refused),
        ("InvalidParameterValue", True, Refused),
        ("KmsAccessDenied", True, AccessDenied),
        ("KmsDisabled", True, Misconfigured),
        ("KmsInternal", False, Unavailable),
        ("AccessDenied", True, AccessDenied),
    ],
)
def test_an_entry_that_fails_says_whether_it_may_work_later(
    code: str, fault: bool, kind: type[Exception]
) -> None:
    failed = {"Id": "1", "Code": code, "Message": "…", "SenderFault": fault}
    done = [{"Id": each, "MessageId": f"i{each}", "SequenceNumber": each} for each in ("2", "0")]
    client: Any = Client({"Successful": done, "Failed": [failed]})
    answers = SqsQueue(client, "https://x/1/q.fifo").send_batch(MESSAGES)
    assert [type(each) for each in answers] == [Receipt, kind, Receipt]
    assert [each.message for each in answers if isinstance(each, Receipt)] == ["i0", "i2"]


def test_a_message_that_the_answer_leaves_out_was_not_taken_for_certain() -> None:
    client: Any = Client({"Successful": [{"Id": "0", "MessageId": "i", "SequenceNumber": "1"}]})
    answers = SqsQueue(client, "https://x/1/q.fifo").send_batch(MESSAGES)
    assert [type(each) for each in answers] == [Receipt, Unavailable, Unavailable]
