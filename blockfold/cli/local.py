"""``blockfold local``: the stack of the cloud on this machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from blockfold import local
from blockfold.cli.output import AsJson, print_json, print_table, say
from blockfold.domain.errors import Misconfigured, NotFound

app = typer.Typer(no_args_is_help=True, help="Run the stack on this machine, in an emulator.")

Stack = Annotated[str, typer.Option("--stack", help="The stack's name.")]


def _root() -> Path:
    """The project folder: the working directory or the nearest parent with an app.py."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "app.py").is_file() and (folder / "cdk.json").is_file():
            return folder
    raise Misconfigured(
        f"neither {here} nor a folder above it holds app.py and cdk.json",
        hint="run this in the project's folder",
    )


@app.command()
def up(
    machine: Annotated[
        str | None,
        typer.Option(help="module:Class or path/to/file.py:Class [default: as before, or Forest]."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port [default: as before, or a free one].")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all local data first.")] = False,
    count: Annotated[
        str | None,
        typer.Option(
            metavar="N|none", help="Snapshot every N blocks [default: as before, or 100]."
        ),
    ] = None,
    stack: Stack = local.DEFAULT_STACK,
    json: AsJson = False,
) -> None:
    """Start the local stack, or update it, and return when it is ready.

    It runs on until `local down`. Again with another machine, it is updated in place and keeps
    its data.
    """
    context = {} if count is None else {"count": count}
    started = local.up(
        _root(),
        machine=machine,
        port=port,
        fresh=fresh,
        stack=stack,
        context=context,
        report=lambda s: say(f"· {s}"),
    )
    if json:
        print_json(_as_json(started))
    else:
        say(f"stack {started.stack} is up at {started.endpoint}; log: {started.log}")
        say("try: blockfold push, blockfold state; for any AWS client: eval $(blockfold local env)")


@app.command()
def down() -> None:
    """Stop the local stack and keep its data."""
    stopped = local.down(_root(), report=lambda s: say(f"· {s}"))
    say("stopped; the data is kept" if stopped else "nothing was running")


@app.command()
def status(json: AsJson = False) -> None:
    """Show what runs; exits 1 if nothing does."""
    found = local.status(_root())
    if json:
        print_json(
            {
                "running": found.running,
                "healthy": found.healthy,
                "stacks": [_as_json(each) for each in found.stacks],
            }
        )
    elif found.running:
        print_table(
            ("stack", "machine", "endpoint"),
            ((each.stack, each.machine or "", each.endpoint) for each in found.stacks),
        )
    else:
        say("nothing is running; start it with `blockfold local up`")
    if not found.running:
        raise typer.Exit(1)


@app.command()
def env(stack: Stack = local.DEFAULT_STACK) -> None:
    """Print export lines that point any AWS client here.

    Use them by `eval "$(blockfold local env)"`.
    """
    found = local.status(_root())
    for each in found.stacks:
        if each.stack == stack and found.running:
            for name, value in local.environment(each).items():
                sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
            return
    raise NotFound(f"no local stack {stack!r} is running", hint="start it: `blockfold local up`")


def _as_json(stack: local.LocalStack) -> dict[str, object]:
    return {
        "stack": stack.stack,
        "machine": stack.machine,
        "endpoint": stack.endpoint,
        "region": stack.region,
        "outputs": dict(stack.outputs),
        "log": str(stack.log),
    }
