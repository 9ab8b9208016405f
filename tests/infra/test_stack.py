"""What the template promises, whatever the constructs look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from infra import executor
from infra.dependencies import LAMBDA_PYTHON
from infra.function import RUNTIME
from infra.options import Platform, Stage

Template = dict[str, Any]

FOURTEEN_DAYS = 14 * 24 * 3600

EXECUTOR_MAY = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "Blocks dynamodb:GetItem",
    "Blocks dynamodb:PutItem",
    "Blocks dynamodb:Query",
    "State dynamodb:BatchGetItem",
    "State dynamodb:GetItem",
    "State dynamodb:PartiQLInsert",
    "State dynamodb:PartiQLUpdate",
    "State dynamodb:Query",
    "Machines dynamodb:GetItem",
    "Machines dynamodb:PutItem",
    "Machines dynamodb:UpdateItem",
    "s3:GetObject",
    "s3:PutObject",
}


def named(template: Template, output: str, type_: str) -> Template:
    """The resource of `type_` that an output names."""
    value = template["Outputs"][output]["Value"]
    resource: Template = template["Resources"][value["Ref"]]
    assert resource["Type"] == type_
    return resource


def of_type(template: Template, type_: str) -> list[Template]:
    return [r for r in template["Resources"].values() if r["Type"] == type_]


def statements(template: Template) -> Iterator[Template]:
    for policy in of_type(template, "AWS::IAM::Policy"):
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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


def test_actions_go_to_the_dead_letters_only_after_a_hundred_receives(dev: Template) -> None:
    redrive = named(dev, "ActionsQueueUrl", "AWS::SQS::Queue")["Properties"]["RedrivePolicy"]
    dead_letters = dev["Outputs"]["DeadLetterQueueUrl"]["Value"]["Ref"]
    assert redrive == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead_letters, "Arn"]},
        "maxReceiveCount": 100,
    }


def test_a_message_stays_invisible_for_six_timeouts_of_its_executor(dev: Template) -> None:
    queue = named(dev, "ActionsQueueUrl", "AWS::SQS::Queue")["Properties"]
    function = named(dev, "ExecutorFunctionName", "AWS::Lambda::Function")["Properties"]
    assert function["Timeout"] == executor.TIMEOUT_SECONDS
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_the_executor_answers_for_single_messages_of_full_batches(dev: Template) -> None:
    (source,) = of_type(dev, "AWS::Lambda::EventSourceMapping")
    queue = dev["Outputs"]["ActionsQueueUrl"]["Value"]["Ref"]
    assert source["Properties"]["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert source["Properties"]["BatchSize"] == 10
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "MaximumBatchingWindowInSeconds" not in source["Properties"]  # FIFO knows none


def test_the_executor_may_read_its_queue_before_it_is_connected(dev: Template) -> None:
    (source,) = of_type(dev, "AWS::Lambda::EventSourceMapping")
    policies = [n for n, r in dev["Resources"].items() if r["Type"] == "AWS::IAM::Policy"]
    assert set(policies) <= set(as_list(source["DependsOn"]))


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


def test_only_the_log_streams_and_only_state_expires(dev: Template) -> None:
    blocks = named(dev, "BlocksTableName", "AWS::DynamoDB::Table")["Properties"]
    state = named(dev, "StateTableName", "AWS::DynamoDB::Table")["Properties"]
    machines = named(dev, "MachinesTableName", "AWS::DynamoDB::Table")["Properties"]
    assert blocks["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert state["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert not {"TimeToLiveSpecification"} & (blocks.keys() | machines.keys())
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


def test_the_executor_may_do_exactly_this(dev: Template) -> None:
    tables = {
        dev["Outputs"][f"{name}TableName"]["Value"]["Ref"]: f"{name} "
        for name in ("Blocks", "State", "Machines")
    }
    granted = set()
    for statement in statements(dev):
        assert statement["Effect"] == "Allow"
        for resource in as_list(statement["Resource"]):
            owner = tables.get(resource.get("Fn::GetAtt", [""])[0], "")
            granted |= {owner + action for action in as_list(statement["Action"])}
    assert granted == EXECUTOR_MAY
    (role,) = of_type(dev, "AWS::IAM::Role")
    assert not {"ManagedPolicyArns", "Policies"} & role["Properties"].keys()


def test_the_only_wildcard_is_the_prefix_of_the_objects(dev: Template) -> None:
    bucket = dev["Outputs"]["SnapshotsBucketName"]["Value"]["Ref"]
    objects = {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/machines/*"]]}
    for statement in statements(dev):
        assert "*" not in "".join(as_list(statement["Action"]))
        wild = [r for r in as_list(statement["Resource"]) if "*" in json.dumps(r)]
        assert wild in ([], [objects])


def test_functions_run_on_graviton_and_their_logs_end(dev: Template) -> None:
    functions = of_type(dev, "AWS::Lambda::Function")
    assert functions
    for function in functions:
        properties = function["Properties"]
        assert properties["Architectures"] == ["arm64"]
        assert properties["Runtime"] == RUNTIME.name == f"python{LAMBDA_PYTHON}"
        assert properties["Description"].startswith("Blockfold")
        logs = dev["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert logs["Properties"]["RetentionInDays"] > 0


def test_the_executor_is_told_where_everything_is(dev: Template) -> None:
    function = named(dev, "ExecutorFunctionName", "AWS::Lambda::Function")["Properties"]
    outputs = {name: output["Value"] for name, output in dev["Outputs"].items()}
    assert function["Handler"] == "lambdas.executor.handler"
    assert function["Environment"]["Variables"] == {
        "BLOCKFOLD_MACHINE": "machines.forest:Forest",
        "BLOCKFOLD_BLOCKS_TABLE": outputs["BlocksTableName"],
        "BLOCKFOLD_STATE_TABLE": outputs["StateTableName"],
        "BLOCKFOLD_MACHINES_TABLE": outputs["MachinesTableName"],
        "BLOCKFOLD_SNAPSHOTS_BUCKET": outputs["SnapshotsBucketName"],
        "POWERTOOLS_SERVICE_NAME": "executor",
        "POWERTOOLS_METRICS_NAMESPACE": "Blockfold",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def test_nothing_has_a_name_of_its_own(dev: Template) -> None:
    names = {"TableName", "BucketName", "QueueName", "FunctionName", "RoleName", "LogGroupName"}
    for resource in dev["Resources"].values():
        given = names & resource["Properties"].keys()
        assert not given or resource["Type"] == "AWS::Lambda::EventSourceMapping"


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
    for function in of_type(copied, "AWS::Lambda::Function"):
        del function["Properties"]["Architectures"]
        del function["Properties"]["Code"]["S3Key"]
    return copied
