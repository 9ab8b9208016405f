"""The producer for threads: what a caller sees of acknowledgements, refusals and full buffers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import blockfold
from blockfold.domain.action import Action
from blockfold.domain.errors import (
    AccessDenied,
    BlockfoldError,
    LimitExceeded,
    Misconfigured,
    NotFound,
    Refused,
    Unavailable,
)
from blockfold.producer import Producer
from blockfold.producer.crew import Crew
from blockfold.producer.parcel import Parcel
from blockfold.producer.patience import Patience
from tests.producer.supply import (
    DENIED,
    GONE,
    INVALID,
    LOST,
    PART,
    PART_LOST,
    THROTTLED,
    Picky,
    Supply,
    actions_in,
    once,
)
from tests.snapshots.stack import Stack

ROOT = Path(__file__).parents[2]
SOON = 30.0
"""Seconds that nothing here takes."""


@pytest.fixture
def supply() -> Supply:
    return Supply()


@pytest.fixture
def make(supply: Supply) -> Iterator[Callable[..., Producer]]:
    made: list[Producer] = []

    def producer(**options: object) -> Producer:
        made.append(Producer(supply.queue, **options))  # type: ignore[arg-type]
        return made[-1]

    yield producer
    for each in made:
        each.abandon()


def test_what_was_pushed_is_in_the_queue_at_the_end_of_with(supply: Supply) -> None:
    with Producer(supply.queue) as producer:
        for number in range(2_500):
            producer.push("grove", "plant", tree=f"t{number}", species="oak")
        producer.push("glade", "cut", tree="t1")
    trees = [action["args"]["tree"] for action in once(supply.machines["grove"])]
    assert trees == [f"t{number}" for number in range(2_500)]
    assert once(supply.machines["glade"]) == [{"type": "cut", "args": {"tree": "t1"}}]
    stats = producer.stats
    assert (stats.actions, stats.waiting) == (2_501, 0)
    assert stats.messages == len(supply.messages) >= 4
    assert stats.requests == supply.weather.sent
    assert 0 < stats.sent_bytes < stats.raw_bytes / 3
    with pytest.raises(Refused, match="closed"):
        producer.push("grove", "plant")


def test_each_producer_has_an_id_and_numbers_of_its_own(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    one, other = make(), make()
    for producer in (one, other, one):
        producer.push("m", "do")
        producer.flush(SOON)
    assert [(message.producer, message.count) for message in supply.messages] == [
        (one.id, 1), (other.id, 1), (one.id, 2),
    ]  # fmt: skip
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", one.id)
    assert one.id != other.id


def test_actions_keep_ids_of_the_sender_s_own(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    producer = make()
    pushed = producer.push_action("m", Action.of("do", "order-7", n=1))
    assert pushed.receipt is None
    producer.flush(SOON)
    assert actions_in(supply.messages[0]) == [{"type": "do", "id": "order-7", "args": {"n": 1}}]
    assert (pushed.machine, pushed.count, pushed.position) == ("m", 1, 0)
    assert pushed.receipt is not None
    assert pushed.receipt.message == supply.messages[0].id


@pytest.mark.parametrize("fault", [THROTTLED, LOST, PART, PART_LOST])
def test_trouble_that_passes_is_nobody_s_business(
    supply: Supply, make: Callable[..., Producer], fault: int
) -> None:
    supply.foresee(fault, fault, fault)
    producer = make(senders=1, linger=60.0)
    for number in range(30):
        producer.push(f"m{number % 3}", "do", n=number)
    producer.flush(SOON)
    for machine, messages in supply.machines.items():
        found = [action["args"]["n"] for action in once(messages)]
        assert found == list(range(int(machine[1:]), 30, 3))
    assert producer.stats.retries >= 1
    assert len(supply.messages) == len({(each.id) for each in supply.messages}) == 3


def test_a_flush_that_is_out_of_time_says_what_waits_and_why(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    supply.foresee(always=THROTTLED)
    producer = make()
    for machine in ("a", "b", "b"):
        producer.push(machine, "do")
    with pytest.raises(Unavailable) as raised:
        producer.flush(0.2)
    said = str(raised.value)
    assert "3 actions for 2 machines, most of them for 'b', after 0.2 s" in said
    assert "RequestThrottled" in said
    assert "abandon()" in said
    supply.foresee()
    producer.flush(SOON)
    assert [len(once(supply.machines[each])) for each in "ab"] == [1, 2]


def test_a_flush_ends_when_nothing_gets_on(supply: Supply, make: Callable[..., Producer]) -> None:
    supply.foresee(always=THROTTLED)
    producer = make()
    producer.push("a", "do")
    with pytest.raises(Unavailable, match=r"after 0\.1 s without getting on"):
        producer.flush(still=0.1)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (DENIED, AccessDenied, "sqs:SendMessage"),
        (GONE, NotFound, "is the stack deployed"),
        (INVALID, Refused, "InvalidMessageContents"),
    ],
)
def test_what_does_not_pass_is_told_at_once_and_stays(
    supply: Supply,
    make: Callable[..., Producer],
    fault: int,
    error: type[BlockfoldError],
    said: str,
) -> None:
    supply.foresee(always=fault)
    producer = make(linger=60.0)
    for _ in range(2):
        producer.push("grove", "do")
    for _ in range(2):
        with pytest.raises(error, match=f"machine 'grove'.*{said}"):
            producer.flush()
    assert producer.stats.waiting == 2
    supply.foresee()
    producer.flush(SOON)
    assert len(once(supply.machines["grove"])) == 2


def test_a_full_producer_lets_push_wait_for_room(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    producer = make(waiting_actions=10, linger=60.0)
    for number in range(200):
        producer.push("m", "do", n=number)
        assert producer.stats.waiting <= 10
    producer.flush(SOON)
    assert [each["args"]["n"] for each in once(supply.machines["m"])] == list(range(200))


def test_a_producer_is_full_of_bytes_too(supply: Supply, make: Callable[..., Producer]) -> None:
    producer = make(waiting_bytes=1_000, patience=0.1, linger=60.0)
    producer.push("m", "do", text="x" * 2_000)  # alone, it has room
    producer.flush(SOON)
    supply.foresee(always=THROTTLED)
    for _ in range(2):
        producer.push("m", "do", text="x" * 400)
    with pytest.raises(Unavailable, match=r"no room .* within 0\.1 s.*waiting_bytes"):
        producer.push("m", "do", text="x" * 400)


def test_a_full_producer_from_which_nothing_is_taken_refuses(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    supply.foresee(always=DENIED)
    producer = make(waiting_actions=2)
    for _ in range(2):
        producer.push("m", "do")
    with pytest.raises(AccessDenied):
        producer.flush()
    with pytest.raises(AccessDenied, match=r"2 actions for machine 'm'.*no room for machine 'n'"):
        producer.push("n", "do")


def test_a_machine_that_nothing_is_taken_for_takes_no_other_s_room(supply: Supply) -> None:
    queue = Picky(supply.queue, "bad")
    with Producer(queue, waiting_actions=10) as producer:
        producer.push("bad", "do", n=0)
        with pytest.raises(Refused):
            producer.flush()
        for n in range(30):
            with pytest.raises(Refused, match=r"1 action for machine 'bad'.*push this one again"):
                producer.push("bad", "do", n=1)
            producer.push("good", "do", n=n)
        queue.bad.clear()
        producer.flush(SOON)
        producer.push("bad", "do", n=2)
    assert [each["args"]["n"] for each in once(supply.machines["bad"])] == [0, 2]
    assert [each["args"]["n"] for each in once(supply.machines["good"])] == list(range(30))


def test_threads_share_a_producer(supply: Supply, make: Callable[..., Producer]) -> None:
    producer = make(actions=7, waiting_actions=50, linger=0.001)
    threads = [
        threading.Thread(
            target=lambda name=name: [producer.push("m", "do", by=name, n=n) for n in range(200)]
        )
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    producer.flush(SOON)
    found = [action["args"] for action in once(supply.machines["m"])]
    assert len(found) == 800
    for name in "abcd":
        assert [each["n"] for each in found if each["by"] == name] == list(range(200))


def test_acknowledgements_are_told(supply: Supply) -> None:
    told: list[tuple[str, int]] = []
    tell = lambda *each: told.append(each)  # noqa: E731 - short
    with Producer(supply.queue, acknowledged=tell, linger=60.0) as producer:
        for machine in ("a", "a", "b"):
            producer.push(machine, "do")
    assert sorted(told) == [("a", 2), ("b", 1)]
    supply.foresee(THROTTLED)
    with Producer(supply.queue, acknowledged=lambda *_: 1 / 0) as producer:  # type: ignore[arg-type, return-value]
        producer.push("a", "do")
    assert producer.stats.waiting == 0


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_nobody_ends_a_thread_that_sends(
    supply: Supply, caplog: pytest.LogCaptureFixture, end: type[BaseException]
) -> None:
    ends = [end("told"), end("sent")]

    def tell(*_: object) -> None:
        if len(ends) == 2:
            raise ends.pop(0)

    class Ends:
        def send_batch(self, messages):  # type: ignore[no-untyped-def]
            if len(ends) == 1:
                raise ends.pop(0)
            return supply.queue.send_batch(messages)

    producer = Producer(Ends(), acknowledged=tell, senders=1)
    for number in range(3):
        for machine in "mn":
            producer.push(machine, "do", n=number)
        producer.flush(SOON)
    producer.close(SOON)
    assert ends == []
    assert len(caplog.records) == 2
    for machine in "mn":
        assert [each["args"]["n"] for each in once(supply.machines[machine])] == [0, 1, 2]


def test_a_thread_that_ends_all_the_same_is_replaced(
    supply: Supply, make: Callable[..., Producer], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: ended.set())
    producer = make(senders=1)
    outbox = producer.core.outbox
    take, ends = outbox.take, [MemoryError()]

    def end(now: float) -> list[Parcel]:
        if ends:
            raise ends.pop()
        return take(now)

    outbox.take = end  # type: ignore[method-assign]
    producer.push("m", "do")
    producer.flush(SOON)
    assert ended.wait(SOON)
    assert len(supply.messages) == 1


def test_without_a_thread_nothing_is_lost_or_sent_twice(
    supply: Supply, make: Callable[..., Producer], monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = make(waiting_actions=3)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for number in range(3):
            producer.push("m", "do", n=number)
        with pytest.raises(Unavailable, match="no thread be started"):
            producer.push("m", "do", n=3)
        with pytest.raises(Unavailable, match="no thread be started"):
            producer.flush()
    producer.push("m", "do", n=3)
    producer.flush(SOON)
    assert [each["args"]["n"] for each in once(supply.machines["m"])] == [0, 1, 2, 3]
    assert len({each.id for each in supply.messages}) == len(supply.messages)


def test_the_next_push_starts_the_thread_that_the_last_one_could_not(
    make: Callable[..., Producer], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    producer = make(acknowledged=lambda _machine, actions: told.set() if actions == 2 else None)
    with monkeypatch.context() as patch:
        patch.setattr(Crew, "_start", lambda _crew: None)
        producer.push("m", "do")
    producer.push("m", "do")
    assert told.wait(SOON)


def test_what_push_can_tell_it_tells(make: Callable[..., Producer]) -> None:
    producer = make()
    with pytest.raises(Misconfigured, match="cannot be a machine id"):
        producer.push("no spaces", "do")
    with pytest.raises(LimitExceeded, match="set is no JSON value"):
        producer.push("m", "do", things={1})
    assert producer.stats.actions == 0


def test_a_producer_of_a_queue_alone_cannot_wait(make: Callable[..., Producer]) -> None:
    pushed = make().push("m", "do")
    with pytest.raises(Misconfigured, match=r"Stack\.producer"):
        pushed.wait()
    with pytest.raises(Misconfigured, match=r"Stack\.producer"):
        make().wait()


def test_a_closed_producer_takes_nothing(supply: Supply, make: Callable[..., Producer]) -> None:
    producer = make()
    producer.close()
    producer.close()
    with pytest.raises(Refused, match="closed"):
        producer.push("m", "do")
    assert supply.messages == []


def test_a_close_that_cannot_flush_leaves_it_open(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    supply.foresee(always=THROTTLED)
    producer = make()
    producer.push("m", "do", n=1)
    with pytest.raises(Unavailable):
        producer.close(0.05)
    producer.push("m", "do", n=2)
    assert producer.abandon() == 2
    supply.foresee()
    with pytest.raises(Refused):
        producer.push("m", "do")
    assert supply.messages == []


def raise_within(producer: Producer) -> None:
    with producer:
        producer.push("m", "do")
        raise ZeroDivisionError


def test_an_exception_flushes_and_stays_itself(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        raise_within(make())
    assert len(supply.messages) == 1
    assert not hasattr(raised.value, "__notes__")
    supply.foresee(always=DENIED)
    with pytest.raises(ZeroDivisionError) as raised:
        raise_within(make())
    (note,) = raised.value.__notes__
    assert "1 action for machine 'm'" in note


def test_a_request_that_hangs_holds_up_no_other_machines(supply: Supply) -> None:
    released, told = threading.Event(), threading.Event()
    acknowledged: set[str] = set()

    class Slow:
        def send_batch(self, messages):  # type: ignore[no-untyped-def]
            if "m00" in {each.machine for each in messages}:
                released.wait(SOON)
            return supply.queue.send_batch(messages)

    def tell(machine: str, _actions: int) -> None:
        acknowledged.add(machine)
        if acknowledged >= {"m10", "m11", "late"}:
            told.set()

    with Producer(Slow(), acknowledged=tell) as producer:
        with producer.core.lock:
            for number in range(12):
                producer.push(f"m{number:02}", "do")
            producer.core.begin_flush(Patience(None))  # ten share the request that hangs
        producer.push("late", "do")
        assert told.wait(SOON)
        assert acknowledged == {"m10", "m11", "late"}
        released.set()
    assert len(acknowledged) == 13


def test_a_defect_of_the_queue_is_told_and_tried_again(supply: Supply) -> None:
    class Broken:
        broken = True

        def send_batch(self, messages):  # type: ignore[no-untyped-def]
            if self.broken:
                raise ZeroDivisionError
            return supply.queue.send_batch(messages)

    queue = Broken()
    producer = Producer(queue)
    producer.push("m", "do")
    with pytest.raises(BlockfoldError, match="ZeroDivisionError"):
        producer.flush()
    queue.broken = False
    producer.close(SOON)
    assert len(supply.messages) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_after_a_fork_only_the_parent_sends(supply: Supply, make: Callable[..., Producer]) -> None:
    supply.foresee(THROTTLED, THROTTLED)
    producer = make(linger=60.0)
    producer.push("m", "do")
    child = os.fork()
    if not child:
        code = 1
        try:
            producer.close()  # the parent's business
            with pytest.raises(Refused, match="after the fork"):
                producer.push("m", "do")
            with pytest.raises(Refused, match="after the fork"):
                producer.flush()
            Producer(supply.queue).close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    producer.flush(SOON)
    assert len(supply.messages) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_lock_that_was_held_at_a_fork_hangs_nobody(
    supply: Supply, make: Callable[..., Producer]
) -> None:
    producer = make(log=Stack().log)
    pushed = producer.push("m", "do")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with producer.core.lock:
            held.set()
            release.wait(SOON)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(SOON)
    child = os.fork()
    if not child:
        code = 1
        signal.alarm(5)
        try:
            for call in (producer.wait, pushed.wait, lambda: producer.stats, producer.flush):
                with pytest.raises(Refused, match="after the fork"):
                    call()
            producer.abandon()
            producer.close()
            code = 0
        finally:
            os._exit(code)
    release.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0


EXITS = """
import logging, sys
from tests.producer.supply import THROTTLED, Supply
from blockfold.producer import Producer, leaving

leaving.EXIT_SECONDS = 0.2
sent, unsent = Supply(), Supply()
unsent.foresee(always=THROTTLED)
for supply in (unsent, sent):
    Producer(supply.queue, linger=60.0).push("grove", "do")
import atexit
atexit._run_exitfuncs()
print(len(sent.messages), len(unsent.messages))
"""


def test_the_exit_of_the_interpreter_flushes_and_warns_of_what_is_left() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXITS], cwd=ROOT, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    assert done.stdout == "1 0\n"
    assert "lost with this process" in done.stderr
    assert "1 action for machine 'grove' after 0.2 s" in done.stderr


def test_the_public_package_has_producers_when_asked() -> None:
    assert blockfold.Producer is Producer
    assert blockfold.AsyncProducer.__name__ == "AsyncProducer"


def test_a_queue_is_named_by_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    Producer("https://sqs.eu-west-1.amazonaws.com/123456789012/Actions.fifo").close()
    with pytest.raises(Misconfigured, match=r"ends with \.fifo"):
        Producer("https://sqs.eu-west-1.amazonaws.com/123456789012/Actions")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(Misconfigured, match="AWS_DEFAULT_REGION"):
        Producer("https://sqs.eu-west-1.amazonaws.com/123456789012/Actions.fifo")
