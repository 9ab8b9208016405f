"""From a committed block to a snapshot: stream, bus, rules, schedule, and what is given up."""

from __future__ import annotations

import json

import pytest

from infra.bundle import Bundle
from infra.options import Platform, Stage
from infra.stack import BlockfoldStack
from tests.infra.templates import (
    Template,
    arn,
    as_list,
    logical_id,
    named,
    of_type,
    policies_of,
    source_of,
)

# After `infra`, which chooses the Node that `aws_cdk` starts.
from aws_cdk import App  # isort: skip

FOURTEEN_DAYS = 14 * 24 * 3600
STREAM_KEEPS = 24 * 3600
SWEEP = 3600


def rules(template: Template) -> tuple[Template, Template]:
    """The properties of the rule on the bus and of the schedule."""
    found = [rule["Properties"] for rule in of_type(template, "AWS::Events::Rule")]
    (due,) = [rule for rule in found if "EventPattern" in rule]
    (sweep,) = [rule for rule in found if "ScheduleExpression" in rule]
    return due, sweep


def test_the_announcer_hears_of_every_new_block_and_of_nothing_else(dev: Template) -> None:
    source = source_of(dev, "Announcer")["Properties"]
    assert source["EventSourceArn"] == arn(dev, "BlocksTableName", "StreamArn")
    assert source["StartingPosition"] == "TRIM_HORIZON"
    patterns = [json.loads(f["Pattern"]) for f in source["FilterCriteria"]["Filters"]]
    assert patterns == [{"eventName": ["INSERT"]}]
    assert source["BatchSize"] == 100
    assert "MaximumBatchingWindowInSeconds" not in source


def test_a_block_that_cannot_be_announced_is_singled_out_and_reported(dev: Template) -> None:
    source = source_of(dev, "Announcer")["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert 0 < source["MaximumRetryAttempts"] <= 100
    assert SWEEP <= source["MaximumRecordAgeInSeconds"] <= STREAM_KEEPS / 2
    destination = source["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == arn(dev, "FailureQueueUrl")


def test_only_executed_blocks_that_are_due_reach_the_dumper(dev: Template) -> None:
    due, _ = rules(dev)
    assert due["EventBusName"] == {"Ref": logical_id(dev, "EventBusName")}
    assert due["EventPattern"] == {
        "source": ["blockfold"],
        "detail-type": ["BlockExecuted"],
        "detail": {"snapshot_due": [True]},
    }
    (target,) = due["Targets"]
    assert "Input" not in target  # the dumper sees the event as it was published


def test_an_hourly_sweep_makes_up_for_lost_events(dev: Template) -> None:
    _, sweep = rules(dev)
    assert sweep["ScheduleExpression"] == "rate(1 hour)"
    assert sweep["State"] == "ENABLED"
    assert "EventBusName" not in sweep  # schedules live on the default bus
    (target,) = sweep["Targets"]
    assert json.loads(target["Input"]) == {"sweep": True}


@pytest.mark.parametrize("which", [0, 1])
def test_deliveries_to_the_dumper_end_where_the_next_sweep_begins(
    dev: Template, which: int
) -> None:
    (target,) = rules(dev)[which]["Targets"]
    assert target["Arn"] == arn(dev, "DumperFunctionName")
    assert target["DeadLetterConfig"]["Arn"] == arn(dev, "FailureQueueUrl")
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == SWEEP
    assert 0 < target["RetryPolicy"]["MaximumRetryAttempts"] < 185


def test_only_the_two_rules_may_call_the_dumper_and_report_to_the_failure_queue(
    dev: Template,
) -> None:
    named_rules = [
        {"Fn::GetAtt": [id_, "Arn"]}
        for id_, resource in dev["Resources"].items()
        if resource["Type"] == "AWS::Events::Rule"
    ]
    permissions = [p["Properties"] for p in of_type(dev, "AWS::Lambda::Permission")]
    assert [p["FunctionName"] for p in permissions] == [arn(dev, "DumperFunctionName")] * 2
    assert [p["SourceArn"] for p in permissions] == named_rules
    assert {p["Principal"] for p in permissions} == {"events.amazonaws.com"}

    queue = {"Ref": logical_id(dev, "FailureQueueUrl")}
    (policy,) = [
        p["Properties"]["PolicyDocument"]["Statement"]
        for p in of_type(dev, "AWS::SQS::QueuePolicy")
        if queue in p["Properties"]["Queues"]
    ]
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [a["Condition"] for a in allowed] == [
        {"ArnEquals": {"aws:SourceArn": rule}} for rule in named_rules
    ]
    assert {a["Action"] for a in allowed} == {"sqs:SendMessage"}


def test_a_dump_that_fails_is_tried_again_and_then_reported(dev: Template) -> None:
    (config,) = of_type(dev, "AWS::Lambda::EventInvokeConfig")
    properties = config["Properties"]
    assert properties["FunctionName"] == {"Ref": logical_id(dev, "DumperFunctionName")}
    assert properties["Qualifier"] == "$LATEST"
    assert properties["MaximumRetryAttempts"] == 2
    assert properties["MaximumEventAgeInSeconds"] == SWEEP
    assert properties["DestinationConfig"]["OnFailure"]["Destination"] == arn(
        dev, "FailureQueueUrl"
    )
    assert policies_of(dev, "Dumper").keys() <= set(as_list(config["DependsOn"]))


def test_the_failure_queue_keeps_everything_for_fourteen_days_encrypted(dev: Template) -> None:
    queue = named(dev, "FailureQueueUrl", "AWS::SQS::Queue")["Properties"]
    assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS
    assert queue["SqsManagedSseEnabled"] is True
    assert "FifoQueue" not in queue  # Lambda and EventBridge send failures without a group


@pytest.mark.parametrize(
    ("dimension", "output", "attribute", "metric", "limit", "missing"),
    [
        (
            "QueueName",
            "DeadLetterQueueUrl",
            "QueueName",
            "ApproximateNumberOfMessagesVisible",
            0,
            "ignore",
        ),
        (
            "QueueName",
            "FailureQueueUrl",
            "QueueName",
            "ApproximateNumberOfMessagesVisible",
            0,
            "ignore",
        ),
        (
            "QueueName",
            "ActionsQueueUrl",
            "QueueName",
            "ApproximateAgeOfOldestMessage",
            15 * 60,
            "notBreaching",
        ),
        (
            "FunctionName",
            "AnnouncerFunctionName",
            None,
            "IteratorAge",
            15 * 60 * 1000,
            "notBreaching",
        ),
    ],
)
def test_an_alarm_watches(
    dev: Template,
    dimension: str,
    output: str,
    attribute: str | None,
    metric: str,
    limit: int,
    missing: str,
) -> None:
    value = arn(dev, output, attribute) if attribute else {"Ref": logical_id(dev, output)}
    (alarm,) = [
        properties
        for properties in (r["Properties"] for r in of_type(dev, "AWS::CloudWatch::Alarm"))
        if properties["Dimensions"] == [{"Name": dimension, "Value": value}]
    ]
    assert alarm["MetricName"] == metric
    assert alarm["Statistic"] == "Maximum"
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Threshold"] == limit
    assert alarm["TreatMissingData"] == missing
    assert alarm["AlarmDescription"].startswith("Blockfold: ")


def test_two_stacks_of_an_account_have_a_bus_each(bundle: Bundle) -> None:
    app = App(analytics_reporting=False)
    names = set()
    for stack in ("Blockfold", "Orchard"):
        BlockfoldStack(
            app,
            stack,
            bundle=bundle,
            stage=Stage.DEV,
            platform=Platform.LAMBDA,
            count=0,
            action_seconds=5,
        )
    for artifact in app.synth().stacks:
        (bus,) = of_type(artifact.template, "AWS::Events::EventBus")
        names.add(bus["Properties"]["Name"])
    assert len(names) == 2
