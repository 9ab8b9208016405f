"""The executor λ against messages of an idempotent producer, in envelopes."""

from __future__ import annotations

from copy import deepcopy

from tests.lambdas.conftest import Event, Harness, load

PRODUCER = "Zk3vX0wqTn2LhJ8s_aYb7Q"


def later(event: Event, *indices: int) -> Event:
    """The same messages, sent again after SQS forgot them."""
    again = {"Records": [deepcopy(event["Records"][index]) for index in indices]}
    for number, record in enumerate(again["Records"]):
        record["messageId"] = f"again-{number}"
        record["attributes"]["SequenceNumber"] = f"1884949646047777777{number}"
    return again


def test_a_compressed_message_is_executed_and_what_it_passes_over_is_told(
    harness: Harness,
) -> None:
    assert harness.handle(load("producer")) == []
    (block,) = harness.blocks("grove")
    assert block.outcomes == {"applied": 31, "rejected": 0, "failed": 0, "malformed": 0}
    assert [(each.producer, each.count) for each in block.body.messages] == [
        (PRODUCER, 1),
        (PRODUCER, 4),
    ]
    assert harness.metrics()["Missing"] == [2]
    (line,) = harness.told()
    assert (line["level"], line["missing"]) == ("WARNING", [f"{PRODUCER}/2 to 3"])


def test_repeats_are_acknowledged_and_counted(harness: Harness) -> None:
    event = load("producer")
    harness.handle(event)
    harness.metrics()
    assert harness.handle(later(event, 0, 1)) == []
    assert len(harness.blocks("grove")) == 1
    metrics = harness.metrics()
    assert metrics["Repeated"] == [2]
    assert "Missing" not in metrics
    assert harness.told()[-1]["level"] == "INFO"


def test_a_cold_executor_knows_them_too(harness: Harness) -> None:
    event = load("producer")
    harness.handle(event)
    harness.forget()
    assert harness.handle(later(event, 1, 0)) == []
    assert len(harness.blocks("grove")) == 1
