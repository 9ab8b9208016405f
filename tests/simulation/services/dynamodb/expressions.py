"""Condition, update, projection and key expressions, in the forms that the adapters use.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html. An expression is
parsed once and kept as functions of an item and the request's names and values. What is not
understood raises NotImplementedError, what DynamoDB would refuse raises `Invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tests.simulation.services.dynamodb.attributes import Attribute, Item, normal, ordered
from tests.simulation.services.dynamodb.invalid import Invalid
from tests.simulation.services.dynamodb.reserved import RESERVED

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<=|>=|<>|[<>=(),.])\s*")
_WORDS = {"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}

Path = tuple[str, ...]


class Scope:
    """The names and values that come with a request, and which of them its expressions used."""

    __slots__ = ("_names", "_used", "_values")

    def __init__(
        self, names: Mapping[str, str] | None = None, values: Mapping[str, Attribute] | None = None
    ) -> None:
        for kind, given in (("Names", names), ("Values", values)):
            if given is not None and not given:
                raise Invalid(f"ExpressionAttribute{kind} must not be empty")
        self._names = names or {}
        self._values = {key: normal(each)[0] for key, each in (values or {}).items()}
        self._used: set[str] = set()

    def use(self, tokens: Iterable[str], what: str) -> None:
        """Check that what an expression refers to is given."""
        for token in tokens:
            if token[0] == "#" and token not in self._names:
                raise Invalid(
                    f"Invalid {what}: An expression attribute name used in the document path is "
                    f"not defined; attribute name: {token}"
                )
            if token[0] == ":" and token not in self._values:
                raise Invalid(
                    f"Invalid {what}: An expression attribute value used in expression is not "
                    f"defined; attribute value: {token}"
                )
        self._used.update(tokens)

    def close(self) -> None:
        """Check that all that is given was referred to."""
        for kind, given in (("Names", self._names), ("Values", self._values)):
            if unused := given.keys() - self._used:
                raise Invalid(
                    f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: "
                    f"{{{', '.join(sorted(unused))}}}"
                )

    def name(self, token: str) -> str:
        return self._names[token] if token[0] == "#" else token

    def value(self, token: str) -> Attribute:
        return self._values[token]

    def find(self, item: Item, path: Path) -> Attribute | None:
        """The attribute that a path leads to."""
        attribute = item.get(self.name(path[0]))
        for token in path[1:]:
            if attribute is None:
                return None
            attribute = attribute.get("M", {}).get(self.name(token))
        return attribute


Test = Callable[[Item, Scope], bool]
Operand = Callable[[Item, Scope], "Attribute | None"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition: whether an item meets it."""

    test: Test
    tokens: frozenset[str]


@dataclass(frozen=True, slots=True)
class Update:
    """A parsed update: what it sets, removes and adds."""

    set: tuple[tuple[Path, Operand], ...]
    remove: tuple[Path, ...]
    add: tuple[tuple[Path, str], ...]
    tokens: frozenset[str]

    def apply(self, item: Item, scope: Scope, keys: Iterable[str]) -> Item:
        """The item after it; values are computed from the item before it.

        Raises:
            Invalid: It would change a key, or a path leads nowhere.
        """
        for path in (*(path for path, _ in (*self.set, *self.add)), *self.remove):
            if (name := scope.name(path[0])) in keys:
                raise Invalid(
                    "One or more parameter values were invalid: Cannot update attribute "
                    f"{name}. This attribute is part of the key"
                )
        self._check_overlap(scope)
        new = dict(item)
        for path, operand in self.set:
            value = operand(item, scope)
            if value is None:
                raise Invalid(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
            _put(new, [scope.name(token) for token in path], value)
        for path in self.remove:
            _put(new, [scope.name(token) for token in path], None)
        for path, token in self.add:
            before, more = scope.find(item, path) or {"N": "0"}, scope.value(token)
            if "N" not in before or "N" not in more:
                raise Invalid("An operand in the update expression has an incorrect data type")
            total = ordered(before) + ordered(more)
            _put(new, [scope.name(token) for token in path], normal({"N": str(total)})[0])
        return new

    def _check_overlap(self, scope: Scope) -> None:
        every = [*(path for path, _ in (*self.set, *self.add)), *self.remove]
        if len(every) == 1:
            return
        paths = sorted([scope.name(token) for token in path] for path in every)
        for one, other in pairwise(paths):
            if other[: len(one)] == one:
                raise Invalid(
                    "Invalid UpdateExpression: Two document paths overlap with each other; must "
                    f"remove or rewrite one of these paths; path one: {one}, path two: {other}"
                )


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """A parsed key condition: the partition, and what the sort key has to be.

    Attributes:
        hash: Name and value of the partition key.
        sort: Name, operator and values for the sort key, if it says anything of that.
    """

    hash: tuple[str, str]
    sort: tuple[str, str, tuple[str, ...]] | None
    tokens: frozenset[str]


@lru_cache(maxsize=1024)
def condition(text: str) -> Condition:
    """Parse a ConditionExpression."""
    parser = _Parser(text, "ConditionExpression")
    test = parser.either()
    parser.end()
    return Condition(test, frozenset(parser.used))


@lru_cache(maxsize=1024)
def update(text: str) -> Update:
    """Parse an UpdateExpression."""
    parser = _Parser(text, "UpdateExpression")
    set_: list[tuple[Path, Operand]] = []
    remove: list[Path] = []
    add: list[tuple[Path, str]] = []
    seen: set[str] = set()
    while parser.next is not None:
        clause = parser.take().upper()
        if clause in seen:
            raise Invalid(
                f'Invalid UpdateExpression: The "{clause}" section can only be used once in an '
                "update expression;"
            )
        seen.add(clause)
        while True:
            path = parser.path()
            if clause == "SET":
                parser.expect("=")
                set_.append((path, parser.operand()))
            elif clause == "REMOVE":
                remove.append(path)
            elif clause == "ADD":
                add.append((path, parser.value()))
            else:
                raise NotImplementedError(f"{clause} in {text!r}")
            if parser.next != ",":
                break
            parser.take()
    return Update(tuple(set_), tuple(remove), tuple(add), frozenset(parser.used))


@lru_cache(maxsize=1024)
def projection(text: str) -> tuple[str, ...]:
    """Parse a ProjectionExpression of whole attributes: the tokens of their names."""
    parser = _Parser(text, "ProjectionExpression")
    names: list[str] = []
    while True:
        path = parser.path()
        if len(path) > 1:
            raise NotImplementedError(f"a path in {text!r}")
        names += path
        if parser.next is None:
            return tuple(names)
        parser.expect(",")


@lru_cache(maxsize=1024)
def key_condition(text: str) -> KeyCondition:
    """Parse a KeyConditionExpression, the partition key first."""
    parser = _Parser(text, "KeyConditionExpression")
    (hash_,) = parser.path()
    parser.expect("=")
    value = parser.value()
    sort: tuple[str, str, tuple[str, ...]] | None = None
    if parser.next is not None:
        parser.expect("AND")
        if parser.next == "begins_with":
            parser.take()
            parser.expect("(")
            (name,) = parser.path()
            parser.expect(",")
            sort = (name, "begins_with", (parser.value(),))
            parser.expect(")")
        else:
            (name,) = parser.path()
            operator = parser.take().upper()
            if operator == "BETWEEN":
                low = parser.value()
                parser.expect("AND")
                sort = (name, operator, (low, parser.value()))
            elif operator == "=" or operator in _COMPARE:
                sort = (name, operator, (parser.value(),))
            else:
                raise NotImplementedError(f"{operator} in {text!r}")
    parser.end()
    return KeyCondition((hash_, value), sort, frozenset(parser.used))


class _Parser:
    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise NotImplementedError(f"{text[at:]!r} in the {what} {text!r}")
            self._tokens.append(found[1])
            at = found.end()
        if not self._tokens:
            raise Invalid(f"Invalid {what}: The expression can not be empty;")
        self._at = 0
        self.used: set[str] = set()

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> str:
        token = self.next
        if token is None:
            raise Invalid(f'Invalid {self._what}: Syntax error; token: "<EOF>", near: …')
        self._at += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.take()
        if token.upper() != wanted:
            raise Invalid(f'Invalid {self._what}: Syntax error; token: "{token}"')

    def end(self) -> None:
        if self.next is not None:
            raise Invalid(f'Invalid {self._what}: Syntax error; token: "{self.next}"')

    def path(self) -> Path:
        names = [self._name()]
        while self.next == ".":
            self.take()
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        token = self.take()
        if self.next == "(":
            raise NotImplementedError(f"{token} in the {self._what} {self._text!r}")
        if token[0] == "#":
            self.used.add(token)
        elif not (token[0].isalpha() or token[0] == "_") or token.upper() in _WORDS:
            raise Invalid(f'Invalid {self._what}: Syntax error; token: "{token}"')
        elif token.upper() in RESERVED:
            raise Invalid(
                f"Invalid {self._what}: Attribute name is a reserved keyword; reserved keyword: "
                f"{token}"
            )
        return token

    def value(self) -> str:
        token = self.take()
        if token[0] != ":":
            raise Invalid(f'Invalid {self._what}: Syntax error; token: "{token}"')
        self.used.add(token)
        return token

    def operand(self) -> Operand:
        if self.next is not None and self.next[0] == ":":
            token = self.value()
            return lambda _item, scope: scope.value(token)
        if self.next == "if_not_exists":
            self.take()
            self.expect("(")
            wanted = self.path()
            self.expect(",")
            otherwise = self.operand()
            self.expect(")")
            return lambda item, scope: scope.find(item, wanted) or otherwise(item, scope)
        path = self.path()
        return lambda item, scope: scope.find(item, path)

    def either(self) -> Test:
        tests = [self._both()]
        while self.next is not None and self.next.upper() == "OR":
            self.take()
            tests.append(self._both())
        if len(tests) == 1:
            return tests[0]
        return lambda item, scope: any(test(item, scope) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self.next is not None and self.next.upper() == "AND":
            self.take()
            tests.append(self._single())
        if len(tests) == 1:
            return tests[0]
        return lambda item, scope: all(test(item, scope) for test in tests)

    def _single(self) -> Test:
        if self.next == "(":
            self.take()
            test = self.either()
            self.expect(")")
            return test
        if self.next in ("attribute_exists", "attribute_not_exists"):
            exists = self.take() == "attribute_exists"
            self.expect("(")
            path = self.path()
            self.expect(")")
            return lambda item, scope: (scope.find(item, path) is not None) is exists
        left = self.operand()
        operator = self.take()
        right = self.operand()
        if operator == "=":
            return lambda item, scope: _equal(left(item, scope), right(item, scope))
        if operator in _COMPARE:
            compare = _COMPARE[operator]
            return lambda item, scope: _holds(compare, left(item, scope), right(item, scope))
        raise NotImplementedError(f"{operator} in the {self._what} {self._text!r}")


def _equal(left: Attribute | None, right: Attribute | None) -> bool:
    return left is not None and left == right


def _holds(
    compare: Callable[[Any, Any], bool], left: Attribute | None, right: Attribute | None
) -> bool:
    """Attributes of different types do not compare."""
    if left is None or right is None or left.keys() != right.keys():
        return False
    return compare(ordered(left), ordered(right))


def _put(item: Item, names: Sequence[str], value: Attribute | None) -> None:
    """Set or remove what stands at a path, copying the maps on the way, not changing them."""
    *parents, last = names
    place: dict[str, Attribute] = item
    for name in parents:
        inner = place.get(name, {}).get("M")
        if inner is None:
            raise Invalid(
                "The document path provided in the update expression is invalid for update"
            )
        copy = dict(inner)
        place[name] = {"M": copy}
        place = copy
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
