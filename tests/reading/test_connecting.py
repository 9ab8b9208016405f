"""Finding a stack under an AWS configuration that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockfold.client import connect
from blockfold.domain.errors import Misconfigured
from blockfold.runtime import SqsChannel


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_without_a_region_the_way_out_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="'Grove': You must specify a region") as caught:
        connect("Grove", folder=tmp_path)
    assert "AWS_DEFAULT_REGION" in caught.value.hint
    with pytest.raises(Misconfigured, match="You must specify a region") as caught:
        SqsChannel("https://sqs.eu-west-1.amazonaws.com/0/actions.fifo", "m")
    assert "AWS_DEFAULT_REGION" in caught.value.hint


def test_an_endpoint_that_is_none_is_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(Misconfigured, match="Invalid endpoint: nonsense"):
        connect("Grove", folder=tmp_path)
    with pytest.raises(Misconfigured, match="Invalid endpoint: nonsense"):
        SqsChannel("https://sqs.eu-west-1.amazonaws.com/0/actions.fifo", "m")
