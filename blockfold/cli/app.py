"""The command tree, and what becomes of errors.

Exit codes: 0 all went well; 1 an error, or a check that found something; 2 wrong usage.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from blockfold import __version__
from blockfold.cli import local, snapshots
from blockfold.cli.archive import archive
from blockfold.cli.blocks import block, blocks
from blockfold.cli.cost import cost
from blockfold.cli.delete import delete
from blockfold.cli.diff import diff
from blockfold.cli.drill import drill
from blockfold.cli.export import export
from blockfold.cli.frames import frames
from blockfold.cli.history import history
from blockfold.cli.import_ import import_
from blockfold.cli.lint import lint
from blockfold.cli.machines import machines
from blockfold.cli.output import errors, say
from blockfold.cli.prune import prune
from blockfold.cli.push import push
from blockfold.cli.rebuild import rebuild
from blockfold.cli.redrive import redrive
from blockfold.cli.repair import repair
from blockfold.cli.restore import restore
from blockfold.cli.retention import retention
from blockfold.cli.state import state
from blockfold.cli.verify import verify
from blockfold.domain.errors import BlockfoldError

app = typer.Typer(
    name="blockfold",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(local.app, name="local")
app.add_typer(snapshots.app, name="dumper")
_COMMANDS = (
    push,
    state,
    blocks,
    block,
    machines,
    verify,
    repair,
    diff,
    history,
    frames,
    export,
    snapshots.snapshots,
    snapshots.dump,
    archive,
    retention,
    prune,
    restore,
    rebuild,
    redrive,
    drill,
    delete,
    lint,
    cost,
)
for command in _COMMANDS:
    app.command()(command)
app.command("import")(import_)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"blockfold {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Push actions, read state and blocks, and prove that they agree.

    The verbs work on the stack that --stack or BLOCKFOLD_STACK names, at the endpoint and
    account of the usual AWS configuration; with neither, on the local stack (`local up`).
    """


def main() -> None:
    """Run the command line; errors of ours end in one line and its hint."""
    try:
        app()
    except BlockfoldError as error:
        console = errors()
        console.print(
            f"error: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        if error.hint:
            say(f"hint: {error.hint}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
