"""Both halves together: what a producer pushes is executed once and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blockfold import Context, Limits, Machine, State, action
from blockfold.domain.canonical import decode
from tests.producer.supply import PASSING
from tests.producer.test_order import FORGOTTEN, Producing
from tests.properties.histories import NEVER, Ports

turns = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("send"), st.sampled_from(PASSING)),
        st.tuples(st.just("wait"), st.sampled_from([0.05, FORGOTTEN])),
    ),
    max_size=30,
)


class Listed(Machine):
    """Lists the numbers that it is given."""

    @action
    def do(self, state: State, context: Context, number: int, text: str) -> None:
        numbers = state.get("numbers", [])
        state["numbers"] = [*numbers, number]


@given(turns, st.integers(1, 4), st.sampled_from((1, 2, 10_000)))
def test_what_a_producer_pushes_is_executed_once_and_in_order(
    turns: list[tuple[str, ...]], most: int, actions: int
) -> None:
    work = Producing()
    for name, *args in turns:
        if name == "push":
            work.push(*args)  # type: ignore[arg-type]
        elif name == "send":
            work.send(*args)  # type: ignore[arg-type]
        else:
            work.supply.clock.advance(*args)  # type: ignore[arg-type]
    work.supply.clock.advance(FORGOTTEN)  # each retry from now on comes as a new message
    work.finish()
    ports = Ports()
    for machine, messages in work.supply.machines.items():
        executor = ports.executor(Listed(), Limits(actions=actions))
        left = [*messages, *messages]  # the queue delivers all of them again
        while left:
            folded = executor.fold(machine, left[:most], deadline=NEVER)
            assert folded.error is None
            left = [each for each in left[:most] if each.id not in folded.done] + left[most:]
        row = ports.table.get(machine, ["numbers"])["numbers"]
        assert decode(row.value or b"") == work.pushed[machine]
        assert executor.fold(machine, messages, deadline=NEVER).blocks == []
