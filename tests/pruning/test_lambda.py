"""The pruner λ and the commands that call it: the sweep, and calls by people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blockfold.application.prune import NOT_ALL_READ
from blockfold.cli.app import app
from blockfold.domain.errors import BlockfoldError, Corrupted, Misconfigured
from blockfold.domain.keys import manifest_key, run_key
from blockfold.domain.retention import Retention, Thin
from tests.lambdas.conftest import Event, LambdaContext
from tests.lambdas.handlers import imported, metrics_in
from tests.properties.histories import MACHINE
from tests.pruning.stack import DAY, PruneStack, aged

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

module = imported("pruner")

LONG = LambdaContext(900_000)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> PruneStack:
    """Thirty blocks of which six have a snapshot; nothing is to go yet."""
    stack = aged()
    monkeypatch.setattr(module, "_pruner", stack.pruner)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=stack.clock.monotonic))
    return stack


def handle(event: Any, context: LambdaContext = LONG) -> Event:
    answer: Event = module.handler(event, context)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def call(name: str, **fields: Any) -> Event:
    return handle({"machine": MACHINE, "command": name, **fields})


# -- calls -----------------------------------------------------------------------------------------


def test_the_answers_of_the_contract(stack: PruneStack) -> None:
    kept: Event = {"machine": MACHINE, "snapshots": None, "thin": [], "blocks": None, "days": None}
    where = {"head": 30, "stored_snapshots": 6, "archived": 30, "verified": 0, "pruned": 0}
    assert call("status") == {**kept, **where, "changed": False}
    kept |= {"snapshots": 2, "thin": ["1h/2d", "1d/30d"], "blocks": 12}
    changed = call("set_retention", snapshots=2, thin=["60m/48h", "1d/30d"], blocks=12)
    assert changed == {**kept, **where, "changed": True}
    kept |= {"thin": [], "days": 5}
    assert call("set_retention", thin=None, days=5) == {**kept, **where, "changed": True}
    assert call("set_retention", days=5)["changed"] is False
    assert call("set_retention", days=None) == {**kept, **where, "days": None, "changed": True}
    plan = call("prune", dry_run=True)
    assert plan == {
        "machine": MACHINE,
        "dry_run": True,
        "snapshots": [5, 10, 15, 20],
        "first": 1,
        "last": 18,
        "blocks": 18,
        "reason": "the newest 12 blocks are kept",
        "proof": 30,
        "copies": 0,
        "runs": 0,
        "segments": 0,
        "bodies": 0,
        "bytes": 0,
        "notes": [],
    }
    assert stack.taken() == [5, 10, 15, 20, 25, 30]
    assert call("prune") == {**plan, "dry_run": False, "proof": None}
    assert stack.taken() == [25, 30]
    assert call("status") == {
        **kept,
        **where,
        "days": None,
        "changed": False,
        "stored_snapshots": 2,
        "verified": 30,
        "pruned": 18,
    }
    nothing = call("prune")
    assert (nothing["snapshots"], nothing["first"], nothing["last"]) == ([], None, None)


def test_a_sweep_prunes_and_counts(stack: PruneStack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.keep(snapshots=2, blocks=12)
    stack.objects.put_new(run_key(MACHINE, "ab" * 32), b"garbage")
    stack.pass_time(2 * DAY)
    assert handle({"sweep": True}) == {"swept": [MACHINE]}
    assert metrics_in(capsys.readouterr().out) == {
        "RemovedSnapshots": 4,
        "ExpiringBlocks": 18,
        "DeletedObjects": 1,
    }
    assert handle({"sweep": True}) == {"swept": []}


def test_a_sweep_that_meets_trouble_fails(stack: PruneStack) -> None:
    stack.objects._objects[manifest_key(MACHINE, 5)] = b"?"
    with pytest.raises(Corrupted, match="nothing is removed"):
        handle({"sweep": True})


def test_short_of_time_nothing_goes(stack: PruneStack) -> None:
    stack.keep(snapshots=2)
    short = LambdaContext(int(module.MARGIN_SECONDS * 1000) - 1)
    assert handle({"sweep": True}, short) == {"swept": []}
    answer = module.handler({"machine": MACHINE, "command": "prune"}, short)
    assert answer["notes"] == [NOT_ALL_READ, "time ran out: the rest is left for the next time"]
    assert stack.taken() == [5, 10, 15, 20, 25, 30]


WRONG: list[tuple[Any, str]] = [
    ({}, "the field 'machine'"),
    ({"machine": "", "command": "status"}, "the field 'machine'"),
    ({"machine": 5, "command": "status"}, "the field 'machine'"),
    ({"machine": MACHINE}, "unknown command None .*one of prune, set_retention, status"),
    ({"machine": MACHINE, "command": ["prune"]}, "unknown command"),
    ({"machine": MACHINE, "command": "status", "days": 1}, "status takes no field 'days'"),
    ({"machine": MACHINE, "command": "prune", "blocks": 1}, "prune takes no field 'blocks'"),
    ({"machine": MACHINE, "command": "set_retention", "x": 1}, "takes no field 'x'"),
    ({"machine": MACHINE, "command": "set_retention"}, "nothing is said"),
    ({"machine": MACHINE, "command": "prune", "dry_run": "yes"}, "'dry_run' is true or false"),
    ({"machine": MACHINE, "command": "prune", "dry_run": None}, "'dry_run' is true or false"),
    *(
        ({"machine": MACHINE, "command": "set_retention", name: value}, what)
        for name in ("snapshots", "blocks", "days")
        for value, what in (
            (0, f"{name} is 0"),
            (-1, f"{name} is -1"),
            ("5", f"{name!r} is a whole number or null, not '5'"),
            (True, f"{name!r} is a whole number"),
            (1.5, f"{name!r} is a whole number"),
        )
    ),
    ({"machine": MACHINE, "command": "set_retention", "thin": "1d/30d"}, "a list of texts"),
    ({"machine": MACHINE, "command": "set_retention", "thin": [5]}, "a list of texts"),
    ({"machine": MACHINE, "command": "set_retention", "thin": ["1d"]}, "'1d' thins nothing"),
    ({"machine": MACHINE, "command": "set_retention", "thin": ["1d/2d"]}, "nothing to thin"),
    ({"machine": "nobody", "command": "status"}, "no machine 'nobody'"),
    ({"machine": "nobody", "command": "prune"}, "no machine 'nobody'"),
    ({"machine": "nobody", "command": "set_retention", "days": 1}, "no machine 'nobody'"),
    ({"sweep": "yes"}, "the field 'machine'"),
    ([], "a call is a JSON object"),
    (None, "a call is a JSON object"),
]


@pytest.mark.parametrize(("payload", "what"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_payload_is_an_error_that_says_so_and_changes_nothing(
    stack: PruneStack, payload: Any, what: str
) -> None:
    before = stack.contents()
    with pytest.raises(BlockfoldError, match=what):
        handle(payload)
    assert stack.contents() == before


# -- the command line ------------------------------------------------------------------------------


class Target:
    """What `connect` finds, as far as these commands look."""

    def call(self, output: str, payload: Mapping[str, object]) -> Event:
        assert output == "PrunerFunctionName"
        with redirect_stdout(StringIO()):  # the metrics
            return handle(dict(payload))


@pytest.fixture
def cli(stack: PruneStack, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for command in ("prune", "retention"):
        monkeypatch.setattr(f"blockfold.cli.{command}.connect", lambda name: Target())
    monkeypatch.setattr(module.logger, "info", lambda *_, **__: None)
    monkeypatch.setenv("COLUMNS", "80")
    return CliRunner()


def run(cli: CliRunner, *words: str) -> Result:
    result = cli.invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert max(map(len, result.stdout.splitlines()), default=0) <= 80
    return result


def test_what_is_kept_is_shown_and_changed(cli: CliRunner, stack: PruneStack) -> None:
    shown = run(cli, "retention", MACHINE).stderr
    assert shown == (
        "m: all snapshots are kept; of the blocks, all in the table\n"
        "6 snapshots of 30 blocks; archived up to 30, out of the table up to 0\n"
    )
    tiers = ("--thin", "1d/30d", "--thin", "1h/2d")
    options = ("--snapshots", "10", *tiers, "--blocks", "1000", "--days", "7")
    assert run(cli, "retention", MACHINE, *options).stderr.splitlines()[0] == (
        "m: the newest 10 snapshots kept, and one in 1d for 30d, and one in 1h for 2d; "
        "of the blocks, the newest 1,000 and those of 7 days in the table"
    )
    thin = (Thin(86_400, 30 * 86_400), Thin(3_600, 2 * 86_400))
    record = stack.machines.get(MACHINE)
    assert record is not None
    assert record.retention == Retention(snapshots=10, thin=thin, blocks=1_000, days=7)
    shown = run(cli, "retention", MACHINE, "--thin", "none", "--days", "none").stderr
    assert shown.startswith("m: the newest 10 snapshots kept; of the blocks, the newest 1,000 in")
    shown = run(cli, "retention", MACHINE, "--keep-all").stderr
    assert shown.startswith("m: all snapshots are kept; of the blocks, all in the table")
    assert json.loads(run(cli, "retention", MACHINE, "--json").stdout)["head"] == 30


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--snapshots", "few"), "--snapshots 'few' is no number"),
        (("--blocks", "-1"), "--blocks '-1' is no number"),
        (("--thin", "daily"), "'daily' thins nothing"),
        (("--keep-all", "--days", "3"), "--keep-all keeps everything"),
        (("--thin", "1d/30d"), "nothing to thin"),
    ],
)
def test_wrong_options_are_told(cli: CliRunner, words: tuple[str, ...], what: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(what)):
        run(cli, "retention", MACHINE, *words)


def test_pruning_is_planned_and_done(cli: CliRunner, stack: PruneStack) -> None:
    run(cli, "retention", MACHINE, "--snapshots", "2", "--blocks", "12")
    planned = run(cli, "prune", MACHINE, "--dry-run")
    assert stack.taken() == [5, 10, 15, 20, 25, 30]
    lines = [" ".join(line.split()) for line in planned.stdout.splitlines()]
    assert lines[1:3] == ["snapshots 4 5, 10, 15, 20", "blocks out of the table 18 1 to 18"]
    assert planned.stderr == (
        "m: 0 bytes of the bucket would be freed; the newest 12 blocks are kept\n"
        "before blocks go, snapshot 30 is read whole\n"
    )
    done = run(cli, "prune", MACHINE)
    assert done.stdout == planned.stdout
    assert done.stderr == "m: 0 bytes of the bucket freed; the newest 12 blocks are kept\n"
    assert stack.taken() == [25, 30]
    nothing = run(cli, "prune", MACHINE)
    assert (nothing.stdout, nothing.stderr) == (
        "",
        "m: nothing to prune; the newest 12 blocks are kept\n",
    )
    stack.pass_time(2 * DAY)
    answer = json.loads(run(cli, "prune", MACHINE, "--json").stdout)
    assert (answer["copies"], answer["dry_run"]) == (4, False)
    assert answer["bytes"] > 0
