"""The emulator's own environment: made once, made again when its pins change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blockfold.local import InterpreterError, interpreter


def test_every_package_is_pinned_exactly() -> None:
    lines = interpreter.REQUIREMENTS.read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.post]*", line) for line in packages)
    assert "ministack==1.5.33" in packages


def test_it_is_made_once_and_again_when_the_pins_change(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("")
    folder = tmp_path / "environment"
    told: list[str] = []

    def ensure() -> Path:
        return interpreter.ensure(told.append, folder=folder, requirements=requirements)

    python = ensure()
    assert python.exists()
    assert len(told) == 1
    (folder / "witness").touch()
    assert ensure() == python
    assert len(told) == 1
    assert (folder / "witness").exists()

    requirements.write_text("# other pins\n./no-such-wheel.whl\n")
    with pytest.raises(InterpreterError, match="no-such-wheel"):
        ensure()
    assert not interpreter.is_ready(folder, requirements)
    assert not (folder / "witness").exists()
