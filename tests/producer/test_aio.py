"""The producer for asyncio: the same promises, and no thread for each call that waits."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from blockfold.domain.action import Action
from blockfold.domain.errors import AccessDenied, Refused, Unavailable
from blockfold.producer import AsyncProducer
from blockfold.producer.parcel import Parcel
from tests.producer.supply import DENIED, LOST, PART, THROTTLED, Picky, Supply, once
from tests.producer.test_waiting import Works

SOON = 30.0


def test_what_was_pushed_is_in_the_queue_at_the_end_of_async_with() -> None:
    supply = Supply()
    supply.foresee(THROTTLED, LOST, PART)

    async def main() -> None:
        async with AsyncProducer(supply.queue, actions=7, linger=0.001) as producer:
            for number in range(100):
                await producer.push(f"m{number % 3}", "do", n=number)
            await producer.push_action("m0", Action.of("do", "mine", n=100))
        assert producer.stats.waiting == 0

    asyncio.run(main())
    for machine, messages in supply.machines.items():
        found = [action["args"]["n"] for action in once(messages)]
        start = int(machine[1:])
        assert found == [*range(start, 100, 3)] + [100] * (start == 0)


def test_many_waiting_calls_hold_no_threads() -> None:
    supply = Supply()
    supply.foresee(always=THROTTLED)

    async def main() -> None:
        producer = AsyncProducer(supply.queue, waiting_actions=10, senders=1)
        for number in range(10):
            await producer.push("m", "do", n=number)
        before = threading.active_count()  # others may only end meanwhile
        pushing = [asyncio.create_task(producer.push("m", "do", n=n)) for n in range(10, 60)]
        flushing = [asyncio.create_task(producer.flush(SOON)) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (*pushing, *flushing))
        assert threading.active_count() <= before
        supply.foresee()
        await asyncio.gather(*pushing, *flushing)
        await producer.close(SOON)

    asyncio.run(main())
    assert [each["args"]["n"] for each in once(supply.machines["m"])] == list(range(60))


def test_who_waits_for_room_is_not_overtaken() -> None:
    supply = Supply()
    supply.foresee(always=THROTTLED)

    async def main() -> None:
        producer = AsyncProducer(supply.queue, waiting_actions=2)
        for number in range(2):
            await producer.push("m", "do", n=number)
        waiting = [asyncio.create_task(producer.push("m", "do", n=n)) for n in (2, 3)]
        await asyncio.sleep(0.05)
        core = producer._producer.core
        put = core.put

        def overtake(machine: str, text: bytes) -> tuple[Parcel, int] | None:
            """When the first one has room, another comes before the second one's turn."""
            taken = put(machine, text)
            if taken is not None and len(waiting) == 2:
                waiting.append(asyncio.create_task(producer.push("m", "do", n=4)))
            return taken

        core.put = overtake  # type: ignore[method-assign]
        supply.foresee()
        await asyncio.gather(*waiting[:2])
        await waiting[2]
        await producer.close(SOON)

    asyncio.run(main())
    assert [each["args"]["n"] for each in once(supply.machines["m"])] == list(range(5))


def test_who_waits_for_one_action_hears_nothing_of_other_machines() -> None:
    works = Works()

    async def main() -> None:
        producer = AsyncProducer(Picky(works.supply.queue, "bad"), log=log)
        await producer.push("bad", "run", steps=[])
        with pytest.raises(Refused, match="machine 'bad'"):
            await producer.flush()
        pushed = await producer.push("good", "run", steps=[])
        with pytest.raises(Unavailable, match="stand in no block"):
            await pushed.wait(0.05)
        works.execute()
        assert (await pushed.wait(SOON)).applied
        with pytest.raises(Refused, match="push this one again"):
            await producer.push("bad", "run", steps=[])
        assert producer.abandon() == 1

    log: Any = works.log
    asyncio.run(main())


def test_outcomes_are_waited_for_one_by_one_and_together() -> None:
    works = Works()

    async def main() -> list[str]:
        async with AsyncProducer(works.supply.queue, log=log) as producer:
            one = await producer.push("m", "run", steps=[], end="reject")
            await producer.push("n", "run", steps=[])
            with pytest.raises(Unavailable, match="stand in no block"):
                await producer.wait(0.1)
            works.execute()
            found = await producer.wait(SOON)
            assert await one.wait(SOON) == found[0]
            return [each.outcome for each in found]

    log: Any = works.log
    assert asyncio.run(main()) == ["rejected", "applied"]


def test_a_wait_that_is_called_off_forgets_nothing() -> None:
    works = Works()

    async def main() -> None:
        async with AsyncProducer(works.supply.queue, log=log) as producer:
            await producer.push("m", "run", steps=[])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await producer.wait(SOON)
            works.execute()
            assert len(await producer.wait(SOON)) == 1

    log: Any = works.log
    asyncio.run(main())


def test_what_sqs_does_not_take_is_told() -> None:
    supply = Supply()

    async def main() -> None:
        producer = AsyncProducer(supply.queue, waiting_actions=1, patience=0.05)
        supply.foresee(always=THROTTLED)
        await producer.push("m", "do")
        with pytest.raises(Unavailable, match="no room"):
            await producer.push("m", "do")
        with pytest.raises(Unavailable, match="has not acknowledged"):
            await producer.flush(0.05)
        supply.foresee(always=DENIED)
        with pytest.raises(AccessDenied, match="sqs:SendMessage"):
            await producer.flush()
        with pytest.raises(ZeroDivisionError) as raised:
            await fail_within(producer)
        assert "1 action for machine 'm'" in raised.value.__notes__[0]
        assert producer.abandon() == 1
        with pytest.raises(Refused, match="closed"):
            await producer.push("m", "do")

    asyncio.run(main())


async def fail_within(producer: AsyncProducer) -> None:
    async with producer:
        raise ZeroDivisionError


def test_a_producer_belongs_to_one_loop() -> None:
    supply = Supply()
    producer = AsyncProducer(supply.queue)
    asyncio.run(producer.flush())  # type: ignore[arg-type]
    with pytest.raises(Refused, match="another event loop"):
        asyncio.run(producer.flush())  # type: ignore[arg-type]
    producer.abandon()
