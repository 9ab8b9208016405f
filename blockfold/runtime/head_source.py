"""The state at the head, read where it stands: exact, also while others write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from blockfold.application.tail import rows_with
from blockfold.domain.canonical import Canonical
from blockfold.domain.spans import FIRST
from blockfold.runtime.stores import Stores


class HeadSource:
    """A `Source` of the newest state.

    A scan is of one block, the head when it begins. It reads no further than it is asked to.

    Args:
        stores: Where the machine is kept.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._reader = stores.reader()
        self._machine = stores.machine

    def get(self, key: str) -> Canonical | None:
        """The value of a key, or None."""
        return self._reader.state(self._machine, key=key).entries.get(key)

    def get_many(self, keys: list[str]) -> dict[str, Canonical]:
        """The values of those keys that exist."""
        each = ((key, self.get(key)) for key in keys)
        return {key: value for key, value in each if value is not None}

    def scan(self, prefix: str, after: str = FIRST) -> Iterator[tuple[str, Canonical]]:
        """Entries whose key starts with the prefix and is above ``after``, in key order."""
        number = self._stores.head
        record = self._stores.machines.get(self._machine)
        if record is None or record.flushed < number:
            yield from self._above(self._reader.state(self._machine).entries.items(), prefix, after)
            return
        for row in rows_with(self._stores.table, self._machine, prefix, after):
            if row.block > number:  # somebody wrote meanwhile: the rest comes from the past
                traveller = self._stores.traveller()
                past = traveller.entries(self._machine, number, prefix)[1]
                yield from self._above(past, prefix, after)
                return
            after = row.key
            if row.value is not None:
                yield row.key, row.value

    @staticmethod
    def _above(
        entries: Iterable[tuple[str, Canonical]], prefix: str, after: str
    ) -> Iterator[tuple[str, Canonical]]:
        return (each for each in entries if each[0] > after and each[0].startswith(prefix))
