"""Declaring a record.

>>> class Player(Record, name="player", key=("server", "user"),
...              indexes={"top": Descending("points", within="server")}):
...     server: str
...     user: str
...     points: int = 0
>>> from blockfold import State
>>> from blockfold.domain.replay import EntriesSource
>>> players = Player.of(State(EntriesSource({})))
>>> players.put(Player(server="s1", user="ada", points=3))
>>> players.update("s1", "ada", points=5).points
5
>>> [player.user for player in players.top("top", 10, within="s1")]
['ada']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform, overload

import msgspec

from blockfold.domain.errors import DefinitionError
from blockfold.records.declaration import Declaration, declare
from blockfold.records.indexes import Ascending, Descending, Index
from blockfold.records.reader import RecordReader
from blockfold.records.states import Readable, Writable
from blockfold.records.table import Records

__all__ = ["Ascending", "Descending", "Record"]

R = TypeVar("R", bound="Record")

_DECLARATION = "_declaration"


class _RecordMeta(msgspec.StructMeta):
    """Makes frozen structs of keyword arguments, and checks what they declare."""

    def __new__(
        mcls,
        type_name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        name: str | None = None,
        key: str | tuple[str, ...] = (),
        indexes: Mapping[str, Index] | None = None,
        frozen: Literal[True] = True,  # written where type checkers would miss it
    ) -> Any:
        made: Any = super().__new__(
            mcls,
            type_name,
            bases,
            namespace,
            frozen=frozen,
            kw_only=True,
            forbid_unknown_fields=True,
        )
        if name is None and (key or indexes):
            raise DefinitionError(f"{type_name} has a key but no name", hint="add name=…")
        fields = (key,) if isinstance(key, str) else key
        declaration = None if name is None else declare(made, name, fields, indexes or {})
        setattr(made, _DECLARATION, declaration)
        return made


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, metaclass=_RecordMeta, frozen=True):
    """Base of records: ``class Player(Record, name="player", key=("server", "user")): …``.

    Fields are declared as in a `msgspec.Struct`. A record is a value: it cannot be changed, only
    replaced. Class arguments:

    - ``name``: what its keys start with; one type of record a name. Without it the class is only
      a base for others.
    - ``key``: the field or fields that tell one record from another.
    - ``indexes``: name → `Ascending` or `Descending`.

    Raises:
        DefinitionError: The declaration cannot work.
    """

    _declaration: ClassVar[Declaration | None] = None

    @overload
    @classmethod
    def of(cls: type[R], state: Writable) -> Records[R]: ...
    @overload
    @classmethod
    def of(cls: type[R], state: Readable) -> RecordReader[R]: ...
    @classmethod
    def of(cls: type[R], state: Readable) -> RecordReader[R]:
        """The records of this type in a state: to read, and to write if the state can be written.

        Args:
            state: A reducer's state, or a reader's.
        """
        declaration = cls._declaration
        if declaration is None:
            raise DefinitionError(f"{cls.__name__} has no name", hint="declare it with name=…")
        kind: Any = Records if hasattr(type(state), "__setitem__") else RecordReader
        found: RecordReader[R] = kind(declaration, state)
        return found
