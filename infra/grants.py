"""What each function may do to the data, action by action.

No role may delete anything or reach beyond this stack. That a block is never overwritten is the
code's doing: IAM knows no "put only if absent". What an event source
needs besides (queue, stream, failure queue) stands with the source.
"""

from __future__ import annotations

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
    storage.machines.grant(role, "dynamodb:GetItem")
    _grant_objects(role, storage.snapshots, "s3:GetObject")
    _grant_listing(role, storage.snapshots)
    bus.grant_put_events_to(role)


def grant_dumper(role: iam.Role, storage: Storage) -> None:
    """Read the log, keep the settings, find machines for the sweep, write snapshots."""
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


def _grant_objects(role: iam.Role, bucket: s3.Bucket, *actions: str) -> None:
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=[*actions], resources=[bucket.arn_for_objects(_OBJECTS)])
    )
    acknowledge_object_prefix(role, bucket=bucket, prefix=_OBJECTS)


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
