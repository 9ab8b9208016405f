"""What goes into a message, and what it looks like."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.adapters.envelope import unseal
from blockfold.domain.action import Action, parse
from blockfold.domain.errors import BlockfoldError, InvalidAction, LimitExceeded, Misconfigured
from blockfold.producer.bounds import Bounds, Options
from blockfold.producer.courier import requests
from blockfold.producer.outbox import Outbox
from blockfold.producer.parcel import Parcel, body_of, deduplication_id, text_of
from tests.producer.supply import Supply, actions_in

MB = 1024 * 1024


def put(outbox: Outbox, count: int, machine: str = "m", now: float = 0.0, text: str = "") -> None:
    for number in range(count):
        outbox.put(machine, text_of(Action.of("do", n=number, text=text)), now)


def sizes(outbox: Outbox, machine: str = "m") -> list[int]:
    return [each.actions for each in outbox.lanes[machine].parcels]


def noise(size: int) -> str:
    """Text that does not compress to less than about three quarters."""
    alphabet = "".join(chr(33 + n) for n in range(90)).replace('"', "").replace("\\", "")
    return "".join(Random(1).choices(alphabet, k=size))


def test_a_message_is_bounded_by_actions() -> None:
    outbox = Outbox("p", Bounds(actions=3))
    put(outbox, 8)
    assert sizes(outbox) == [3, 3, 2]


def test_a_message_is_bounded_by_bytes() -> None:
    each = len(text_of(Action.of("do", n=0, text="x" * 50)))
    outbox = Outbox("p", Bounds(payload=3 * (each + 1) + 1))
    put(outbox, 7, text="x" * 50)
    assert sizes(outbox) == [3, 3, 1]
    assert [parcel.size for parcel in outbox.lanes["m"].parcels][:2] == [3 * (each + 1) + 1] * 2
    assert outbox.take(0.0)[0].outgoing.body.count("}") == 3 * 2


def test_an_action_that_is_large_alone_goes_alone() -> None:
    outbox = Outbox("p", Bounds(payload=100))
    put(outbox, 1)
    put(outbox, 1, text="x" * 500)
    put(outbox, 1)
    assert sizes(outbox) == [1, 1, 1]


def test_actions_wait_for_company_only_so_long() -> None:
    outbox = Outbox("p", Bounds(linger=0.5))
    put(outbox, 1, now=1.0)
    assert outbox.due == 1.5
    assert outbox.take(1.4) == []
    put(outbox, 1, now=1.4)
    assert [each.actions for each in outbox.take(1.5)] == [2]


def test_a_request_that_goes_anyhow_takes_along_what_is_nearly_due() -> None:
    outbox = Outbox("p", Bounds(linger=1.0))
    for machine, now in (("a", 0.0), ("b", 0.2), ("c", 0.5)):
        put(outbox, 1, machine, now)
    assert [each.machine for each in outbox.take(1.0)] == ["a", "b"]
    assert outbox.take(1.4) == []
    assert [each.machine for each in outbox.take(1.5)] == ["c"]


def test_what_comes_while_a_message_is_under_way_shares_the_next() -> None:
    outbox = Outbox("p", Bounds(linger=0.5))
    supply = Supply()
    put(outbox, 1)
    (first,) = outbox.take(0.5)
    for now in (1.0, 2.0, 3.0):
        put(outbox, 1, now=now)
    assert outbox.take(9.0) == []
    (answer,) = supply.queue.send_batch([first.outgoing])
    assert not isinstance(answer, BlockfoldError)
    outbox.acknowledge(first, answer)
    assert [(each.count, each.actions) for each in outbox.take(9.0)] == [(2, 3)]


@given(
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() or "\ufffe" in text),
    st.one_of(st.none(), st.text(min_size=1, max_size=20)),
    st.dictionaries(st.text(min_size=1, max_size=5), st.one_of(st.text(), st.integers(-9, 9))),
)
def test_an_action_comes_out_as_it_went_in(
    type_: str, id_: str | None, args: dict[str, object]
) -> None:
    action = Action.of(type_, id_, **args)
    body = body_of([text_of(action), text_of(action)])
    assert parse(body) == [action, action]
    assert "\ufffe" not in body
    assert "\uffff" not in body


def test_characters_that_sqs_does_not_carry_arrive() -> None:
    supply = Supply()
    parcel = Parcel("m", "p", 1, 0.0)
    parcel.add(text_of(Action.of("do", text="\x00\ud7ff\ue000\ufffd\ufffe\uffff😀\u2028")))
    (answer,) = supply.queue.send_batch([parcel.outgoing])
    assert not isinstance(answer, BlockfoldError)
    (action,) = actions_in(supply.messages[0])
    assert action["args"]["text"] == "\x00\ud7ff\ue000\ufffd\ufffe\uffff😀\u2028"


def test_bodies_are_compressed_where_that_is_less() -> None:
    small, large = Parcel("m", "p", 7, 0.0), Parcel("m", "p", 8, 0.0)
    small.add(text_of(Action.of("do", n=1)))
    for number in range(100):
        large.add(text_of(Action.of("do", n=number)))
    assert small.outgoing.attributes == {"blockfold.producer": "p/7"}
    assert json.loads(small.outgoing.body) == {"type": "do", "args": {"n": 1}}
    assert large.outgoing.attributes.keys() == {"blockfold.producer", "blockfold.encoding"}
    assert large.outgoing.size < large.size / 3
    opened = unseal(large.outgoing.body, large.outgoing.attributes)
    assert (opened.producer, opened.count, opened.spoiled) == ("p", 8, "")
    assert len(json.loads(opened.body)) == 100
    assert large.outgoing is large.outgoing


def test_the_largest_messages_and_batches_fit_the_queue() -> None:
    supply = Supply()
    outbox = Outbox("p" * 22, Bounds(payload=MB - 512))
    for machine in ("a" * 128, "b", "c"):
        left = MB - 512 - 40
        outbox.put(machine, text_of(Action.of("do", text=noise(left))), 0.0)
    outbox.put("d", text_of(Action.of("do", text="x" * (MB - 100))), 0.0)  # fits compressed alone
    taken = outbox.take(0.02)
    parts = list(requests(taken))
    assert sorted(len(part) for part in parts) == [1, 1, 2]
    for part in parts:
        answers = supply.queue.send_batch([each.outgoing for each in part])
        assert not any(isinstance(answer, BlockfoldError) for answer in answers)


@pytest.mark.parametrize("text", [noise(MB - 100), "x" * 2 * MB])
def test_an_action_that_fits_no_message_is_refused(text: str) -> None:
    with pytest.raises(LimitExceeded, match=r"'do' has .* bytes, .*split it"):
        text_of(Action.of("do", text=text))


@pytest.mark.parametrize(
    ("type_", "id_", "said"),
    [
        ("", None, "type has 1 to 128"),
        ("x" * 129, None, "type has 1 to 128"),
        ("do", "", "id has 1 to 256"),
        ("do", "x" * 257, "id has 1 to 256"),
        (7, None, "type is a string, not int"),
    ],
)
def test_a_name_that_is_none_is_refused(type_: str, id_: str | None, said: str) -> None:
    with pytest.raises(InvalidAction, match=said):
        text_of(Action.of(type_, id_))


def test_a_name_that_has_no_bytes_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="lone surrogate"):
        text_of(Action.of("\ud800"))


def test_deduplication_ids_are_no_other_s_in_the_whole_queue() -> None:
    machines = ["a", "b", "a.1", "x" * 128, "x" * 127 + "y"]
    ids = {
        deduplication_id(producer, machine, count)
        for producer in ("p" * 22, "q" * 22)
        for machine in machines
        for count in (1, 11, 10**15)
    }
    assert len(ids) == 2 * len(machines) * 3
    assert max(map(len, ids)) <= 128
    assert deduplication_id("p", "a", 1) == deduplication_id("p", "a", 1)
    assert all(text.isascii() and " " not in text for text in ids)


@pytest.mark.parametrize(
    "options",
    [
        {"actions": 0}, {"actions": 10_001}, {"payload": MB}, {"payload": 0},
        {"waiting_actions": 0}, {"waiting_bytes": 0}, {"senders": 0}, {"linger": -1.0},
    ],
)  # fmt: skip
def test_bounds_that_cannot_be_are_refused(options: Options) -> None:
    with pytest.raises(Misconfigured, match=next(iter(options))):
        Bounds(**options)
