"""The state as reducers see it: a dictionary in key order that knows what was written to it."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import Any, Protocol

from blockfold.domain.canonical import (
    Canonical,
    check_key,
    decode,
    encode_flat,
    encode_raw,
    encode_value,
)
from blockfold.domain.errors import LimitExceeded, OutOfTime
from blockfold.domain.limits import MAX_ACTION_BYTES, MAX_ACTION_KEYS, entry_bytes
from blockfold.domain.overlay import Overlay, holds
from blockfold.domain.spans import FIRST

Changes = dict[str, Canonical | None]
"""Net writes: key → new value as canonical bytes, or None for deleted."""

_ACTIONS_OWN = (OutOfTime, RecursionError, MemoryError)
"""An action's time, stack or memory that ran out during a read: its outcome, not the source's."""


class Source(Protocol):
    """Where the state before a block comes from. Reads may fail with `Unavailable`."""

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None if there is none."""

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""


class State(MutableMapping[str, Any]):
    """A mapping key → JSON value over a `Source`, with the writes of the running block on top.

    Values read are copies that belong to the running action: changing a nested value counts as
    writing its key. What an action writes is taken by `collect` and then kept or dropped, and a
    whole message's writes can still be dropped after that.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._block: Changes = {}
        self._message: Changes = {}
        self._read: dict[str, tuple[Any, Canonical]] = {}
        self._written: dict[str, Any] = {}
        self._deleted: set[str] = set()
        self._overlay = Overlay(self._is_live)
        self.trouble: BaseException | None = None
        """What kept the source from answering, even if the reducer swallowed the error."""

    # -- the mapping -----------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        if key in self._written:
            return self._written[key]
        if key in self._deleted:
            raise KeyError(key)
        if key in self._read:
            return self._read[key][0]
        key = check_key(key)
        data = self._before(key)
        if data is None:
            raise KeyError(key)
        return self._hand_out(key, data)

    def __setitem__(self, key: str, value: Any) -> None:
        key = check_key(key)
        self._overlay.move(key)
        self._written[key] = value
        self._deleted.discard(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        key = check_key(key)
        self._overlay.move(key)
        self._written.pop(key, None)
        self._read.pop(key, None)
        self._deleted.add(key)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        if key in self._written or key in self._read:
            return True
        return key not in self._deleted and self._before(check_key(key)) is not None

    def __iter__(self) -> Iterator[str]:
        """The keys at the time of the call, in order, but for those deleted since."""
        return (key for key, _ in self._entries("") if key not in self._deleted)

    def __len__(self) -> int:
        """How many keys there are; reads the whole state."""
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Delete every key; reads the whole state, once."""
        for key in self:
            del self[key]

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that exist; the source is asked once for all of them.

        Raises:
            LimitExceeded: One of them can be no key.
        """
        known = {key: key in self._read or self._layered(key) for key in map(check_key, keys)}
        asked = [key for key, layered in known.items() if not layered]
        found = self._ask(self._source.get_many, asked) if asked else {}
        values: dict[str, Any] = {}
        for key, layered in known.items():
            if layered and key in self:
                values[key] = self[key]
            elif not layered and key in found:
                values[key] = self._hand_out(key, found[key])
        return values

    def scan_keys(self, prefix: str = "", *, after: str = FIRST) -> Iterator[str]:
        """Like `scan`, without the values: nothing is decoded."""
        for key, data in self._entries(_bound(prefix), _bound(after)):
            if data is not None or key in self:
                yield key

    def scan(self, prefix: str = "", *, after: str = FIRST) -> Iterator[tuple[str, Any]]:
        """Entries whose key starts with the prefix, in key order.

        The keys are those at the time of the first step; a key that was deleted since is
        left out, a value written since is seen.

        Args:
            prefix: How the keys start.
            after: Only keys above this one; those up to it are not read.

        Raises:
            LimitExceeded: The prefix is too long for a key, or no UTF-8.
        """
        for key, data in self._entries(_bound(prefix), _bound(after)):
            if data is not None and key not in self._read and self._is_live(key) is None:
                yield key, self._hand_out(key, data)
            elif key in self:
                yield key, self[key]

    # -- what the block builder does ---------------------------------------------------------

    def before(self) -> Source:
        """The state before the running action: the source for whoever runs it elsewhere."""
        return _Before(self._before_many, self._entries)

    def collect(self, room: int = MAX_ACTION_BYTES) -> Changes:
        """What the running action changed so far.

        Args:
            room: Bytes that its changes may take in the block.

        Raises:
            LimitExceeded: A value written is no JSON or breaks a limit; or the changes together
                are more than one action may write (`blockfold.domain.limits`).
        """
        changes: Changes = {}
        for key, data in self._changed():
            changes[key] = data
            room -= entry_bytes(key, data)
            if room < 0:  # the rest is not even looked at: it may not fit into memory
                raise LimitExceeded(
                    f"the action writes more than {MAX_ACTION_BYTES:,} bytes, "
                    "the most for one action"
                )
            if len(changes) > MAX_ACTION_KEYS:
                raise LimitExceeded(
                    f"the action changes more than {MAX_ACTION_KEYS:,} keys, "
                    "the most for one action"
                )
        return changes

    def _changed(self) -> Iterator[tuple[str, Canonical | None]]:
        for key in self._deleted:
            yield key, None
        for key, value in self._written.items():
            data = encode_value(value)
            if key not in self._read or self._read[key][1] != data:
                yield key, data
        for key, (value, before) in self._read.items():
            if key in self._written or key in self._deleted:
                continue
            flat = encode_flat(value)
            if flat is None and _same(value, before):
                continue
            data = encode_value(value) if flat is None else flat
            if data != before:
                yield key, data

    def keep(self, changes: Changes) -> None:
        """End the running action and keep what it changed."""
        if changes:
            self._overlay.move_all(changes)
            self._message.update(changes)
        if self._read or self._written or self._deleted:
            self.drop()

    def drop(self) -> None:
        """End the running action without a trace."""
        self._read.clear()
        if self._written or self._deleted:
            self._overlay.move_all(self._written)
            self._overlay.move_all(self._deleted)
            self._written.clear()
            self._deleted.clear()

    def keep_message(self) -> None:
        """Keep what the actions since the last message's end changed."""
        self._block.update(self._message)
        self._message = {}

    def drop_message(self) -> None:
        """Undo the actions since the last message's end."""
        self._overlay.move_all(self._message)
        self._message = {}

    def net_changes(self) -> tuple[Changes, Changes]:
        """The block's net writes in key order, and the values that those keys had before."""
        touched = sorted(self._block)
        before = self._ask(self._source.get_many, touched)
        old: Changes = {key: before.get(key) for key in touched}
        return {key: self._block[key] for key in touched if self._block[key] != old[key]}, old

    # -- layers --------------------------------------------------------------------------------

    def _before(self, key: str) -> Canonical | None:
        """The value before the running action."""
        if key in self._message:
            return self._message[key]
        if key in self._block:
            return self._block[key]
        value: Canonical | None = self._ask(self._source.get, key)
        return value

    def _before_many(self, keys: list[str]) -> Changes:
        """The values before the running action; the source is asked once."""
        values: Changes = {}
        for key in keys:
            for layer in (self._block, self._message):
                if key in layer:
                    values[key] = layer[key]
        if asked := [key for key in keys if key not in values]:
            found = self._ask(self._source.get_many, asked)
            values.update((key, found.get(key)) for key in asked)
        return values

    def _hand_out(self, key: str, data: Canonical) -> Any:
        value = decode(data)
        if isinstance(value, (dict, list)):
            self._read[key] = (value, data)
        return value

    def _is_live(self, key: str) -> bool | None:
        """Whether this block wrote (True) or deleted (False) a key; None if it did neither."""
        if key in self._written:
            return True
        if key in self._deleted:
            return False
        for layer in (self._message, self._block):
            if key in layer:
                return layer[key] is not None
        return None

    def _layered(self, key: str) -> bool:
        """Whether this block wrote or deleted a key: the source need not be asked."""
        return self._is_live(key) is not None

    def _entries(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical | None]]:
        """The keys that exist now, in order, with their value where only the source has one."""
        live, gone = self._overlay.below(prefix)
        ours = ((key, None) for key in live[bisect_right(live, after) :])
        theirs = (
            (key, data)
            for key, data in self._scan(prefix, after)
            if self._is_live(key) is None or not (holds(live, key) or holds(gone, key))
        )
        return merge(ours, theirs, key=itemgetter(0))

    def _scan(self, prefix: str, after: str) -> Iterator[tuple[str, Canonical]]:
        bounds = (prefix, after) if after else (prefix,)
        rows = self._ask(self._source.scan, *bounds)
        while (row := self._ask(next, rows, None)) is not None:
            yield row

    def _ask(self, question: Callable[..., Any], *given: object) -> Any:
        handled = sys.exception()
        try:
            return question(*given)
        except _ACTIONS_OWN:
            raise
        except BaseException as error:
            if (own := _actions_own(error, handled)) is not None:
                raise own from None
            self.trouble = error
            raise


@dataclass(frozen=True, slots=True)
class _Before:
    """A state without what its running action wrote."""

    values: Callable[[list[str]], Changes]
    entries: Callable[[str, str], Iterator[tuple[str, Canonical | None]]]

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self.values([key])[key]

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        return {key: data for key, data in self.values(keys).items() if data is not None}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        for key, data in self.entries(prefix, after):
            if (value := self.get(key) if data is None else data) is not None:
                yield key, value


def _bound(text: str) -> str:
    """A prefix or lower bound of keys: nothing, or what a key may be."""
    return check_key(text) if text else text


def _actions_own(
    error: BaseException | None, handled: BaseException | None
) -> BaseException | None:
    """What of the action's own ran out behind an error, if it was that.

    Clients of services wrap whatever happens inside them: botocore makes a connection error of a
    `RecursionError`. What the reducer was handling when it read is no part of the read.
    """
    while error is not None and error is not handled:
        if isinstance(error, _ACTIONS_OWN):
            return error
        error = error.__cause__ or error.__context__
    return None


def _same(value: object, before: Canonical) -> bool:
    """Whether a value that was read is still the same; cheap, and may only err towards no.

    The bytes alone would take NaN for null and a date for its string, the values 1 for True.
    """
    try:
        return encode_raw(value) == before and value == decode(before)
    except (TypeError, ValueError, RecursionError, OverflowError):
        return False
