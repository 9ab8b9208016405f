"""Which keys a block will touch, as far as its actions say: see `blockfold.action`."""

from __future__ import annotations

from collections.abc import Iterable

from blockfold.domain.action import Action, Message
from blockfold.domain.machine import Machine

MOST = 1_000
"""Keys that are read ahead for one block: ten requests of a hundred."""


def touched(machine: Machine, messages: Iterable[Message]) -> list[str]:
    """Keys that the messages' actions declare, each once, in order, at most `MOST`.

    Actions that are malformed or unknown touch nothing.
    """
    declared = {name: spec for name, spec in machine.actions().items() if spec.keys}
    found: dict[str, None] = {}
    if not declared:
        return []
    for message in messages:
        for asked in message.asked[message.first :]:
            if isinstance(asked, Action) and (spec := declared.get(asked.type)) is not None:
                found.update(dict.fromkeys(spec.touched(asked.args)))
                if len(found) >= MOST:
                    return list(found)[:MOST]
    return list(found)
