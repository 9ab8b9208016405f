"""The checks that every synthesis makes do bite."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.nag import check_on_synth
from infra.options import Platform, Stage
from infra.synth import project_context

from aws_cdk import App, CfnResource, Stack  # isort: skip
from aws_cdk import aws_s3 as s3  # isort: skip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(outdir=str(tmp_path), context=project_context(ROOT), analytics_reporting=False)


@pytest.mark.parametrize("stage", list(Stage))
def test_the_stack_passes_every_rule(
    assembly: Callable[[Stage, Platform], Path], stage: Stage
) -> None:
    assert (assembly(stage, Platform.LAMBDA) / "manifest.json").is_file()


def test_a_finding_that_nobody_acknowledged_fails_the_synthesis(app: App) -> None:
    s3.Bucket(Stack(app, "Careless"), "Bucket")
    check_on_synth(app)
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()


def test_a_template_that_cloudformation_would_refuse_fails_the_synthesis(app: App) -> None:
    queue = {"FifoQueue": True, "VisibilityTimeout": -1}
    CfnResource(Stack(app, "Wrong"), "Queue", type="AWS::SQS::Queue", properties=queue)
    with pytest.raises(RuntimeError, match="CloudFormation-Validate"):
        app.synth()


def test_every_feature_flag_is_decided_as_the_cdk_recommends(
    assembly: Callable[[Stage, Platform], Path],
) -> None:
    """Otherwise the CLI remarks after each deployment on flags that are not configured."""
    manifest = json.loads((assembly(Stage.DEV, Platform.LAMBDA) / "manifest.json").read_text())
    (report,) = [
        artifact["properties"]["flags"]
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "cdk:feature-flag-report"
    ]
    assert len(report) > 50
    for name, flag in report.items():
        effective = flag.get("userValue", flag.get("unconfiguredBehavesLike", {}).get("v2", False))
        assert effective == flag["recommendedValue"], name
