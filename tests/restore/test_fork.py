"""A fork: another machine that starts from an old block, names it, and goes its own way."""

from __future__ import annotations

import pytest

from blockfold import Message
from blockfold.application.restore import Target
from blockfold.domain.errors import Refused
from blockfold.domain.schedule import Schedule
from tests.faults import Faults, Killed
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put

COPY = "copy/of m"


@pytest.fixture
def stack() -> Stack:
    stack = Stack(schedule=Schedule.new(3))
    stack.grow(12)
    return stack


@pytest.mark.parametrize("number", [1, 7, 12])
def test_a_fork_starts_from_the_old_state(stack: Stack, number: int) -> None:
    before = stack.rows()
    source = stack.log.get(MACHINE, number)
    assert source is not None
    done = stack.restore(number, fork=COPY)
    block = done.block
    assert (block.machine, block.number, done.restored) == (COPY, 1, number)
    assert block.header.digest == source.header.digest
    assert stack.stored(COPY) == stack.state_at(number) == stack.state_at(1, COPY)
    assert (done.written, done.deleted) == (len(stack.stored(COPY)), 0)
    origin = block.body.origin
    assert origin is not None
    assert (origin.kind, origin.machine, origin.number) == ("fork", MACHINE, number)
    assert (origin.hash, origin.digest) == (source.hash, source.header.digest)
    assert stack.rows() == before
    assert stack.head() == 12
    stack.assert_whole(COPY)
    stack.assert_whole()


def test_parent_and_fork_go_their_own_ways(stack: Stack) -> None:
    stack.restore(5, fork=COPY)
    stack.run(put("mine", 1))
    stack.run(put("theirs", 2), machine=COPY)
    assert stack.stored() == {**stack.state_at(12), "mine": 1}
    assert stack.stored(COPY) == {**stack.state_at(5), "theirs": 2}
    stack.assert_whole()
    stack.assert_whole(COPY)


def test_a_fork_has_its_own_watermarks_and_ordinals(stack: Stack) -> None:
    """Sequence numbers of one group say nothing about another's."""
    last = stack.message(put("last", 1))
    assert stack.executor().fold(MACHINE, [last], deadline=NEVER).blocks
    block = stack.restore(13, fork=COPY).block
    assert block.body.marks == ()
    assert block.head.ordinal == 0
    early = Message("own", last.body, last.queue, "1", last.sent)
    folded = stack.executor().fold(COPY, [early, last], deadline=NEVER)
    assert folded.repeated == 0
    assert [each.id for each in folded.blocks[0].body.messages] == ["own", last.id]
    assert folded.blocks[0].header.ordinal == 0
    again = stack.executor().fold(COPY, [early, last], deadline=NEVER)
    assert (again.repeated, again.blocks) == (2, [])


def test_a_fork_is_dumped_by_the_stacks_schedule_not_by_its_parents(stack: Stack) -> None:
    stack.dumper().set_count(MACHINE, 100)
    stack.restore(5, fork=COPY)
    stack.grow(6, COPY)
    stack.dumper().sweep(deadline=NEVER)
    assert stack.taken(COPY) == [3, 6]
    assert stack.entries(6, COPY) == stack.state_at(6, COPY)
    assert stack.verify(COPY).ok


def test_a_fork_can_be_restored_to_its_beginning(stack: Stack) -> None:
    stack.restore(5, fork=COPY)
    stack.grow(4, COPY)
    stack.restore(1, COPY)
    assert stack.stored(COPY) == stack.state_at(5)
    stack.assert_whole(COPY)


def test_a_fork_of_a_fork(stack: Stack) -> None:
    stack.restore(5, fork=COPY)
    stack.grow(3, COPY)
    stack.restore(1, COPY, fork="second")
    stack.restore(4, COPY, fork="third")
    stack.restore(1, "third", fork="fourth")
    assert stack.stored("second") == stack.state_at(5)
    assert stack.stored("third") == stack.stored("fourth") == stack.state_at(4, COPY)
    origin = stack.blocks("fourth")[0].body.origin
    assert origin is not None
    assert (origin.machine, origin.number) == ("third", 1)
    for machine in (MACHINE, COPY, "second", "third", "fourth"):
        stack.assert_whole(machine)


def test_a_fork_of_a_restore_block(stack: Stack) -> None:
    stack.restore(5)
    stack.restore(13, fork=COPY)
    assert stack.stored(COPY) == stack.state_at(5)
    stack.assert_whole(COPY)


def test_a_fork_by_time(stack: Stack) -> None:
    block = stack.log.get(MACHINE, 6)
    assert block is not None
    target = Target(MACHINE, time=block.header.time, fork=COPY)
    assert stack.restorer().carry_out(target, deadline=NEVER).restored == 6
    assert stack.stored(COPY) == stack.state_at(6)


def test_a_fork_into_a_machine_with_blocks_is_refused_and_changes_nothing(stack: Stack) -> None:
    stack.grow(1, COPY)
    before = stack.contents()
    for target in (Target(MACHINE, block=5, fork=COPY), Target(COPY, block=1, fork=MACHINE)):
        with pytest.raises(Refused, match=r"exists already .*another id"):
            stack.restorer().carry_out(target, deadline=NEVER)
        with pytest.raises(Refused, match=r"exists already .*another id"):
            stack.restorer().plan(target)
    assert stack.contents() == before


def test_a_fork_into_a_fork_that_was_just_made_is_refused(stack: Stack) -> None:
    stack.restore(5, fork=COPY)
    stack.clock.milliseconds += 1
    before = stack.contents()
    with pytest.raises(Refused, match="exists already"):
        stack.restore(5, fork=COPY)
    assert stack.contents() == before


def append_step(stack: Stack) -> int:
    """Where a restorer that forks block 5, which has a pinned snapshot then, appends its block."""
    stack.restore(5, fork="earlier")
    faults = Faults()
    stack.restorer(faults).carry_out(Target(MACHINE, block=5, fork="rehearsal"), deadline=NEVER)
    return faults.steps.index("log.append")


def test_two_forks_at_once_into_one_id_leave_one(stack: Stack) -> None:
    """The other comes between our look and our block."""
    append = append_step(stack)

    def other() -> None:
        stack.restore(6, fork=COPY)

    racing = Faults({append}, "before", other)
    with pytest.raises(Refused, match="exists already"):
        stack.restorer(racing).carry_out(Target(MACHINE, block=5, fork=COPY), deadline=NEVER)
    assert stack.stored(COPY) == stack.state_at(6)
    assert stack.head(COPY) == 1
    stack.assert_whole(COPY)


def test_an_action_that_is_first_keeps_the_id(stack: Stack) -> None:
    append = append_step(stack)
    racing = Faults({append}, "before", lambda: stack.grow(1, COPY))
    with pytest.raises(Refused, match="exists already"):
        stack.restorer(racing).carry_out(Target(MACHINE, block=5, fork=COPY), deadline=NEVER)
    assert stack.blocks(COPY)[0].body.origin is None
    stack.assert_whole(COPY)


def test_a_fork_of_the_past_while_the_parent_catches_up(stack: Stack) -> None:
    """A parent that is half-way through a restore of its own is forked all the same."""
    stack.restore(9)
    stack.restore(2)
    rehearsal = Faults()
    stack.restorer(rehearsal).carry_out(Target(MACHINE, block=9), deadline=NEVER)
    stack.restore(2)
    row = rehearsal.steps.index("table.write.row")
    with pytest.raises(Killed):
        stack.restorer(Faults({row}, "after")).carry_out(Target(MACHINE, block=9), deadline=NEVER)
    stack.restore(stack.head(), fork=COPY)
    assert stack.stored(COPY) == stack.state_at(9)
    stack.assert_whole(COPY)
