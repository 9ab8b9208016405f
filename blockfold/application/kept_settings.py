"""Copies of machines' settings in the bucket, for the day when the tables are lost.

A copy is made when settings change, and by the hourly sweep for whoever died before that. Copies
are not overwritten: each revision has its own. Only a table that came back from an older backup
gives a revision anew; its copy takes the place of the old one.

What happens if the process dies: between the change of a setting and its copy, the next sweep makes
the copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from blockfold.domain.canonical import encode_raw
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import settings_key, settings_prefix
from blockfold.domain.retention import KEEP_ALL, Retention
from blockfold.domain.schedule import Setting
from blockfold.ports import MachineRecord, ObjectStore

FORMAT = 1


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a machine's record.

    Attributes:
        machine: The machine's id.
        revision: How often its settings were changed.
        schedule: When its state is dumped: all settings, oldest first.
        retention: What is kept of its past.
        format: `FORMAT`.
    """

    machine: str
    revision: int
    schedule: tuple[Setting, ...]
    retention: Retention = KEEP_ALL
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class KeptSettings:
    """Keeps settings, and finds the newest.

    Attributes:
        objects: The bucket.
    """

    objects: ObjectStore

    def keep(self, record: MachineRecord) -> None:
        """Make sure that a copy of a record's settings exists. One read if it does."""
        kept = Kept(
            machine=record.machine,
            revision=record.revision,
            schedule=record.schedule.settings,
            retention=record.retention,
        )
        key, data = settings_key(record.machine, record.revision), encode_raw(kept) + b"\n"
        there = self.objects.get(key)
        if there is None and self.objects.put_new(key, data):
            return
        if there != data and self.objects.get(key) != data:
            self.objects.replace(key, data)

    def newest(self, machine: str) -> Kept | None:
        """The newest copy, or None if there is none.

        Raises:
            Corrupted: It is damaged.
        """
        keys = [each.key for each in self.objects.list(settings_prefix(machine))]
        if not keys:
            return None
        try:
            kept = msgspec.json.decode(self.objects.get(keys[-1]) or b"", type=Kept)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Corrupted(
                f"{keys[-1]} holds no settings: {error}",
                hint="delete that object: the settings before it count then",
            ) from error
        if kept.format != FORMAT or settings_key(kept.machine, kept.revision) != keys[-1]:
            raise Corrupted(f"{keys[-1]} holds settings of another machine, revision or format")
        return kept
