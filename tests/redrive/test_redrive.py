"""What is sent for a letter, in which order, what is left and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from blockfold.adapters.envelope import ENCODING, PRODUCER, named
from blockfold.adapters.memory import MemoryBlockLog
from blockfold.adapters.outgoing import Outgoing
from blockfold.application import redrive as module
from blockfold.application.dead_letter import KEPT_MILLISECONDS, Searched, own_name
from blockfold.application.lost import REBUILDING
from blockfold.application.outcomes import Watch
from blockfold.application.redriven import Redriven
from blockfold.application.travel import Traveller
from blockfold.domain import counters
from blockfold.domain.block import ActionRecord
from blockfold.domain.errors import Refused, Unavailable
from blockfold.ports import MachineRecord, Receipt
from tests.faults import Faults, fail
from tests.properties.histories import MACHINE
from tests.redrive.world import Mail


def summary(found: list[Redriven]) -> list[tuple[str | None, int, bool]]:
    return [(each.standing, each.messages, bool(each.left)) for each in found]


def test_they_keep_their_order_and_come_behind_what_came_later() -> None:
    mail = Mail()
    mail.send("", 2)
    mail.send("p", 2)
    mail.send()
    for _ in range(3):
        mail.lose()
    mail.send()
    mail.drain()
    assert summary(mail.redrive()) == [("not begun", 2, False)] + [("not begun", 1, False)] * 2
    assert mail.letters.letters == []
    mail.drain()
    assert mail.done() == ["raw/3/0", "raw/1/0", "raw/1/1", "p/1/0", "p/1/1", "raw/2/0"]
    mail.assert_exactly_once()


def test_an_empty_queue_is_no_trouble() -> None:
    assert Mail().redrive() == []


def test_a_letter_that_blocks_hold_is_removed_and_the_block_is_told() -> None:
    mail = Mail()
    mail.send("", 2)
    mail.deliver(heard=False)
    mail.lose()
    mail.send("p", 3)
    mail.split(1, 2)
    mail.deliver(heard=False)
    mail.lose()
    found = mail.redrive()
    assert [(each.standing, each.held, each.blocks) for each in found] == [
        ("done", 2, (1, 1)),
        ("done", 3, (2, 4)),
    ]
    assert (mail.letters.letters, mail.waiting) == ([], [])


def test_a_copy_that_its_producer_sent_makes_a_letter_done() -> None:
    mail = Mail()
    first = mail.send("p", 2)
    mail.lose()
    mail.repeat(first)
    mail.drain()
    assert summary(mail.redrive()) == [("done", 0, False)]
    mail.assert_exactly_once()


def test_more_gaps_than_a_counter_tells_apart_are_told_by_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counters, "MOST_GAPS", 1)
    mail = Mail()
    for lost in (True, False, True, False):
        mail.send("p")
        if lost:
            mail.lose()
        else:
            mail.deliver(heard=False)  # message 2 and 4: now 1 to 3 are taken for missing
            mail.lose()
    found = mail.redrive()
    assert [each.standing for each in found] == ["not begun", "done", "not begun", "done"]
    mail.drain()
    assert sorted(mail.done()) == sorted(mail.names)


def test_whoever_asks_for_an_action_by_its_id_finds_it() -> None:
    mail = Mail()
    packed, alone = mail.send("", 2), mail.send()
    own = mail.send_body('{"type": "run", "args": {"steps": []}, "id": "order 7"}')
    for _ in range(3):
        mail.lose()
    mail.redrive()
    mail.drain()
    traveller = Traveller(mail.world.log, mail.world.snapshots)
    for id_ in (f"{packed.id}/0", f"{packed.id}/1", f"{alone.id}/0", "order 7"):
        found = Watch(traveller, MACHINE, id_, 10).look()
        assert found is not None, id_
        assert found.applied
    assert Watch(traveller, MACHINE, f"{own.id}/0", 10).look() is None


def records(mail: Mail) -> list[ActionRecord]:
    return [record for block in mail.world.blocks() for _, _, record in block.body.actions]


GOOD = '{"type": "run", "args": {"steps": []}}'
BODIES: list[tuple[str, dict[str, str]]] = [
    (f"[[{GOOD}], {GOOD}, 5]", {}),
    (f'[{GOOD}, {{"type": "run", "args": {{"x": NaN}}}}, {{"type": "\\ud800"}}]', {}),
    ('{"type": "run", "args": {"steps": []}, "more": 1}', {}),
    ("no JSON", {}),
    ("[]", {}),
    (f"[{GOOD}]", {PRODUCER: "no name"}),
    (f"[{GOOD}]", {ENCODING: "gzip"}),
    (f"[{GOOD}, {GOOD}]", named("p", 7) | {ENCODING: "gzip"}),
    ('[{"type": "run", "args": {"steps": [{"do": "set", "key": "k", "value": "\\uffff"}]}}]', {}),
]


@pytest.mark.parametrize(("body", "attributes"), BODIES)
def test_what_is_no_action_becomes_of_it_what_would_have_become(
    body: str, attributes: dict[str, str]
) -> None:
    straight, mail = Mail(), Mail()
    straight.send_body(body, attributes)
    straight.drain()
    mail.send_body(body, attributes)
    lost = mail.lose()
    mail.redrive()
    sent = [mail.outgoing[each.id] for each in mail.waiting]
    assert not any("\uffff" in each.body for each in sent), "SQS takes no such text"
    mail.letters.bury(MACHINE, lost, body, attributes)  # whoever redrove it died
    mail.redrive()
    mail.drain()
    found, wanted = records(mail), records(straight)
    assert [each.outcome for each in found] == [each.outcome for each in wanted]
    assert [each.args for each in found] == [each.args for each in wanted]
    assert all(
        each.id in (record.id, f"{lost.id}/{place}")
        for place, (each, record) in enumerate(zip(found, wanted, strict=True))
    )
    if not attributes:
        assert [each.reason for each in found] == [each.reason for each in wanted]


def test_what_grows_too_large_with_an_id_goes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from blockfold.application import dead_letter

    monkeypatch.setattr(dead_letter, "MAX_MESSAGE_BYTES", dead_letter.ENVELOPE_BYTES + 10)
    mail = Mail()
    body = mail.outgoing[mail.send().id].body
    mail.send("", 2)
    mail.lose()
    mail.lose()
    mail.redrive()
    assert mail.outgoing[mail.waiting[0].id].body == body
    mail.drain()
    mail.assert_exactly_once()


# -- which blocks are searched ---------------------------------------------------------------------


def test_blocks_that_left_the_table_are_searched() -> None:
    mail = Mail()
    mail.send("", 3)
    mail.split(2)
    mail.lose()
    mail.send("", 1)
    mail.deliver(heard=False)
    mail.lose()
    mail.send()
    mail.drain()
    mail.world.keep()
    for number in (1, 2):
        mail.world.lose_block(number)
    assert [(each.standing, each.blocks) for each in mail.redrive()] == [
        ("partly done", (1, 1)),
        ("done", (2, 2)),
    ]
    mail.drain()
    assert [record.id for record in records(mail)] == [None, f"{1:08x}-message/2"]


def test_a_machine_whose_blocks_are_lost_is_left_and_others_are_not() -> None:
    mail = Mail()
    for _ in range(3):
        mail.send()
        mail.deliver()
    lost = [mail.send(), mail.send()]
    mail.send("", 1, "other")
    for _ in range(3):
        mail.lose()
    mail.world.lose_block(2)
    found = mail.redrive()
    assert summary(found) == [(None, 0, True), (None, 0, True), ("not begun", 1, False)]
    assert "lacks a block" in found[0].left
    assert found[1].left == "one before it was left"
    assert [each.message.id for each in mail.letters.letters] == [each.id for each in lost]
    again = mail.letters.receive(60)
    assert [each.message.id for each in again] == [each.id for each in lost], "in order, at once"


def _all_lost(mail: Mail) -> None:
    mail.world.lose()


def _behind(mail: Mail) -> None:
    mail.world.machines.raise_watermark(MACHINE, "flushed", 9)


def _rebuilding(mail: Mail) -> None:
    mail.world.machines.put(MachineRecord(MACHINE, flushed=REBUILDING))


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_all_lost, "they were lost"), (_behind, "ends at block 1"), (_rebuilding, "being rebuilt")],
)
def test_nothing_is_sent_while_the_log_cannot_tell(
    damage: Callable[[Mail], None], said: str
) -> None:
    mail = Mail()
    mail.send("", 2)
    mail.deliver(heard=False)
    mail.lose()
    mail.world.keep()
    damage(mail)
    (found,) = mail.redrive()
    assert said in found.left
    assert len(mail.letters.letters) == 1
    assert mail.waiting == []


def test_each_block_is_read_once_and_none_that_is_too_old() -> None:
    mail = Mail()
    for _ in range(6):
        mail.send()
        mail.deliver()
    blocks = mail.world.blocks()
    read: list[int] = []
    traveller = Traveller(mail.world.log, mail.world.snapshots)
    searched = Searched(traveller, MACHINE, lambda: read.append(1))
    searched.look(4, blocks[2].header.time)
    assert [bool(searched.part_of(block.body.messages[0].id)[0]) for block in blocks] == [
        False, False, True, True, False, False,
    ]  # fmt: skip
    assert len(read) == 2
    searched.look(6, blocks[1].header.time)
    searched.look(6, blocks[4].header.time)
    assert len(read) == 5
    assert searched.part_of(blocks[1].body.messages[0].id) == (1, 2, 2)
    assert searched.part_of(blocks[0].body.messages[0].id) == (0, 0, 0)


def test_a_letter_that_tells_when_it_died_instead_of_when_it_was_sent_is_found() -> None:
    mail = Mail()
    mail.send("", 2)
    mail.deliver(heard=False)
    lost = mail.waiting.pop()
    outgoing = mail.outgoing[lost.id]
    died = replace(lost, sent=lost.sent + KEPT_MILLISECONDS)
    mail.letters.bury(MACHINE, died, outgoing.body, outgoing.attributes)
    assert summary(mail.redrive()) == [("done", 0, False)]


# -- receiving, holding, letting go ----------------------------------------------------------------


def test_all_are_dealt_with_though_ten_are_shown_at_once() -> None:
    mail = Mail()
    for _ in range(25):
        mail.send()
        mail.lose()
    assert len(mail.redriver().plan()) == 10
    assert len(mail.letters.letters) == 25
    assert len(mail.redrive(limit=12)) == 12
    assert len(mail.redriver().plan(limit=3)) == 3
    assert len(mail.redrive()) == 13
    mail.drain()
    assert mail.done() == mail.names


def test_one_machine_alone_and_the_others_are_let_go() -> None:
    mail = Mail()
    for number in range(24):
        mail.send("", 1, ("a", "b")[number % 2])
        mail.lose()
    found = mail.redriver().carry_out("b")
    assert {each.machine for each in found} == {"b"}
    assert len(found) == 12
    assert [each.machine for each in mail.letters.receive(60)] == ["a"] * 10


def test_letters_are_held_while_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_SECONDS", 100)
    mail = Mail()
    for _ in range(4):
        mail.send("", 5)
        mail.lose()

    def slow(outgoing: Outgoing) -> Receipt:
        mail.clock.seconds += 45.0
        assert mail.letters.receive(1) == [], "nobody else gets one"
        return mail.take(outgoing)

    mail.letters._take = slow
    assert len(mail.redriver().carry_out()) == 4
    mail.drain()
    mail.assert_exactly_once()


def test_a_service_that_fails_leaves_the_letter_to_the_next_one_at_once() -> None:
    mail = Mail()
    mail.send("", 3)
    mail.lose()
    rehearsal = Faults()
    mail.redriver(rehearsal).plan()
    faults = Faults([rehearsal.steps.index("letters.hold") + 1], "before", fail)
    with pytest.raises(Unavailable, match="0 dead letters") as caught:
        mail.redriver(faults).carry_out()
    assert "run it again" in caught.value.hint
    assert summary(mail.redriver().carry_out()) == [("not begun", 3, False)]


def test_what_the_queue_refuses_is_left_with_all_behind_it() -> None:
    mail = Mail()
    for machine in (MACHINE, MACHINE, "other"):
        mail.send("", 1, machine)
        mail.lose()
    take = mail.letters._take

    def picky(outgoing: Outgoing) -> Receipt:
        if outgoing.machine == MACHINE:
            raise Refused("too long", hint="SQS takes no such message")
        return take(outgoing)

    mail.letters._take = picky
    found = mail.redrive()
    assert summary(found) == [("not begun", 1, True), (None, 0, True), ("not begun", 1, False)]
    assert found[0].left == "too long (SQS takes no such message)"
    assert len(mail.letters.letters) == 2


def test_a_name_is_one_that_an_envelope_takes() -> None:
    assert own_name("6c6b7bd5-2a9d-4c0b-a7a5-4b6d2ed6ad0f") == (
        "redrive-6c6b7bd5-2a9d-4c0b-a7a5-4b6d2ed6ad0f"
    )
    assert len(own_name("é" * 100)) == 40
    assert own_name("a/b") != own_name("a/c")


def test_a_machine_without_blocks_begins_with_them() -> None:
    mail = Mail()
    mail.send()
    mail.lose()
    assert cast("MemoryBlockLog", mail.world.log).head(MACHINE) is None
    mail.redrive()
    mail.drain()
    assert json.loads(bytes(records(mail)[0].args)) == {
        "steps": [{"do": "set", "key": "raw/1/0", "value": 1}]
    }
