"""The three commands on a stack in memory: questions, interruptions, progress, what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from blockfold.adapters.aws import unavailable
from blockfold.cli import delete as delete_module
from blockfold.cli import drill as drill_module
from blockfold.cli import rebuild as rebuild_module
from blockfold.cli import steps
from blockfold.cli.app import app
from blockfold.domain.errors import BlockfoldError, Misconfigured, NotFound, Refused, Unavailable
from tests.faults import Faults
from tests.properties.histories import MACHINE
from tests.rebuild.test_rebuild import erased_under_a_warm_executor, grown
from tests.rebuild.world import World
from tests.snapshots.stack import put


@dataclass
class Gate:
    """An intake that notes what it is told, and may fail."""

    calls: list[str] = field(default_factory=list)
    trouble: dict[str, BaseException] = field(default_factory=dict)

    def _do(self, call: str) -> None:
        self.calls.append(call)
        if call in self.trouble:
            raise self.trouble[call]

    def pause(self) -> None:
        self._do("pause")

    def resume(self) -> None:
        self._do("resume")


@dataclass
class Bench:
    """The command line on a `World`.

    Attributes:
        faults: What strikes the rebuild or the deletion.
    """

    world: World
    intake: Gate = field(default_factory=Gate)
    faults: Faults = field(default_factory=Faults)

    def run(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, arguments, input=stdin)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, (done.stderr, done.exception)
        return json.loads(done.stdout)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(grown())

    def connect(_name: str | None = None) -> Any:
        return SimpleNamespace(
            intake=bench.intake,
            rebuilder=bench.world.rebuilder(bench.faults),
            deleter=bench.world.deleter(bench.faults),
            drill=bench.world.drill(),
            adapters=SimpleNamespace(machines=bench.world.machines),
        )

    for module in (rebuild_module, delete_module, drill_module):
        monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(steps, "SECONDS", 0.0)
    return bench


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody can be asked."""
    for module in (rebuild_module, delete_module):
        asked = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr(module, "sys", asked)


def interrupt() -> None:
    raise KeyboardInterrupt


# -- rebuild ---------------------------------------------------------------------------------------


def test_a_rebuild_pauses_resumes_and_answers(bench: Bench) -> None:
    before = bench.world.tables()
    bench.world.lose()
    done = bench.json("rebuild", "--all", "--yes")
    assert bench.intake.calls == ["pause", "resume"]
    assert [(each["machine"], each["epoch"], each["ok"]) for each in done] == [
        ("copy", 1, True),
        (MACHINE, 1, True),
    ]
    assert bench.world.tables()["rows"] == before["rows"]
    assert bench.json("rebuild", MACHINE, "--yes")["blocks"] == 0


def test_its_progress_is_told_as_json_lines(bench: Bench) -> None:
    bench.world.lose()
    done = bench.run("rebuild", MACHINE, "--yes", "--json")
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {each["done"] for each in told} == {"blocks", "read", "rows"}
    assert told[-1] == {"machine": MACHINE, "done": "rows", "count": 8, "total": None}
    assert {"machine": MACHINE, "done": "blocks", "count": 12, "total": 12} in told


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    bench.world.lose()
    before = bench.world.contents()
    (plan,) = bench.json("rebuild", MACHINE, "--dry-run")
    assert (plan["number"], plan["blocks"], plan["begins"]) == (12, 12, True)
    assert "blocks to put back" in bench.run("rebuild", "--all", "--dry-run").stdout
    assert bench.world.contents() == before
    assert bench.intake.calls == []


@pytest.mark.parametrize("arguments", [(), (MACHINE, "--all")])
@pytest.mark.parametrize("command", ["rebuild", "drill"])
def test_one_or_all_must_be_said(bench: Bench, command: str, arguments: tuple[str, ...]) -> None:
    error = bench.run(command, *arguments).exception
    assert isinstance(error, Misconfigured)
    assert "say which machine" in error.message


def test_without_somebody_to_ask_it_must_be_meant(bench: Bench) -> None:
    error = bench.run("rebuild", MACHINE).exception
    assert isinstance(error, Misconfigured)
    assert "--yes" in error.hint
    assert bench.intake.calls == []


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_somebody_is_asked(bench: Bench, answer: str, code: int) -> None:
    bench.world.lose()
    assert bench.run("rebuild", "--all", stdin=answer).exit_code == code
    assert bench.intake.calls == (["pause", "resume"] if code == 0 else [])
    assert (bench.world.head() == 12) == (code == 0)


def test_interrupted_it_lets_actions_in_and_says_how_to_go_on(bench: Bench) -> None:
    bench.world.lose()
    lost, rehearsal = grown(), Faults()
    lost.lose()
    rebuilder = lost.rebuilder(rehearsal)
    rebuilder.plan(MACHINE)  # for the eyes; once more when the intake is paused
    rebuilder.carry_out(rebuilder.plan(MACHINE))
    rows = [at for at, name in enumerate(rehearsal.steps) if name == "table.write.row"]
    bench.faults = Faults(at=[rows[3]], strike=interrupt)
    done = bench.run("rebuild", MACHINE, "--yes")
    assert done.exit_code == 130
    assert bench.intake.calls == ["pause", "resume"]
    assert "go on where it stopped with: blockfold rebuild m" in done.stderr
    assert len(list(bench.world.table.scan(MACHINE))) == 3
    bench.faults = Faults()
    assert bench.run("rebuild", "--all", "--yes").exit_code == 0
    bench.world.assert_whole()


def test_an_intake_that_does_not_resume_is_told(bench: Bench) -> None:
    bench.intake.trouble["resume"] = Unavailable("Lambda did not answer")
    done = bench.run("rebuild", MACHINE, "--yes")
    assert isinstance(done.exception, Unavailable)
    assert "the intake may still be paused: run this again" in done.stderr


def test_an_intake_that_does_not_pause_is_resumed_and_nothing_is_done(bench: Bench) -> None:
    bench.world.lose()
    bench.intake.trouble["pause"] = Unavailable("Lambda did not answer")
    assert isinstance(bench.run("rebuild", MACHINE, "--yes").exception, Unavailable)
    assert bench.intake.calls == ["pause", "resume"]
    assert bench.world.head() == 0


def test_ones_trouble_stops_no_other(bench: Bench) -> None:
    bench.world.lose()
    (segment, *_) = bench.world.archive.segments("copy")
    bench.world.objects.replace(segment.key, b"damaged")
    done = bench.run("rebuild", "--all", "--yes")
    assert done.exit_code == 1
    assert "1 machine could not be rebuilt" in done.stderr
    assert segment.key in done.stderr.replace("\n", "")
    assert bench.world.head() == 12


def test_a_state_that_is_not_the_heads_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.world, executor = erased_under_a_warm_executor()
    bench.world.run(put("count", 99), by=executor)
    done = bench.run("rebuild", MACHINE, "--yes")
    assert done.exit_code == 1
    assert "blocks were executed while rows were lost" in done.stderr


def missing_table() -> None:
    vendor = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "Query")
    raise unavailable("could not read the head", vendor) from vendor


@pytest.mark.parametrize(
    "arguments",
    [("rebuild", "--all", "--yes"), ("rebuild", MACHINE), ("delete", MACHINE)],
)
def test_a_missing_table_calls_for_a_deployment(bench: Bench, arguments: tuple[str, ...]) -> None:
    bench.faults = Faults(at=range(99), strike=missing_table)
    error = bench.run(*arguments).exception
    assert isinstance(error, NotFound)
    assert "deploy the stack again first" in error.hint


# -- delete ----------------------------------------------------------------------------------------


def test_a_deletion_is_confirmed_by_the_id(bench: Bench) -> None:
    for machine in ("copy", MACHINE):
        gone = bench.json("delete", machine, "--confirm", machine)
        assert (gone["machine"], gone["late"]) == (machine, False)
    assert bench.intake.calls == ["pause", "resume"] * 2
    assert bench.world.contents() == {"records": [], "blocks": {}, "rows": {}, "objects": {}}


def refused_by(bench: Bench, *arguments: str) -> BlockfoldError:
    before = bench.world.contents()
    error = bench.run("delete", *arguments).exception
    assert isinstance(error, BlockfoldError)
    assert bench.world.contents() == before
    assert bench.intake.calls == []
    return error


def test_whatever_else_is_confirmed_deletes_nothing(bench: Bench) -> None:
    assert isinstance(refused_by(bench, "copy", "--confirm", "cop"), Refused)
    assert isinstance(refused_by(bench, MACHINE, "--confirm", MACHINE), Refused)
    error = refused_by(bench, "copy")
    assert isinstance(error, Misconfigured)
    assert error.hint == "add --confirm copy if you mean it"
    assert isinstance(refused_by(bench, "copy", "--json"), Misconfigured)
    assert isinstance(refused_by(bench, "nobody", "--confirm", "nobody"), NotFound)


@pytest.mark.usefixtures("terminal")
def test_the_id_is_typed(bench: Bench) -> None:
    error = bench.run("delete", "copy", stdin="yes\n").exception
    assert isinstance(error, Refused)
    assert "nothing was deleted" in error.message
    done = bench.run("delete", "copy", stdin="copy\n")
    assert done.exit_code == 0
    assert "copy is gone" in done.stderr
    assert bench.world.machines.get("copy") is None


def test_a_deletion_can_be_looked_at(bench: Bench) -> None:
    before = bench.world.contents()
    assert bench.json("delete", MACHINE, "--dry-run")["heirs"] == ["copy"]
    shown = bench.run("delete", MACHINE, "--dry-run")
    assert shown.exit_code == 0
    assert "copy was forked from it" in shown.stderr
    assert bench.world.contents() == before


def test_an_interrupted_deletion_goes_on(bench: Bench) -> None:
    rehearsal = Faults()
    deleter = grown().deleter(rehearsal)
    deleter.carry_out(deleter.plan("copy"))
    bench.faults = Faults(at=[rehearsal.steps.index("eraser.erase_blocks")], strike=interrupt)
    done = bench.run("delete", "copy", "--confirm", "copy")
    assert done.exit_code == 130
    assert bench.intake.calls == ["pause", "resume"]
    assert "go on where it stopped with: blockfold delete copy" in done.stderr
    bench.faults = Faults()
    shown = bench.run("delete", "copy", "--confirm", "copy")
    assert "copy (a deletion was begun)" in shown.stderr
    assert bench.world.machines.get("copy") is None


# -- drill -----------------------------------------------------------------------------------------


def test_a_drill_reports_and_asks_nobody(bench: Bench) -> None:
    done = bench.json("drill", MACHINE)
    assert (done["machine"], done["number"], done["rows"], done["ok"]) == (MACHINE, 12, 8, True)
    assert [each["machine"] for each in bench.json("drill", "--all")] == ["copy", MACHINE]
    shown = bench.run("drill", "--all")
    assert shown.stdout.splitlines()[0].split() == [
        "machine", "head", "RPO", "blocks", "RTO", "rows", "rows/s", "ok",
    ]  # fmt: skip
    assert bench.intake.calls == []


@pytest.mark.parametrize(("rpo", "code"), [("60s", 0), ("59s", 1), ("none", 0), ("1m", 0)])
def test_a_limit_of_the_loss_can_be_set(bench: Bench, rpo: str, code: int) -> None:
    block = bench.world.run(put("late", 1))
    bench.world.clock.milliseconds = block.header.time + 60_000
    assert bench.run("drill", MACHINE, "--rpo", rpo).exit_code == code


def damage(world: World) -> None:
    (segment, *_) = world.archive.segments("copy")
    world.objects.replace(segment.key, b"damaged")


@pytest.mark.parametrize("strike", [damage, World.lose])
def test_what_a_drill_finds_is_told_for_all(bench: Bench, strike: Callable[[World], None]) -> None:
    strike(bench.world)
    done = bench.run("drill", "--all")
    assert done.exit_code == 1
    assert "2 machines rehearsed; something is wrong with" in done.stderr
    found = json.loads(bench.run("drill", "--all", "--json").stdout)
    assert [each["ok"] for each in found] == [False, strike is damage]
