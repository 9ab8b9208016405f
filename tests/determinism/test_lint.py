"""The lint names each flaw with its line, and leaves good machines alone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blockfold.cli.app import app
from blockfold.domain.lint import lint
from blockfold.domain.lint_rules import RULES
from tests.determinism.test_guard import FLAWED, documented, shipped

HEAD = """
import time, datetime as dt, random, uuid, os, math, threading, json, re, http
from time import monotonic as tick
from datetime import datetime, date, timedelta
from pathlib import Path, PurePosixPath
import urllib.parse, urllib.request
from blockfold import Context, Machine, Reject, State, action

NAMES = []
LIMIT = 3
"""

BAD = {
    "time.time()": "clock",
    "tick()": "clock",
    "datetime.now()": "clock",
    "dt.datetime.utcnow()": "clock",
    "date.today()": "clock",
    "list(map(datetime.fromtimestamp, [1]))": "clock",
    "random.choice([1])": "random",
    "random.Random(1)": "random",
    "uuid.uuid4()": "random",
    "os.urandom(3)": "io",
    "open('x')": "io",
    "print('x')": "io",
    "os.environ['x']": "io",
    "os.getpid": "io",
    "Path('x').read_text()": "io",
    "urllib.request.urlopen('x')": "io",
    "__import__('socket')": "io",
    "[x for x in {1, 2}]": "set",
    "[*{1, 2}]": "set",
    "{x: 1 for x in set(a)}": "set",
    "','.join({x for x in a})": "set",
    "list(frozenset(a) | b)": "set",
    "next(iter({1, 2}))": "set",
    "{1, 2}.pop()": "set",
    "list({1}.union(a))": "set",
    "hash('x')": "identity",
    "id(a)": "identity",
    "NAMES.append(1)": "global",
    "threading.Lock()": "concurrency",
    "math.sin(1.0)": "float",
    "context.number + 1": "batching",
}
"""Expressions in a reducer, and the rule that each breaks."""

BAD_LINES = {
    "for x in set(a): pass": "set",
    "b = {1, 2}; c = [x for x in b]": "set",
    "global LIMIT": "global",
    "self.kept = 1": "global",
    "self.kept['x'] += 1": "global",
    "NAMES[0] = 1": "global",
    "del NAMES[:]": "global",
    "try: a()\n        except: pass": "swallow",
    "try: a()\n        except (ValueError, BaseException): pass": "swallow",
}

GOOD = (
    *("sorted({1, 2})", "len({1})", "1 in {1}", "sum(x for x in {1, 2})", "min({1, 2})"),
    *("sorted(x for x in set(a))", "{x for x in {1}}", "timedelta(days=1)", "math.sqrt(2.0)"),
    *("context.time", "context.random.random()", "uuid.uuid5(a, 'x')", "uuid.UUID('x')"),
    *("json.dumps(a)", "re.compile('x')", "PurePosixPath('x')", "urllib.parse.quote('x')"),
    *("os.path.join('a', 'b')", "http.HTTPStatus.OK", "datetime(2026, 1, 1)", "a.hash()"),
    *("list(dict.fromkeys(a))", "state.pop('x')", "state['x'].append(1)", "LIMIT + 1", "a.id"),
    *("[x for x in a]", "int('1') * 0.5", "context.ordinal", "b.open('x')", "set(a) | {1}"),
)


def reducer(line: str) -> str:
    """A module with a machine with a reducer with that line."""
    return textwrap.dedent(HEAD).strip() + textwrap.dedent(
        f"""

class Mine(Machine):
    @action
    def do(self, state: State, context: Context, a: list[int]) -> None:
        {line}
"""
    )


@pytest.mark.parametrize("text", [*BAD, *BAD_LINES])
def test_a_flaw_is_named_with_its_line(text: str) -> None:
    source = reducer(text if text in BAD_LINES else f"state['x'] = {text}")
    line = source.splitlines().index(next(x for x in source.splitlines() if "def do" in x)) + 2
    found = lint(source)
    assert {each.rule for each in found} == {(BAD | BAD_LINES)[text]}, found
    assert all(line <= each.line <= line + 1 for each in found)
    assert RULES[found[0].rule] in found[0].message


@pytest.mark.parametrize("text", GOOD)
def test_what_is_no_flaw_is_left_alone(text: str) -> None:
    assert lint(reducer(f"state['x'] = {text}")) == []


def test_outside_of_reducers_too() -> None:
    source = "import time\nSTARTED = time.time()\ndef helper():\n    return hash('x')\n"
    assert [(each.line, each.rule) for each in lint(source)] == [(2, "clock"), (4, "identity")]


def test_a_class_that_is_no_machine_may_keep_things() -> None:
    source = "class Point:\n    seen: list = []\n    def __init__(self):\n        self.x = 1\n"
    assert lint(source) == []
    assert [each.rule for each in lint(source.replace("Point", "Point(Machine)"))] == ["global"] * 2


def test_async_is_named() -> None:
    assert [each.rule for each in lint("async def wait():\n    pass\n")] == ["concurrency"]


@pytest.mark.parametrize(
    ("comment", "rules"),
    [
        ("# allow[clock]: only told, never stored", []),
        ("# allow[clock, io]: only told", ["allow"]),
        ("# allow[clock]", ["allow", "clock"]),
        ("# allow[clocks]: a word too long", ["allow", "clock"]),
        ("# allow[io]: another rule", ["allow", "clock"]),
        ("# clock", ["clock"]),
    ],
)
def test_a_comment_allows_a_flaw_if_it_says_why(comment: str, rules: list[str]) -> None:
    source = f"import time\nSTARTED = time.time()  {comment}\n"
    assert [each.rule for each in lint(source)] == rules


def test_a_string_allows_nothing() -> None:
    source = "import time\nSTARTED = time.time(), '# allow[clock]: no comment'\n"
    assert [each.rule for each in lint(source)] == ["clock"]


@pytest.mark.parametrize("spec", shipped())
def test_what_ships_is_clean(spec: str) -> None:
    done = CliRunner().invoke(app, ["lint", spec])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing found" in done.stderr


def test_what_stands_on_pages_is_clean(tmp_path: Path) -> None:
    found = documented(tmp_path)
    assert found
    for file in tmp_path.glob("*.py"):
        assert lint(file.read_text()) == [], file.name


@pytest.mark.parametrize("spec", FLAWED[:1])
def test_findings_are_printed_and_exit_with_1(spec: str) -> None:
    told = CliRunner().invoke(app, ["lint", spec])
    assert told.exit_code == 1
    assert "flawed.py:20:23: [clock] time.time_ns: time comes from context.time\n" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["lint", spec, "--json"]).stdout)
    assert {each["rule"] for each in found} == {
        *("clock", "random", "set", "identity", "global"),
    }
    assert all(each["file"].endswith("flawed.py") and each["column"] > 0 for each in found)


def test_what_cannot_be_loaded_is_an_error() -> None:
    done = CliRunner().invoke(app, ["lint", "nowhere:Nothing"])
    assert done.exit_code == 1
    assert "cannot be loaded" in str(done.exception)


def test_bases_are_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lint_base.py").write_text(reducer("state['x'] = hash('x')"))
    (tmp_path / "lint_mine.py").write_text("import lint_base\nclass A(lint_base.Mine):\n  pass\n")
    done = CliRunner().invoke(app, ["lint", "lint_mine.py:A"])
    assert done.exit_code == 1
    assert done.stdout.startswith("lint_base.py:14:22: [identity]")
