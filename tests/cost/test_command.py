"""``blockfold cost``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blockfold.cli.app import app
from blockfold.cli.cost import number
from blockfold.domain.errors import Misconfigured

MACHINE = "machines/remember.py:Remember"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["cost", *words], env={"COLUMNS": "80"})


def asked(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5000000", 5e6), ("5_000_000", 5e6), ("5,000,000", 5e6), ("5e6", 5e6), ("5E+6", 5e6),
     ("5M", 5e6), ("2.5k", 2500), ("1G", 1e9), ("0", 0)],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["five", "", "-1", "1e999", "5MM", "nan", "inf", "1.2.3"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(Misconfigured, match="no number"):
        number(text)


def test_the_table_fits_a_terminal_and_adds_up() -> None:
    result = run("--actions", "5M", "--count", "10", "--keys", "50")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    services = [float(line.split()[-1]) for line in lines if line[:1].isupper()]
    (total,) = [float(line.split()[-1]) for line in lines if line.startswith("all")]
    assert sum(services) == pytest.approx(total, abs=0.05)
    assert "history" in result.stderr
    assert "left out" in result.stderr


def test_json_has_what_the_table_has_and_the_counts() -> None:
    answer = asked("--actions", "1M", "--count", "0", "--keys", "50", "--machines", "2")
    assert answer["dollars"] == pytest.approx(sum(each["dollars"] for each in answer["lines"]))
    assert answer["dollars"] == pytest.approx(sum(answer["services"].values()))
    assert answer["per_million_actions"] == pytest.approx(answer["dollars"])
    assert answer["counts"]["executor"]["log_units"] > 0


def test_a_machine_of_one_s_own(tmp_path: Path) -> None:
    file = tmp_path / "actions.jsonl"
    lines = [
        {
            "type": "remember",
            "args": {"subject": f"subject {each}", "text": "long " * 300, "user": "ada"},
        }
        for each in range(40)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    answer = asked("--actions", "1M", "--machine", MACHINE, "--sample", str(file))
    assert answer["counts"]["actions"] == 36, "a tenth came before"
    state = answer["counts"]["executor"]["state_units"]
    assert state >= 2 * 36, "a value above 1 KB takes two units"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--machine", MACHINE], "a sample of its actions"),
        (["--sample", "nowhere.jsonl"], "a sample of its actions"),
        (["--machine", MACHINE, "--sample", "nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["--machines", "0"], "machines must be at least 1"),
    ],
)
def test_what_is_wrong_is_told(words: list[str], message: str) -> None:
    result = run("--actions", "1M", *words)
    assert isinstance(result.exception, Misconfigured)
    assert message in str(result.exception)
