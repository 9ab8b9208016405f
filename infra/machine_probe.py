"""Imports the machine as the Lambda will, in a process of its own, before anything is deployed.

The parent calls `check`; the child runs this file as a script, sees only the staged code, the
packages that the Lambda will have and the standard library, and answers with one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.machine_spec import MachineSource

_PATIENCE = 60
"""Seconds that the import of a machine may take."""

_RUNTIME_BRINGS = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
"""Top-level packages that Lambda's managed Python runtime holds besides the standard library."""


def check(source: MachineSource, *, code: Path, dependencies: Path) -> None:
    """Import `source` from `code`; raise `MachineError` unless the Lambda can use it.

    A package that is installed here but neither in `dependencies` nor in the managed runtime
    counts as missing, because it would be missing in the cloud.
    """
    # Here and not above: the child has no `infra` to import.
    from infra.errors import MachineError  # noqa: PLC0415

    question = {
        "module": source.module,
        "class_name": source.class_name,
        "code": str(code),
        "dependencies": str(dependencies),
        "installed": sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}),
        "packages": sorted(
            _RUNTIME_BRINGS | {entry.name.split(".")[0] for entry in dependencies.iterdir()}
        ),
    }
    # -I and -S hide the project, PYTHONPATH and editable installs: the Lambda has none of them.
    command = [sys.executable, "-I", "-S", "-B", __file__, json.dumps(question)]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE, cwd=code
        )
    except subprocess.TimeoutExpired as late:
        raise MachineError(
            f"machine {source.importable}: its import takes more than {_PATIENCE} seconds; "
            "move work out of the module's top level"
        ) from late
    try:
        problem = json.loads(child.stdout)
    except ValueError:
        problem = f"Python died while importing it:\n{child.stderr.strip()}"
    if problem is not None:
        raise MachineError(f"machine {source.importable}: {problem}")


class _LambdaPackages:
    """Finds those installed packages that the Lambda will have too, and no others.

    The asset's own wheels may be for another architecture, so their installed twins stand in.
    """

    def __init__(self, names: frozenset[str], installed: list[str]) -> None:
        self.names = names
        self.installed = installed

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: object = None
    ) -> ModuleSpec | None:
        """Answer for top-level names only; sub-modules are found through their package."""
        if path is not None or name not in self.names:
            return None
        return PathFinder.find_spec(name, self.installed)


def _problem(module: str, class_name: str, packages: frozenset[str]) -> str | None:
    """What keeps the Lambda from using the class, or None."""
    try:
        from blockfold import Machine  # noqa: PLC0415

        found = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        return _missing(module, str(missing.name), packages)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's module raises
        where = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"importing it raised {type(error).__name__}: {error} "
            f"({Path(where.filename).name}, line {where.lineno})"
        )
    machines = {
        name
        for name, value in vars(found).items()
        if isinstance(value, type) and issubclass(value, Machine) and value is not Machine
    }
    if class_name in machines:
        return None
    exists = hasattr(found, class_name)
    what = "it is no subclass of blockfold.Machine" if exists else "there is no such class"
    return f"{what}; {module} has {', '.join(sorted(machines)) or 'no machine at all'}"


def _missing(module: str, absent: str, packages: frozenset[str]) -> str:
    if module == absent or module.startswith(absent + "."):
        return (
            f"there is no module {absent!r} in the project or in lambdas/requirements.txt; "
            "for a file anywhere write path/to/file.py:Class"
        )
    if absent.split(".", maxsplit=1)[0] in packages:
        return (
            f"it imports {absent!r}, which the Lambda will have but this Python has not: "
            "run `pip install -r lambdas/requirements.txt`"
        )
    return (
        f"it imports {absent!r}, which the Lambda does not have: list a third-party package in "
        "lambdas/requirements.txt; put a module of yours into one package with the machine "
        "(a directory with an __init__.py)"
    )


def _main(question: str) -> None:
    asked = json.loads(question)
    answer, sys.stdout = sys.stdout, sys.stderr  # a machine may print while it is imported
    packages = frozenset(asked["packages"])
    sys.path = [asked["code"], *sys.path, asked["dependencies"]]
    sys.meta_path.insert(
        sys.meta_path.index(PathFinder), _LambdaPackages(packages, asked["installed"])
    )
    json.dump(_problem(asked["module"], asked["class_name"], packages), answer)


if __name__ == "__main__":
    _main(sys.argv[1])
