"""What a message body holds: actions, and whatever is none, with the reason."""

from __future__ import annotations

import json

import pytest

from blockfold.domain.action import Action, Malformed, parse

GOOD = '{"type":"go"}'


def only(body: str) -> Action | Malformed:
    (found,) = parse(body)
    return found


def test_one_action() -> None:
    body = '{"type": "plant", "args": {"tree": "t1", "age": 1.0}, "id": "x"}'
    assert only(body) == Action("plant", b'{"age":1,"tree":"t1"}', "x")


def test_args_and_id_may_be_left_out() -> None:
    assert only(GOOD) == Action("go", b"{}", None)


def test_an_array_is_many_actions_in_order() -> None:
    found = parse('[{"type":"a"}, {"type":"b"}, {"type":"a"}]')
    assert [each.type for each in found if isinstance(each, Action)] == ["a", "b", "a"]


def test_an_action_is_written_as_it_was_sent() -> None:
    for sent in ({"type": "a", "args": {"x": [1]}}, {"type": "a", "args": {}, "id": "i"}):
        found = only(json.dumps(sent))
        assert isinstance(found, Action)
        assert found.to_json() == sent


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "no JSON"),
        ("   ", "no JSON"),
        ("{", "no JSON"),
        ("{'type': 'go'}", "no JSON"),
        ('{"type":"go"} trailing', "no JSON"),
        ('[{"type":"go"},]', "no JSON"),
        ('[{"type":"go"}', "no JSON"),
        ('[{"type":"go"},NaN,]', "no JSON"),
        ("\ufeff" + GOOD, "no JSON"),
        ("[" * 100_000 + "]" * 100_000, "no JSON"),
        ("[]", "empty array"),
        (" [ ] ", "empty array"),
        ("null", "not null"),
        ("true", "not a boolean"),
        ("5", "not a number"),
        ("NaN", "not a number"),
        ('"go"', "not a string"),
        ("{}", "'type' is missing"),
        ('{"args":{}}', "'type' is missing"),
        ('{"type":null}', "'type' is a string, not null"),
        ('{"type":5}', "'type' is a string, not a number"),
        ('{"type":""}', "1 to 128"),
        ('{"type":"%s"}' % ("t" * 129), "1 to 128"),
        ('{"type":"go","args":null}', "'args' is an object, not null"),
        ('{"type":"go","args":[1]}', "'args' is an object, not an array"),
        ('{"type":"go","id":null}', "'id' is a string, not null"),
        ('{"type":"go","id":7}', "'id' is a string, not a number"),
        ('{"type":"go","id":""}', "1 to 256"),
        ('{"type":"go","id":"%s"}' % ("i" * 257), "1 to 256"),
        ('{"type":"go","arg":{}}', "unknown field 'arg'"),
        ('{"type":"go","args":{"x":NaN}}', "no JSON number"),
        ('{"type":"go","args":{"x":-Infinity}}', "no JSON number"),
        ('{"type":"go","args":{"x":1e300}}', "1e126"),
        ('{"type":"go","args":{"x":1e999}}', "number"),
        ('{"type":"go","args":{"x":1e-200}}', "zero"),
        ('{"type":"go","args":{"x":%s}}' % ("1" * 39), "38 significant"),
        ('{"type":"go","args":{"x":%s}}' % ("1" * 5_000), "1e126"),
        ('{"type":"go","args":{"x":-%s}}' % ("1" * 5_000), "1e126"),
        ('{"type":"go","args":{"x":%s}}' % ("[" * 40 + "]" * 40), "28 levels"),
        ('{"type":"\\ud800"}', "surrogate"),
        ('{"type":"go","id":"\\udfff"}', "surrogate"),
        ('{"type":"go","args":{"\\ud800":1}}', "surrogate"),
        ('{"type":"go","args":{"x":"\ud800"}}', "surrogate"),
        ('{"\\ud800":1}', "unknown field"),
    ],
)
def test_what_is_no_action_is_one_malformed_with_its_text_and_reason(
    body: str, reason: str
) -> None:
    found = only(body)
    assert isinstance(found, Malformed)
    assert reason in found.reason
    found.reason.encode()
    assert found.raw == body.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    "bad",
    [
        '{"type":"go","args":{"x":NaN}}',
        '{"type":"go","args":{"x":1e999}}',
        '{"type":"go","args":{"x":1e300}}',
        '{"type":"go", "args":{"x":%s}}' % ("7" * 5_000),
        '{"type":"\\ud800"}',
        '{"type":"go","args":{"x":%s}}' % ("[" * 40 + "]" * 40),
        '{"type":"go","extra":1}',
        "[]",
        "null",
        '"],["',
    ],
)
def test_a_bad_element_spoils_only_itself(bad: str) -> None:
    before, spoilt, after = parse(f' [ {GOOD} ,{bad}\n, {{"type":"stop","id":"i"}} ] ')
    assert before == Action("go", b"{}")
    assert isinstance(spoilt, Malformed)
    assert after == Action("stop", b"{}", "i")


@pytest.mark.parametrize("bad", ['{"type" : "go", "args":{"x":NaN}}', "[1e999 ]", '"\\ud800"'])
def test_an_element_that_json_does_not_know_keeps_its_exact_text(bad: str) -> None:
    _, spoilt = parse(f"[{GOOD},{bad}]")
    assert isinstance(spoilt, Malformed)
    assert spoilt.raw == bad


def test_of_repeated_fields_the_last_counts_whichever_way_a_body_is_read() -> None:
    twice = '{"type":"first","type":"last","args":{"x":1,"x":2}}'
    for body in (f"[{twice}]", f"[{twice},NaN]"):
        assert parse(body)[0] == Action("last", b'{"x":2}')


def test_good_neighbours_are_read_alike_beside_what_json_does_not_know() -> None:
    good = '{"type":"go","args":{"n":[1.0,1e22,18446744073709551616,-0.0,1e-7],"s":"\\u00e9"}}'
    assert parse(f"[{good}]")[0] == parse(f"[{good},NaN]")[0]
    assert parse(f"[{good}]")[0] == Action(
        "go", '{"n":[1,10000000000000000000000,18446744073709551616,0,1e-7],"s":"é"}'.encode()
    )
