"""What each function may do to the data, action by action.

Only the pruner's role may delete anything (and the driller's its own scratch rows), and none may
reach beyond this stack. That a block is never overwritten is the code's doing: IAM knows no "put
only if absent". What an event source needs besides (queue, stream, failure queue) stands with the
source.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra.nag import acknowledge_object_prefix
from infra.storage import Storage

_OBJECTS = "machines/*"
"""Every object of the bucket stands below the machine that it belongs to."""


def grant_executor(role: iam.Role, storage: Storage) -> None:
    """Append blocks, write state, keep the machine's item; large bodies and snapshots in S3."""
    storage.blocks.grant(role, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
    storage.state.grant(
        role,
        "dynamodb:BatchGetItem",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:Query",
    )
    storage.machines.grant(role, "dynamodb:GetItem", "dynamodb:UpdateItem")
    _grant_objects(role, storage.snapshots, "s3:GetObject", "s3:PutObject")
    _grant_listing(role, storage.snapshots)


def grant_announcer(role: iam.Role, storage: Storage, bus: events.IEventBus) -> None:
    """Read the dumper's settings and large bodies; publish. The stream brings the blocks."""
    storage.machines.grant(role, "dynamodb:BatchGetItem")
    _grant_objects(role, storage.snapshots, "s3:GetObject")
    _grant_listing(role, storage.snapshots)
    bus.grant_put_events_to(role)


def grant_archiver(role: iam.Role, storage: Storage) -> None:
    """Read large bodies, write segments. The stream brings the blocks."""
    _grant_objects(role, storage.snapshots, "s3:GetObject", "s3:PutObject")
    _grant_listing(role, storage.snapshots)


def grant_dumper(role: iam.Role, storage: Storage) -> None:
    """Read the log, keep the settings, find machines for the sweep, write snapshots, compact."""
    storage.blocks.grant(role, "dynamodb:GetItem", "dynamodb:Query")
    storage.machines.grant(role, "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem")
    _grant_objects(role, storage.snapshots, "s3:GetObject", "s3:PutObject")
    _grant_listing(role, storage.snapshots)


def grant_restorer(role: iam.Role, storage: Storage) -> None:
    """Read the past, append the restore block, write the state that it brings back."""
    storage.blocks.grant(role, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
    storage.state.grant(role, "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:Query")
    storage.machines.grant(role, "dynamodb:GetItem", "dynamodb:UpdateItem")
    _grant_objects(role, storage.snapshots, "s3:GetObject", "s3:PutObject")
    _grant_listing(role, storage.snapshots)


def grant_pruner(role: iam.Role, storage: Storage) -> None:
    """Let go of old blocks and delete objects: the only role that may.

    It marks blocks for their expiry and can change nothing else of them. What restores and forks
    name (`pinned/`) it cannot delete.
    """
    storage.blocks.grant(role, "dynamodb:GetItem", "dynamodb:Query")
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["dynamodb:UpdateItem"],
            resources=[storage.blocks.table_arn],
            conditions={
                "ForAllValues:StringEquals": {
                    "dynamodb:Attributes": ["machine", "number", "expires"]
                },
                "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
            },
        )
    )
    storage.machines.grant(role, "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem")
    _grant_objects(role, storage.snapshots, "s3:GetObject")
    _grant_objects(
        role,
        storage.snapshots,
        "s3:PutObject",
        below=[_folder("retired"), _folder("settings")],
    )
    _grant_objects(
        role,
        storage.snapshots,
        "s3:DeleteObject",
        below=[_folder(name) for name in ("snapshots", "retired", "runs", "archive", "log")],
    )
    _grant_listing(role, storage.snapshots)


def grant_driller(role: iam.Role, storage: Storage) -> None:
    """Read the log, the settings and the bucket; write, read and delete scratch rows.

    They stand in partitions of the State table that are named ``drill <machine>``. No machine has
    such a name: a message group's id holds no space.
    """
    storage.blocks.grant(role, "dynamodb:GetItem", "dynamodb:Query")
    storage.machines.grant(role, "dynamodb:GetItem", "dynamodb:Scan")
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=[
                "dynamodb:BatchWriteItem",
                "dynamodb:PartiQLInsert",
                "dynamodb:PartiQLUpdate",
                "dynamodb:Query",
            ],
            resources=[storage.state.table_arn],
            conditions={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["drill *"]},
                "Null": {"dynamodb:LeadingKeys": "false"},  # for all of none holds, too
            },
        )
    )
    _grant_objects(role, storage.snapshots, "s3:GetObject")
    _grant_listing(role, storage.snapshots)


def _folder(name: str) -> str:
    """One folder of every machine; an id is percent-encoded and holds no slash."""
    return f"machines/*/{name}/*"


def _grant_objects(
    role: iam.Role, bucket: s3.Bucket, *actions: str, below: Sequence[str] = (_OBJECTS,)
) -> None:
    resources = [bucket.arn_for_objects(prefix) for prefix in below]
    role.add_to_principal_policy(iam.PolicyStatement(actions=[*actions], resources=resources))
    for prefix in below:
        acknowledge_object_prefix(role, bucket=bucket, prefix=prefix)


def _grant_listing(role: iam.Role, bucket: s3.Bucket) -> None:
    """List what machines own, and be told 404, not 403, for an object that is not there.

    S3 asks for this permission when it answers a read of a missing object, which has no prefix.
    """
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLikeIfExists": {"s3:prefix": _OBJECTS}},
        )
    )
