"""Reducers that break their process: recorded as that action's failure, its neighbours unharmed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from blockfold import Head, Machine, Message, State, execute
from blockfold.adapters.confined import runner
from blockfold.adapters.confined.runner import Confinement, confined
from blockfold.adapters.confined.wire import Done, Get, Rows
from blockfold.domain.block import ActionRecord
from blockfold.domain.canonical import decode
from blockfold.domain.errors import Misconfigured, Unavailable
from blockfold.domain.replay import EntriesSource, fold, reexecute
from tests.confined.rogues import Rogue
from tests.properties.histories import MACHINE, NEVER, Ports
from tests.strategies import message

SECONDS = 0.8
MEMORY = 64 * 1024 * 1024

ROGUES = {
    "leave": "its process ended with exit status 3",
    "kill": "its process was ended by SIGKILL",
    "crash": "its process was ended by SIGSEGV",
    "kill_all": "os.kill is forbidden",
    "fork": "os.fork is forbidden",
    "run": "subprocess.Popen is forbidden",
    "kill_parent": "its process ended the one that watched it",
    "stop_parent": "its process ended the one that watched it",
    "spin": "ran out of its time of 0.8 s",
    "spin_in_c": "ran out of its time of 0.8 s",
    "deaf": "ran out of its time of 0.8 s",
    "exhaust": "MemoryError",
    "exhaust_slowly": "MemoryError",
    "recurse": "RecursionError",
    "close_all": "its process ended with exit status 1",
    "close_all_and_wait": "its process broke off",
    "babble": "its process sent rubbish",
    "promise_much": "its process sent rubbish",
}
"""Actions whose failure is the environment's, with the reason that is recorded."""

OWN = {"exit": "SystemExit: 5", "interrupt": "KeyboardInterrupt", "base": "BaseException: no less"}
"""Actions whose failure is the reducer's: it would come again."""


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "GRACE_SECONDS", 0.4)
        with confined(SECONDS, MEMORY) as confinement:
            yield confinement


def commit(confinement: Confinement, messages: list[Message]) -> Ports:
    """The stores after messages that were delivered too often."""
    ports = Ports()
    executor = replace(ports.executor(Rogue()), confine=lambda: nullcontext(confinement))
    folded = executor.fold(
        MACHINE, messages, deadline=NEVER, suspects={each.id for each in messages}
    )
    assert folded.error is None
    assert folded.left == []
    return ports


def one(confinement: Confinement, type_: str, **args: object) -> tuple[ActionRecord, Any]:
    """What is recorded of one action, and the state after it."""
    ports = commit(confinement, [message(1, [{"type": type_, "args": args}])])
    (block,) = ports.blocks()
    return block.body.messages[0].actions[0], ports.stored()


@pytest.mark.parametrize("rogue", [*ROGUES, *OWN])
def test_a_rogue_is_recorded_as_failed_between_neighbours_in_order(
    confinement: Confinement, rogue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rogue == "stop_parent":
        monkeypatch.setattr(runner, "ORDER_SECONDS", 1.0)
    asked = [{"type": each} for each in ("count", rogue, "count")]
    ports = commit(confinement, [message(1, asked), message(2, [{"type": "count"}])])
    blocks = ports.blocks()
    records = [record for block in blocks for _, _, record in block.body.actions]
    assert [record.type for record in records] == ["count", rogue, "count", "count"]
    assert [record.outcome for record in records] == ["applied", "failed", "applied", "applied"]
    assert records[1].reason == (ROGUES | OWN)[rogue]
    assert records[1].environment == (rogue in ROGUES)
    assert ports.stored() == {"count": 3}
    head, entries = Head(machine=MACHINE), dict[str, bytes]()
    for block in blocks:  # whoever executes them again survives
        if rogue in ROGUES:
            assert reexecute(Rogue(), head, EntriesSource(entries), block).hash == block.hash
        fold(entries, block)
        head = block.head


def test_a_block_ends_with_an_action_that_took_its_process_along(confinement: Confinement) -> None:
    asked = [{"type": each} for each in ("count", "kill", "count", "exit", "count")]
    blocks = commit(confinement, [message(1, asked)]).blocks()
    assert [sum(block.outcomes.values()) for block in blocks] == [2, 3]


def test_nothing_is_left_of_any_process(confinement: Confinement) -> None:
    with confined(SECONDS, MEMORY) as own:
        record, state = one(own, "fork_in_c")
        assert record.outcome == "applied"
        with pytest.raises(ProcessLookupError):
            os.kill(state["orphan"], 0)
        record, state = one(own, "thread")
        assert (record.outcome, state) == ("applied", {"threads": 1})
        server = own._server
        assert server is not None
        assert server.poll() is None
    assert server.poll() is not None


def test_an_action_sees_no_credentials_and_no_clients(
    confinement: Confinement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with confined(SECONDS, MEMORY) as fresh:
        _, state = one(fresh, "secrets")
    assert state == {"secrets": [], "boto": False}


def test_references_that_were_kept_reach_no_other_action(confinement: Confinement) -> None:
    asked = [{"type": "keep_references"}] * 3
    ports = commit(confinement, [message(1, asked)])
    assert ports.stored() == {"kept": {"n": 2}}


def test_a_verdict_of_many_megabytes_comes_whole(confinement: Confinement) -> None:
    asked = [message(1, [{"type": "write_much", "args": {"keys": 40, "size": 300_000}}])]
    head, source = Head(machine="m"), EntriesSource({})
    with confined(5.0) as patient:
        found = execute(Rogue(), head, source, asked, runner=patient)
    assert found.outcomes["applied"] == 1
    assert found.hash == execute(Rogue(), head, source, asked).hash


def encoded(frame: msgspec.Struct) -> str:
    return msgspec.msgpack.encode(frame).hex()


FORGED = {
    "another type of frame": b"\x81\xa5frame\xa3Job".hex(),
    "no frame": b"\xc1".hex(),
    "an outcome that there is not": encoded(Done("applied")).replace(
        b"applied".hex(), b"forgave".hex()
    ),
    "a long reason": encoded(Done("rejected", "x" * 1_001)),
    "no key": encoded(Done("applied", changes={"": b"1"})),
    "a value that is no JSON": encoded(Done("applied", changes={"a": b"{"})),
    "a value in other words": encoded(Done("applied", changes={"a": b"[1, 2]"})),
    "a value out of bounds": encoded(Done("applied", changes={"a": b"1" * 50})),
    "nothing as a value": encoded(Done("applied", changes={"a": b""})),
    "a value nested deeply": encoded(Done("applied", changes={"a": b"[" * 90_000 + b"]" * 90_000})),
    "an event without a type": encoded(Done("applied", events=[("", b"{}")])),
    "an event that is no object": encoded(Done("applied", events=[("Said", b"[]")])),
    "a question for no key": encoded(Get(["a", ""])),
    "a question for a surrogate": encoded(Get(["a"])).replace("a161", "a3eda080"),
    "a scan from nowhere": encoded(Rows(0, "x" * 2_000, "")),
}


@pytest.mark.parametrize("forged", FORGED)
def test_what_no_state_would_say_is_not_believed(confinement: Confinement, forged: str) -> None:
    record, state = one(confinement, "forge", frame=FORGED[forged])
    assert (record.outcome, record.reason) == ("failed", "its process sent rubbish")
    assert record.environment
    assert state == {}


class Failing(EntriesSource):
    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        raise Unavailable("injected: the table did not answer")


def test_a_source_that_fails_is_nobodys_outcome(confinement: Confinement) -> None:
    with pytest.raises(Unavailable, match="injected"):
        execute(
            Rogue(),
            Head(machine="m"),
            Failing({}),
            [message(1, [{"type": "count"}])],
            runner=confinement,
        )
    assert one(confinement, "count")[1] == {"count": 1}


class Waiting(EntriesSource):
    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        if keys == ["count"]:
            time.sleep(30)
        return super().get_many(keys)


def test_reading_counts_as_the_actions_time(confinement: Confinement) -> None:
    asked = [message(1, [{"type": "count"}])]
    block = execute(Rogue(), Head(machine="m"), Waiting({}), asked, runner=confinement)
    assert block.body.messages[0].actions[0].reason == "ran out of its time of 0.8 s"


def test_a_machine_that_only_this_process_knows_is_named(confinement: Confinement) -> None:
    class Local(Machine):
        pass

    with pytest.raises(Misconfigured, match=r"Local cannot be loaded in another process: Attr"):
        execute(
            Local(),
            Head(machine="m"),
            EntriesSource({}),
            [message(1, [{"type": "x"}])],
            runner=confinement,
        )


def test_the_state_before_an_action_is_that_of_its_block_so_far() -> None:
    state = State(EntriesSource({"a": b"1", "b": b"2", "d": b"4"}))
    state["b"], state["c"] = 5, 6
    del state["d"]
    state.keep(state.collect())
    before = state.before()
    assert list(before.scan("")) == [("a", b"1"), ("b", b"5"), ("c", b"6")]
    assert list(before.scan("", "a")) == [("b", b"5"), ("c", b"6")]
    assert before.get_many(["a", "b", "c", "d", "e"]) == {"a": b"1", "b": b"5", "c": b"6"}
    assert [before.get(key) for key in "ad"] == [b"1", None]
    assert {key: decode(data) for key, data in before.scan("b")} == {"b": 5}
