"""What the stack answers to cdk-nag's AWS Solutions rules: checked on every synthesis."""

from __future__ import annotations

from aws_cdk import Acknowledgment, App, CfnResource, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks


def check_on_synth(app: App) -> None:
    """Let `app.synth()` raise on every finding that no construct acknowledges with a reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge_object_prefix(role: iam.Role, *, bucket: s3.Bucket, prefix: str) -> None:
    """Accept a role's access to all objects of `bucket` below `prefix`, which ends in `*`."""
    resource = bucket.node.default_child
    if not isinstance(resource, CfnResource):
        raise TypeError(f"{bucket.node.path} is no bucket of this stack")
    logical_id = Stack.of(role).get_logical_id(resource)
    Validations.of(role).acknowledge(
        Acknowledgment(
            id=f"AwsSolutions-IAM5[Resource::<{logical_id}.Arn>/{prefix}]",
            reason="Object keys hold machine ids and block numbers, which no template can list; "
            "the prefix keeps the grant to what machines own.",
        )
    )
