"""The function that rehearses rebuilds: there only when asked for, on a schedule, with an alarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.bundle import Bundle
from infra.errors import OptionError
from infra.nag import check_on_synth
from infra.options import Options, Platform, Stage
from infra.stack import BlockfoldStack
from infra.synth import project_context
from tests.infra.templates import (
    Template,
    arn,
    as_list,
    function,
    logical_id,
    of_type,
    policies_of,
)
from tests.infra.test_events import rules
from tests.infra.test_grants import LOGS, places

# After `infra`, which chooses the Node that `aws_cdk` starts.
from aws_cdk import App  # isort: skip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drilled(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template of `-c drill=7`, nag rules included."""
    out = tmp_path_factory.mktemp("drilled")
    app = App(outdir=str(out), context=project_context(ROOT), analytics_reporting=False)
    BlockfoldStack(
        app,
        "Blockfold",
        bundle=bundle,
        stage=Stage.DEV,
        platform=Platform.LAMBDA,
        count=100,
        action_seconds=5,
        drill_days=7,
    )
    check_on_synth(app)
    app.synth()
    template: Template = json.loads((out / "Blockfold.template.json").read_text())
    return template


def test_without_the_option_there_is_none(dev: Template) -> None:
    assert "DrillerFunctionName" not in dev["Outputs"]
    assert "driller" not in json.dumps(dev).lower()


def test_it_is_called_in_turn_and_what_failed_is_not_tried_again(drilled: Template) -> None:
    (turn,) = rules(drilled, "Driller")
    assert turn["ScheduleExpression"] == "rate(7 days)"
    (target,) = turn["Targets"]
    assert json.loads(target["Input"]) == {"every": 7}
    assert target["DeadLetterConfig"]["Arn"] == arn(drilled, "FailureQueueUrl")
    ours = {"Ref": logical_id(drilled, "DrillerFunctionName")}
    (retries,) = [
        config["Properties"]
        for config in of_type(drilled, "AWS::Lambda::EventInvokeConfig")
        if config["Properties"]["FunctionName"] == ours
    ]
    assert retries["MaximumRetryAttempts"] == 0
    properties = function(drilled, "Driller")
    assert (properties["Handler"], properties["Timeout"]) == ("lambdas.driller.handler", 900)


def test_an_alarm_rings_on_its_errors(drilled: Template) -> None:
    (alarm,) = [
        each["Properties"]
        for each in of_type(drilled, "AWS::CloudWatch::Alarm")
        if "rehearsed" in each["Properties"]["AlarmDescription"]
    ]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    (dimension,) = alarm["Dimensions"]
    assert dimension == {
        "Name": "FunctionName",
        "Value": {"Ref": logical_id(drilled, "DrillerFunctionName")},
    }
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


def test_it_may_read_and_write_scratch_rows_and_nothing_else(drilled: Template) -> None:
    where = places(drilled, "Driller")
    granted = set()
    scratch = []
    for policy in policies_of(drilled, "Driller").values():
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            for resource in as_list(statement["Resource"]):
                place = where[json.dumps(resource)]
                granted |= {f"{place} {action}" for action in as_list(statement["Action"])}
                if place == "State":
                    scratch.append(statement)
    assert granted == LOGS | {
        "Blocks dynamodb:GetItem",
        "Blocks dynamodb:Query",
        "Machines dynamodb:GetItem",
        "Machines dynamodb:Scan",
        "State dynamodb:BatchWriteItem",
        "State dynamodb:PartiQLInsert",
        "State dynamodb:PartiQLUpdate",
        "State dynamodb:Query",
        "objects s3:GetObject",
        "bucket s3:ListBucket",
    }
    (only,) = scratch
    assert only["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["drill *"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_it_changes_nothing_else_of_the_stack(dev: Template, drilled: Template) -> None:
    more = drilled["Resources"].keys() - dev["Resources"].keys()
    for name, resource in dev["Resources"].items():
        if resource["Type"] != "AWS::SQS::QueuePolicy":  # it lets the new rule give up into it
            assert drilled["Resources"][name] == resource
    assert all("Drill" in name for name in more)


@pytest.mark.parametrize(
    ("written", "days"), [("7", 7), (1, 1), ("365", 365), ("0", 0), (0, 0), ("none", 0), (None, 0)]
)
def test_days_are_a_number_or_text(written: object, days: int) -> None:
    assert Options.from_context({"drill": written}.get).drill == days


@pytest.mark.parametrize("written", ["-1", "366", "weekly", "", True, 1.5])
def test_anything_else_is_told(written: object) -> None:
    with pytest.raises(OptionError, match="write whole days from 1 to 365, for example `-c drill"):
        Options.from_context({"drill": written}.get)
