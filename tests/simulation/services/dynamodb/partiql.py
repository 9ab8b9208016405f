"""PartiQL statements, in the forms that the adapters use: one INSERT, or one UPDATE by its key.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html. Values are
parameters (``?``) only. A statement is parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.simulation.services.dynamodb.attributes import Attribute, Item

_TOKEN = re.compile(r"""\s*("[^"]+"|'[^']+'|[A-Za-z_]\w*|<=|>=|[?<>={},:])\s*""")


@dataclass(frozen=True, slots=True)
class Insert:
    """``INSERT INTO "table" VALUE {'name': ?, …}``."""

    table: str
    names: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """How many parameters it wants."""
        return len(self.names)

    def keys(self, values: Sequence[Attribute]) -> Item:
        """What stands for the item's key, among more."""
        return dict(zip(self.names, values, strict=True))


@dataclass(frozen=True, slots=True)
class Change:
    """``UPDATE "table" SET "name" = ? … REMOVE "name" … WHERE "key" = ? AND "name" < ? …``.

    Attributes:
        table: The table's name.
        set: Names that are set, in the parameters' order.
        remove: Names that are removed.
        where: Name and operator of each condition, in the parameters' order.
    """

    table: str
    set: tuple[str, ...]
    remove: tuple[str, ...]
    where: tuple[tuple[str, str], ...]

    @property
    def parameters(self) -> int:
        """How many parameters it wants."""
        return len(self.set) + len(self.where)

    def keys(self, values: Sequence[Attribute]) -> Item:
        """What stands for the item's key, perhaps among more."""
        tests = zip(self.where, values[len(self.set) :], strict=True)
        return {name: value for (name, operator), value in tests if operator == "="}


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@lru_cache(maxsize=1024)
def parse(text: str) -> Insert | Change:
    """What a statement says.

    Raises:
        NotImplementedError: It has another form.
    """
    statement = _Statement(text)
    verb = statement.take().upper()
    if verb == "INSERT":
        return _insert(statement)
    if verb == "UPDATE":
        return _change(statement)
    raise statement.strange(verb)


def _insert(statement: _Statement) -> Insert:
    statement.expect("INTO")
    table = statement.quoted('"')
    statement.expect("VALUE")
    statement.expect("{")
    names: list[str] = []
    while True:
        names.append(statement.quoted("'"))
        statement.expect(":")
        statement.expect("?")
        if (token := statement.take()) == "}":
            break
        if token != ",":
            raise statement.strange(token)
    statement.end()
    return Insert(table, tuple(names))


def _change(statement: _Statement) -> Change:
    table = statement.quoted('"')
    set_: list[str] = []
    remove: list[str] = []
    where: list[tuple[str, str]] = []
    while (clause := statement.take().upper()) != "WHERE":
        name = statement.quoted('"')
        if clause == "SET":
            statement.expect("=")
            statement.expect("?")
            set_.append(name)
        elif clause == "REMOVE":
            remove.append(name)
        else:
            raise statement.strange(clause)
    while True:
        name = statement.quoted('"')
        operator = statement.take()
        if operator not in COMPARE:
            raise statement.strange(operator)
        statement.expect("?")
        where.append((name, operator))
        if statement.done:
            return Change(table, tuple(set_), tuple(remove), tuple(where))
        statement.expect("AND")


class _Statement:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.strange(text[at:])
            self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens)

    def take(self) -> str:
        if self.done:
            raise self.strange("its end")
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, wanted: str) -> None:
        if (token := self.take()).upper() != wanted:
            raise self.strange(token)

    def quoted(self, quote: str) -> str:
        token = self.take()
        if token[0] != quote:
            raise self.strange(token)
        return token[1:-1]

    def end(self) -> None:
        if not self.done:
            raise self.strange(self.take())

    def strange(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{what} in the statement {self._text!r}")
