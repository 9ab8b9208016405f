"""Rebuild, delete, repair, and the drill."""

from __future__ import annotations

from contextlib import suppress

from blockfold.application.counters import partition_of
from blockfold.application.lost import GONE
from blockfold.bootstrap import (
    Adapters,
    deleter,
    rebuilder,
    repairer,
)
from blockfold.domain.schedule import Schedule
from tests.simulation.matrix.case import (
    Case,
    Do,
    again,
    block,
    calls,
    empty,
    execute,
    grow,
    put,
    rest,
    send,
)
from tests.simulation.matrix.operators import command, operator, paused, resting
from tests.simulation.matrix.stage import Stage, Stopped
from tests.simulation.story import Violation

# -- rebuild ---------------------------------------------------------------------------------


def _rebuild(adapters: Adapters) -> None:
    rebuild = rebuilder(adapters, Schedule.new(2))
    assert rebuild.found() == ["m"]
    done = rebuild.carry_out(rebuild.plan("m"))
    assert done.ok, done


def _rebuild_again(stage: Stage) -> None:
    """If the command could let actions in, an executor comes before it is done again."""
    with stage.observed(), suppress(Stopped):  # it refuses; the messages come again
        execute(stage)
    again(paused(_rebuild))(stage)


def _alone(stage: Stage) -> None:
    grow(stage, "m", 3)
    rest(stage)
    stage.cloud.actions.accepted.clear()


def _lost_all(stage: Stage) -> None:
    _alone(stage)
    empty(stage)
    send(stage, "m", put("waits", 1))


def _lost_rows(stage: Stage) -> None:
    _alone(stage)
    empty(stage, stage.settings.state_table)
    send(stage, "m", put("waits", 1))


def _lost_blocks(stage: Stage) -> None:
    """The last blocks were not archived when the Blocks table was lost."""
    _alone(stage)
    archived = {machine: life.head for machine, life in stage.truth.lives.items()}
    grow(stage, "m", 2)
    batch = stage.cloud.stream().take("archiver", 100)
    assert batch is not None
    batch.discard()
    batch = stage.cloud.stream().take("announcer", 100)
    assert batch is not None
    batch.discard()
    empty(stage, stage.settings.blocks_table)
    life = stage.truth.life("m")
    del life.chain[archived["m"] :]
    life.accepted.clear()
    life.message = life.action = 0
    stage.cloud.actions.accepted.clear()
    send(stage, "m", put("waits", 1))


# -- delete ----------------------------------------------------------------------------------


def _delete(adapters: Adapters) -> None:
    delete = deleter(adapters)
    delete.carry_out(delete.plan("m"))


def _doomed(stage: Stage) -> None:
    """A machine that is to be deleted, and an action that waits for it."""
    resting(stage)
    send(stage, "m", put("waits", 1))


def _delete_again(stage: Stage) -> None:
    """Until nothing is left to delete. If it was begun, an executor comes in between."""
    record = stage.observer.machines.get("m")
    if record is not None and record.flushed == GONE:
        with stage.observed(), suppress(Stopped):  # it refuses; the message comes again
            execute(stage)
    try:
        paused(_delete)(stage)
    except Stopped as stopped:
        if "there is no machine" not in str(stopped):
            raise Violation("law 8, crash anywhere", f"again: {stopped}") from stopped


def _gone(stage: Stage) -> None:
    """Nothing of it is stored; the truth forgets all but the action that waits."""
    look = stage.observer
    rows = [*look.table.scan("m"), *look.table.scan(partition_of("m"))]
    left = stage.cloud.bucket.keys("machines/m/"), rows
    if any(left) or look.machines.get("m") or look.log.head("m"):
        raise Violation("deletion", f"{left} are left")
    del stage.truth.lives["m"]
    stage.settle_truth()


def _begins_anew(stage: Stage) -> None:
    """The action that waited began the machine anew."""
    life = stage.truth.life("m")
    if (life.head, life.state) != (1, {"waits": 1}):
        raise Violation("deletion", f"it goes on at {life.head} with {life.state}")


# -- repair ----------------------------------------------------------------------------------


def _repair(adapters: Adapters) -> None:
    done = repairer(adapters, adapters.objects).repair("m")
    assert not done.lost, done.lost


def _damaged(stage: Stage) -> None:
    """One object of each kind is damaged or gone."""
    resting(stage)
    block(stage, "m", put("long", "x" * 300))
    rest(stage)
    bucket = stage.cloud.bucket
    for kind, which in DAMAGE.items():
        key = bucket.keys(f"machines/m/{kind}/")[which]
        bucket.put(key, b"damaged", stage.clock.now())


DAMAGE = {"archive": 0, "runs": 0, "snapshots": 0, "settings": -1, "log": -1}
"""Which object of each kind is damaged: not both that hold the same blocks."""


# -- drill -----------------------------------------------------------------------------------


def _scratch_gone(stage: Stage) -> None:
    """A drill leaves nothing behind: the next one sees to it."""
    known = {*stage.truth.lives, *map(partition_of, stage.truth.lives)}
    strange = {item["machine"]["S"] for item in stage.cloud.state.items()} - known
    if strange:
        raise Violation("drill", f"rows of {strange} are left")


def _rebuilds(name: str, setup: Do, *, readable: bool = True) -> Case:
    work = paused(_rebuild)
    fields = {"observed": False, "readable": readable}
    return command(name, work, setup, _rebuild_again, **fields)


_drill = calls("driller", {"machine": "m", "rpo": 3600})
_drill_in_turn = calls("driller", {"every": 1})

CASES = [
    _rebuilds("rebuild: all tables", _lost_all),
    _rebuilds("rebuild: the state table", _lost_rows, readable=False),
    _rebuilds("rebuild: without the last blocks", _lost_blocks),
    command(
        "delete",
        paused(_delete),
        _doomed,
        _delete_again,
        learn=_gone,
        check=_begins_anew,
        observed=False,
    ),
    command(
        "repair",
        operator(_repair),
        _damaged,
        plan={"inline": 64},
        observed=False,
    ),
    Case("drill", _drill, {"the next drill": again(_drill)}, resting, check=_scratch_gone),
    Case(
        "drill: by the schedule",
        _drill_in_turn,
        {"the next drill": again(_drill_in_turn)},
        resting,
        check=_scratch_gone,
    ),
]
