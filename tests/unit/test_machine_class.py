"""Machine classes: what makes an action, and how its arguments are checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from msgspec import Meta

from blockfold import Context, Machine, State, action
from blockfold.domain.canonical import encode
from blockfold.domain.errors import DefinitionError, InvalidAction


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Shop(Machine):
    version: ClassVar[str] = "7"

    @action
    def sell(
        self,
        state: State,
        context: Context,
        item: Annotated[str, Meta(min_length=1, max_length=5)],
        count: Annotated[int, Meta(ge=1)] = 1,
        *,
        size: Literal["s", "l"] = "s",
    ) -> None: ...

    @action
    def place(self, state: State, context: Context, at: Point) -> None: ...

    @action
    def close(self, state: State, context: Context) -> None: ...

    def helper(self) -> None: ...


class Branch(Shop):
    @action
    def close(self, state: State, context: Context, reason: str = "") -> None: ...

    @action
    def move(self, state: State, context: Context) -> None: ...


def check(machine: type[Machine], type_: str, **args: object) -> dict[str, Any]:
    return machine.find(type_).check(encode(args))


def test_marked_methods_are_the_actions() -> None:
    assert sorted(Shop.actions()) == ["close", "place", "sell"]
    assert Shop.code() == "Shop/7"


def test_actions_are_inherited_added_and_replaced() -> None:
    assert sorted(Branch.actions()) == ["close", "move", "place", "sell"]
    assert check(Branch, "close", reason="rain") == {"reason": "rain"}
    with pytest.raises(InvalidAction):
        check(Shop, "close", reason="rain")


def test_defaults_stand_in_for_missing_arguments() -> None:
    assert check(Shop, "sell", item="cup") == {"item": "cup", "count": 1, "size": "s"}


def test_structs_are_built() -> None:
    assert check(Shop, "place", at={"x": 1}) == {"at": Point(1, 0)}


@pytest.mark.parametrize(
    ("type_", "args", "reason"),
    [
        ("buy", {}, "Shop has close, place, sell"),
        ("helper", {}, "unknown action"),
        ("actions", {}, "unknown action"),
        ("__init__", {}, "unknown action"),
        ("sell", {}, "item"),
        ("sell", {"item": 1}, "Expected `str`"),
        ("sell", {"item": None}, "Expected `str`"),
        ("sell", {"item": ""}, "length"),
        ("sell", {"item": "teapot"}, "length"),
        ("sell", {"item": "cup", "count": 0}, ">= 1"),
        ("sell", {"item": "cup", "count": "1"}, "Expected `int`"),
        ("sell", {"item": "cup", "count": 1.5}, "Expected `int`"),
        ("sell", {"item": "cup", "count": True}, "Expected `int`"),
        ("sell", {"item": "cup", "size": "m"}, "size"),
        ("sell", {"item": "cup", "colour": "red"}, "colour"),
        ("sell", {"item": "cup", "self": 1}, "self"),
        ("sell", {"item": "cup", "state": {}}, "state"),
        ("place", {"at": {"y": 1}}, "`x`"),
        ("close", {"now": True}, "now"),
    ],
)
def test_wrong_actions_say_what_is_wrong(type_: str, args: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidAction) as caught:
        check(Shop, type_, **args)
    assert reason in caught.value.message


def test_each_action_gets_its_own_copy_of_a_default() -> None:
    class Lists(Machine):
        @action
        def go(
            self,
            state: State,
            context: Context,
            flat: list[int] = [],  # noqa: B006 - what this test is about
            deep: dict[str, list[int]] = {"a": []},  # noqa: B006
            point: Point = Point(1, 1),  # noqa: B008
        ) -> None: ...

    first = check(Lists, "go")
    first["flat"].append(1)
    first["deep"]["a"].append(1)
    first["point"].x = 9
    assert check(Lists, "go") == {"flat": [], "deep": {"a": []}, "point": Point(1, 1)}


async def _coroutine(self: Any, state: State, context: Context) -> None: ...


async def _async_generator(self: Any, state: State, context: Context) -> AsyncIterator[int]:
    yield 1


def _generator(self: Any, state: State, context: Context) -> Iterator[int]:
    yield 1


def _no_hint(self, state, context, tree): ...  # type: ignore[no-untyped-def]


def _star(self: Any, state: State, context: Context, *trees: str) -> None: ...


def _stars(self: Any, state: State, context: Context, **trees: str) -> None: ...


def _positional_only(self: Any, state: State, context: Context, tree: str, /) -> None: ...


def _keyword_context(self: Any, state: State, *, context: Context) -> None: ...


def _too_few(self: Any, state: State) -> None: ...


def _unresolved(self: Any, state: State, context: Context, tree: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def _unresolved_attribute(self: Any, state: State, context: Context, x: msgspec.Nope) -> None: ...  # type: ignore[name-defined]


def _no_type(self: Any, state: State, context: Context, x: Annotated[str, Meta(ge=1)]) -> None: ...


@pytest.mark.parametrize(
    "reducer",
    [
        _coroutine,
        _async_generator,
        _generator,
        _no_hint,
        _star,
        _stars,
        _positional_only,
        _keyword_context,
        _too_few,
        _unresolved,
        _unresolved_attribute,
        _no_type,
    ],
)
def test_reducers_that_cannot_work_are_refused_by_name(reducer: Any) -> None:
    machine: Any = type("Wrong", (Machine,), {"go": action(reducer)})
    with pytest.raises(DefinitionError, match=r"Wrong\.go"):
        machine.actions()


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_reducer_belongs_to_an_instance(kind: Any) -> None:
    def go(owner: Any, state: State, context: Context, tree: str) -> None: ...

    machine: Any = type("Wrong", (Machine,), {"go": kind(action(go))})
    with pytest.raises(DefinitionError, match="signature"):
        machine.actions()


@pytest.mark.parametrize("name", ["find", "actions", "code", "version"])
def test_no_action_takes_a_name_that_the_machine_needs(name: str) -> None:
    def go(self: Any, state: State, context: Context) -> None: ...

    with pytest.raises(DefinitionError, match=name):
        type("Wrong", (Machine,), {name: action(go)})


def test_a_version_may_be_overridden_by_a_plain_value() -> None:
    assert type("Next", (Shop,), {"version": "8"}).code() == "Next/8"  # type: ignore[attr-defined]


def test_an_override_that_is_no_action_is_refused() -> None:
    class Quiet(Shop):
        def close(self, state: State, context: Context, reason: str) -> None: ...

    with pytest.raises(DefinitionError, match=r"Quiet.close overrides an action"):
        Quiet.actions()


def test_declared_keys_are_made_of_the_arguments() -> None:
    class Guild(Machine):
        @action(keys=("player/{name}", "{size}/{name}", "guild/{guild}", "total"))
        def join(
            self, state: State, context: Context, name: str, guild: Point, size: int = 1
        ) -> None: ...

        @action
        def leave(self, state: State, context: Context, name: str) -> None: ...

    join = Guild.find("join")
    args = {"name": "ann", "guild": {"x": 3}}
    assert join.touched(encode({**args, "size": 3})) == ["player/ann", "3/ann", "total"]
    assert join.touched(encode(args)) == ["player/ann", "total"], "only what was sent"
    assert join.touched(encode({"name": "x" * 2_000})) == ["total"], "no state has such a key"
    assert join.touched(encode({"name": True})) == ["total"]
    assert Guild.find("leave").touched(encode({"name": "ann"})) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("a/{nobody}", "'nobody', which is no argument"),
        ("a/{", "no pattern"),
        ("{name.upper}", "by itself"),
        ("{name!r}", "by itself"),
        ("{name:>99}", "by itself"),
        ("{}", "by itself"),
    ],
)
def test_declared_keys_that_cannot_be_made_are_told_at_once(keys: str, words: str) -> None:
    class Wrong(Machine):
        @action(keys=keys)
        def act(self, state: State, context: Context, name: str) -> None: ...

    with pytest.raises(DefinitionError, match=words):
        Wrong.actions()
