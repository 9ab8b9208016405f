"""Object keys: everything of a machine stands below ``machines/<percent-encoded id>/``."""

from __future__ import annotations

from urllib.parse import quote


def machine_prefix(machine: str) -> str:
    """Where a machine's objects stand; no id can climb out of it.

    Letters, digits, ``_`` and ``-`` stand for themselves, all else is percent-encoded, dots
    included: an S3 browser or a file system would take ``..`` for the parent folder.
    """
    return f"machines/{quote(machine, safe='').replace('.', '%2E').replace('~', '%7E')}/"


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


def run_key(machine: str, sha256: str) -> str:
    """Where a run stands."""
    return f"{machine_prefix(machine)}runs/{sha256}.jsonl.zst"
