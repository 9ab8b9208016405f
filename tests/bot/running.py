"""The bot in a thread, for tests that talk to it over IRC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

from examples.bot.chat import Answer
from examples.bot.irc_chat import IrcChat
from examples.bot.irc_network import Network
from tests.bot.people import PATIENCE_SECONDS

ROOM = "#lobby"
QUICK = {"seconds_a_line": 0.01, "retry_seconds": 0.05, "longest_retry_seconds": 0.2}


def network(port: int, **changes: object) -> Network:
    """Where a server for tests is; the bot is less patient there."""
    found = Network(host="127.0.0.1", port=port, name="test net", channels=(ROOM,))
    return replace(found, **{**QUICK, **changes})  # type: ignore[arg-type]


@contextmanager
def bot_on(network: Network, answer: Answer) -> Iterator[list[str]]:
    """The bot, in a thread; what it reports about its connection."""
    reports: list[str] = []
    chat = IrcChat(network, reports.append)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            chat.run(answer)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    thread = Thread(target=run)
    thread.start()
    try:
        yield reports
    finally:
        chat.stop()
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def until(wanted: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not wanted():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)
