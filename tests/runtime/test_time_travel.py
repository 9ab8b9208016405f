"""Law 6 in one process: frames, cursors, undo and redo, against plain models."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Context, Limits, Machine, Runtime, State, action
from blockfold.domain.canonical import Json
from blockfold.domain.errors import NotFound, Refused
from blockfold.runtime import MemoryChannel, walk
from blockfold.runtime.undo import Steps
from tests.machines_for_tests import Cells, model_run
from tests.runtime.worlds import MACHINE, Plain, cells, drop, grow, numbered, put, refuse

KEYS = ("a", "b", "c")
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "do": st.sampled_from(["set", "delete", "push"]),
            "key": st.sampled_from(KEYS),
            "value": st.integers(0, 9) | st.none(),
        }
    ),
    max_size=3,
)
ACTS = st.fixed_dictionaries({"steps": STEPS, "end": st.sampled_from(["apply", "apply", "reject"])})
OPS = st.lists(
    ACTS.map(lambda args: ("act", args))
    | st.sampled_from([("undo", None), ("redo", None)])
    | st.integers(0, 30).map(lambda number: ("restore", number)),
    max_size=14,
)


class Editor:
    """What an editor does: states that were, the present one, and those that were undone."""

    def __init__(self) -> None:
        self.states: list[dict[str, Json]] = [{}]
        self.done: list[dict[str, Json]] = [{}]
        self.undone: list[dict[str, Json]] = []

    def step(self, state: dict[str, Json]) -> None:
        self.states.append(state)
        if state != self.done[-1]:
            self.done.append(state)
            self.undone.clear()

    def undo(self) -> bool:
        if len(self.done) == 1:
            return False
        self.undone.append(self.done.pop())
        self.states.append(self.done[-1])
        return True

    def redo(self) -> bool:
        if not self.undone:
            return False
        self.done.append(self.undone.pop())
        self.states.append(self.done[-1])
        return True


def carry_out(runtime: Runtime, editor: Editor, what: str, args: Any) -> None:
    if what == "act":
        runtime.write("run", **args)
        editor.step(model_run(editor.states[-1], args))
        return
    moved = editor.undo() if what == "undo" else editor.redo()
    if moved:
        getattr(runtime, what)()
        return
    before = runtime.head.number
    with pytest.raises(Refused, match=f"nothing to {what}"):
        getattr(runtime, what)()
    assert runtime.head.number == before


@settings(max_examples=25)
@given(st.lists(OPS.filter(lambda ops: all(op[0] != "restore" for op in ops)), max_size=3))
def test_undo_and_redo_are_an_editors(rounds: list[list[tuple[str, Any]]]) -> None:
    """Also over restarts: which step an undo takes back is told from the log alone."""
    runtime, editor = cells(), Editor()
    for ops in rounds:
        with runtime:
            for what, args in ops:
                carry_out(runtime, editor, what, args)
                assert dict(runtime.state) == editor.states[-1]
            assert [dict(frame.state) for frame in runtime] == editor.states


@settings(max_examples=25)
@given(OPS, st.lists(st.integers(0, 40), max_size=6), st.sampled_from([1, 10]))
def test_every_frame_is_where_a_cursor_comes_to_however_it_goes(
    ops: list[tuple[str, Any]], jumps: list[int], most: int
) -> None:
    channel = MemoryChannel(new_id=numbered())
    with cells(channel=channel, limits=Limits(actions=most)) as runtime:
        states: list[dict[str, Json]] = [{}]
        blocks: dict[int, dict[str, Json]] = {0: {}}
        for what, args in ops:
            if what == "act":
                runtime.write("run", **args)
                states.append(model_run(states[-1], args))
            elif what == "restore" and args <= runtime.head.number and runtime.head.number:
                runtime.restore(args)
                states.append(blocks[args])
            blocks[runtime.head.number] = states[-1]
        assert len(runtime.frames) == len(states)
        assert [dict(frame.state) for frame in runtime.frames] == states
        for index in range(len(states)):
            assert dict(runtime.frames[index].state) == states[index]
            assert runtime.frames.index(runtime.frames[index]) == index
        cursor = runtime.cursor()
        assert (cursor.index, dict(cursor.state)) == (len(states) - 1, states[-1])
        for jump in jumps:
            index = jump % len(states)
            assert cursor.jump(index).state == cursor.state == states[index]
            assert cursor.back() is (index > 0)
            assert dict(cursor.state) == states[max(0, index - 1)]
            assert cursor.index == max(0, index - 1)
        assert [dict(frame.state) for frame in cursor.replay()] == states
        assert not cursor.forward()
        changes = [frame.changes for frame in runtime.frames[1:]]
        for before, after, changed in zip(states, states[1:], changes, strict=False):
            found = {**before, **changed}
            gone = [key for key in changed if key not in after]
            assert {key: found[key] for key in found if key not in gone} == after
        assert runtime.verify().findings == []
        assert runtime.replay().ok


def test_frames_inside_a_block_are_executed_again() -> None:
    channel = MemoryChannel()
    with cells(channel=channel, limits=Limits()) as runtime:
        for number in range(4):
            step = f'{{"do":"push","key":"k","value":{number}}}'
            channel.send(f'{{"type":"run","args":{{"steps":[{step}]}}}}')
        runtime.poll()
        runtime.restore(0)
        assert runtime.head.number == 2
        assert [frame.state.get("k") for frame in runtime] == [
            None,
            [0],
            [0, 1],
            [0, 1, 2],
            [0, 1, 2, 3],
            None,
        ]
        assert [(frame.number, frame.position, frame.last) for frame in runtime] == [
            (0, 0, True),
            (1, 1, False),
            (1, 2, False),
            (1, 3, False),
            (1, 4, True),
            (2, 0, True),
        ]
        cursor = runtime.cursor()
        while cursor.back():
            pass
        assert cursor.state == {}
        assert runtime.at(frame=2).state["k"] == [0, 1]


def test_going_back_looks_at_the_log_once_in_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step costs what it changed: neither the state nor the log is read for each."""
    monkeypatch.setattr(walk, "NOTED", 16)
    with cells() as runtime:
        grow(runtime, range(60))
        cursor = runtime.cursor()
        past, reads = runtime._begun.past, []
        whole = past.entries
        monkeypatch.setattr(past, "entries", lambda *at: reads.append(at) or whole(*at))
        states = []
        while cursor.back():
            states.append(dict(cursor.state))
        assert len(states) == 60
        assert [number for number, _ in reads] == [44, 12, 0]
        assert states == [dict(frame.state) for frame in runtime.frames[:60]][::-1]
        reads.clear()
        while cursor.forward():
            pass
        cursor.jump(30)
        assert reads == []


def test_an_undo_of_what_a_fork_started_from_is_refused() -> None:
    with cells() as runtime:
        put(runtime, "k", 1)
        with runtime.fork("other") as fork:
            with pytest.raises(Refused, match="nothing to undo"):
                fork.undo()
            put(fork, "k", 2)
            fork.undo()
            assert fork.state == {"k": 1}
        assert runtime.state == {"k": 1}
        assert runtime.head.number == 1


def test_a_restore_is_an_action_of_its_own_to_undo() -> None:
    with cells() as runtime:
        grow(runtime, range(4))
        runtime.restore(1)
        assert runtime.state == {"key/0": 0}
        runtime.undo()
        assert len(runtime.state) == 4
        runtime.redo()
        assert runtime.state == {"key/0": 0}
        refuse(runtime)
        runtime.undo()
        assert len(runtime.state) == 4
        runtime.redo()
        put(runtime, "new", 1)
        with pytest.raises(Refused, match="nothing to redo") as caught:
            runtime.redo()
        assert "new branch" in caught.value.hint
        with pytest.raises(NotFound, match="no block 99"):
            runtime.restore(99)


def test_restoring_a_machine_without_blocks_is_refused() -> None:
    with cells() as runtime, pytest.raises(Refused, match="has no blocks"):
        runtime.restore(0)


def test_steps_pass_over_blocks_that_change_nothing() -> None:
    with cells() as runtime:
        put(runtime, "k", 1)
        refuse(runtime)
        drop(runtime, "nothing")
        steps = Steps.since(0)
        for block in runtime.blocks():
            steps.follow(block)
        assert (steps.done, steps.before, steps.after) == ([0, 1], 0, None)


# -- the replay gate -------------------------------------------------------------------------------


class Doubled(Cells):
    """Like `Cells`, but what it writes as 3 becomes 6."""

    @action
    def run(self, state: State, context: Context, steps: list[Any], end: str = "apply") -> None:
        for step in steps:
            state[step["key"]] = 6 if step["value"] == 3 else step["value"]
        context.emit("Ran", steps=len(steps))


class Renamed(Cells):
    version = "2"


def test_the_replay_gate_names_the_first_block_that_differs() -> None:
    with cells() as runtime:
        grow(runtime, range(6))
        runtime.undo()
        done = runtime.replay(Doubled)
        assert (done.ok, done.number, done.blocks, done.actions) == (False, 4, 3, 3)
        assert done.differences[0] == (
            "key 'key/3' is 6 now, recorded is 3; action 1 (run) wrote it last"
        )
        assert str(done).startswith("block 4 differs: key 'key/3'")
        same = runtime.replay(Renamed())
        assert (same.ok, same.blocks, same.actions) == (True, 7, 6)
        assert same.remarks == ("Cells/1 made the block, this is Renamed/2",)
        assert str(same) == "7 blocks with 6 actions come out as recorded"
        assert runtime.replay().remarks == ()


def test_frames_inside_blocks_of_other_code_say_so() -> None:
    recorder = Plain()
    channel = MemoryChannel()
    with cells(channel=channel, limits=Limits(), recorder=recorder) as runtime:
        for number in (1, 3):
            step = f'{{"do":"set","key":"k{number}","value":{number}}}'
            channel.send(f'{{"type":"run","args":{{"steps":[{step}]}}}}')
        runtime.poll()
        runtime._begun.past.code = Doubled()
        runtime._begun.past._reruns.clear()
        runtime._begun.past.walk = None
        frame = runtime.frames[1]
        with pytest.raises(Refused, match="frames inside block 1 cannot be shown") as caught:
            frame.changes  # noqa: B018
        assert "Cells/1 made it" in caught.value.hint
        assert runtime.frames[2].state == {"k1": 1, "k3": 3}


def test_a_machine_class_may_be_given_as_class_or_object() -> None:
    class Empty(Machine):
        pass

    for code in (Empty, Empty()):
        with Runtime(code, MACHINE) as runtime:
            assert runtime.write("go").outcome == "malformed"
