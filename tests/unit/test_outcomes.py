"""What becomes of an action: four outcomes, each recorded, none with a trace beyond its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from blockfold import Block, Context, Head, Machine, Reject, State, action, execute
from blockfold.adapters.system import AlarmGuard
from blockfold.domain.block import ActionRecord
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.errors import LimitExceeded, Unavailable
from blockfold.domain.replay import EntriesSource, reexecute
from tests.strategies import message

BUDGET = 0.05


class Unprintable(Exception):
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        raise self._error


class Picky(msgspec.Struct):
    kind: str

    def __post_init__(self) -> None:
        if self.kind == "value":
            raise ValueError("no such kind")
        if self.kind == "key":
            raise KeyError("kind")
        if self.kind == "reject":
            raise Reject("kind")


def _spin() -> None:
    while True:
        pass


def _swallow() -> None:
    while True:
        try:
            _spin()
        except Exception:  # noqa: BLE001 - what this is about
            continue


def _outlive() -> None:
    try:
        _spin()
    except BaseException:  # noqa: BLE001 - what this is about
        return


def _recurse() -> None:
    _recurse()


def _raise(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


class Trouble(Machine):
    """Writes, emits, and then comes to the end that is asked for."""

    ends: dict[str, Callable[[], None]] = {
        "well": lambda: None,
        "reject": _raise(Reject("not today")),
        "reject without reason": _raise(Reject()),
        "reject with a number": _raise(Reject(7)),
        "raise": _raise(ValueError("wrong")),
        "raise without text": _raise(ValueError()),
        "exit": _raise(SystemExit(3)),
        "interrupt": _raise(KeyboardInterrupt()),
        "generator exit": _raise(GeneratorExit()),
        "cancelled": _raise(asyncio.CancelledError()),
        "own base exception": _raise(type("Odd", (BaseException,), {})("odd")),
        "group": _raise(BaseExceptionGroup("both", [ValueError(), SystemExit()])),
        "unprintable": _raise(Unprintable(ValueError())),
        "unprintable reject": _raise(type("No", (Unprintable, Reject), {})(ValueError())),
        "unprintable by exit": _raise(Unprintable(SystemExit())),
        "surrogates": _raise(ValueError("\ud800")),
        "long": _raise(ValueError("x" * 5_000)),
        "address": _raise(ValueError(f"{object()} and {_spin}")),
        "own limit": _raise(LimitExceeded("mine")),
        "own unavailable": _raise(Unavailable("mine")),
        "recurse": _recurse,
        "memory": _raise(MemoryError()),
        "spin": _spin,
        "swallow": _swallow,
        "outlive": _outlive,
        "sleep": lambda: time.sleep(60),
    }

    @action
    def end(self, state: State, context: Context, how: str) -> None:
        state["written"] = how
        state["list"].append(1)
        del state["gone"]
        context.emit("Ended", how=how)
        self.ends[how]()

    @action
    def write(self, state: State, context: Context, key: str = "k", what: str = "nan") -> None:
        context.emit("Wrote")
        state["before"] = 1
        state[key] = {"nan": float("nan"), "long": "x" * 400_000, "bytes": b"x", "fine": 1}[what]

    @action
    def tell(self, state: State, context: Context, what: str) -> None:
        odd: dict[str, tuple[Any, dict[str, Any]]] = {
            "surrogate": ("\ud800", {}),
            "empty": ("", {}),
            "long": ("x" * 129, {}),
            "number": (5, {}),
            "nan": ("T", {"x": float("nan")}),
            "large": ("T", {"x": "y" * 400_000}),
        }
        type_, detail = odd[what]
        context.emit(type_, **detail)

    @action
    def choose(self, state: State, context: Context, picky: Picky) -> None:
        state["chosen"] = picky.kind


START = {"gone": encode(1), "list": encode([]), "written": encode("before")}
HEAD = Head(machine="m")


def run(*actions: dict[str, Any], guarded: bool = False) -> Block:
    source = EntriesSource(dict(START))
    messages = [message(number, [each]) for number, each in enumerate(actions, start=1)]
    guard = {"guard": AlarmGuard(BUDGET)} if guarded else {}
    block = execute(Trouble(), HEAD, source, messages, **guard)  # type: ignore[arg-type]
    assert reexecute(Trouble(), HEAD, source, block).hash == block.hash
    return block


def end(how: str) -> dict[str, Any]:
    return {"type": "end", "args": {"how": how}}


def records(block: Block) -> list[ActionRecord]:
    return [record for _, _, record in block.body.actions]


def test_an_applied_action_writes_and_emits() -> None:
    block = run(end("well"))
    assert [record.outcome for record in records(block)] == ["applied"]
    assert block.body.changes == {"gone": None, "list": b"[1]", "written": b'"well"'}
    assert [(event.type, bytes(event.detail), event.action) for event in block.body.events] == [
        ("Ended", b'{"how":"well"}', 0)
    ]


@pytest.mark.parametrize(
    ("how", "outcome", "reason", "environment"),
    [
        ("reject", "rejected", "not today", False),
        ("reject without reason", "rejected", "", False),
        ("reject with a number", "rejected", "7", False),
        ("unprintable reject", "rejected", "", False),
        ("raise", "failed", "ValueError: wrong", False),
        ("raise without text", "failed", "ValueError", False),
        ("exit", "failed", "SystemExit: 3", False),
        ("interrupt", "failed", "KeyboardInterrupt", False),
        ("generator exit", "failed", "GeneratorExit", False),
        ("cancelled", "failed", "CancelledError", False),
        ("own base exception", "failed", "Odd: odd", False),
        ("group", "failed", "BaseExceptionGroup: both (2 sub-exceptions)", False),
        ("unprintable", "failed", "Unprintable", False),
        ("unprintable by exit", "failed", "Unprintable", False),
        ("surrogates", "failed", "ValueError: ?", False),
        ("own limit", "failed", "mine", False),
        ("own unavailable", "failed", "Unavailable: mine", False),
        ("recurse", "failed", "RecursionError", True),
        ("memory", "failed", "MemoryError", True),
    ],
)
def test_an_action_that_ends_badly_leaves_nothing_but_its_record(
    how: str, outcome: str, reason: str, environment: bool
) -> None:
    block = run(end(how), {"type": "write", "args": {"what": "fine"}})
    bad, good = records(block)
    assert (bad.outcome, bad.reason, bad.environment) == (outcome, reason, environment)
    assert good.outcome == "applied"
    assert block.body.changes == {"before": b"1", "k": b"1"}
    assert [event.type for event in block.body.events] == ["Wrote"]


def test_a_bad_action_does_not_undo_the_one_before() -> None:
    block = run({"type": "write", "args": {"key": "written", "what": "fine"}}, end("raise"))
    assert block.body.changes["written"] == b"1"


def test_reasons_hold_no_addresses_and_have_an_end() -> None:
    addresses, long = records(run(end("address"), end("long")))
    assert addresses.reason == "ValueError: <object object> and <function _spin>"
    assert long.reason is not None
    assert len(long.reason) == 1_000
    assert long.reason.startswith("ValueError: xxx")


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ({"what": "nan"}, "nan is no JSON number"),
        ({"what": "long"}, "bytes"),
        ({"what": "bytes"}, "bytes is no JSON value"),
        ({"what": "fine", "key": ""}, "1 to 1,024 bytes"),
        ({"what": "fine", "key": "é" * 513}, "1 to 1,024 bytes"),
    ],
)
def test_writing_beyond_the_limits_fails_with_the_reason(args: dict[str, str], part: str) -> None:
    block = run({"type": "write", "args": args}, end("well"))
    bad, good = records(block)
    assert (bad.outcome, good.outcome) == ("failed", "applied")
    assert part in (bad.reason or "")
    assert "before" not in block.body.changes


@pytest.mark.parametrize("what", ["surrogate", "empty", "long", "number", "nan", "large"])
def test_emitting_beyond_the_limits_fails_too(what: str) -> None:
    block = run({"type": "tell", "args": {"what": what}})
    assert [record.outcome for record in records(block)] == ["failed"]
    assert block.body.events == ()


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("value", "malformed"), ("key", "failed"), ("reject", "rejected"), ("fine", "applied")],
)
def test_code_in_an_arguments_struct_cannot_stop_the_machine(kind: str, outcome: str) -> None:
    block = run({"type": "choose", "args": {"picky": {"kind": kind}}})
    assert [record.outcome for record in records(block)] == [outcome]


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "nothing"},
        {"type": "end"},
        {"type": "end", "args": {"how": 1}},
        {"type": "end", "args": {"how": "well", "extra": 1}},
        {"type": "end", "args": []},
        {"type": "x" * 128},
        {"no": "type"},
        {"f" * 5_000: 1},
    ],
)
def test_malformed_actions_are_recorded_as_sent_and_harm_no_neighbour(sent: dict[str, Any]) -> None:
    bad, good = records(block := run(sent, end("well")))
    assert (bad.outcome, good.outcome) == ("malformed", "applied")
    assert bad.reason
    assert len(bad.reason) <= 1_000
    asked = bad.asked
    if bad.type is None:
        assert msgspec.json.decode(bad.raw or "") == sent
    else:
        assert (asked.type, msgspec.json.decode(asked.args)) == (  # type: ignore[union-attr]
            sent["type"],
            sent.get("args", {}),
        )
    assert block.outcomes == {"applied": 1, "rejected": 0, "failed": 0, "malformed": 1}


@pytest.mark.parametrize("how", ["spin", "swallow", "outlive", "sleep"])
def test_an_endless_reducer_is_ended_and_recorded_as_a_fact(how: str) -> None:
    started = time.monotonic()
    block = run(end(how), end("well"), guarded=True)
    assert time.monotonic() - started < 100 * BUDGET
    ended, good = records(block)
    assert (ended.outcome, ended.environment) == ("failed", True)
    assert "out of its time" in (ended.reason or "")
    assert good.outcome == "applied"
    assert block.body.changes["list"] == b"[1]"


def test_a_reducer_within_its_time_is_left_alone() -> None:
    block = run(*[end("well") if n == 0 else end("reject") for n in range(3)], guarded=True)
    time.sleep(2 * BUDGET)
    assert block.outcomes["applied"] == 1


class Failing:
    """A source that fails for one key and counts nothing else."""

    def get(self, key: str) -> Canonical | None:
        if key == "bad":
            raise Unavailable("throttled")
        return None

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        return {}

    def scan(self, prefix: str) -> Iterator[tuple[str, Canonical]]:
        raise Unavailable("throttled")


class Swallower(Machine):
    """Goes on after whatever happens."""

    @action
    def read(self, state: State, context: Context, scan: bool = False) -> None:
        try:
            state["seen"] = len(state) if scan else state.get("bad", 0)
        except Exception:  # noqa: BLE001 - what this is about
            state["seen"] = "nothing"

    @action
    def hide(self, state: State, context: Context) -> None:
        try:
            state.get("bad")
        except Unavailable as error:
            raise Reject("hidden") from error


@pytest.mark.parametrize(
    "sent", [{"type": "read"}, {"type": "read", "args": {"scan": True}}, {"type": "hide"}]
)
def test_what_a_failing_source_caused_is_nobodys_outcome(sent: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="throttled"):
        execute(Swallower(), HEAD, Failing(), [message(1, [sent])])


class Buggy(Failing):
    def get(self, key: str) -> Canonical | None:
        raise ZeroDivisionError("a defect of the source, not of the reducer")


def test_a_defect_of_the_source_is_nobodys_outcome() -> None:
    with pytest.raises(ZeroDivisionError):
        execute(Trouble(), Head(machine="m"), Buggy(), [message(1, [end("well")])])


class Climber(Machine):
    """Follows links from key to key, by recursion."""

    @action
    def follow(self, state: State, context: Context, key: str) -> None:
        def walk(key: str) -> object:
            return walk(state[key])

        state["started"] = True
        walk(key)

    @action
    def descend(self, state: State, context: Context, key: str) -> None:
        def walk(key: str) -> object:
            return walk(state[key]["next"])

        state["started"] = True
        walk(key)

    @action
    def search(self, state: State, context: Context, prefix: str) -> None:
        def walk() -> None:
            for _ in state.scan(prefix):
                walk()

        state["started"] = True
        walk()

    @action
    def recover(self, state: State, context: Context) -> None:
        try:
            _recurse()
        except RecursionError:
            state["found"] = state.get("bad", 0)


CYCLE = {"a": encode("b"), "b": encode("a")}
CHAIN = {f"n{n}": encode({"next": f"n{n + 1}"}) for n in range(3_000)}


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "follow", "args": {"key": "a"}},
        {"type": "descend", "args": {"key": "n0"}},
        {"type": "search", "args": {"prefix": "n"}},
    ],
    ids=["cycle", "chain", "scans"],
)
def test_a_reducer_that_runs_out_of_stack_while_it_reads_fails_alone(sent: dict[str, Any]) -> None:
    source = EntriesSource({**CYCLE, **CHAIN, "gone": encode(1), "list": encode([])})
    head = Head(machine="m")
    neighbour = {"type": "recover", "args": {}}
    messages = [message(number, [each]) for number, each in enumerate([sent, neighbour, sent], 1)]
    block = execute(Climber(), head, source, messages)
    first, good, second = records(block)
    for bad in (first, second):
        assert (bad.outcome, bad.reason, bad.environment) == ("failed", "RecursionError", True)
    assert good.outcome == "applied"
    assert block.body.changes == {"found": b"0"}
    assert reexecute(Climber(), head, source, block).hash == block.hash


class Wrapping(Failing):
    """Makes trouble with a service of whatever happens inside, as botocore does."""

    def __init__(self, inside: Callable[[], None]) -> None:
        self._inside = inside

    def get(self, key: str) -> Canonical | None:
        try:
            self._inside()
        except Exception as error:  # noqa: BLE001 - what this is about
            wrapped = ConnectionError("HTTP client raised an unhandled exception")
            wrapped.__context__ = error
            raise Unavailable("throttled") from wrapped
        return None


@pytest.mark.parametrize(
    ("inside", "reason"), [(_recurse, "RecursionError"), (_raise(MemoryError()), "MemoryError")]
)
def test_stack_or_memory_that_ran_out_inside_of_a_client_is_the_reducers_outcome(
    inside: Callable[[], None], reason: str
) -> None:
    sent = {"type": "follow", "args": {"key": "a"}}
    block = execute(Climber(), HEAD, Wrapping(inside), [message(1, [sent])])
    assert [(each.reason, each.environment) for each in records(block)] == [(reason, True)]


@pytest.mark.parametrize("source", [Failing(), Wrapping(_raise(OSError()))])
def test_trouble_after_the_reducer_ran_out_of_stack_is_still_nobodys_outcome(
    source: Failing,
) -> None:
    with pytest.raises(Unavailable, match="throttled"):
        execute(Climber(), HEAD, source, [message(1, [{"type": "recover"}])])


def test_a_process_ends_in_peace_right_after_a_guarded_action() -> None:
    code = (
        "import time\n"
        "from blockfold.adapters.system import AlarmGuard\n"
        "class Slow:\n"
        "    def __del__(self, sleep=time.sleep): sleep(0.3)\n"
        "slow = Slow()\n"
        "with AlarmGuard(5)(): pass\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
