"""What lies in the Lambda asset, and how its dependencies get there."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import dependencies, machine_probe
from infra.bundle import REQUIREMENTS, staged
from infra.errors import DependencyError
from infra.options import Platform

IMPORT_HANDLERS = """
import importlib, importlib.util, sys
from pathlib import Path
asset, probe, *installed = sys.argv[1:]
spec = importlib.util.spec_from_file_location("machine_probe", probe)
machine_probe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(machine_probe)
sys.path.insert(0, asset)
runtime = machine_probe._LambdaPackages(machine_probe._RUNTIME_BRINGS, installed)
sys.meta_path.insert(0, runtime)
for file in sorted(Path(asset, "lambdas").glob("[a-z]*.py")):
    print(importlib.import_module(f"lambdas.{file.stem}").handler.__name__)
"""
"""Run without site-packages: what a handler finds is the asset and the runtime's boto3."""

ROOT = Path(__file__).resolve().parents[2]
FOREST = "machines.forest:Forest"


def contents(project: Path, platform: Platform = Platform.HOST) -> dict[str, bytes]:
    with staged(root=project, machine=FOREST, platform=platform) as bundle:
        return {
            path.relative_to(bundle.directory).as_posix(): path.read_bytes()
            for path in bundle.directory.rglob("*")
            if path.is_file()
        }


@pytest.mark.parametrize("platform", list(Platform))
def test_the_asset_holds_what_the_lambda_runs_and_no_more(
    project: Path, platform: Platform
) -> None:
    assert set(contents(project, platform)) == {
        "blockfold/__init__.py",
        "blockfold/domain/block.py",
        "blockfold/domain/local/__init__.py",  # only blockfold.local is the terminal's
        "lambdas/__init__.py",
        "lambdas/executor.py",
        "machines/__init__.py",
        "machines/forest.py",
        "machines/species.py",
        "treelib-1.0.dist-info/INSTALLER",
        "treelib-1.0.dist-info/METADATA",
        "treelib-1.0.dist-info/REQUESTED",
        "treelib-1.0.dist-info/WHEEL",
        "treelib-1.0.dist-info/entry_points.txt",
        "treelib.py",
    }


def test_the_same_inputs_give_the_same_bytes(project: Path) -> None:
    first = contents(project)
    litter = project / "machines" / "__pycache__"
    litter.mkdir()
    (litter / "forest.cpython-311.pyc").write_bytes(b"compiled")
    (project / "machines" / ".forest.py.swp").write_bytes(b"being edited")
    for path in project.rglob("*.py"):
        path.touch()
    assert contents(project) == first


def test_the_code_is_readable_whatever_the_umask_was(project: Path) -> None:
    (project / "machines").chmod(0o700)
    (project / "machines" / "forest.py").chmod(0o600)
    with staged(root=project, machine=FOREST, platform=Platform.HOST) as bundle:
        for path in bundle.directory.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)


def test_nothing_is_left_behind_but_the_installed_dependencies(project: Path) -> None:
    contents(project)
    assert [entry.name for entry in (project / "build").iterdir()] == ["dependencies"]
    (kept,) = (project / "build" / "dependencies").iterdir()
    assert kept.name.startswith("host-")


def test_dependencies_are_installed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(project / "build")
    first = contents(project)
    monkeypatch.setattr(subprocess, "Popen", _only_probes(subprocess.Popen))
    assert contents(project) == first


def _only_probes(popen: type[subprocess.Popen[str]]) -> type[subprocess.Popen[str]]:
    """A Popen that refuses to run pip."""

    class Watched(popen):  # type: ignore[misc, valid-type]
        def __init__(self, command: list[str], **options: Any) -> None:
            assert "pip" not in command
            super().__init__(command, **options)

    return Watched


def test_other_requirements_are_installed_apart(project: Path, tmp_path: Path) -> None:
    requirements = project / REQUIREMENTS
    cache = tmp_path / "cache"
    first = dependencies.installed(requirements, platform=Platform.HOST, cache=cache)
    requirements.write_text(requirements.read_text() + "# another comment\n")
    second = dependencies.installed(requirements, platform=Platform.HOST, cache=cache)
    for_lambda = dependencies.installed(requirements, platform=Platform.LAMBDA, cache=cache)
    assert len({first, second, for_lambda}) == 3


@pytest.mark.parametrize(
    ("platform", "hint"),
    [
        (Platform.LAMBDA, "must have a wheel for Python 3.14 on Linux aarch64"),
        (Platform.HOST, "check the network"),
    ],
)
def test_a_failure_of_pip_names_the_package_and_the_way_out(
    project: Path, platform: Platform, hint: str
) -> None:
    (project / REQUIREMENTS).write_text("--no-index\nno-such-tree==1.0\n")
    with pytest.raises(DependencyError) as failed:
        contents(project, platform)
    assert hint in str(failed.value)
    assert "no-such-tree==1.0" in str(failed.value)
    assert not list((project / "build" / "dependencies").glob(".installing*"))


def test_a_python_without_pip_is_told_how_to_get_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(project / "build")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.chdir(project)
    (project / "pip.py").write_text("raise SystemExit('No module named pip')\n")
    with pytest.raises(DependencyError, match="-m ensurepip"):
        contents(project)


def test_the_real_handlers_import_from_the_asset_and_the_runtimes_boto3_alone() -> None:
    with staged(root=ROOT, machine=FOREST, platform=Platform.HOST) as bundle:
        command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT_HANDLERS]
        command += [str(bundle.directory), machine_probe.__file__, sysconfig.get_path("purelib")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("handler") == len(done.stdout.split()) > 0


def test_the_real_requirements_are_pinned_and_complete() -> None:
    pins = {}
    for line in (ROOT / REQUIREMENTS).read_text().splitlines():
        if line and not line.startswith("#"):
            pinned = re.fullmatch(r"([a-z0-9_-]+)==([0-9.]+)", line)
            assert pinned, line
            pins[canonicalize_name(pinned[1])] = pinned[2]
    for name in pins:
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert needed.specifier.contains(pins[canonicalize_name(needed.name)]), line
