"""A process that records dies at any call to the store; the next one goes on, and nothing is torn.

And the laws of what is recorded: the log is whole, each snapshot is the fold of it, for any history
of actions, restores, flushes, snapshots and new processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.memory import MemoryBlockLog, MemoryObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.history import History
from blockfold.application.rebuild import archived_head
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Unavailable
from blockfold.domain.segments import follows
from blockfold.recorders import ObjectRecorder
from tests.faults import MOMENTS, Faults, Killed, Moment, fail, faulty, kill
from tests.recorders.playing import Play, Told, carried_on
from tests.snapshots.stack import HandClock, put


def recorder_on(store: MemoryObjectStore, faults: Faults | None = None) -> ObjectRecorder:
    objects = faulty("objects", store, faults or Faults())
    return ObjectRecorder("lab", objects, quiet=None, lasting=False)


def assert_whole(store: MemoryObjectStore, at_least: int = 0) -> int:
    """The log goes from block 1 to its head, and each snapshot is its fold; the head's number."""
    archive = ObjectArchive(store)
    head = archived_head(archive, "lab")
    number = head.number if head else 0
    assert number >= at_least
    live = MemoryBlockLog()
    if head is not None:
        live.append(head)
    log = ArchivedBlockLog(live, archive)
    blocks = list(log.read("lab", 1))
    assert [block.number for block in blocks] == [*range(1, number + 1)]
    assert all(map(follows, blocks, blocks[1:]))
    snapshots = ObjectSnapshots(store)
    taken = snapshots.numbers("lab")
    assert all(each <= number for each in taken), "a snapshot stands above the log"
    for each in taken:
        manifest = snapshots.get("lab", each)
        assert manifest is not None
        assert manifest.hash == blocks[each - 1].hash
        found: dict[str, Canonical] = dict(snapshots.entries(manifest))
        assert found == History(log, snapshots).from_log("lab", each).entries
    return number


@pytest.fixture(autouse=True, scope="module")
def merging() -> Iterator[None]:
    """Segments are merged as soon as there are two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blockfold.recorders.shelf.MERGED_FROM", 2)
        yield


def first_life(play: Play) -> list[int]:
    """What the process does that dies; the blocks that it knows to be stored."""
    durable: list[int] = []
    play.begin()
    play.grow(2)
    play.recorder.flush()
    durable.append(play.head.number)
    play.grow(2)
    play.recorder.create_snapshot()
    durable.append(play.head.number)
    play.restore(2)
    play.recorder.flush()
    durable.append(play.head.number)
    play.grow(1)
    play.recorder.close()
    durable.append(play.head.number)
    return durable


def steps() -> list[str]:
    faults = Faults()
    store = MemoryObjectStore()
    assert first_life(Play("lab", recorder_on(store, faults))) == [2, 4, 5, 6]
    assert assert_whole(store) == 6
    return faults.steps


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_anywhere_it_is_whole_and_the_next_process_goes_on(moment: Moment) -> None:
    seen, taken = 0, steps()
    for at in range(len(taken)):
        store = MemoryObjectStore()
        faults = Faults(at=[at], moment=moment)
        play = Play("lab", recorder_on(store, faults))
        with pytest.raises(Killed):
            first_life(play)
        head = assert_whole(store)
        seen = max(seen, head)
        again = carried_on(recorder_on(store), HandClock(play.clock.now() + 1000))
        again.act(put("again", at))
        again.recorder.close()
        assert assert_whole(store) == head + 1
        found = recorder_on(store).load_snapshot()
        assert found is not None
        assert (found.number, found.state) == (head + 1, again.state())
        assert found.state["again"] == at
    assert seen == 6
    assert len(taken) > 60
    assert "objects.delete" in taken


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_call_that_fails_is_tried_again_and_nothing_is_missing(moment: Moment) -> None:
    """Also where the store did what it was asked, and only its answer was lost."""
    for at in range(len(steps())):
        store = MemoryObjectStore()
        faults = Faults(at=[at], moment=moment, strike=fail)
        play = Play("lab", recorder_on(store, faults))
        for do in (
            play.begin,
            lambda play=play: play.grow(2),
            play.recorder.flush,
            lambda play=play: play.grow(2),
            play.recorder.create_snapshot,
            lambda play=play: play.grow(1),
            play.recorder.flush,
            lambda play=play: play.grow(1),
            play.recorder.close,
        ):
            tried(do)
        tried(play.recorder.close)
        assert assert_whole(store) == play.head.number == 6
        assert recorder_on(store).get_snapshots()[-1] == 6


def tried(do: Callable[[], object]) -> None:
    """Do it, once more if it fails."""
    try:
        do()
    except Unavailable:
        do()


def test_killing_is_what_kills() -> None:
    with pytest.raises(Killed):
        first_life(Play("lab", recorder_on(MemoryObjectStore(), Faults(at=[0], strike=kill))))


LIFE = st.lists(
    st.sampled_from(["act", "act", "act", "many", "flush", "snapshot", "restore", "new", "killed"]),
    min_size=4,
    max_size=16,
)


@given(LIFE)
def test_any_life_leaves_a_whole_log_and_true_snapshots(life: list[str]) -> None:
    store, clock = MemoryObjectStore(), HandClock()
    play = Play("lab", recorder_on(store), clock=clock, actions=3)
    play.begin()
    stored = 0
    for number, each in enumerate(life):
        if each == "act":
            play.grow(1)
        elif each == "many":
            play.fold([[put("many", number), put(f"n/{step}", step)] for step in range(7)])
        elif each == "flush":
            play.recorder.flush()
            stored = number_of(play)
        elif each == "snapshot":
            play.recorder.create_snapshot()
            stored = number_of(play)
        elif each == "restore" and number_of(play) > 1:
            play.restore(1 + number % (number_of(play) - 1))
            stored = number_of(play) - 1
        elif each == "new":
            play.recorder.close()
            stored = number_of(play)
        if each in {"new", "killed"}:
            clock.milliseconds += 1000
            play = carried_on(recorder_on(store), clock)
            assert number_of(play) >= stored
        assert assert_whole(store, stored) <= number_of(play)
    play.recorder.close()
    assert assert_whole(store) == number_of(play)
    found = recorder_on(store).load_snapshot()
    if number_of(play) and play.recorder.get_snapshots():
        assert found is not None
        play.recorder.create_snapshot()
        assert recorder_on(store).load_snapshot(number_of(play)).state == play.state()  # type: ignore[union-attr]


def number_of(play: Play) -> int:
    newest = play.log.head("lab")
    return newest.number if newest else 0


def test_many_small_segments_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blockfold.recorders.shelf.MERGED_FROM", 5)
    store = MemoryObjectStore()
    play = Play("lab", recorder_on(store))
    for _ in range(12):
        play.grow(1)
        play.recorder.flush()
    play.recorder.create_snapshot()
    for _ in range(3):
        play.grow(1)
        play.recorder.flush()
    play.recorder.close()
    found = [(each.first, each.last) for each in ObjectArchive(store).segments("lab")]
    assert found == [(1, 12), (13, 13), (14, 14), (15, 15)]
    assert assert_whole(store) == 15
    again = carried_on(recorder_on(store))
    again.grow(1)
    again.recorder.close()
    assert assert_whole(store) == 16


def test_a_block_is_recorded_once_all_of_its_frames_were_told() -> None:
    store = MemoryObjectStore()
    play = Play("lab", recorder_on(store), actions=3)
    play.grow(1)
    recorder, play.recorder = play.recorder, Deaf()
    (block,) = play.fold([[put("n", step)] for step in range(3)])
    for position in (1, 2):
        recorder.after_dispatch(Told(play.history, "lab", block, position, last=False))
        assert recorder.create_snapshot() == 1
    recorder.after_dispatch(Told(play.history, "lab", block, 3))
    assert recorder.create_snapshot() == 2
    assert assert_whole(store) == 2


class Deaf:
    def after_dispatch(self, frame: object) -> None:
        pass
