"""Whatever is said, the bot answers or keeps quiet; and nothing that it stores hurts it later."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from examples.bot.bot import Bot
from examples.bot.chat import Said
from tests.bot.folded import FoldedMemory

words = st.sampled_from(
    ["remember", "recall", "forget", "play", "start", "stop", "stats", "top", "help", "is", "x"]
)
lines = st.one_of(
    st.text(max_size=30),
    st.lists(words | st.text(max_size=8), max_size=6).map(lambda some: "." + " ".join(some)),
)


@given(st.lists(st.tuples(st.text(max_size=12), lines), max_size=12))
def test_any_lines_of_anybody_get_printable_answers(said: list[tuple[str, str]]) -> None:
    memory = FoldedMemory()
    bot = Bot(memory)
    for user, text in said:
        for answer in bot.answer(Said("lobby", user, text)):
            assert answer
            assert "\n" not in answer
            assert not answer.startswith(".")
            answer.encode()
    for block in memory.stack.blocks("lobby"):
        assert block.outcomes["failed"] == block.outcomes["malformed"] == 0
