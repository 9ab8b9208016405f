"""Machine specs: where they point, and what is said when the Lambda could not use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import machine_probe
from infra.bundle import staged
from infra.errors import MachineError
from infra.machine_spec import locate
from infra.options import Platform

REDWOOD = "from blockfold import Machine\nclass Redwood(Machine): ...\n"


def bundle(project: Path, machine: str) -> tuple[str, set[str]]:
    """Stage the asset; give back the machine's importable name and all files."""
    with staged(root=project, machine=machine, platform=Platform.HOST) as made:
        files = {
            path.relative_to(made.directory).as_posix()
            for path in made.directory.rglob("*")
            if path.is_file()
        }
        return made.machine, files


def test_a_module_brings_its_package_along(project: Path) -> None:
    machine, files = bundle(project, "machines.forest:Forest")
    assert machine == "machines.forest:Forest"
    assert {"machines/__init__.py", "machines/forest.py", "machines/species.py"} <= files


def test_a_module_in_the_root_comes_alone(project: Path) -> None:
    (project / "redwood.py").write_text(REDWOOD)
    machine, files = bundle(project, "redwood:Redwood")
    assert machine == "redwood:Redwood"
    assert "redwood.py" in files
    assert "machines/forest.py" not in files


@pytest.mark.parametrize("absolute", [True, False])
def test_a_file_anywhere_stands_in_the_assets_root(
    project: Path, tmp_path: Path, absolute: bool
) -> None:
    file = tmp_path / "elsewhere" / "redwood.py"
    file.parent.mkdir()
    file.write_text(REDWOOD)
    (file.parent / "diary.py").write_text("")
    spec = f"{file}:Redwood" if absolute else "../elsewhere/redwood.py:Redwood"
    machine, files = bundle(project, spec)
    assert machine == "redwood:Redwood"
    assert "redwood.py" in files
    assert "diary.py" not in files


def test_a_file_in_a_package_brings_the_whole_package(project: Path, tmp_path: Path) -> None:
    inner = tmp_path / "elsewhere" / "wood" / "tall"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("")
    (inner.parent / "rings.py").write_text("")
    (inner / "__init__.py").write_text("")
    (inner / "redwood.py").write_text("from wood import rings\n" + REDWOOD)
    machine, files = bundle(project, f"{inner / 'redwood.py'}:Redwood")
    assert machine == "wood.tall.redwood:Redwood"
    assert {"wood/__init__.py", "wood/rings.py", "wood/tall/redwood.py"} <= files


def test_a_file_of_this_project_is_the_module_that_it_is(project: Path) -> None:
    source = locate("machines/forest.py:Forest", root=project)
    assert source.importable == "machines.forest:Forest"
    assert source.tree == (project / "machines").resolve()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("machines.forest", "write it as machines.forest:Forest or path/to/file.py:Class"),
        ("machines.forest:", "is not understood"),
        (":Forest", "is not understood"),
        ("machines.forest:For est", "is not understood"),
        ("machines-forest:Forest", "'machines-forest' is no module name"),
        ("absent.py:Forest", "there is no file "),
        ("my-forest.py:Forest", "cannot import 'my-forest'; rename it"),
        ("json.py:Forest", "would hide Python's own module"),
        ("lambdas.py:Forest", "'lambdas' is also a module of Blockfold or of a dependency"),
        ("treelib.py:Forest", "'treelib' is also a module of"),
        ("nowhere:Forest", "there is no module 'nowhere' in the project"),
        ("machines.desert:Forest", "there is no module 'machines.desert'"),
        ("machines.forest:Oak", "there is no such class; machines.forest has Forest"),
        ("machines.forest:Plain", "it is no subclass of blockfold.Machine; machines.forest has"),
        ("machines.forest:Machine", "machines.forest has Forest"),
        ("machines.species:OAK", "machines.species has no machine at all"),
    ],
)
def test_a_spec_that_leads_nowhere_is_refused(project: Path, spec: str, message: str) -> None:
    for name in ("my-forest.py", "json.py", "lambdas.py", "treelib.py"):
        (project / name).write_text(REDWOOD.replace("Redwood", "Forest"))
    with pytest.raises(MachineError) as refused:
        bundle(project, spec)
    assert message in str(refused.value)
    assert spec.rpartition(":")[0].removesuffix(".py") in str(refused.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0\n", "raised ZeroDivisionError: division by zero (redwood.py, line 1)"),
        ("def broken(:\n", "raised SyntaxError"),
        ("import sys\nsys.exit(3)\n", "raised SystemExit"),
        ("import os\nos._exit(3)\n", "Python died while importing it"),
        ("import helpers\n", "it imports 'helpers', which the Lambda does not have"),
        ("import pytest\n", "list a third-party package in lambdas/requirements.txt"),
        ("import blockfold.cli\n", "it imports 'blockfold.cli', which the Lambda does not have"),
        ("import treelib.bark\n", "which the Lambda will have but this Python has not"),
    ],
)
def test_a_machine_that_does_not_import_is_refused(project: Path, code: str, message: str) -> None:
    (project / "helpers.py").write_text("")
    (project / "redwood.py").write_text(code)
    with pytest.raises(MachineError) as refused:
        bundle(project, "redwood.py:Redwood")
    assert "machine redwood:Redwood: " in str(refused.value)
    assert message in str(refused.value)


def test_a_machine_that_never_finishes_importing_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_probe, "_PATIENCE", 0.5)
    (project / "redwood.py").write_text("while True: ...\n")
    with pytest.raises(MachineError, match="its import takes more than"):
        bundle(project, "redwood.py:Redwood")


def test_an_optional_import_may_be_missing_and_the_runtimes_boto3_may_be_used(
    project: Path,
) -> None:
    optional = "try:\n    import pytest\nexcept ImportError:\n    pytest = None\nimport boto3\n"
    (project / "redwood.py").write_text(optional + REDWOOD)
    machine, _ = bundle(project, "redwood.py:Redwood")
    assert machine == "redwood:Redwood"
