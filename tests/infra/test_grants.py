"""What each function may do: exactly this."""

from __future__ import annotations

import json

import pytest

from tests.infra.templates import (
    Template,
    arn,
    as_list,
    function,
    of_type,
    policies_of,
    statements,
)

LOGS = {"own logs logs:CreateLogStream", "own logs logs:PutLogEvents"}

EXECUTOR = LOGS | {
    "Actions sqs:ChangeMessageVisibility",
    "Actions sqs:DeleteMessage",
    "Actions sqs:GetQueueAttributes",
    "Actions sqs:ReceiveMessage",
    "Blocks dynamodb:GetItem",
    "Blocks dynamodb:PutItem",
    "Blocks dynamodb:Query",
    "State dynamodb:BatchGetItem",
    "State dynamodb:PartiQLInsert",
    "State dynamodb:PartiQLUpdate",
    "State dynamodb:Query",
    "Machines dynamodb:GetItem",
    "Machines dynamodb:UpdateItem",
    "objects s3:GetObject",
    "objects s3:PutObject",
    "bucket s3:ListBucket",
}

ANNOUNCER = LOGS | {
    "Blocks stream dynamodb:DescribeStream",
    "Blocks stream dynamodb:GetRecords",
    "Blocks stream dynamodb:GetShardIterator",
    "Blocks stream dynamodb:ListStreams",
    "Machines dynamodb:GetItem",
    "objects s3:GetObject",
    "bucket s3:ListBucket",
    "bus events:PutEvents",
    "Failures sqs:SendMessage",
}

DUMPER = LOGS | {
    "Blocks dynamodb:GetItem",
    "Blocks dynamodb:Query",
    "Machines dynamodb:GetItem",
    "Machines dynamodb:Scan",
    "Machines dynamodb:UpdateItem",
    "objects s3:GetObject",
    "objects s3:PutObject",
    "bucket s3:ListBucket",
    "Failures sqs:SendMessage",
}

RESTORER = LOGS | {
    "Blocks dynamodb:GetItem",
    "Blocks dynamodb:PutItem",
    "Blocks dynamodb:Query",
    "State dynamodb:PartiQLInsert",
    "State dynamodb:PartiQLUpdate",
    "State dynamodb:Query",
    "Machines dynamodb:GetItem",
    "Machines dynamodb:UpdateItem",
    "objects s3:GetObject",
    "objects s3:PutObject",
    "bucket s3:ListBucket",
}


def places(template: Template, name: str) -> dict[str, str]:
    """What the resources of a function's grants are called here, by their JSON."""
    logs = function(template, name)["LoggingConfig"]["LogGroup"]["Ref"]
    bucket = arn(template, "SnapshotsBucketName")
    known = {
        "own logs": {"Fn::GetAtt": [logs, "Arn"]},
        "Actions": arn(template, "ActionsQueueUrl"),
        "Failures": arn(template, "FailureQueueUrl"),
        "Blocks": arn(template, "BlocksTableName"),
        "Blocks stream": arn(template, "BlocksTableName", "StreamArn"),
        "State": arn(template, "StateTableName"),
        "Machines": arn(template, "MachinesTableName"),
        "bus": arn(template, "EventBusName"),
        "bucket": bucket,
        "objects": {"Fn::Join": ["", [bucket, "/machines/*"]]},
    }
    return {json.dumps(resource): place for place, resource in known.items()}


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("Executor", EXECUTOR),
        ("Announcer", ANNOUNCER),
        ("Dumper", DUMPER),
        ("Restore", RESTORER),
    ],
)
def test_a_function_may_do_exactly_this(dev: Template, name: str, may: set[str]) -> None:
    where = places(dev, name)
    granted = set()
    for policy in policies_of(dev, name).values():
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            for resource in as_list(statement["Resource"]):
                place = where[json.dumps(resource)]
                granted |= {f"{place} {action}" for action in as_list(statement["Action"])}
    assert granted == may


def test_roles_have_no_other_source_of_rights_and_serve_one_function(dev: Template) -> None:
    functions = of_type(dev, "AWS::Lambda::Function")
    roles = {f["Properties"]["Role"]["Fn::GetAtt"][0] for f in functions}
    assert len(roles) == len(functions) == len(of_type(dev, "AWS::IAM::Role"))
    for role in of_type(dev, "AWS::IAM::Role"):
        assert not {"ManagedPolicyArns", "Policies"} & role["Properties"].keys()
    for policy in of_type(dev, "AWS::IAM::Policy"):
        assert len(policy["Properties"]["Roles"]) == 1


def test_the_only_wildcard_is_the_prefix_of_the_objects(dev: Template) -> None:
    bucket = arn(dev, "SnapshotsBucketName")
    objects = {"Fn::Join": ["", [bucket, "/machines/*"]]}
    for statement in statements(dev):
        assert "*" not in "".join(as_list(statement["Action"]))
        wild = [r for r in as_list(statement["Resource"]) if "*" in json.dumps(r)]
        assert wild in ([], [objects])


@pytest.mark.parametrize("name", ["Executor", "Announcer", "Dumper", "Restore"])
def test_a_listing_keeps_to_what_machines_own(dev: Template, name: str) -> None:
    (listing,) = [
        statement
        for policy in policies_of(dev, name).values()
        for statement in policy["Statement"]
        if "s3:ListBucket" in as_list(statement["Action"])
    ]
    assert as_list(listing["Action"]) == ["s3:ListBucket"]
    assert listing["Condition"] == {"StringLikeIfExists": {"s3:prefix": "machines/*"}}
