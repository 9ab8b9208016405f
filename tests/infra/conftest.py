"""A small project to synthesize, and the stack's template in each of its variants."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import dependencies
from infra.nag import check_on_synth
from infra.options import Platform, Stage
from infra.stack import BlockfoldStack
from infra.synth import project_context

# After `infra`, which chooses the Node that `aws_cdk` starts.
from aws_cdk import App  # isort: skip

from infra.bundle import Bundle

ROOT = Path(__file__).resolve().parents[2]

Synthesize = Callable[[Stage, Platform], "dict[str, Any]"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """An asset with next to nothing in it."""
    asset = tmp_path_factory.mktemp("asset")
    (asset / "code.py").write_text("")
    return Bundle(directory=asset, machine="machines.forest:Forest")


@pytest.fixture(scope="session")
def assembly(
    tmp_path_factory: pytest.TempPathFactory, bundle: Bundle
) -> Callable[[Stage, Platform], Path]:
    """Synthesizes the stack around an empty asset, nag rules included, once for each variant."""
    made: dict[tuple[Stage, Platform], Path] = {}

    def synthesize(stage: Stage, platform: Platform) -> Path:
        if (stage, platform) not in made:
            out = tmp_path_factory.mktemp(f"{stage.value}-{platform.value}")
            app = App(outdir=str(out), context=project_context(ROOT), analytics_reporting=False)
            BlockfoldStack(
                app,
                "Blockfold",
                bundle=bundle,
                stage=stage,
                platform=platform,
                count=100,
                action_seconds=5,
            )
            check_on_synth(app)
            app.synth()
            made[stage, platform] = out
        return made[stage, platform]

    return synthesize


@pytest.fixture(scope="session")
def synthesize(assembly: Callable[[Stage, Platform], Path]) -> Synthesize:
    """Gives the template of a variant."""

    def template(stage: Stage, platform: Platform) -> dict[str, Any]:
        file = assembly(stage, platform) / "Blockfold.template.json"
        loaded: dict[str, Any] = json.loads(file.read_text())
        return loaded

    return template


@pytest.fixture(scope="session")
def dev(synthesize: Synthesize) -> dict[str, Any]:
    """The template that `cdk deploy` takes by default."""
    return synthesize(Stage.DEV, Platform.LAMBDA)


@pytest.fixture(scope="session")
def prod(synthesize: Synthesize) -> dict[str, Any]:
    """The template of `-c stage=prod`."""
    return synthesize(Stage.PROD, Platform.LAMBDA)


@pytest.fixture(scope="session")
def requirements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A requirements.txt with one wheel of our own making, so that tests need no network."""
    folder = tmp_path_factory.mktemp("requirements")
    file = folder / "requirements.txt"
    file.write_text(f"{_wheel(folder)}\n")
    return file


@pytest.fixture(scope="session")
def installed(requirements: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What bundling leaves in `build/dependencies` when it ran before for the host."""
    cache = tmp_path_factory.mktemp("dependencies")
    dependencies.installed(requirements, platform=Platform.HOST, cache=cache)
    return cache


@pytest.fixture
def project(tmp_path: Path, requirements: Path, installed: Path) -> Path:
    """A project of the same shape as this one, bundled before, with one dependency."""
    root = tmp_path / "project"
    _write(root, "blockfold/__init__.py", "class Machine: ...\n")
    _write(root, "blockfold/domain/block.py", "HEAD = 1\n")
    _write(root, "blockfold/domain/local/__init__.py", "")
    _write(root, "blockfold/cli/__init__.py", "import typer\n")
    _write(root, "blockfold/local/__init__.py", "import subprocess\n")
    _write(root, "lambdas/__init__.py", "")
    _write(root, "lambdas/executor.py", "def handler(event, context): ...\n")
    _write(root, "lambdas/requirements.txt", requirements.read_text())
    _write(root, "machines/__init__.py", "")
    _write(root, "machines/species.py", "OAK = 'oak'\n")
    _write(
        root,
        "machines/forest.py",
        "import treelib\nfrom blockfold import Machine\nfrom machines.species import OAK\n"
        "print('noise on stdout')\nclass Forest(Machine): ...\nclass Plain: ...\n",
    )
    shutil.copytree(installed, root / "build" / "dependencies")
    for name in ("app.py", "cdk.json"):
        shutil.copyfile(ROOT / name, root / name)
    return root


def _write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _wheel(folder: Path) -> Path:
    """A wheel with a module and a script."""
    wheel = folder / "treelib-1.0-py3-none-any.whl"
    info = "treelib-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("treelib.py", "def main(): ...\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: treelib\nVersion: 1.0\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntree=treelib:main\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel
