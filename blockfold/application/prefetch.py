"""Which keys a block will touch, as far as its actions say: see `blockfold.action`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from blockfold.domain.action import Action, Message
from blockfold.domain.machine import Machine

MOST = 1_000
"""Keys that are read ahead for one block: ten requests of a hundred."""

LOOKED_AT = 1_000
"""Actions that are looked at for that. Messages behind them are not even parsed before their turn:
all that one batch can hold would take too much memory at once."""


def touched(machine: Machine, messages: Iterable[Message]) -> list[str]:
    """Keys that the first of the messages' actions declare, each once, in order, at most `MOST`.

    Actions that are malformed or unknown touch nothing.
    """
    declared = {name: spec for name, spec in machine.actions().items() if spec.keys}
    found: dict[str, None] = {}
    if not declared:
        return []
    actions = (each for message in messages for each in message.asked[message.first :])
    for asked in islice(actions, LOOKED_AT):
        if isinstance(asked, Action) and (spec := declared.get(asked.type)) is not None:
            for key in spec.touched(asked.args):
                found[key] = None
    return list(found)[:MOST]
