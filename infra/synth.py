"""From context to cloud assembly."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.bundle import staged
from infra.errors import SynthError
from infra.nag import check_on_synth
from infra.options import Options
from infra.stack import BlockfoldStack

FEATURE_FLAGS = Path(__file__).with_name("feature_flags.json")
"""All flags of the pinned aws-cdk-lib as it recommends them for new projects. They stand here and
not in cdk.json, which is for the options; cdk.json and `-c` still prevail."""


def main(*, root: Path) -> None:
    """Synthesize into `CDK_OUTDIR`; end the process with status 1 and a message if that cannot be.

    The context comes from the CDK CLI (`CDK_CONTEXT_JSON`) and, where that is silent or no CLI
    runs, from the project's cdk.json.
    """
    try:
        synthesize(root=root)
    except SynthError as error:
        sys.exit(f"blockfold: {error}")


def synthesize(*, root: Path) -> None:
    """Write the cloud assembly of the project at `root`.

    Raises `SynthError`, or jsii's RuntimeError when a validation or nag rule finds something.
    """
    app = App(context=project_context(root), analytics_reporting=False)
    options = Options.from_context(app.node.try_get_context)
    with staged(root=root, machine=options.machine, platform=options.platform) as bundle:
        BlockfoldStack(
            app,
            options.stack,
            bundle=bundle,
            stage=options.stage,
            platform=options.platform,
            count=options.count,
            action_seconds=options.action_seconds,
            archive_seconds=options.archive_seconds,
            policy=options.policy,
            drill_days=options.drill,
        )
    check_on_synth(app)
    app.synth()


def project_context(root: Path) -> dict[str, Any]:
    """The feature flags, and what the project's cdk.json says: defaults of the options."""
    flags = json.loads(FEATURE_FLAGS.read_text(encoding="utf-8"))
    settings = json.loads((root / "cdk.json").read_text(encoding="utf-8"))
    return {**flags, **settings["context"]}
