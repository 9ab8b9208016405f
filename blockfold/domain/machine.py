"""What a user writes: a class of reducers.

>>> from blockfold import Context, Machine, State, action
>>> class Counter(Machine):
...     @action
...     def add(self, state: State, context: Context, amount: int = 1) -> None:
...         state["total"] = state.get("total", 0) + amount
>>> sorted(Counter.actions())
['add']
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from string import Formatter
from typing import Any, ClassVar, TypeAlias, TypeVar, get_type_hints, overload

import msgspec

from blockfold.domain.canonical import MAX_KEY_BYTES, Canonical, check_key
from blockfold.domain.errors import DefinitionError, InvalidAction, LimitExceeded

Pattern: TypeAlias = tuple[tuple[str, str | None], ...]
"""Texts, each with the name of the argument that stands behind it; None behind the last text."""

Reducer = TypeVar("Reducer", bound=Callable[..., None])

_MARK = "__blockfold_action__"
_KEYS = "__blockfold_keys__"
_OWN_PARAMETERS = 3  # self, state, context
_NO_NAMED_ARGUMENT = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)
_NO_PLAIN_FUNCTION = (
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)
_args_decoder = msgspec.json.Decoder(dict[str, Any])
_SURELY_SHORT = MAX_KEY_BYTES // 4
"""Characters of a key whose UTF-8 need not be counted."""

_IMMUTABLE = (str, int, float, bool, bytes, type(None))


class Reject(Exception):
    """Raised by a reducer to undo this action alone; the reason is recorded."""


@overload
def action(reducer: Reducer, /) -> Reducer: ...


@overload
def action(*, keys: str | Sequence[str]) -> Callable[[Reducer], Reducer]: ...


def action(
    reducer: Reducer | None = None, /, *, keys: str | Sequence[str] = ()
) -> Reducer | Callable[[Reducer], Reducer]:
    """Mark a method ``name(self, state, context, **arguments)`` as the reducer of an action.

    Type hints of the arguments are the schema: they are checked before the reducer runs.

    Args:
        reducer: The method, where the decorator stands without parentheses.
        keys: Keys of the state that the action will read or write, as far as its arguments tell:
            ``@action(keys="tree/{tree}")``. They are read together before a block is executed,
            in one request instead of one for each. Only a hint: the reducer may touch others, too.
            An argument stands in braces, by its name alone, and is a text or a whole number.
    """

    def mark(marked: Reducer) -> Reducer:
        setattr(marked, _MARK, True)
        setattr(marked, _KEYS, (keys,) if isinstance(keys, str) else tuple(keys))
        return marked

    return mark if reducer is None else mark(reducer)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One kind of action: its reducer and the schema of its arguments.

    Attributes:
        name: The action's type.
        reducer: The method.
        arguments: A msgspec struct type with one field for each argument.
        decoder: What reads such a struct.
        keys: Patterns of keys that it will touch.
    """

    name: str
    reducer: Callable[..., None]
    arguments: type[msgspec.Struct]
    decoder: msgspec.json.Decoder[msgspec.Struct]
    keys: tuple[Pattern, ...] = ()

    def touched(self, args: Canonical) -> list[str]:
        """Keys that an action with these arguments declares, as far as they are plain.

        Runs no user code: text and whole numbers are taken as they were sent, and keys that need
        anything else, or that no state can have, are left out.
        """
        if not self.keys:
            return []
        sent = _args_decoder.decode(args)
        found: list[str] = []
        for pattern in self.keys:
            key = ""
            for text, name in pattern:
                key += text
                if name is None:
                    continue
                part = sent.get(name)
                if type(part) is str:
                    key += part
                elif type(part) is int:
                    key += str(part)
                else:
                    break
            else:
                if 1 <= len(key) <= _SURELY_SHORT or _is_key(key):
                    found.append(key)
        return found

    def check(self, args: Canonical) -> dict[str, Any]:
        """Arguments for the reducer.

        Runs user code: a hint may be a struct with a ``__post_init__``.

        Raises:
            InvalidAction: One is missing, unknown, or of another type.
        """
        try:
            checked = self.decoder.decode(args)
        except msgspec.ValidationError as error:
            raise InvalidAction(f"{self.name}: {error}") from None
        except RecursionError:
            raise InvalidAction(f"{self.name}: the arguments are nested too deeply") from None
        return msgspec.structs.asdict(checked)


class Machine:
    """Base of all machines. Subclasses hold reducers and no data: all data is in the state.

    Attributes:
        version: Recorded in every block as the code that made it. Raise it when reducers
            change what they do.
    """

    version: ClassVar[str] = "1"

    _specs: ClassVar[Mapping[str, ActionSpec] | None] = None

    def __init_subclass__(cls, **options: object) -> None:
        """Keep actions from taking the names that the machine itself needs."""
        super().__init_subclass__(**options)
        for name in Machine.__dict__.keys() & cls.__dict__.keys():
            if getattr(cls.__dict__[name], _MARK, False):
                raise DefinitionError(
                    f"{cls.__name__}.{name} cannot be an action: every machine has a {name!r}",
                    hint="give the action another name",
                )

    @classmethod
    def actions(cls) -> Mapping[str, ActionSpec]:
        """The actions of this class by name.

        Raises:
            DefinitionError: A reducer's signature or type hints cannot work.
        """
        specs: Mapping[str, ActionSpec] | None = cls.__dict__.get("_specs")
        if specs is None:
            _check_overrides(cls)
            specs = cls._specs = {
                name: _spec(cls, name, member)
                for name, member in inspect.getmembers(cls, inspect.isroutine)
                if getattr(member, _MARK, False)
            }
        return specs

    @classmethod
    def code(cls) -> str:
        """Name and version of the code, as blocks record it: ``Forest/1``."""
        return f"{cls.__name__}/{cls.version}"

    @classmethod
    def find(cls, type_: str) -> ActionSpec:
        """The action of that name.

        Raises:
            InvalidAction: The machine has no such action.
        """
        specs = cls.actions()
        spec = specs.get(type_)
        if spec is None:
            known = ", ".join(sorted(specs)) or "none"
            raise InvalidAction(f"unknown action type {type_!r}: {cls.__name__} has {known}")
        return spec


def _check_overrides(machine: type[Machine]) -> None:
    """An override that is not marked would take an action away without a word."""
    for name, member in inspect.getmembers(machine, inspect.isroutine):
        marked = (getattr(base.__dict__.get(name), _MARK, False) for base in machine.__mro__)
        if not getattr(member, _MARK, False) and any(marked):
            raise DefinitionError(
                f"{machine.__name__}.{name} overrides an action but is none itself",
                hint="mark it with @action, or give it another name",
            )


def _spec(machine: type[Machine], name: str, reducer: Callable[..., None]) -> ActionSpec:
    where = f"{machine.__name__}.{name}"
    if any(test(reducer) for test in _NO_PLAIN_FUNCTION):
        raise DefinitionError(
            f"{where} is a coroutine or generator", hint="write reducers as plain functions"
        )
    parameters = list(inspect.signature(reducer).parameters.values())
    own, arguments = parameters[:_OWN_PARAMETERS], parameters[_OWN_PARAMETERS:]
    if (
        isinstance(inspect.getattr_static(machine, name), (staticmethod, classmethod))
        or len(own) < _OWN_PARAMETERS
        or any(each.kind is not each.POSITIONAL_OR_KEYWORD for each in own)
        or any(each.kind in _NO_NAMED_ARGUMENT for each in arguments)
    ):
        raise DefinitionError(
            f"{where} has a signature that no action can have",
            hint="write it as name(self, state, context, argument: type, …)",
        )
    hints = _hints(where, reducer)
    fields = [_field(where, each, hints) for each in arguments]
    try:
        struct = msgspec.defstruct(name, fields, forbid_unknown_fields=True, kw_only=True)
        decoder = msgspec.json.Decoder(struct)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"{where} has a type hint that cannot be checked: {error}") from error
    names = [each.name for each in arguments]
    keys = tuple(_pattern(where, each, names) for each in getattr(reducer, _KEYS, ()))
    return ActionSpec(name, reducer, struct, decoder, keys)


def _pattern(where: str, text: str, arguments: Sequence[str]) -> Pattern:
    """A pattern of keys, taken apart.

    Raises:
        DefinitionError: It is none, or asks for more than an argument as it was sent.
    """
    parts: list[tuple[str, str | None]] = []
    try:
        for before, name, form, conversion in Formatter().parse(text):
            if name is not None and (form or conversion or name not in arguments):
                raise DefinitionError(
                    f"{where}: the keys {text!r} name {name!r}, which is no argument by itself",
                    hint='write arguments in braces, and nothing else: keys="tree/{tree}"',
                )
            parts.append((before, name))
    except ValueError as error:
        raise DefinitionError(f"{where}: the keys {text!r} are no pattern: {error}") from error
    return tuple(parts)


def _is_key(key: str) -> bool:
    try:
        check_key(key)
    except LimitExceeded:
        return False
    return True


def _hints(where: str, reducer: Callable[..., None]) -> dict[str, Any]:
    try:
        return get_type_hints(reducer, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise DefinitionError(
            f"a type hint of {where} cannot be resolved: {error}",
            hint="import the name at the top of the module, not under TYPE_CHECKING",
        ) from error


def _field(
    where: str, parameter: inspect.Parameter, hints: Mapping[str, Any]
) -> tuple[str, Any] | tuple[str, Any, Any]:
    if parameter.name not in hints:
        raise DefinitionError(
            f"{where}: the argument {parameter.name!r} has no type hint",
            hint="type hints are the schema: arguments are checked by them",
        )
    hint = hints[parameter.name]
    if parameter.default is parameter.empty:
        return parameter.name, hint
    if isinstance(parameter.default, _IMMUTABLE):
        return parameter.name, hint, parameter.default
    # A fresh copy for each action, so that none sees what another did to it.
    return parameter.name, hint, msgspec.field(default_factory=lambda: deepcopy(parameter.default))
