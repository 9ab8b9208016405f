"""What goes, what stays, and why nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from blockfold.application.lost import REBUILDING
from blockfold.application.prune import NOT_ALL_READ, OUT_OF_TIME
from blockfold.application.prune_blocks import NEWEST_STAY
from blockfold.domain.block import Block
from blockfold.domain.errors import Corrupted, Misconfigured, NotFound, Unavailable
from blockfold.domain.keys import body_key, manifest_key, run_key
from blockfold.domain.retention import KEEP_ALL, Retention, Thin
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import DAY, HOUR, MINUTE, PruneStack, aged
from tests.snapshots.stack import put


def blocks_of(stack: PruneStack, machine: str = MACHINE) -> list[int]:
    return [block.number for block in stack.log.read(machine, 1)]


# -- snapshots -------------------------------------------------------------------------------------


def test_nothing_goes_unless_it_is_told_to() -> None:
    stack = aged()
    stack.pass_time(100 * DAY)
    before = stack.contents()
    plan = stack.pruner().plan(MACHINE)
    assert plan.empty
    assert plan.blocks.reason == "all blocks are kept in the table"
    assert stack.prune().empty
    assert stack.contents() == before


def test_old_snapshots_go_and_their_runs_a_day_later() -> None:
    stack = aged(snapshots=2)
    assert stack.taken() == [5, 10, 15, 20, 25, 30]
    assert stack.prune().snapshots == (5, 10, 15, 20)
    assert stack.taken() == [25, 30]
    stack.assert_manifests_read()
    assert len(stack.names("retired")) == 4
    runs = stack.names("runs")
    stack.pass_time(DAY - MINUTE)
    assert stack.prune().empty
    stack.pass_time(2 * MINUTE)
    done = stack.prune()
    assert len(done.copies) == 4
    assert done.runs
    assert done.bytes == sum(each.bytes for each in (*done.copies, *done.runs))
    assert stack.names("retired") == []
    assert {*runs} - {*stack.names("runs")} == {each.key for each in done.runs}
    assert stack.prune().empty
    assert stack.verify().ok
    stack.assert_every_state_reads()


def test_a_thinned_past_is_kept_besides() -> None:
    stack = aged(60, 2, snapshots=2, thin=(Thin(86_400, 10 * 86_400),))
    stack.prune()
    kept = stack.taken()
    assert kept[-2:] == [58, 60]
    days = [_day(stack, number) for number in kept[:-2]]
    assert len({*days}) == len(days) == 3


def _day(stack: PruneStack, number: int) -> int:
    manifest = stack.snapshots.get(MACHINE, number)
    assert manifest is not None
    return manifest.time // DAY


def test_a_plan_changes_nothing_and_says_what_pruning_does() -> None:
    stack = aged(snapshots=1, blocks=12)
    stack.prune()
    stack.grow(10)
    stack.dumper().make_due(MACHINE, stack.head(), deadline=NEVER)
    stack.ship()
    stack.pass_time(2 * DAY)
    before = stack.contents()
    plan = stack.pruner().plan(MACHINE)
    assert stack.contents() == before
    assert plan.snapshots == (30, 35)
    assert plan.runs
    assert plan.copies
    assert plan.blocks.count == 10
    assert plan.proof == 40
    done = stack.pruner().carry_out(plan, deadline=NEVER)
    assert done == replace(plan, proof=None)


def test_snapshots_removed_by_others_meanwhile_are_no_trouble() -> None:
    stack = aged(snapshots=1)
    plan = stack.pruner().plan(MACHINE)
    stack.prune()
    assert stack.pruner().carry_out(plan, deadline=NEVER).snapshots == ()
    assert stack.taken() == [30]


def test_whoever_holds_a_manifest_reads_it_for_another_day() -> None:
    stack = aged(snapshots=1)
    held = stack.snapshots.get(MACHINE, 5)
    assert held is not None
    before = list(stack.snapshots.entries(held))
    stack.prune()
    stack.pass_time(DAY - MINUTE)
    stack.prune()
    assert list(stack.snapshots.entries(held)) == before
    stack.pass_time(2 * MINUTE)
    stack.prune()
    with pytest.raises(Corrupted, match="is missing"):
        list(stack.snapshots.entries(held))


def test_what_restores_and_forks_name_stays_for_ever() -> None:
    stack = aged(snapshots=1)
    stack.restore(7)
    stack.restore(12, fork="copy")
    stack.keep("copy", snapshots=1)
    for _ in range(5):
        stack.grow(9)
        stack.grow(9, machine="copy")
        for machine in (MACHINE, "copy"):
            stack.dumper().make_due(machine, stack.head(machine), deadline=NEVER)
            stack.prune(machine)
        stack.pass_time(2 * DAY)
    assert [len(stack.taken(machine)) for machine in (MACHINE, "copy")] == [1, 1]
    assert len(stack.names("pinned")) == 2
    stack.assert_manifests_read()
    for machine in (MACHINE, "copy"):
        stack.assert_every_state_reads(machine)
        assert stack.verify(machine).ok


def test_a_snapshot_that_was_removed_can_be_made_and_removed_again() -> None:
    stack = aged(snapshots=1)
    stack.prune()
    stack.dumper().dump(MACHINE, 10)
    assert stack.taken() == [10, 30]
    assert stack.prune().snapshots == (10,)
    stack.pass_time(2 * DAY)
    stack.prune()
    assert stack.names("retired") == []
    stack.dumper().dump(MACHINE, 10)
    assert stack.verify().ok
    stack.assert_manifests_read()


def test_the_sweep_does_not_make_removed_snapshots_again() -> None:
    stack = aged(snapshots=1)
    stack.prune()
    assert stack.dumper().sweep(deadline=NEVER) == {}
    assert stack.taken() == [30]


def test_a_due_snapshot_that_nobody_removed_is_missed() -> None:
    stack = aged(snapshots=3)
    stack.prune()
    assert stack.taken() == [20, 25, 30]
    stack.objects.delete([manifest_key(MACHINE, 25)])
    assert stack.verify().findings == ["the snapshot of block 25, which was due, is missing"]


def test_a_snapshot_above_the_head_takes_nobodys_place() -> None:
    """As a rebuild may leave it, whose last blocks were not archived."""
    stack = aged(snapshots=1)
    for number in range(29, 31):
        del stack.live._blocks[MACHINE][number]
    assert stack.prune().snapshots == (5, 10, 15, 20)
    assert stack.taken() == [25, 30]


@pytest.mark.parametrize("folder", ["snapshots", "pinned", "retired"])
def test_beside_a_damaged_manifest_nothing_goes(folder: str) -> None:
    stack = aged(snapshots=2, blocks=12)
    stack.restore(8)
    stack.prune()
    stack.pass_time(DAY - HOUR)
    stack.objects.put_new(run_key(MACHINE, "ab" * 32), b"garbage")
    stack.grow(5)
    stack.dumper().dump(MACHINE, 36)
    key = stack.names(folder)[0]
    stack.objects._objects[key] = stack.objects._objects[key][:-20]
    before = stack.contents()
    with pytest.raises(Corrupted, match=f"nothing is removed.*{key}") as caught:
        stack.prune()
    assert "blockfold verify" in caught.value.hint
    assert stack.contents() == before


def test_a_manifest_that_goes_away_while_it_is_looked_at_is_no_damage() -> None:
    stack = aged(snapshots=1)
    pruner = stack.pruner()

    class Moving:
        """Another pruner is always faster."""

        def __getattr__(self, name: str) -> object:
            return getattr(stack.snapshots, name)

        def roots(self, machine: str) -> list[str]:
            keys = stack.snapshots.roots(machine)
            stack.prune(machine)
            return keys

    snapshots: object = Moving()
    plan = replace(pruner, snapshots=snapshots).plan(MACHINE)  # type: ignore[arg-type]
    assert plan.named.times == {30: stack.snapshots.open(manifest_key(MACHINE, 30)).time}
    assert len(plan.named.manifests) == 6

    class Vanishing(Moving):
        def roots(self, machine: str) -> list[str]:
            return ["machines/m/snapshots/000000000099.json"]

    snapshots = Vanishing()
    with pytest.raises(Unavailable, match="change while they are read"):
        replace(pruner, snapshots=snapshots).plan(MACHINE)  # type: ignore[arg-type]


# -- garbage ---------------------------------------------------------------------------------------


def test_a_run_that_no_manifest_names_goes_when_it_is_a_day_old() -> None:
    stack = aged()
    stray = run_key(MACHINE, "ab" * 32, 41_000)
    stack.objects.put_new(stray, b"left by a dump that was killed")
    stack.pass_time(DAY - MINUTE)
    assert stack.prune().empty
    stack.pass_time(MINUTE)
    assert [each.key for each in stack.prune().runs] == [stray]
    assert stack.objects.get(stray) is None
    assert stack.verify().ok


def test_what_is_named_after_the_plan_was_made_stays() -> None:
    """Such a run is older than a day only if somebody else wrote its manifest."""
    stack = aged()
    manifest = stack.snapshots.get(MACHINE, 30)
    assert manifest is not None
    stack.objects.delete([manifest.key])
    stack.pass_time(2 * DAY)
    plan = stack.pruner().plan(MACHINE)
    assert {each.key for each in plan.runs} <= {run.key for run in manifest.runs}
    assert plan.runs
    stack.objects.put_new(manifest.key, manifest.to_bytes())
    assert stack.pruner().carry_out(plan, deadline=NEVER).runs == ()
    stack.assert_manifests_read()


def test_a_dump_writes_an_old_run_anew_instead_of_counting_on_it() -> None:
    stack = PruneStack()
    stack.grow(3)
    first, _ = stack.dumper().dump(MACHINE, 3)
    stack.objects.delete([first.key])
    stack.pass_time(2 * DAY)
    plan = stack.pruner().plan(MACHINE)
    second, _ = stack.dumper().dump(MACHINE, 3)
    assert [run.sha256 for run in second.runs] == [run.sha256 for run in first.runs]
    assert not {run.key for run in second.runs} & {run.key for run in first.runs}
    stack.pruner().carry_out(plan, deadline=NEVER)
    assert stack.names("runs") == sorted(run.key for run in second.runs)
    assert stack.verify().ok


def test_superseded_segments_go_after_their_successor_was_read() -> None:
    stack = aged(6)
    for _ in range(3):
        stack.grow(3)
        stack.ship()
    stack.merge()
    segments = stack.names("archive")
    assert len(segments) == 5
    assert stack.prune().empty
    stack.pass_time(2 * DAY)
    done = stack.prune()
    (left,) = stack.names("archive")
    assert sorted([left, *(each.key for each in done.segments)]) == segments
    assert [block.number for block in stack.archive.read(stack.archive.segments(MACHINE)[0])] == [
        *range(1, 16)
    ]


def test_a_damaged_successor_supersedes_nothing() -> None:
    stack = aged(6)
    stack.grow(3)
    stack.ship()
    before = stack.names("archive")
    stack.merge()
    (merged,) = {*stack.names("archive")} - {*before}
    stack.objects._objects[merged] = stack.objects._objects[merged][:-9]
    stack.pass_time(2 * DAY)
    with pytest.raises(Corrupted, match=merged):
        stack.prune()
    assert {*before} <= {*stack.names("archive")}


def with_bodies() -> tuple[PruneStack, Block]:
    """A body of each kind beside the log, all of them old, and block 3."""
    stack = aged()
    block = stack.log.get(MACHINE, 3)
    assert block is not None
    for number, sha256 in ((3, block.header.body), (3, "cd" * 32), (31, "cd" * 32)):
        stack.objects.put_new(body_key(MACHINE, number, sha256), b"body")
    stack.objects.put_new("machines/m/log/notes", b"somebody else's")
    stack.pass_time(2 * DAY)
    return stack, block


def test_a_body_goes_if_another_block_holds_its_number_and_never_above_the_head() -> None:
    stack, block = with_bodies()
    assert [each.key for each in stack.prune().bodies] == [body_key(MACHINE, 3, "cd" * 32)]
    assert stack.names("log") == [
        body_key(MACHINE, 3, block.header.body),
        body_key(MACHINE, 31, "cd" * 32),
        "machines/m/log/notes",
    ]


def test_a_body_goes_with_its_block() -> None:
    stack, block = with_bodies()
    stack.keep(blocks=12)
    stack.prune()
    assert body_key(MACHINE, 3, block.header.body) in stack.names("log")
    stack.pass_time(DAY)
    assert stack.prune().bodies[0].key == body_key(MACHINE, 3, block.header.body)


def test_the_body_of_a_block_that_is_lost_stays() -> None:
    stack, block = with_bodies()
    del stack.live._blocks[MACHINE][3]
    kept = body_key(MACHINE, 3, block.header.body)
    stack.prune()
    assert kept in stack.names("log")


def test_the_body_of_a_block_that_cannot_be_read_stays() -> None:
    stack, _ = with_bodies()
    before = stack.names("log")

    class Damaged:
        def __getattr__(self, name: str) -> object:
            return getattr(stack.log, name)

        def get(self, machine: str, number: int) -> Block:
            raise Corrupted("injected")

    log: object = Damaged()
    replace(stack.pruner(), log=log).prune(MACHINE, deadline=NEVER)  # type: ignore[arg-type]
    assert stack.names("log") == before


def test_a_sweep_looks_only_at_bodies_that_may_have_become_garbage() -> None:
    stack, _ = with_bodies()
    stack.pass_time(3 * DAY)
    got: list[int] = []

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(stack.log, name)

        def get(self, machine: str, number: int) -> Block | None:
            got.append(number)
            return stack.log.get(machine, number)

    log: object = Watched()
    pruner = replace(stack.pruner(), log=log)  # type: ignore[arg-type]
    assert pruner.plan(MACHINE, thorough=False).bodies == ()
    assert got == []
    assert len(pruner.plan(MACHINE).bodies) == 1
    assert got == [3, 3]


# -- blocks ----------------------------------------------------------------------------------------


def test_blocks_leave_the_table_a_day_after_they_were_let_go() -> None:
    stack = aged(blocks=12)
    done = stack.prune()
    assert (done.blocks.first, done.blocks.last) == (1, 18)
    assert done.blocks.reason == "the newest 12 blocks are kept"
    assert blocks_of(stack) == [*range(1, 31)]
    stack.pass_time(DAY - MINUTE)
    assert blocks_of(stack) == [*range(1, 31)]
    stack.pass_time(MINUTE)
    assert blocks_of(stack) == [*range(19, 31)]
    assert stack.prune().empty
    stack.assert_every_state_reads()
    stack.grow(3)
    assert stack.head() == 33


def test_a_block_is_let_go_when_it_will_be_old_enough_in_a_day() -> None:
    """A block an hour, the newest now: in a day those are two days old that are one day old now."""
    stack = aged(60, days=2)
    done = stack.prune()
    assert done.blocks.last == 36
    assert done.blocks.reason == "blocks younger than 2 days are kept"
    stack.pass_time(DAY)
    assert [_age(stack, block) for block in stack.log.read(MACHINE, 1)] == [*range(47, 23, -1)]


def _age(stack: PruneStack, block: Block) -> int:
    return (stack.clock.now() - block.header.time) // HOUR


@pytest.mark.parametrize(
    ("kept", "last", "reason"),
    [
        ({"blocks": 1}, 50, f"the newest {NEWEST_STAY} blocks always stay"),
        ({"blocks": 40}, 20, "the newest 40 blocks are kept"),
        ({"blocks": 60}, 0, "the newest 60 blocks are kept"),
        ({"blocks": 40, "days": 2}, 20, "the newest 40 blocks are kept"),
        ({"blocks": 12, "days": 2}, 36, "blocks younger than 2 days are kept"),
        ({"blocks": 12, "days": 9}, 0, "blocks younger than 9 days are kept"),
        ({"days": 1}, 50, f"the newest {NEWEST_STAY} blocks always stay"),
        ({}, 0, "all blocks are kept in the table"),
        ({"snapshots": 1}, 0, "all blocks are kept in the table"),
    ],
)
def test_how_far_retention_lets_go(kept: dict[str, int], last: int, reason: str) -> None:
    stack = aged(60, **kept)
    blocks = stack.pruner().plan(MACHINE).blocks
    assert (blocks.first, blocks.last, blocks.reason) == (1, last, reason)


def not_archived(stack: PruneStack) -> None:
    stack.machines._records[MACHINE] = replace(  # type: ignore[attr-defined]
        stack.machines._records[MACHINE],  # type: ignore[attr-defined]
        archived=8,
    )


def not_flushed(stack: PruneStack) -> None:
    stack.machines._records[MACHINE] = replace(  # type: ignore[attr-defined]
        stack.machines._records[MACHINE],  # type: ignore[attr-defined]
        flushed=7,
    )


def being_rebuilt(stack: PruneStack) -> None:
    stack.machines._records[MACHINE] = replace(  # type: ignore[attr-defined]
        stack.machines._records[MACHINE],  # type: ignore[attr-defined]
        flushed=REBUILDING,
    )


def without_newer_snapshots(stack: PruneStack) -> None:
    stack.objects.delete(manifest_key(MACHINE, number) for number in (10, 15, 20, 25, 30))


def without_snapshots(stack: PruneStack) -> None:
    stack.objects.delete(stack.names("snapshots"))


def with_a_gap_in_the_archive(stack: PruneStack) -> None:
    stack.objects.delete(stack.names("archive"))
    stack.archive.write(stack.log.read(MACHINE, 1, 6))
    stack.archive.write(stack.log.read(MACHINE, 8, 30))


@pytest.mark.parametrize(
    ("trouble", "last", "reason"),
    [
        (not_archived, 8, "blocks after 8 are not known to be archived"),
        (not_flushed, 7, "blocks after 7 are not flushed"),
        (being_rebuilt, 0, "the machine is being rebuilt or deleted"),
        (without_newer_snapshots, 5, "there is no snapshot after block 5"),
        (without_snapshots, 0, "there is no snapshot after block 0"),
        (with_a_gap_in_the_archive, 6, "block 7 is in no segment of the archive"),
    ],
)
def test_no_block_goes_before_what_replaces_it_is_there(
    trouble: Callable[[PruneStack], None], last: int, reason: str
) -> None:
    stack = aged(blocks=12)
    trouble(stack)
    done = stack.prune()
    assert (done.blocks.last, done.blocks.reason) == (last, reason)
    stack.pass_time(2 * DAY)
    assert blocks_of(stack) == [*range(last + 1, 31)]
    assert stack.prune().blocks.count == 0


def test_the_newest_snapshot_is_read_whole_once_before_blocks_go() -> None:
    stack = aged(blocks=12)
    assert stack.pruner().plan(MACHINE).proof == 30
    stack.prune()
    record = stack.machines.get(MACHINE)
    assert record is not None
    assert (record.verified, record.pruned) == (30, 18)
    stack.grow(2)
    stack.ship()
    assert stack.pruner().plan(MACHINE).proof is None
    stack.grow(3)
    stack.dumper().make_due(MACHINE, 35, deadline=NEVER)
    assert stack.pruner().plan(MACHINE).proof == 35


def test_behind_a_damaged_snapshot_no_block_goes() -> None:
    stack = aged(blocks=12)
    manifest = stack.snapshots.get(MACHINE, 30)
    assert manifest is not None
    stack.objects._objects[manifest.runs[-1].key] += b"!"
    with pytest.raises(Corrupted, match=manifest.runs[-1].key):
        stack.prune()
    record = stack.machines.get(MACHINE)
    assert record is not None
    assert (record.verified, record.pruned) == (0, 0)
    assert stack.live.expiring == {}


def test_a_snapshot_of_another_block_proves_nothing() -> None:
    stack = aged(blocks=12)
    other = PruneStack()
    for number in range(30):
        other.run(put("x", number))
    manifest, _ = other.dumper().dump(MACHINE, 30)
    stack.objects._objects[manifest.key] = manifest.to_bytes()
    for run in manifest.runs:
        stack.objects._objects[run.key] = other.objects._objects[run.key]
        stack.objects._modified[run.key] = stack.clock.now()
    with pytest.raises(Corrupted, match="another block 30"):
        stack.prune()
    assert stack.live.expiring == {}


# -- time ------------------------------------------------------------------------------------------


class Running:
    """A clock of which each look costs a second."""

    def __init__(self, stack: PruneStack) -> None:
        self.now = stack.clock.now
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@pytest.mark.parametrize("seconds", range(1, 16))
def test_out_of_time_anywhere_the_next_one_does_the_rest(seconds: int) -> None:
    stack = aged(snapshots=2, blocks=12)
    stack.merge()
    stack.objects.put_new(run_key(MACHINE, "ab" * 32), b"garbage")
    stack.pass_time(2 * DAY)
    done = replace(stack.pruner(), clock=Running(stack)).prune(MACHINE, deadline=seconds)
    if done.blocks.count == 0:
        assert done.notes
        assert stack.live.expiring == {}
    rest = stack.prune()
    assert rest.notes == ()
    assert (*done.snapshots, *rest.snapshots) == (5, 10, 15, 20)
    assert done.blocks.count + rest.blocks.count == 18
    assert len(done.runs) + len(rest.runs) == 1
    assert stack.prune().empty


def test_without_time_nothing_goes_and_it_says_so() -> None:
    stack = aged(snapshots=2, blocks=12)
    before = stack.contents()
    done = replace(stack.pruner(), clock=Running(stack)).prune(MACHINE, deadline=0)
    assert done.empty
    assert done.notes == (NOT_ALL_READ, OUT_OF_TIME)
    assert stack.contents() == before


# -- every machine ---------------------------------------------------------------------------------


def test_a_sweep_prunes_every_machine() -> None:
    stack = aged(snapshots=1)
    stack.grow(10, machine="other")
    stack.dumper().sweep(deadline=NEVER)
    stack.keep("other", snapshots=1)
    stack.grow(3, machine="third")
    done = stack.pruner().all(deadline=NEVER)
    assert {machine: each.snapshots for machine, each in done.items()} == {
        MACHINE: (5, 10, 15, 20, 25),
        "other": (5,),
    }
    assert stack.pruner().all(deadline=NEVER) == {}


def test_trouble_with_one_machine_does_not_keep_the_others_from_it() -> None:
    stack = aged(snapshots=1)
    for machine in ("a", "b", "c"):
        stack.grow(10, machine=machine)
        stack.keep(machine, snapshots=1)
    stack.dumper().sweep(deadline=NEVER)
    stack.objects._objects[manifest_key(MACHINE, 5)] = b"?"
    with pytest.raises(Corrupted, match=manifest_key(MACHINE, 5)):
        stack.pruner().all(deadline=NEVER)
    assert [stack.taken(machine) for machine in ("a", "b", "c")] == [[10]] * 3


def test_a_machine_at_rest_costs_one_read() -> None:
    stack = aged(snapshots=2, blocks=12)
    for _ in range(9):
        stack.pruner().all(deadline=NEVER)
        stack.pass_time(DAY)
    asked: list[str] = []

    class Watched:
        def __getattr__(self, name: str) -> object:
            asked.append(name)
            return getattr(stack.objects, name)

    objects: object = Watched()
    pruner = replace(stack.pruner(), objects=objects)  # type: ignore[arg-type]
    assert pruner.all(deadline=NEVER) == {}
    assert asked == []
    stack.objects.put_new(run_key(MACHINE, "ab" * 32), b"garbage")
    stack.pass_time(2 * DAY)
    assert pruner.all(deadline=NEVER) == {}
    assert len(pruner.prune(MACHINE, deadline=NEVER).runs) == 1, "asked for, it is done"


@pytest.mark.parametrize(
    "kept",
    [{"snapshots": 1, "thin": (Thin(86_400, 20 * 86_400),)}, {"days": 20}],
)
def test_a_machine_is_not_at_rest_while_time_makes_something_superfluous(
    kept: dict[str, object],
) -> None:
    stack = aged(**kept)
    gone = 0
    for _ in range(30):
        done = stack.pruner().all(deadline=NEVER)
        gone += sum(len(each.snapshots) + each.blocks.count for each in done.values())
        stack.pass_time(DAY)
    assert gone == (5 if "snapshots" in kept else 20)


# -- settings --------------------------------------------------------------------------------------


def test_what_is_kept_is_told_and_changed() -> None:
    stack = aged()
    pruner = stack.pruner()
    status = pruner.status(MACHINE)
    assert (status.record.retention, status.head, status.snapshots) == (KEEP_ALL, 30, 6)
    kept = Retention(snapshots=3, blocks=100)
    assert pruner.set_retention(MACHINE, kept).changed
    again = pruner.set_retention(MACHINE, kept)
    assert (again.changed, again.record.retention) == (False, kept)
    with pytest.raises(Misconfigured, match="snapshots is 0"):
        pruner.set_retention(MACHINE, Retention(snapshots=0))
    assert pruner.status(MACHINE).record.retention == kept


def test_of_an_unknown_machine_nothing_is_kept() -> None:
    pruner = PruneStack().pruner()
    for call in (pruner.plan, pruner.status):
        with pytest.raises(NotFound, match="no machine 'nobody'"):
            call("nobody")
    with pytest.raises(NotFound, match="no machine 'nobody'"):
        pruner.set_retention("nobody", KEEP_ALL)


def test_a_machine_without_blocks_is_no_trouble() -> None:
    stack = PruneStack()
    stack.machines.register(MACHINE)
    stack.keep(snapshots=1, blocks=1)
    assert stack.prune().empty
    assert stack.pruner().all(deadline=NEVER) == {}
