"""Whole interpreters: what one records when it exits, and what an import brings along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from blockfold import recorders
from blockfold.recorders import FileRecorder
from tests.docs.pages import ROOT

PROGRAM = """
import sys
from blockfold.recorders import FileRecorder
from tests.recorders.playing import Play

play = Play("lab", FileRecorder(sys.argv[1], "lab", quiet=3600))
play.begin()
play.grow(4)
{end}
"""


def run(end: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise ValueError('oh')", "del play"])
def test_an_interpreter_that_exits_has_recorded(tmp_path: Path, end: str) -> None:
    done = run(end, tmp_path / "kept")
    assert "Traceback" not in done.stderr or "oh" in done.stderr
    found = FileRecorder(tmp_path / "kept", "lab").load_snapshot()
    assert found is not None
    assert found.number == 4


def test_what_cannot_be_recorded_at_exit_is_said(tmp_path: Path) -> None:
    done = run(f"open({str(tmp_path / 'kept')!r}, 'w').close()", tmp_path / "kept")
    assert "not recorded at exit" in done.stderr
    assert "is no folder" in done.stderr


def test_recorders_are_imported_without_boto3() -> None:
    program = (
        "import sys; from blockfold.recorders import FileRecorder, MemoryRecorder\n"
        "print({'boto3', 'botocore'} & set(sys.modules))\n"
        "from blockfold.recorders import S3Bucket, S3Recorder\n"
        "print('boto3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["set()", "True"]


def test_there_is_no_such_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        recorders.Nothing  # noqa: B018


PROGRAMS = {"local/serve.py"}
"""Modules outside the command line that are a process by themselves."""


def exits(path: Path) -> list[str]:
    """Where a module ends the process, or raises what does."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if name in {"sys.exit", "os.abort", "exit", "quit", "SystemExit"}:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")  # type: ignore[attr-defined]
    return found


def test_library_code_never_ends_the_process() -> None:
    package = ROOT / "blockfold"
    assert exits(package / "cli" / "app.py"), "the command line does"
    library = [
        path
        for path in package.rglob("*.py")
        if "cli" not in path.parts and path.relative_to(package).as_posix() not in PROGRAMS
    ]
    assert len(library) > 100
    assert [line for path in library for line in exits(path)] == []
