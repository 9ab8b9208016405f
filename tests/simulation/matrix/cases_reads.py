"""Pushing, and everything that only reads."""

from __future__ import annotations

from blockfold.application.outcomes import Watch
from blockfold.application.push import check_actions, pack, wait_until_done
from blockfold.application.state_at import at_head
from blockfold.application.travel import Traveller
from blockfold.bootstrap import (
    Adapters,
    actions_queue,
    exporter,
    load_machine,
    reader,
    stepper,
    verifier,
)
from blockfold.domain.point import AtBlock
from blockfold.ports import Receipt
from tests.simulation.matrix.case import (
    Case,
    by_itself,
    calls,
    put,
    send,
)
from tests.simulation.matrix.operators import command, operator, resting
from tests.simulation.matrix.stage import Stage


def _verify(adapters: Adapters) -> None:
    found = verifier(adapters).verify("m")
    assert found.ok, found.findings


def _look(adapters: Adapters) -> None:
    look = reader(adapters)
    assert len(look.list_machines()) == 2
    head = look.head("m").number
    look.state("m")
    look.state("m", key="last")
    look.state_at("m", 3, prefix="k")
    look.difference("m", 2, head)
    list(look.history("m", "last"))
    list(look.manifests("m"))
    look.block("m", look.number_at("m", AtBlock(3)))
    assert len(list(look.blocks("m"))) == head
    now = at_head(look, "m", adapters.clock)
    assert now.get("last") == now.get_many(["last"])["last"]
    assert len(list(now.scan("k"))) == 3


def _export(adapters: Adapters) -> None:
    opened = exporter(adapters).open("m", 3)
    assert len(list(opened.entries)) == opened.head.keys


def _step(adapters: Adapters) -> None:
    steps = stepper(adapters)
    done = steps.step("m", 4, load_machine(adapters.settings.machine)())
    assert list(steps.states(done))


def _watch(adapters: Adapters) -> None:
    newest = adapters.log.head("m")
    assert newest is not None
    mark = newest.body.marks[0]
    receipt = Receipt("", mark.sequence, mark.queue)
    assert wait_until_done(adapters.log, adapters.clock, "m", receipt, seconds=1) == newest.number
    traveller = Traveller(adapters.archived_log, adapters.snapshots)
    known = reader(adapters).block("m", 2)
    message, index, _ = next(iter(known.body.actions))
    found = Watch(traveller, "m", message.action_id(index), blocks=10).look()
    assert found is not None
    assert found.number == 2


def _push(adapters: Adapters) -> None:
    queue = actions_queue(adapters)
    lines = ['{"type": "run", "args": {"steps": []}}'] * 3
    actions = [text for _, text in check_actions(lines)]
    for body, _ in pack(actions, 2):
        queue.send("m", body)


def _restoring(stage: Stage) -> None:
    """A restore was begun, and the table does not hold it yet."""
    resting(stage)
    stage.truth.asked.append(("m", 1, 1))
    calls("restorer", {"machine": "m", "block": 1, "begin_large": True})(stage)
    send(stage, "m", put("next", 1))


def _look_behind(adapters: Adapters) -> None:
    look = reader(adapters)
    view = look.state("m")
    assert view.entries == dict(at_head(look, "m", adapters.clock).scan(""))


CASES = [
    Case(
        "push",
        operator(_push),
        {"nobody: what the queue took is executed": by_itself},
        resting,
        same=False,
    ),
    *(
        command(name, operator(do), setup, reads=True)
        for name, do, setup in (
            ("verify", _verify, resting),
            ("read", _look, resting),
            ("read: behind a restore", _look_behind, _restoring),
            ("export", _export, resting),
            ("frames", _step, resting),
            ("outcome of an action", _watch, resting),
        )
    ),
]
