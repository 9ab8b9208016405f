"""The machine class for commands that run user code here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from blockfold.bootstrap import load_machine
from blockfold.client import Stack
from blockfold.domain.errors import Misconfigured
from blockfold.domain.machine import Machine


def machine_class(spec: str | None, stack: Stack) -> type[Machine]:
    """The class that is named, or the one that a local stack was started with.

    Args:
        spec: ``module:Class`` or ``path/to/file.py:Class`` seen from the working directory.
        stack: Whose machines it is for.

    Raises:
        Misconfigured: None is named and the stack tells none, or it cannot be loaded.
        DefinitionError: One of its actions is written wrongly.
    """
    if spec is not None:
        return load(spec, Path.cwd())
    if stack.root is None:
        raise Misconfigured(
            f"what code the machines of stack {stack.name!r} run is not known here",
            hint="name it: --machine module:Class or path/to/file.py:Class",
        )
    return load(stack.machine_class or _default(stack.root), stack.root)


def load(spec: str, folder: Path) -> type[Machine]:
    """Import a machine class; names the modules as a deployed stack does.

    Args:
        spec: ``module:Class`` or ``path/to/file.py:Class``.
        folder: Where modules and relative paths begin.

    Raises:
        Misconfigured: There is no such file, module or class, it is no machine, or importing it
            fails.
        DefinitionError: One of its actions is written wrongly.
    """
    module, _, name = spec.rpartition(":")
    file = (folder / module).resolve() if module.endswith(".py") else None
    if file is not None:
        folder, module = _module_of(spec, file)
    sys.path.insert(0, str(folder))
    try:
        there = getattr(importlib.import_module(module), "__file__", None) if module else None
    except Exception as error:
        raise Misconfigured(
            f"the machine {spec!r} cannot be loaded: {type(error).__name__}: {error}",
            hint="write module:Class, or path/to/file.py:Class seen from the working directory",
        ) from error
    if file is not None and (there is None or Path(there).resolve() != file):
        raise Misconfigured(
            f"the machine {spec!r}: Python has another module {module!r}, {there}",
            hint="rename the file",
        )
    return load_machine(f"{module}:{name}")


def _module_of(spec: str, file: Path) -> tuple[Path, str]:
    """Folder and module name of a file: in a package, the package's folder and a dotted name."""
    if not file.is_file():
        raise Misconfigured(
            f"the machine {spec!r}: there is no file {file}",
            hint="paths are seen from the working directory",
        )
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _default(root: Path) -> str:
    """The machine that the project deploys if nobody names one."""
    try:
        settings = json.loads((root / "cdk.json").read_bytes())
        return str(settings["context"]["machine"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"{root / 'cdk.json'} names no machine: {error!r}",
            hint="name it: --machine module:Class or path/to/file.py:Class",
        ) from error
