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
    function,
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


def rules(template: Template, name: str = "Dumper") -> list[Template]:
    """The properties of a function's rules: that on the bus, if there is one, and the schedule."""
    to = arn(template, f"{name}FunctionName")
    found = [rule["Properties"] for rule in of_type(template, "AWS::Events::Rule")]
    found = [rule for rule in found if [target["Arn"] for target in rule["Targets"]] == [to]]
    due = [rule for rule in found if "EventPattern" in rule]
    (sweep,) = [rule for rule in found if "ScheduleExpression" in rule]
    return [*due, sweep]


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


def test_the_archiver_gets_every_new_block_in_the_order_of_its_machine(dev: Template) -> None:
    source = source_of(dev, "Archiver")["Properties"]
    assert source["EventSourceArn"] == arn(dev, "BlocksTableName", "StreamArn")
    assert source["StartingPosition"] == "TRIM_HORIZON"
    patterns = [json.loads(f["Pattern"]) for f in source["FilterCriteria"]["Filters"]]
    assert patterns == [{"eventName": ["INSERT"]}]
    assert source["BatchSize"] == 1000
    assert source["ParallelizationFactor"] == 1
    assert source["MaximumBatchingWindowInSeconds"] == 10
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert 0 < source["MaximumRetryAttempts"] <= 50
    assert SWEEP <= source["MaximumRecordAgeInSeconds"] <= STREAM_KEEPS / 2
    destination = source["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == arn(dev, "FailureQueueUrl")


@pytest.mark.parametrize("seconds", [0, 300])
def test_how_long_blocks_gather_for_the_archive_can_be_chosen(bundle: Bundle, seconds: int) -> None:
    app = App(analytics_reporting=False)
    BlockfoldStack(
        app,
        "Blockfold",
        bundle=bundle,
        stage=Stage.DEV,
        platform=Platform.LAMBDA,
        count=0,
        action_seconds=5,
        archive_seconds=seconds,
    )
    source = source_of(app.synth().stacks[0].template, "Archiver")["Properties"]
    assert source.get("MaximumBatchingWindowInSeconds", 0) == seconds


def test_the_stream_has_no_more_readers_than_dynamodb_allows(dev: Template) -> None:
    stream = arn(dev, "BlocksTableName", "StreamArn")
    sources = of_type(dev, "AWS::Lambda::EventSourceMapping")
    assert [s["Properties"]["EventSourceArn"] for s in sources].count(stream) == 2


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


def test_a_daily_sweep_prunes_and_is_tried_until_long_before_the_next(dev: Template) -> None:
    (sweep,) = rules(dev, "Pruner")
    assert sweep["ScheduleExpression"] == "rate(1 day)"
    assert sweep["State"] == "ENABLED"
    (target,) = sweep["Targets"]
    assert json.loads(target["Input"]) == {"sweep": True}
    assert target["DeadLetterConfig"]["Arn"] == arn(dev, "FailureQueueUrl")
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 6 * SWEEP
    properties = retries_of(dev, "Pruner")["Properties"]
    assert properties["MaximumEventAgeInSeconds"] == 6 * SWEEP


def test_only_their_own_rules_may_call_functions_and_report_to_the_failure_queue(
    dev: Template,
) -> None:
    called = {
        json.dumps({"Fn::GetAtt": [id_, "Arn"]}): resource["Properties"]["Targets"][0]["Arn"]
        for id_, resource in dev["Resources"].items()
        if resource["Type"] == "AWS::Events::Rule"
    }
    named_rules = [json.loads(rule) for rule in called]
    permissions = [p["Properties"] for p in of_type(dev, "AWS::Lambda::Permission")]
    assert {json.dumps(p["SourceArn"]): p["FunctionName"] for p in permissions} == called
    assert len(permissions) == len(called) == 3
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


def test_checks_wait_in_a_queue_that_the_dumper_consumes(dev: Template) -> None:
    queue = named(dev, "ChecksQueueUrl", "AWS::SQS::Queue")["Properties"]
    assert "FifoQueue" not in queue  # FIFO queues know no delay of a single message
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["VisibilityTimeout"] == function(dev, "Dumper")["Timeout"]
    assert queue["MessageRetentionPeriod"] > SWEEP
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": arn(dev, "FailureQueueUrl"),
        "maxReceiveCount": 3,
    }
    source = source_of(dev, "Dumper")["Properties"]
    assert source["EventSourceArn"] == arn(dev, "ChecksQueueUrl")
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BatchSize"] == 10
    assert 0 < source["MaximumBatchingWindowInSeconds"] <= 10
    assert 2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 50


def test_new_machines_get_the_policy_of_the_stack(bundle: Bundle) -> None:
    app = App(analytics_reporting=False)
    BlockfoldStack(
        app,
        "Blockfold",
        bundle=bundle,
        stage=Stage.DEV,
        platform=Platform.LAMBDA,
        count=0,
        action_seconds=5,
        policy={"quiet": 30, "bytes": 10_000_000},
    )
    template = app.synth().stacks[0].template
    for name in ("Executor", "Restore"):
        variables = function(template, name)["Environment"]["Variables"]
        assert (variables["BLOCKFOLD_QUIET"], variables["BLOCKFOLD_BYTES"]) == ("30", "10000000")
        assert "BLOCKFOLD_MINUTES" not in variables


def retries_of(template: Template, name: str) -> Template:
    """How often a function is tried again, the whole resource."""
    reference = {"Ref": logical_id(template, f"{name}FunctionName")}
    configs = of_type(template, "AWS::Lambda::EventInvokeConfig")
    (found,) = [each for each in configs if each["Properties"]["FunctionName"] == reference]
    return found


def test_a_dump_that_fails_is_tried_again_until_the_next_sweep(dev: Template) -> None:
    assert retries_of(dev, "Dumper")["Properties"]["MaximumEventAgeInSeconds"] == SWEEP


@pytest.mark.parametrize("name", ["Dumper", "Pruner"])
def test_what_fails_is_tried_again_and_then_reported(dev: Template, name: str) -> None:
    config = retries_of(dev, name)
    properties = config["Properties"]
    assert properties["Qualifier"] == "$LATEST"
    assert properties["MaximumRetryAttempts"] == 2
    assert properties["DestinationConfig"]["OnFailure"]["Destination"] == arn(
        dev, "FailureQueueUrl"
    )
    assert policies_of(dev, name).keys() <= set(as_list(config["DependsOn"]))


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
        (
            "FunctionName",
            "ArchiverFunctionName",
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


@pytest.mark.parametrize("metric", ["ArchiveHealed", "ArchiveTrouble"])
def test_an_alarm_watches_what_the_dumper_found_in_the_archive(dev: Template, metric: str) -> None:
    (alarm,) = [
        resource["Properties"]
        for resource in of_type(dev, "AWS::CloudWatch::Alarm")
        if resource["Properties"]["MetricName"] == metric
    ]
    dumper = {"Ref": logical_id(dev, "DumperFunctionName")}
    assert alarm["Namespace"] == "Blockfold"
    assert alarm["Dimensions"] == [{"Name": "function", "Value": dumper}]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


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
