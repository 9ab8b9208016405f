"""Waiting for outcomes: each action's, in the order of the pushes, by reading each block once."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Block, Limits, Message
from blockfold.application.execute import Executor
from blockfold.application.outcomes import ActionOutcome
from blockfold.domain.errors import Corrupted, Misconfigured, Refused, Unavailable
from blockfold.ports import BlockLog, Receipt
from blockfold.producer import Producer, runs
from tests.producer.supply import THROTTLED, Picky, Supply
from tests.properties.histories import NEVER
from tests.simulation.services.queues import WINDOW
from tests.snapshots.stack import Stack, put

SOON = 30.0
ENDS = {"apply": "applied", "reject": "rejected", "crash": "failed", "nonsense": "malformed"}


class Counted:
    """A log that counts what is read of it."""

    def __init__(self, log: BlockLog) -> None:
        self._log = log
        self.heads = 0
        self.blocks: list[tuple[str, int]] = []
        self.trouble: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def head(self, machine: str) -> Block | None:
        self.heads += 1
        if self.trouble is not None:
            raise self.trouble
        return self._log.head(machine)

    def read(self, machine: str, first: int, last: int | None = None) -> Iterator[Block]:
        for block in self._log.read(machine, first, last):
            self.blocks.append((machine, block.number))
            yield block


@dataclass
class Works:
    """A stack in memory that executes what a simulated queue took."""

    limits: Limits = field(default_factory=Limits)
    stack: Stack = field(default_factory=Stack)
    supply: Supply = field(default_factory=Supply)
    done: int = 0

    def __post_init__(self) -> None:
        self.log = Counted(self.stack.log)
        self.executor: Executor = replace(self.stack.executor(), limits=self.limits)

    def producer(self, **options: Any) -> Producer:
        return Producer(self.supply.queue, log=self.log, **options)  # type: ignore[arg-type]

    def execute(self, change: Callable[[Message], Message] = lambda each: each) -> None:
        """Execute what came into the queue since the last time, a message a batch."""
        waiting = self.supply.cloud.actions.accepted[self.done :]
        for raw, message in zip(waiting, self.supply.messages[self.done :], strict=True):
            left = [change(message)]
            while left:
                folded = self.executor.fold(raw.group, left, deadline=NEVER)
                assert folded.error is None
                left = folded.left
            self.done += 1


def do(producer: Producer, machine: str, end: str, number: int = 0) -> None:
    """An action of `Cells` that ends so."""
    producer.push(machine, "run", steps=[put("k", number)], end=end)


@given(
    st.integers(1, 6),
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.sampled_from("ab"), st.sampled_from([*ENDS])),
            st.tuples(st.just("push"), st.sampled_from("ab"), st.sampled_from([*ENDS])),
            st.tuples(st.sampled_from(["flush", "execute", "wait", "raw", "restore"])),
        ),
        max_size=30,
    ),
)
def test_outcomes_come_in_the_order_of_the_pushes(most: int, moves: list[tuple[str, ...]]) -> None:
    works = Works(Limits(actions=most))
    producer = works.producer(actions=5, linger=60.0)
    wanted: list[tuple[int, str]] = []

    def wait() -> None:
        producer.flush(SOON)
        works.execute()
        found = producer.wait(SOON)
        steps = [each.args["steps"][0]["value"] for each in found]  # type: ignore[call-overload, index]
        assert list(zip(steps, (each.outcome for each in found), strict=True)) == wanted
        wanted.clear()

    for number, (name, *args) in enumerate(moves):
        match name:
            case "push":
                do(producer, args[0], args[1], number)
                wanted.append((number, ENDS[args[1]]))
            case "flush":
                producer.flush(SOON)
            case "execute":
                works.execute()
            case "raw":
                actions = [{"type": "run", "args": {"steps": []}}] * 3
                works.supply.queue.send("a", json.dumps(actions))
            case "restore":
                if works.stack.head("a"):
                    works.stack.restore(1, "a")
            case _:
                wait()
    wait()
    assert len(works.log.blocks) == len(set(works.log.blocks)), "each block is read once"
    producer.close()


def test_a_message_over_many_blocks_is_put_together() -> None:
    works = Works(Limits(actions=2))
    with works.producer(linger=60.0) as producer:
        for number in range(7):
            do(producer, "m", "apply" if number % 2 else "reject", number)
        producer.flush(SOON)
        works.execute()
        found = producer.wait(SOON)
    assert [each.number for each in found] == [1, 1, 2, 2, 3, 3, 4]
    assert [each.applied for each in found] == [False, True, False, True, False, True, False]
    (message,) = works.supply.messages
    assert [each.id for each in found] == [f"{message.id}/{position}" for position in range(7)]
    assert {each.reason for each in found} == {"as told", None}


def test_one_action_is_waited_for_by_itself_while_others_are_under_way() -> None:
    works = Works()
    with works.producer() as producer:
        first = producer.push("m", "run", steps=[put("k", 1)])
        found: list[ActionOutcome] = []
        waiter = threading.Thread(target=lambda: found.append(first.wait(SOON)))
        waiter.start()
        while producer.stats.waiting:  # it is sent without a flush
            waiter.join(0.01)
        assert found == []
        works.execute()
        waiter.join()
        assert found[0].outcome == "applied"
        assert first.wait() == found[0]
        assert producer.wait() == found


def test_blocks_from_before_the_first_push_are_not_read() -> None:
    works = Works()
    works.stack.grow(20, "m")
    producer = works.producer()
    do(producer, "m", "apply")
    producer.flush(SOON)
    works.execute()
    (found,) = producer.wait(SOON)
    assert found.number == 21
    do(producer, "m", "apply")
    producer.flush(SOON)
    works.execute()
    assert [each.number for each in producer.wait(SOON)] == [22]
    assert works.log.blocks == [("m", 21), ("m", 22)]
    assert works.log.heads == 1
    producer.close()


def test_a_repeat_that_sqs_takes_for_something_new_is_executed_once() -> None:
    works = Works()

    class Late:
        """A queue whose first answer is lost, and whose sender tries again too late."""

        late = True

        def send_batch(self, messages: Any) -> Any:
            answers = works.supply.queue.send_batch(messages)
            if self.late:
                self.late = False
                works.supply.clock.advance(WINDOW / 1000 + 1)
                return [Unavailable("the answer was lost")] * len(answers)
            return answers

    log: Any = works.log
    with Producer(Late(), log=log, linger=60.0) as producer:
        for number in range(3):
            producer.push("m", "run", steps=[{"do": "push", "key": "k", "value": number}])
        producer.flush(SOON)
        assert [each.count for each in works.supply.messages] == [1, 1]
        works.execute()
        assert [each.outcome for each in producer.wait(SOON)] == ["applied"] * 3
    assert works.stack.stored("m") == {"k": [0, 1, 2]}
    assert producer.stats.retries == 1


def test_blocks_behind_what_is_waited_for_are_not_read() -> None:
    works = Works()
    with works.producer() as producer:
        do(producer, "m", "apply")
        producer.flush(SOON)
        works.execute()
        for _ in range(5):
            works.supply.queue.send("m", '{"type": "run", "args": {"steps": []}}')
            works.execute()
        assert len(producer.wait(SOON)) == 1
    assert works.log.blocks == [("m", 1)]


def test_another_producer_s_actions_are_not_taken_for_one_s_own() -> None:
    works = Works()
    with works.producer() as one, works.producer() as other:
        for number, producer in enumerate((one, other, one, other)):
            do(producer, "m", ("apply", "reject", "crash", "nonsense")[number], number)
            producer.flush(SOON)
        works.execute()
        assert [each.outcome for each in other.wait(SOON)] == ["rejected", "malformed"]
        assert [each.outcome for each in one.wait(SOON)] == ["applied", "failed"]


def test_a_wait_in_vain_forgets_nothing() -> None:
    works = Works()
    with works.producer() as producer:
        do(producer, "m", "apply", 1)
        do(producer, "n", "apply", 2)
        said = r"2 actions .* no block after 0\.1 s: machine '[mn]' stands at block 0 .*dead-letter"
        with pytest.raises(Unavailable, match=said):
            producer.wait(0.1)
        do(producer, "m", "apply", 3)
        producer.flush(SOON)
        works.execute()
        assert len(producer.wait(SOON)) == 3
        assert producer.wait(SOON) == []


def test_what_sqs_does_not_take_is_told_by_wait() -> None:
    works = Works()
    works.supply.foresee(always=THROTTLED)
    producer = works.producer()
    pushed = producer.push("m", "run", steps=[])
    with pytest.raises(Unavailable, match="SQS has not acknowledged 1 action"):
        producer.wait(0.1)
    with pytest.raises(Unavailable, match="SQS has not acknowledged 1 action"):
        pushed.wait(0.1)
    works.supply.foresee()
    producer.flush(SOON)
    works.execute()
    assert pushed.wait(SOON) == producer.wait(SOON)[0]
    producer.close()


def test_who_waits_for_one_action_hears_nothing_of_other_machines() -> None:
    works = Works()
    queue = Picky(works.supply.queue, "bad")
    log: Any = works.log
    with Producer(queue, log=log, linger=60.0) as producer:
        do(producer, "bad", "apply")
        with pytest.raises(Refused, match="machine 'bad'"):
            producer.flush()
        do(producer, "lazy", "apply")
        pushed = producer.push("good", "run", steps=[])
        with pytest.raises(Unavailable, match=r"1 actions .* stand in no block.*machine 'good'"):
            pushed.wait(0.05)
        assert producer.stats.waiting == 2, "others go on waiting for company"
        works.execute()
        assert pushed.wait(SOON).applied
        with pytest.raises(Refused, match="machine 'bad'"):
            producer.wait()
        queue.bad.clear()
        producer.flush(SOON)
        works.execute()
        assert len(producer.wait(SOON)) == 3


def test_a_log_that_cannot_be_read_keeps_nobody_from_sending() -> None:
    works = Works()
    works.stack.grow(3, "m")
    works.log.trouble = Misconfigured("no permission")
    with works.producer() as producer:
        do(producer, "m", "apply")
        producer.flush(SOON)
        works.execute()
        with pytest.raises(Misconfigured, match="no permission"):
            producer.wait(SOON)
        works.log.trouble = None
        assert [each.number for each in producer.wait(SOON)] == [4]


def test_a_message_that_did_not_unpack_is_malformed_action_by_action() -> None:
    works = Works()
    with works.producer() as producer:
        for number in range(3):
            do(producer, "m", "apply", number)
        producer.flush(SOON)
        works.execute(lambda message: replace(message, spoiled="it is torn"))
        found = producer.wait(SOON)
    assert [(each.outcome, each.reason, each.type) for each in found] == [
        ("malformed", "it is torn", None)
    ] * 3


def test_a_block_that_holds_another_message_is_damage() -> None:
    works = Works()
    with works.producer(linger=60.0) as producer:
        for number in range(3):
            do(producer, "m", "apply", number)
        producer.flush(SOON)
        body = json.dumps([{"type": "run", "args": {"steps": []}}] * 2)
        works.execute(lambda message: replace(message, body=body))
        with pytest.raises(Corrupted, match="had 3 actions, its blocks up to 1 hold 2"):
            producer.wait(SOON)


def test_a_block_that_is_missing_is_damage() -> None:
    works = Works()
    with works.producer(actions=1) as producer:
        for number in range(3):
            do(producer, "m", "apply", number)
        producer.flush(SOON)
        works.execute()
        works.stack.lose_block(2, "m")
        with pytest.raises(Corrupted, match="lacks block 2"):
            producer.wait(SOON)


def test_more_than_is_kept_can_only_be_waited_for_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "MOST_RUNS", 3)
    works = Works()
    with works.producer() as producer:
        pushed = [producer.push("mn"[n % 2], "run", steps=[]) for n in range(5)]
        producer.flush(SOON)
        works.execute()
        with pytest.raises(Refused, match="call wait\\(\\) more often"):
            producer.wait(SOON)
        assert [each.wait(SOON).outcome for each in pushed] == ["applied"] * 5
        do(producer, "m", "apply")
        producer.flush(SOON)
        works.execute()
        assert len(producer.wait(SOON)) == 1


def test_what_is_kept_for_a_wait_that_never_comes_is_bounded() -> None:
    messages = 1_000
    producer = Producer(Works().supply.queue, log=Stack().log)
    outbox = producer.core.outbox
    queue = "arn:aws:sqs:eu-west-1:123456789012:Blockfold-Actions.fifo"
    tracemalloc.start()
    for number in range(messages):
        outbox_put(producer)
        (parcel,) = outbox.take(1e12)
        outbox.acknowledge(parcel, Receipt(f"{number:036}", f"{number:020}", queue))
    del parcel
    kept = tracemalloc.get_traced_memory()[0] / messages
    tracemalloc.stop()
    assert len(producer.core.runs.take()) == messages
    producer.abandon()
    assert kept * runs.MOST_RUNS < 80e6, "what the documentation says"


def outbox_put(producer: Producer) -> None:
    """Take an action that nobody sends."""
    with producer.core.lock:
        producer.core.put("m", b'{"args":{},"type":"run"}')


def test_what_nobody_waits_for_is_not_kept() -> None:
    works = Works()
    with works.producer() as producer:
        for number in range(5):
            do(producer, "m", "apply", number)
            producer.flush(SOON)
        works.execute()
        assert len(producer.wait(SOON)) == 5
        followers = producer.core.followers
        assert followers is not None
        assert len(followers._all["m"].wanted) == 0
        assert producer.core.outbox.lanes == {}
