"""The page on scaling shows the tables that the code leads to."""

from __future__ import annotations

import pytest

from bench import scale
from bench.walls import SIZES, sharded, walls

REFRESH = "run: python -m bench.scale --write"


@pytest.mark.parametrize(("name", "table"), scale.cheap_tables().items())
def test_the_page_shows_the_tables(name: str, table: object) -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    assert callable(table)
    assert scale.put(page, name, scale.markdown(table())) == page, REFRESH


def test_the_page_has_a_place_for_every_table() -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    for name in scale.tables():
        assert scale.put(page, name, "gone\n") != page


def test_a_page_without_a_place_is_told() -> None:
    with pytest.raises(LookupError, match="machine"):
        scale.put("nothing", "machine", "")


def test_what_a_wall_lets_through_does_not_shrink_with_machines_alone() -> None:
    """But for who asks once for each machine: archiver, S3."""
    for wall in walls(1.0):
        few, many, most = wall.limits
        assert len(wall.limits) == len(SIZES)
        if wall.what.split(":")[0] not in {"archiver", "S3", "Lambda"}:
            assert few <= many <= most


def test_partition_keys_bring_rows_until_the_executor_is_the_wall() -> None:
    one, two, four, eight = map(sharded, (1, 2, 4, 8))
    assert two.writes == 2 * one.writes
    assert four.writes == eight.writes < 4 * one.writes
    assert eight.few == 8 * one.few
    assert eight.many == pytest.approx(one.many, rel=0.01)
    assert eight.seconds == pytest.approx(8 * one.seconds)
