"""The local stack as a whole: up, down and status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from blockfold.local import deploy, emulator, interpreter, stack_file
from blockfold.local.assembly import synthesize
from blockfold.local.emulator import Emulator
from blockfold.local.errors import DataFolderError, EmulatorError
from blockfold.local.folder import DataFolder
from blockfold.local.locks import exclusive
from blockfold.local.network import REGION, free_port, is_healthy, port_in_use, port_is_taken
from blockfold.local.stack_file import Deployed, StackFile
from blockfold.local.views import LocalStack, LocalStatus, view

DEFAULT_STACK = "Blockfold"
LOCK_SECONDS = 180.0
PLATFORM = {"platform": "host"}
Report = Callable[[str], None]


def up(
    root: Path,
    *,
    machine: str | None = None,
    port: int | None = None,
    fresh: bool = False,
    stack: str = DEFAULT_STACK,
    context: Mapping[str, str] | None = None,
    report: Report = lambda _: None,
    data: Path | None = None,
) -> LocalStack:
    """Bring `stack` up in the emulator of the data folder and return when it is ready.

    Starts the emulator unless it runs, and leaves it running. Repeating it updates the stack in
    place and keeps the data; another `stack` goes beside those that are there. What is not given
    stays as it was the last time: machine, context, port.

    Args:
        root: The project folder, with app.py.
        machine: ``module:Class``, or ``path/to/file.py:Class`` seen from the working directory.
        port: The emulator's port; a free one by default. Another port than before moves it.
        fresh: Delete all data of the emulator first, that of other stacks included.
        stack: The stack's name.
        context: More CDK context, by key.
        report: Told about each step in one short sentence.
        data: The data folder; ``.blockfold`` in `root` by default.

    Raises:
        LocalStackError: One of its kinds says which step failed, why, and what to do.
    """
    folder = DataFolder.of(root, data)
    with _locked(folder, report):
        if fresh:
            _wipe(folder, report)
        known = stack_file.load(folder.stack_file)
        before = known.stacks.get(stack) if known else None
        machine = _located(root, machine) if machine else (before.machine if before else None)
        context = {**(before.context if before else {}), **(context or {})}
        python = interpreter.ensure(report)
        report(f"synthesizing stack {stack}")
        assembly = synthesize(
            root.resolve(),
            folder.assembly(stack),
            stack=stack,
            context={**context, **({"machine": machine} if machine else {}), **PLATFORM},
        )
        running = _running(folder, python, port, report)
        outputs = deploy.deploy(running.endpoint, assembly, report)
        deployed = Deployed(machine=machine, context=context, outputs=outputs)
        others = _others(running.endpoint, known, stack)
        content = _content(running, known.stack if known else stack, {**others, stack: deployed})
        stack_file.save(folder.stack_file, content)
        return view(content, stack)


def down(root: Path, *, data: Path | None = None, report: Report = lambda _: None) -> bool:
    """Stop the emulator gracefully and keep its data; False when it was not running.

    Raises:
        EmulatorError: It does not stop, or could not save all of its data.
        DataFolderError: Another command is at work in the data folder.
    """
    folder = DataFolder.of(root, data)
    if not folder.path.is_dir():
        return False
    with _locked(folder, report):
        running = emulator.find(folder)
        if running is not None:
            report("stopping the emulator")
            emulator.stop(running)
        known = stack_file.load(folder.stack_file)
        if known is not None and known.pid is not None:
            gone = Emulator(0, known.port, folder)
            stack_file.save(folder.stack_file, _content(gone, known.stack, known.stacks))
        return running is not None


def status(root: Path, *, data: Path | None = None) -> LocalStatus:
    """What runs, without changing anything.

    Raises:
        DataFolderError: ``local.json`` is damaged.
    """
    folder = DataFolder.of(root, data)
    running = emulator.find(folder)
    known = stack_file.load(folder.stack_file)
    return LocalStatus(
        running=running is not None,
        healthy=running is not None and is_healthy(running.port),
        stacks=tuple(view(known, name) for name in known.stacks) if known else (),
        data=folder.path,
        log=folder.log,
    )


def _locked(folder: DataFolder, report: Report) -> AbstractContextManager[None]:
    return exclusive(
        folder.lock,
        timeout=LOCK_SECONDS,
        waiting=lambda: report(f"waiting for another command in {folder.path}"),
    )


def _wipe(folder: DataFolder, report: Report) -> None:
    running = emulator.find(folder)
    if running is not None:
        emulator.destroy(running)
    report("deleting the local data")
    try:
        folder.wipe()
    except OSError as error:
        raise DataFolderError(
            f"the data in {folder.path} cannot be deleted: {error}",
            hint="check who owns the folder, or name another one",
        ) from error


def _located(root: Path, machine: str) -> str:
    """`machine` as app.py understands it: files seen from the working directory become absolute."""
    place, colon, name = machine.rpartition(":")
    if place.endswith(".py") and Path(place).is_file() and not (root / place).is_file():
        return f"{Path(place).resolve()}{colon}{name}"
    return machine


def _running(folder: DataFolder, python: Path, port: int | None, report: Report) -> Emulator:
    """The emulator of `folder`, started or moved to `port` when need be."""
    running = emulator.find(folder)
    if running is not None and port is not None and running.port != port:
        if port_is_taken(port):
            raise port_in_use(port)
        report(f"moving the emulator from port {running.port} to {port}")
        emulator.stop(running)
        running = None
    if running is not None:
        _wait_until_healthy(running)
        return running
    last = emulator.recorded(folder)
    port = port or (last[1] if last else None) or free_port()
    report(f"starting the emulator on port {port}")
    return emulator.start(python, folder, port=port, warn=report)


def _wait_until_healthy(running: Emulator) -> None:
    deadline = time.monotonic() + emulator.START_SECONDS
    while not is_healthy(running.port):
        if time.monotonic() >= deadline:
            raise EmulatorError(
                f"the emulator (process {running.pid}) runs but does not answer on {running.port}",
                hint="stop it with `blockfold local down`, then try again",
            )
        time.sleep(emulator.POLL_SECONDS)


def _others(endpoint: str, known: StackFile | None, stack: str) -> dict[str, Deployed]:
    """The other stacks that are (still) there, with their outputs of now."""
    found: dict[str, Deployed] = {}
    for name, deployed in (known.stacks if known else {}).items():
        outputs = deploy.outputs(endpoint, name) if name != stack else None
        if name == stack:
            found[name] = deployed  # keeps its place in the order; replaced by the caller
        elif outputs is not None:
            found[name] = Deployed(
                machine=deployed.machine, context=deployed.context, outputs=outputs
            )
    return found


def _content(running: Emulator, first: str, stacks: dict[str, Deployed]) -> StackFile:
    if first not in stacks:
        first = next(iter(stacks))
    top = stacks[first]
    return StackFile(
        endpoint=running.endpoint,
        region=REGION,
        stack=first,
        outputs=top.outputs,
        machine=top.machine,
        pid=running.pid or None,
        port=running.port,
        data=str(running.folder.path),
        log=str(running.folder.log),
        stacks=stacks,
    )
