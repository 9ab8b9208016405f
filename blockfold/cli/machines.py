"""``blockfold machines``: which machines there are."""

from __future__ import annotations

from blockfold.cli.output import (
    AsJson,
    StackName,
    clock_time,
    moment,
    print_json,
    print_table,
    short,
)
from blockfold.client import connect


def machines(stack: StackName = None, json: AsJson = False) -> None:
    """List the machines of a stack with their heads."""
    found = connect(stack).reader.list_machines()
    if json:
        print_json(
            [
                {
                    "machine": record.machine,
                    "number": head.number,
                    "hash": head.hash,
                    "digest": head.digest,
                    "time": moment(head.time),
                    "actions": head.ordinal,
                    "flushed": record.flushed,
                }
                for record, head in found
            ]
        )
        return
    print_table(
        ("machine", "block#", "actions#", "time#", "digest#"),
        (
            (record.machine, head.number, head.ordinal, clock_time(head.time), short(head.digest))
            for record, head in found
        ),
    )
