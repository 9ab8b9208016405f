"""Object keys: everything of a machine stands below ``machines/<percent-encoded id>/``."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_SEGMENT = re.compile(r"([0-9]{12,})-([0-9]{12,})-([0-9]+)-([0-9a-f]{64})\.jsonl\.zst")


def machine_prefix(machine: str) -> str:
    """Where a machine's objects stand; no id can climb out of it.

    Letters, digits, ``_`` and ``-`` stand for themselves, all else is percent-encoded, dots
    included: an S3 browser or a file system would take ``..`` for the parent folder.
    """
    return f"machines/{quote(machine, safe='').replace('.', '%2E').replace('~', '%7E')}/"


def recorder_key(machine: str) -> str:
    """Where the mark stands that a recorder, and no stack, writes below a machine's prefix."""
    return f"{machine_prefix(machine)}recorder.json"


def body_key(machine: str, number: int, sha256: str) -> str:
    """Where the body of a large block stands.

    Args:
        machine: The machine's id.
        number: The block's height; twelve digits, so that keys sort by number.
        sha256: The body's hash as the header names it.
    """
    return f"{machine_prefix(machine)}log/{number:012d}-{sha256}"


def snapshots_prefix(machine: str) -> str:
    """Where a machine's manifests stand."""
    return f"{machine_prefix(machine)}snapshots/"


def manifest_key(machine: str, number: int) -> str:
    """Where the manifest of a snapshot stands: twelve digits, so that keys sort by number."""
    return f"{snapshots_prefix(machine)}{number:012d}.json"


def pinned_prefix(machine: str) -> str:
    """Where the manifests stand that restore and fork blocks name."""
    return f"{machine_prefix(machine)}pinned/"


def pinned_key(machine: str, number: int, hash_: str) -> str:
    """Where a pinned manifest stands.

    Args:
        machine: The machine's id.
        number: The block that it is of.
        hash_: That block's hash.
    """
    return f"{pinned_prefix(machine)}{number:012d}-{hash_[:16]}.json"


def retired_prefix(machine: str) -> str:
    """Where the manifests of removed snapshots stand for another day."""
    return f"{machine_prefix(machine)}retired/"


def retired_key(machine: str, number: int, time: int) -> str:
    """Where the manifest of a removed snapshot stands.

    Args:
        machine: The machine's id.
        number: The block that it is of.
        time: When it was removed, milliseconds since 1970 UTC: a snapshot that was made again
            and removed again has another key, so whoever is late deletes only what he saw.
    """
    return f"{retired_prefix(machine)}{number:012d}-{time:013d}.json"


def runs_prefix(machine: str) -> str:
    """Where a machine's runs stand."""
    return f"{machine_prefix(machine)}runs/"


def run_key(machine: str, sha256: str, half_day: int | None = None) -> str:
    """Where a run stands.

    Args:
        machine: The machine's id.
        sha256: The hash of its bytes.
        half_day: Twelve hours since 1970 UTC when it was named. A run that was deleted was older
            than a day, so its key never comes again: who is late to delete it deletes nothing
            new. Runs of earlier versions have none.
    """
    return f"{runs_prefix(machine)}{sha256}{'' if half_day is None else f'-{half_day}'}.jsonl.zst"


def is_run_key(key: str, sha256: str) -> bool:
    """Whether a key is one of a run with that hash, of whichever machine."""
    stem, dot, kind = key.rpartition("/")[2].partition(".")
    name, _, half_day = stem.partition("-")
    numbered = stem == name or (half_day.isascii() and half_day.isdigit())
    return name == sha256 and dot + kind == ".jsonl.zst" and numbered


def bodies_prefix(machine: str) -> str:
    """Where the bodies of a machine's large blocks stand."""
    return f"{machine_prefix(machine)}log/"


def parse_body_key(key: str) -> tuple[int, str] | None:
    """Number and body hash in the key of a large body, or None if it is none."""
    number, _, sha256 = key.rpartition("/")[2].partition("-")
    return (int(number), sha256) if number.isascii() and number.isdigit() and sha256 else None


def archive_prefix(machine: str) -> str:
    """Where a machine's segments stand."""
    return f"{machine_prefix(machine)}archive/"


def segment_key(machine: str, first: int, last: int, epoch: int, hash_: str) -> str:
    """Where a segment stands; twelve digits, so that keys sort by first block.

    Args:
        machine: The machine's id.
        first: Its first block.
        last: Its last block.
        epoch: The epoch of all its blocks.
        hash_: Hash of its last block.
    """
    return f"{archive_prefix(machine)}{first:012d}-{last:012d}-{epoch}-{hash_}.jsonl.zst"


def parsed_segment(key: str) -> tuple[int, int, int, str] | None:
    """First block, last block, epoch and last hash in a segment's key; None for any other key."""
    found = _SEGMENT.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    first, last, epoch = (int(digits) for digits in found.groups()[:3])
    return (first, last, epoch, found[4]) if 1 <= first <= last + 1 else None


def settings_prefix(machine: str) -> str:
    """Where copies of a machine's settings stand."""
    return f"{machine_prefix(machine)}settings/"


def settings_key(machine: str, revision: int) -> str:
    """Where the settings of a revision stand: twelve digits, so that keys sort by revision."""
    return f"{settings_prefix(machine)}{revision:012d}.json"


def machine_of(folder: str) -> str:
    """The machine whose objects stand below ``machines/<folder>/``."""
    return unquote(folder, errors="strict")
