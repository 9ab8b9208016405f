"""Where a stack keeps things: three tables and a bucket."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.options import Stage

_UNDELETE = Duration.days(30)


class Storage(Construct):
    """The log (`blocks`), the live state, the machines' settings, and the bucket for what is large.

    All are encrypted at rest with keys that AWS owns and manages (DynamoDB's default, S3's
    AES256): no price a request, no key to lose.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        """Make the tables and the bucket; a stage that keeps data retains them all."""
        super().__init__(scope, id_)
        self._stage = stage
        self.blocks = self._table(
            "Blocks",
            sort_key=_attribute("number", dynamodb.AttributeType.NUMBER),
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live_attribute="expires",
        )
        self.state = self._table(
            "State",
            sort_key=_attribute("key", dynamodb.AttributeType.STRING),
            time_to_live_attribute="expires",
        )
        self.machines = self._table("Machines")
        self.snapshots = self._bucket()

    @property
    def _removal(self) -> RemovalPolicy:
        return RemovalPolicy.RETAIN if self._stage.keeps_data else RemovalPolicy.DESTROY

    def _table(
        self,
        id_: str,
        *,
        sort_key: dynamodb.Attribute | None = None,
        stream: dynamodb.StreamViewType | None = None,
        time_to_live_attribute: str | None = None,
    ) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id_,
            partition_key=_attribute("machine", dynamodb.AttributeType.STRING),
            sort_key=sort_key,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            stream=stream,
            time_to_live_attribute=time_to_live_attribute,
            deletion_protection=self._stage.keeps_data,
            removal_policy=self._removal,
        )

    def _bucket(self) -> s3.Bucket:
        """Objects are never overwritten, so versions serve only to undo a deletion."""
        versioned = self._stage.keeps_data
        bucket = s3.Bucket(
            self,
            "Snapshots",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=versioned,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="abandoned-uploads",
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
                *([_undelete_window()] if versioned else []),
            ],
            removal_policy=self._removal,
        )
        Validations.of(bucket).acknowledge(
            Acknowledgment(
                id="AwsSolutions-S1",
                reason="Objects are content-addressed and checked against their hashes on reading; "
                "IAM settles who may read them. For an audit of reads, CloudTrail data events "
                "name the caller, which server access logs do not.",
            )
        )
        return bucket


def _undelete_window() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="undelete-window",
        noncurrent_version_expiration=_UNDELETE,
        expired_object_delete_marker=True,
    )


def _attribute(name: str, type_: dynamodb.AttributeType) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=type_)
