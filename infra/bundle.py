"""The Lambda asset: dependencies, `blockfold`, `lambdas` and the user's machine in one directory.

Built without Docker and the same, byte for byte, whenever its inputs are the same. All functions
of a stack share it: they differ only in their handler.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra import dependencies, machine_probe
from infra.errors import MachineError
from infra.machine_spec import MachineSource, locate
from infra.options import Platform

REQUIREMENTS = Path("lambdas", "requirements.txt")

_NOT_IN_LAMBDA = {"cli", "local", "studio"}
"""Sub-packages of `blockfold` for people in front of a terminal."""

_LITTER = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A staged asset: its directory, and the machine as the Lambda imports it (`module:Class`)."""

    directory: Path
    machine: str


@contextmanager
def staged(*, root: Path, machine: str, platform: Platform) -> Iterator[Bundle]:
    """Stage the asset of the project at `root` for as long as the context lasts.

    CDK copies an asset when its construct is made, so the directory need not outlive that.
    Raises `MachineError` when the machine would not import in the Lambda, and `DependencyError`.
    """
    source = locate(machine, root=root)
    build = root / "build"
    site = dependencies.installed(
        root / REQUIREMENTS, platform=platform, cache=build / "dependencies"
    )
    with tempfile.TemporaryDirectory(prefix="asset-", dir=build) as scratch:
        asset = Path(scratch) / "asset"
        code = Path(scratch) / "code"
        _copy_code(root, source, code, site)
        machine_probe.check(source, code=code, dependencies=site)
        shutil.copytree(site, asset)
        shutil.copytree(code, asset, dirs_exist_ok=True)
        _make_readable(asset)
        yield Bundle(directory=asset, machine=source.importable)


def _copy_code(root: Path, source: MachineSource, code: Path, site: Path) -> None:
    code.mkdir()
    shutil.copytree(root / "blockfold", code / "blockfold", ignore=_ignore_terminal(root))
    shutil.copytree(
        root / "lambdas",
        code / "lambdas",
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "requirements.txt"),
    )
    own = {root / "blockfold", root / "lambdas"}
    if source.tree is None or source.tree in own:
        return
    if source.tree.stem in _modules(code) | _modules(site):
        raise MachineError(
            f"machine {source.importable}: {source.tree.stem!r} is also a module of Blockfold or "
            "of a dependency, and the Lambda can have only one of that name; rename yours"
        )
    if source.tree.is_dir():
        shutil.copytree(source.tree, code / source.tree.name, ignore=_LITTER)
    else:
        shutil.copyfile(source.tree, code / source.tree.name)


def _modules(directory: Path) -> set[str]:
    return {entry.name.split(".", maxsplit=1)[0] for entry in directory.iterdir()}


def _ignore_terminal(root: Path) -> Callable[[str, list[str]], set[str]]:
    """An ignore function that also leaves out the terminal's sub-packages, at the top only."""
    top = root / "blockfold"

    def ignore(directory: str, names: list[str]) -> set[str]:
        left_out = set(_LITTER(directory, names))
        return left_out | _NOT_IN_LAMBDA.intersection(names) if Path(directory) == top else left_out

    return ignore


def _make_readable(asset: Path) -> None:
    """A Lambda runs as another user: whatever the umask here, it must be able to read the code."""
    for path in (asset, *asset.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
