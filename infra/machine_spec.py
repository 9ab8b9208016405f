"""A machine as the context names it: `module:Class` or `path/to/file.py:Class`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from infra.errors import MachineError

FORMS = "machines.forest:Forest or path/to/file.py:Class"


@dataclass(frozen=True, kw_only=True)
class MachineSource:
    """Where a machine's code lies and how the Lambda imports it.

    `tree` is the file or the package directory that goes into the asset's root;
    None when the module comes from a dependency.
    """

    module: str
    class_name: str
    tree: Path | None

    @property
    def importable(self) -> str:
        """`module:Class`, as the Lambda's environment names it."""
        return f"{self.module}:{self.class_name}"


def locate(spec: str, *, root: Path) -> MachineSource:
    """Find the code of `spec`; relative paths and modules start at the project's `root`.

    Raises `MachineError` when the spec is ill-formed or names a file that is not there.
    """
    place, _, class_name = spec.rpartition(":")
    if not place or not class_name.isidentifier():
        raise MachineError(f"machine {spec!r} is not understood: write it as {FORMS}")
    if place.endswith(".py"):
        return _from_file(spec, root / place, class_name)
    if not all(part.isidentifier() for part in place.split(".")):
        raise MachineError(f"machine {spec!r}: {place!r} is no module name; write it as {FORMS}")
    return MachineSource(module=place, class_name=class_name, tree=_tree(place, root))


def _from_file(spec: str, file: Path, class_name: str) -> MachineSource:
    """A file stands alone, unless it lies in a package: then the whole package comes along."""
    file = file.resolve()
    if not file.is_file():
        raise MachineError(f"machine {spec!r}: there is no file {file}")
    parts = [file.stem] if file.stem != "__init__" else []
    tree, folder = file, file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        tree, folder = folder, folder.parent
    if not all(part.isidentifier() for part in parts):
        raise MachineError(
            f"machine {spec!r}: Python cannot import {'.'.join(parts)!r}; "
            "rename it to letters, digits and underscores"
        )
    if parts[0] in sys.stdlib_module_names:
        raise MachineError(
            f"machine {spec!r}: {parts[0]!r} would hide Python's own module of that name "
            "in the Lambda; rename it"
        )
    return MachineSource(module=".".join(parts), class_name=class_name, tree=tree)


def _tree(module: str, root: Path) -> Path | None:
    top = module.split(".", maxsplit=1)[0]
    candidates = (root / top, root / f"{top}.py")
    return next((path for path in candidates if path.exists()), None)
