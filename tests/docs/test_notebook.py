"""The notebook runs in a real kernel, and gives what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "examples").rglob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_what_it_shows(path: Path, tmp_path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    again = nbformat.read(path, as_version=4)
    for cell in again.cells:
        cell.pop("outputs", None)
    sockets = str(tmp_path / "kernel")
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=sockets)
    NotebookClient(again, km=kernel, timeout=60).execute()
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert [shown(cell) for cell in again.cells if cell.cell_type == "code"] == [
        shown(cell) for cell in code
    ]


def shown(cell: Any) -> str:
    """What a cell printed and gave, as text."""
    texts = (each.get("text") or each["data"]["text/plain"] for each in cell.outputs)
    return cell.source + "\n---\n" + "".join(texts)
