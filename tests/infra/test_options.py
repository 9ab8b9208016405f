"""The context of a synthesis: defaults, choices, and what is said about anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import OptionError
from infra.options import Options, Platform, Stage
from infra.synth import project_context

ROOT = Path(__file__).resolve().parents[2]


def read(**context: object) -> Options:
    return Options.from_context(context.get)


def test_an_empty_context_means_what_cdk_json_says() -> None:
    assert read() == Options.from_context(project_context(ROOT).get) == Options()


def test_every_option_can_be_chosen() -> None:
    chosen = read(stack="Orchard-2", machine="m:C", stage="prod", platform="host", count="25")
    assert chosen == Options(
        stack="Orchard-2", machine="m:C", stage=Stage.PROD, platform=Platform.HOST, count=25
    )


@pytest.mark.parametrize(
    ("written", "count"), [("1", 1), (25, 25), ("1000000000", 10**9), ("0", 0), (0, 0), ("none", 0)]
)
def test_a_count_is_a_number_or_text_and_none_is_zero(written: object, count: int) -> None:
    assert read(count=written).count == count


def test_a_policy_for_new_machines_has_what_was_written() -> None:
    assert read().policy == {}
    assert read(quiet="30", bytes=10_000_000).policy == {"quiet": 30, "bytes": 10_000_000}
    assert read(quiet="none", minutes=60, bytes="0").policy == {"minutes": 60}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"stage": "staging"}, "context 'stage' is 'staging': it may be dev or prod"),
        ({"platform": "arm"}, "context 'platform' is 'arm': it may be lambda or host"),
        ({"stack": "2nd"}, "a letter first"),
        ({"stack": "under_score"}, "letters, digits and hyphens"),
        ({"stack": "a" * 129}, "128 at most"),
        ({"count": "-1"}, "context 'count' is '-1': write a whole number of blocks from 1 to 1000"),
        ({"action_seconds": "60"}, "whole seconds from 1 to 20"),
        ({"archive_seconds": "301"}, "'archive_seconds' is '301': write whole seconds from 0 to"),
        ({"archive_seconds": "-1"}, "from 0 to 300, for example `-c archive_seconds=10`"),
        ({"count": "ten"}, "for example `-c count=100`, or none for no snapshots"),
        ({"count": "1e3"}, "context 'count' is '1e3'"),
        ({"count": ""}, "context 'count' is ''"),
        ({"count": True}, "context 'count' is True"),
        ({"count": 2.5}, "context 'count' is 2.5"),
        ({"count": "1000000001"}, "from 1 to 1000000000"),
        ({"quiet": "30s"}, "context 'quiet' is '30s': write a whole number from 1 to 31536000"),
        ({"minutes": 2.5}, "context 'minutes' is 2.5"),
        ({"minutes": "525601"}, "or none for no such snapshots"),
        ({"bytes": True}, "context 'bytes' is True"),
        ({"machine": 7}, "context 'machine' is 7: write `-c machine=machines.forest:Forest`"),
    ],
)
def test_anything_else_is_refused_with_the_way_out(
    context: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError) as refused:
        read(**context)
    assert message in str(refused.value)
