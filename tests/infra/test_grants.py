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
    "Machines dynamodb:BatchGetItem",
    "objects s3:GetObject",
    "bucket s3:ListBucket",
    "bus events:PutEvents",
    "Failures sqs:SendMessage",
    "Checks sqs:SendMessage",
}

ARCHIVER = LOGS | {
    "Blocks stream dynamodb:DescribeStream",
    "Blocks stream dynamodb:GetRecords",
    "Blocks stream dynamodb:GetShardIterator",
    "Blocks stream dynamodb:ListStreams",
    "objects s3:GetObject",
    "objects s3:PutObject",
    "bucket s3:ListBucket",
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
    "Checks sqs:DeleteMessage",
    "Checks sqs:GetQueueAttributes",
    "Checks sqs:ReceiveMessage",
    "Checks sqs:SendMessage",
}

GARBAGE = ("archive", "log", "retired", "runs", "snapshots")
"""The folders of a machine in which the pruner may delete."""

PRUNER = LOGS | {
    "Blocks dynamodb:GetItem",
    "Blocks dynamodb:Query",
    "Blocks dynamodb:UpdateItem",
    "Machines dynamodb:GetItem",
    "Machines dynamodb:Scan",
    "Machines dynamodb:UpdateItem",
    "objects s3:GetObject",
    "retired s3:PutObject",
    "settings s3:PutObject",
    "bucket s3:ListBucket",
    "Failures sqs:SendMessage",
    *(f"{folder} s3:DeleteObject" for folder in GARBAGE),
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


def below(template: Template, prefix: str) -> Template:
    """All objects below a prefix, as a policy names them."""
    return {"Fn::Join": ["", [arn(template, "SnapshotsBucketName"), f"/{prefix}"]]}


def places(template: Template, name: str) -> dict[str, str]:
    """What the resources of a function's grants are called here, by their JSON."""
    logs = function(template, name)["LoggingConfig"]["LogGroup"]["Ref"]
    bucket = arn(template, "SnapshotsBucketName")
    known = {
        "own logs": {"Fn::GetAtt": [logs, "Arn"]},
        "Actions": arn(template, "ActionsQueueUrl"),
        "Failures": arn(template, "FailureQueueUrl"),
        "Checks": arn(template, "ChecksQueueUrl"),
        "Blocks": arn(template, "BlocksTableName"),
        "Blocks stream": arn(template, "BlocksTableName", "StreamArn"),
        "State": arn(template, "StateTableName"),
        "Machines": arn(template, "MachinesTableName"),
        "bus": arn(template, "EventBusName"),
        "bucket": bucket,
        "objects": below(template, "machines/*"),
        **{folder: below(template, f"machines/*/{folder}/*") for folder in (*GARBAGE, "settings")},
    }
    return {json.dumps(resource): place for place, resource in known.items()}


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("Executor", EXECUTOR),
        ("Announcer", ANNOUNCER),
        ("Archiver", ARCHIVER),
        ("Dumper", DUMPER),
        ("Pruner", PRUNER),
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
    workflows = of_type(dev, "AWS::StepFunctions::StateMachine")
    served = {f["Properties"]["RoleArn"]["Fn::GetAtt"][0] for f in workflows}
    assert len(roles) == len(functions)
    assert len(served) == len(workflows) == 1
    assert len(roles | served) == len(of_type(dev, "AWS::IAM::Role"))
    for role in of_type(dev, "AWS::IAM::Role"):
        assert not {"ManagedPolicyArns", "Policies"} & role["Properties"].keys()
    for policy in of_type(dev, "AWS::IAM::Policy"):
        assert len(policy["Properties"]["Roles"]) == 1


def test_the_restore_workflow_may_invoke_the_restorer_and_nothing_else(dev: Template) -> None:
    (workflow,) = of_type(dev, "AWS::StepFunctions::StateMachine")
    role = {"Ref": workflow["Properties"]["RoleArn"]["Fn::GetAtt"][0]}
    (policy,) = [p for p in of_type(dev, "AWS::IAM::Policy") if role in p["Properties"]["Roles"]]
    assert policy["Properties"]["PolicyDocument"]["Statement"] == [
        {
            "Action": "lambda:InvokeFunction",
            "Effect": "Allow",
            "Resource": arn(dev, "RestoreFunctionName"),
        }
    ]


def test_the_only_wildcards_are_prefixes_of_the_objects(dev: Template) -> None:
    folders = [below(dev, f"machines/*/{folder}/*") for folder in GARBAGE]
    written = [below(dev, f"machines/*/{folder}/*") for folder in ("retired", "settings")]
    for statement in statements(dev):
        assert "*" not in "".join(as_list(statement["Action"]))
        wild = [r for r in as_list(statement["Resource"]) if "*" in json.dumps(r)]
        assert wild in ([], [below(dev, "machines/*")], folders, written)


def test_nobody_deletes_but_the_pruner_and_it_changes_nothing_of_a_block(dev: Template) -> None:
    actions = [(s, action) for s in statements(dev) for action in as_list(s["Action"])]
    deleting = {json.dumps(s) for s, action in actions if "s3:Delete" in action}
    assert not [action for _, action in actions if "dynamodb:Delete" in action]
    own = [s for policy in policies_of(dev, "Pruner").values() for s in policy["Statement"]]
    (found,) = [s for s in own if json.dumps(s) in deleting]
    assert len(deleting) == 1
    assert found["Action"] == "s3:DeleteObject"
    (marking,) = [s for s in own if s.get("Condition", {}).get("ForAllValues:StringEquals")]
    assert marking["Resource"] == arn(dev, "BlocksTableName")
    assert marking["Action"] == "dynamodb:UpdateItem"
    assert marking["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["machine", "number", "expires"]},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
    }


@pytest.mark.parametrize(
    "name", ["Executor", "Announcer", "Archiver", "Dumper", "Pruner", "Restore"]
)
def test_a_listing_keeps_to_what_machines_own(dev: Template, name: str) -> None:
    (listing,) = [
        statement
        for policy in policies_of(dev, name).values()
        for statement in policy["Statement"]
        if "s3:ListBucket" in as_list(statement["Action"])
    ]
    assert as_list(listing["Action"]) == ["s3:ListBucket"]
    assert listing["Condition"] == {"StringLikeIfExists": {"s3:prefix": "machines/*"}}
