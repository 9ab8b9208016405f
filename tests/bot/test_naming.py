"""Servers as machines: any name, never the same machine for two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.push import check_machine_id
from blockfold.domain.errors import Misconfigured
from examples.bot.naming import folded, machine_of

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.text(
    st.sampled_from("a%~25é/. "), min_size=1, max_size=200
)


@given(names, names)
def test_two_servers_never_share_a_machine(one: str, other: str) -> None:
    assert (machine_of(one) == machine_of(other)) == (one == other)


@given(names)
def test_every_name_gives_an_id_that_the_queue_takes(name: str) -> None:
    assert check_machine_id(machine_of(name)) == machine_of(name)


def test_ordinary_names_stand_for_themselves() -> None:
    assert machine_of("irc.libera.chat:6697") == "irc.libera.chat:6697"
    assert machine_of("my server") == "my%20server"
    assert machine_of("100%") == "100%25"


def test_long_names_that_differ_at_the_end_differ() -> None:
    one, other = machine_of("x" * 500 + "a"), machine_of("x" * 500 + "b")
    assert one != other
    assert len(one) == len(other) == 128
    assert one[:62] == "x" * 62


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be a server's name"):
        machine_of(name)


@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(name: str) -> None:
    assert folded(folded(name)) == folded(name)


def test_what_looks_like_an_encoded_name_is_another_name() -> None:
    long = "x" * 500
    for name in ("my server", "100%", long):
        assert machine_of(machine_of(name)) != machine_of(name)
