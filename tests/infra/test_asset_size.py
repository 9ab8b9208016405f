"""How large the Lambda asset is: it is fetched and unpacked at each cold start."""

from __future__ import annotations

from pathlib import Path

from infra.bundle import staged
from infra.options import Platform

ROOT = Path(__file__).resolve().parents[2]
MOST = 20_000_000
"""Bytes, unpacked. It has no boto3: the runtime brings that."""


def test_the_real_asset_is_small_and_brings_no_boto3() -> None:
    machine, here = "machines.forest:Forest", Platform.HOST
    with staged(root=ROOT, machine=machine, platform=here) as bundle:
        files = [path for path in bundle.directory.rglob("*") if path.is_file()]
        top = {path.relative_to(bundle.directory).parts[0] for path in files}
        size = sum(path.stat().st_size for path in files)
    assert {"blockfold", "lambdas", "zstandard"} <= top
    assert not top & {"boto3", "botocore", "s3transfer", "urllib3"}
    assert 1_000_000 < size <= MOST
