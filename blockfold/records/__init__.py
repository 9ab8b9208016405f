"""Typed records on a machine's state: declared once, checked, and stored under keys of their own.

The same declaration serves a reducer, whose state can be written, and a reader of the past or the
present, which can not. How the keys look, and what an index costs: ``docs/records.md``.
"""

from blockfold.records.errors import InvalidRecord, OutdatedRecord
from blockfold.records.indexes import Ascending, Descending
from blockfold.records.reader import Page, RecordReader
from blockfold.records.record import Record
from blockfold.records.states import Readable, Writable
from blockfold.records.table import Records

__all__ = [
    "Ascending",
    "Descending",
    "InvalidRecord",
    "OutdatedRecord",
    "Page",
    "Readable",
    "Record",
    "RecordReader",
    "Records",
    "Writable",
]
