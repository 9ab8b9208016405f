"""Machines give the same blocks in any process, and the guard finds those that do not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blockfold import Machine
from tests.determinism import flawed
from tests.determinism.guard import BLOCKS
from tests.docs.pages import ROOT, markdown_files, snippets

SEEDS = ("0", "1", "4242")
_CLASS = re.compile(r"^class (\w+)\((?:\w+\.)?Machine\):", re.MULTILINE)


def shipped() -> list[str]:
    """Every machine in `machines/`."""
    return [
        f"machines.{file.stem}:{name}"
        for file in sorted((ROOT / "machines").glob("*.py"))
        for name in _CLASS.findall(file.read_text(encoding="utf-8"))
    ]


def documented(folder: Path) -> list[str]:
    """Every machine on a page, written into a module."""
    found: list[str] = []
    for number, page in enumerate(markdown_files()):
        for index, snippet in enumerate(snippets(page, "python")):
            if names := _CLASS.findall(snippet.text):
                (folder / f"page_{number}_{index}.py").write_text(snippet.text, encoding="utf-8")
                found += [f"page_{number}_{index}:{name}" for name in names]
    return found


def run(python: str, seed: str, shuffle: str, specs: list[str], *paths: Path) -> str:
    """What the guard prints in another process, or how it failed."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [python, "-m", "tests.determinism.guard", shuffle, *specs],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout or done.stderr


def other_pythons() -> list[str]:
    """Other versions of Python on this machine that have msgspec; BLOCKFOLD_PYTHONS names more."""
    named = os.environ.get("BLOCKFOLD_PYTHONS", "").split(os.pathsep)
    names = [f"python3.{minor}" for minor in range(11, 20) if minor != sys.version_info.minor]
    found = {each: None for each in (*named, *map(shutil.which, names)) if each}
    return [
        each
        for each in found
        if subprocess.run(
            [each, "-c", "import msgspec, sys; sys.exit(sys.version_info < (3, 11))"],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    ]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    folder = tmp_path_factory.mktemp("pages")
    ours = ["tests.machines_for_tests:Cells", "tests.machines_for_tests:Journal"]
    return [*shipped(), *documented(folder), *ours], folder


@pytest.fixture(scope="module")
def here(machines: tuple[list[str], Path]) -> str:
    """The blocks of all machines in one process."""
    specs, folder = machines
    said = run(sys.executable, SEEDS[0], "no", specs, folder)
    found = dict(map(json.loads, said.splitlines()))
    assert list(found) == specs, said
    assert all(len(hashes) == BLOCKS for hashes in found.values()), said
    return said


def test_all_that_ship_and_all_on_pages_are_tried(machines: tuple[list[str], Path]) -> None:
    specs, _ = machines
    assert {"machines.forest:Forest", "machines.repository:Repository"} <= set(specs)
    assert {spec.partition(":")[2] for spec in specs if spec.startswith("page_")} >= {
        "Scores",
        "Ledger",
    }


@pytest.mark.parametrize("seed", SEEDS[1:])
def test_hash_seeds_and_orders_of_dictionaries_change_nothing(
    machines: tuple[list[str], Path], here: str, seed: str
) -> None:
    specs, folder = machines
    assert run(sys.executable, seed, seed, specs, folder) == here


def test_other_versions_of_python_change_nothing(
    machines: tuple[list[str], Path], here: str
) -> None:
    specs, folder = machines
    others = other_pythons()
    if not others:
        pytest.skip("no other Python here has msgspec; BLOCKFOLD_PYTHONS may name one")
    for python in others:
        assert run(python, SEEDS[0], "no", specs, folder) == here, python


FLAWED = [
    f"{flawed.__name__}:{name}"
    for name, each in vars(flawed).items()
    if isinstance(each, type) and issubclass(each, Machine) and each is not Machine
]


def test_the_guard_finds_each_flaw() -> None:
    said = [run(sys.executable, seed, "no", FLAWED) for seed in SEEDS[:2]]
    one, other = (dict(map(json.loads, lines.splitlines())) for lines in said)
    assert list(one) == list(other) == FLAWED, said
    assert len(FLAWED) == 7
    missed = [spec for spec in FLAWED if one[spec] == other[spec] and len(one[spec]) == BLOCKS]
    assert missed == []
