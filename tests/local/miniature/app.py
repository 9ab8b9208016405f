"""A project in miniature: writes the kind of cloud assembly that the CDK writes, in milliseconds.

Takes the same settings (``CDK_OUTDIR``, ``CDK_CONTEXT_JSON``); the template has one of each thing
that the local stack must bring up and keep.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTEXT = json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}"))
OUT = Path(os.environ.get("CDK_OUTDIR", "cdk.out"))
STACK = CONTEXT.get("stack", "Blockfold")
BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
CODE = (HERE / "code" / "handler.py").read_bytes()
HASH = hashlib.sha256(CODE).hexdigest()


def table(stream: bool) -> dict[str, object]:
    """A table with one key."""
    properties: dict[str, object] = {
        "AttributeDefinitions": [{"AttributeName": "machine", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "machine", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if stream:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_IMAGE"}
    return {"Type": "AWS::DynamoDB::Table", "Properties": properties}


def function(role: str) -> dict[str, object]:
    """The Lambda, its code from an asset."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.14",
            "Handler": "handler.handler",
            "Role": {"Fn::GetAtt": [role, "Arn"]},
            "Code": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": f"{HASH}.zip"},
            "Timeout": 10,
            "Environment": {
                "Variables": {
                    "TABLE": {"Ref": "Handled"},
                    "BLOCKFOLD_MACHINE": CONTEXT.get("machine", "default"),
                    "PLATFORM": CONTEXT.get("platform", "lambda"),
                }
            },
        },
    }


def source(arn: list[str], **settings: object) -> dict[str, object]:
    """An event source of the Lambda."""
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": arn},
            "FunctionName": {"Ref": "Function"},
            **settings,
        },
    }


def queue() -> dict[str, object]:
    """A FIFO queue with a visibility time-out far longer than any test."""
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {"FifoQueue": True, "VisibilityTimeout": 360},
    }


TEMPLATE: dict[str, dict[str, object]] = {
    "Parameters": {
        "BootstrapVersion": {
            "Type": "AWS::SSM::Parameter::Value<String>",
            "Default": "/cdk-bootstrap/hnb659fds/version",
        }
    },
    "Resources": {
        "Queue": queue(),
        "Watched": table(stream=True),
        "Handled": table(stream=False),
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ],
                }
            },
        },
        "Function": function("Role"),
        "FromQueue": source(
            ["Queue", "Arn"], BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
        ),
        "FromStream": source(["Watched", "StreamArn"], StartingPosition="TRIM_HORIZON"),
    },
    "Outputs": {
        "QueueUrl": {"Value": {"Ref": "Queue"}},
        "WatchedName": {"Value": {"Ref": "Watched"}},
        "HandledName": {"Value": {"Ref": "Handled"}},
        "BucketName": {"Value": {"Ref": "Bucket"}},
        "FunctionName": {"Value": {"Ref": "Function"}},
    },
}
if CONTEXT.get("broken"):
    TEMPLATE["Resources"]["Broken"] = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": "FromQueue",
        "Properties": {"FifoQueue": True, "QueueName": "its-name-lacks-the-suffix"},
    }

OUT.mkdir(parents=True, exist_ok=True)
shutil.copytree(HERE / "code", OUT / f"asset.{HASH}", dirs_exist_ok=True)
(OUT / f"{STACK}.template.json").write_text(json.dumps(TEMPLATE))
files = {
    HASH: {
        "source": {"path": f"asset.{HASH}", "packaging": "zip"},
        "destinations": {"here": {"bucketName": BUCKET, "objectKey": f"{HASH}.zip"}},
    },
    "template": {
        "source": {"path": f"{STACK}.template.json", "packaging": "file"},
        "destinations": {"here": {"bucketName": BUCKET, "objectKey": "template.json"}},
    },
}
(OUT / f"{STACK}.assets.json").write_text(json.dumps({"files": files}))
artifacts = {
    f"{STACK}.assets": {
        "type": "cdk:asset-manifest",
        "properties": {"file": f"{STACK}.assets.json"},
    },
    STACK: {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": f"{STACK}.template.json"},
    },
}
(OUT / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": artifacts}))
