"""What the template promises, whatever the constructs look like."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from infra import executor
from infra.dependencies import LAMBDA_PYTHON
from infra.function import RUNTIME
from infra.options import Platform, Stage
from tests.infra.templates import (
    Template,
    as_list,
    function,
    named,
    of_type,
    policies_of,
    source_of,
)

FOURTEEN_DAYS = 14 * 24 * 3600


@pytest.mark.parametrize("output", ["ActionsQueueUrl", "DeadLetterQueueUrl"])
def test_queues_keep_order_for_fourteen_days_and_drop_nothing_equal(
    dev: Template, output: str
) -> None:
    queue = named(dev, output, "AWS::SQS::Queue")["Properties"]
    assert queue["FifoQueue"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert queue["FifoThroughputLimit"] == "perMessageGroupId"
    assert queue["DeduplicationScope"] == "messageGroup"
    assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS
    assert queue["SqsManagedSseEnabled"] is True


def test_actions_go_to_the_dead_letters_only_after_as_many_receives_as_sqs_allows(
    dev: Template,
) -> None:
    redrive = named(dev, "ActionsQueueUrl", "AWS::SQS::Queue")["Properties"]["RedrivePolicy"]
    dead_letters = dev["Outputs"]["DeadLetterQueueUrl"]["Value"]["Ref"]
    assert redrive == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead_letters, "Arn"]},
        "maxReceiveCount": 1000,
    }


def test_a_message_stays_invisible_for_six_timeouts_of_its_executor(dev: Template) -> None:
    queue = named(dev, "ActionsQueueUrl", "AWS::SQS::Queue")["Properties"]
    assert function(dev, "Executor")["Timeout"] == executor.TIMEOUT_SECONDS
    assert queue["VisibilityTimeout"] >= 6 * executor.TIMEOUT_SECONDS


def test_the_executor_answers_for_single_messages_of_full_batches(dev: Template) -> None:
    source = source_of(dev, "Executor")
    queue = dev["Outputs"]["ActionsQueueUrl"]["Value"]["Ref"]
    assert source["Properties"]["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert source["Properties"]["BatchSize"] == 10
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "MaximumBatchingWindowInSeconds" not in source["Properties"]  # FIFO knows none


@pytest.mark.parametrize("name", ["Executor", "Announcer", "Archiver", "Dumper"])
def test_a_function_may_read_its_source_before_it_is_connected(dev: Template, name: str) -> None:
    assert policies_of(dev, name).keys() <= set(as_list(source_of(dev, name)["DependsOn"]))


@pytest.mark.parametrize(
    ("output", "keys"),
    [
        ("BlocksTableName", {"machine": ("HASH", "S"), "number": ("RANGE", "N")}),
        ("StateTableName", {"machine": ("HASH", "S"), "key": ("RANGE", "S")}),
        ("MachinesTableName", {"machine": ("HASH", "S")}),
    ],
)
def test_tables_have_the_documented_keys_and_can_be_rewound(
    dev: Template, output: str, keys: dict[str, tuple[str, str]]
) -> None:
    table = named(dev, output, "AWS::DynamoDB::Table")["Properties"]
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    roles = {a["AttributeName"]: a["KeyType"] for a in table["KeySchema"]}
    assert {name: (roles[name], types[name]) for name in roles} == keys
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_only_the_log_streams_and_machines_stay(dev: Template) -> None:
    blocks = named(dev, "BlocksTableName", "AWS::DynamoDB::Table")["Properties"]
    state = named(dev, "StateTableName", "AWS::DynamoDB::Table")["Properties"]
    machines = named(dev, "MachinesTableName", "AWS::DynamoDB::Table")["Properties"]
    assert blocks["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    for table in (blocks, state):
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert "TimeToLiveSpecification" not in machines
    assert not {"StreamSpecification"} & (state.keys() | machines.keys())


def test_the_bucket_is_private_and_encrypted_and_leaves_no_parts_behind(dev: Template) -> None:
    bucket = named(dev, "SnapshotsBucketName", "AWS::S3::Bucket")["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


@pytest.mark.parametrize(
    ("output", "policy_type", "target"),
    [
        ("SnapshotsBucketName", "AWS::S3::BucketPolicy", "Bucket"),
        ("FailureQueueUrl", "AWS::SQS::QueuePolicy", "Queues"),
        ("ChecksQueueUrl", "AWS::SQS::QueuePolicy", "Queues"),
        ("ActionsQueueUrl", "AWS::SQS::QueuePolicy", "Queues"),
        ("DeadLetterQueueUrl", "AWS::SQS::QueuePolicy", "Queues"),
    ],
)
def test_nobody_gets_in_without_tls(
    dev: Template, output: str, policy_type: str, target: str
) -> None:
    resource = dev["Outputs"][output]["Value"]
    denials = [
        statement
        for policy in of_type(dev, policy_type)
        if resource in as_list(policy["Properties"][target])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    ]
    assert [denial["Principal"] for denial in denials] == [{"AWS": "*"}]


def test_functions_run_on_graviton_and_their_logs_end(dev: Template) -> None:
    functions = of_type(dev, "AWS::Lambda::Function")
    assert functions
    for resource in functions:
        properties = resource["Properties"]
        assert properties["Architectures"] == ["arm64"]
        assert properties["Runtime"] == RUNTIME.name == f"python{LAMBDA_PYTHON}"
        assert properties["Description"].startswith("Blockfold")
        logs = dev["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert logs["Properties"]["RetentionInDays"] > 0


@pytest.mark.parametrize(
    ("name", "service", "own"),
    [
        ("Executor", "executor", {"BLOCKFOLD_ACTIONS_QUEUE_URL": "ActionsQueueUrl"}),
        (
            "Announcer",
            "announcer",
            {"BLOCKFOLD_EVENT_BUS": "EventBusName", "BLOCKFOLD_CHECKS_QUEUE_URL": "ChecksQueueUrl"},
        ),
        ("Archiver", "archiver", {}),
        ("Dumper", "dumper", {"BLOCKFOLD_CHECKS_QUEUE_URL": "ChecksQueueUrl"}),
        ("Pruner", "pruner", {}),
        ("Restore", "restorer", {}),
    ],
)
def test_each_function_is_told_where_everything_is(
    dev: Template, name: str, service: str, own: dict[str, str]
) -> None:
    outputs = {name: output["Value"] for name, output in dev["Outputs"].items()}
    assert function(dev, name)["Handler"] == f"lambdas.{service}.handler"
    budget = {"BLOCKFOLD_ACTION_SECONDS": "5"} if name == "Executor" else {}
    assert function(dev, name)["Environment"]["Variables"] == budget | {
        "BLOCKFOLD_MACHINE": "machines.forest:Forest",
        "BLOCKFOLD_COUNT": "100",
        "BLOCKFOLD_BLOCKS_TABLE": outputs["BlocksTableName"],
        "BLOCKFOLD_STATE_TABLE": outputs["StateTableName"],
        "BLOCKFOLD_MACHINES_TABLE": outputs["MachinesTableName"],
        "BLOCKFOLD_SNAPSHOTS_BUCKET": outputs["SnapshotsBucketName"],
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": "Blockfold",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **{variable: outputs[output] for variable, output in own.items()},
    }


@pytest.mark.parametrize("name", ["Dumper", "Pruner", "Restore"])
def test_work_on_whole_states_may_take_as_long_as_lambda_allows(dev: Template, name: str) -> None:
    assert function(dev, name)["Timeout"] == 15 * 60


def test_nothing_has_a_name_of_its_own(dev: Template) -> None:
    names = {"TableName", "BucketName", "QueueName", "FunctionName", "RoleName", "LogGroupName"}
    for resource in dev["Resources"].values():
        properties = resource["Properties"]
        assert not [name for name in names if isinstance(properties.get(name), str)]


STATEFUL = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Logs::LogGroup")


@pytest.mark.parametrize("type_", STATEFUL)
def test_production_keeps_what_development_throws_away(
    dev: Template, prod: Template, type_: str
) -> None:
    for template, policy in ((dev, "Delete"), (prod, "Retain")):
        resources = of_type(template, type_)
        assert resources
        for resource in resources:
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == policy


def test_production_is_protected_against_deletion(
    dev: Template, prod: Template, assembly: Callable[[Stage, Platform], Path]
) -> None:
    for template, stage, protected in ((dev, Stage.DEV, False), (prod, Stage.PROD, True)):
        for table in of_type(template, "AWS::DynamoDB::Table"):
            assert table["Properties"]["DeletionProtectionEnabled"] is protected
        bucket = named(template, "SnapshotsBucketName", "AWS::S3::Bucket")["Properties"]
        assert ("VersioningConfiguration" in bucket) is protected
        manifest = json.loads((assembly(stage, Platform.LAMBDA) / "manifest.json").read_text())
        stack = manifest["artifacts"]["Blockfold"]["properties"]
        assert stack.get("terminationProtection", False) is protected


def test_a_laptop_runs_the_same_template(
    dev: Template, synthesize: Callable[[Stage, Platform], Template]
) -> None:
    assert _portable(synthesize(Stage.DEV, Platform.HOST)) == _portable(dev)


def _portable(template: Template) -> Template:
    """The template without what may differ: the asset's hash and the architecture."""
    copied = deepcopy(template)
    for resource in of_type(copied, "AWS::Lambda::Function"):
        del resource["Properties"]["Architectures"]
        del resource["Properties"]["Code"]["S3Key"]
    return copied
