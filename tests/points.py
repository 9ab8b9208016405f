"""A test at many points: thousands of cases, a few dozen of them in one item.

What pytest does for an item takes longer than many a case. A failure names its case in a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from typing import Any

import pytest

TOGETHER = 25


def at_each(names: Sequence[str], cases: Iterable[Any]) -> Callable[[Callable[..., None]], Any]:
    """Parametrize a test by cases, as `pytest.mark.parametrize` does; it takes nothing else.

    Args:
        names: The test's parameters.
        cases: Tuples of their values, or `pytest.param` of them.
    """
    points = [_point(case) for case in cases]
    assert points, "a test that runs nowhere"
    groups = [points[start : start + TOGETHER] for start in range(0, len(points), TOGETHER)]

    def decorate(test: Callable[..., None]) -> Any:
        def run(points: list[tuple[str, tuple[Any, ...]]]) -> None:
            for label, values in points:
                try:
                    test(**dict(zip(names, values, strict=True)))
                except BaseException as error:
                    error.add_note(f"at {label}")
                    raise

        update_wrapper(run, test)
        del run.__wrapped__  # type: ignore[attr-defined]  # or pytest asks for its parameters
        run.__annotations__ = {}
        ids = [f"{group[0][0]}..." for group in groups]
        return pytest.mark.parametrize("points", groups, ids=ids)(run)

    return decorate


def _point(case: Any) -> tuple[str, tuple[Any, ...]]:
    values = tuple(getattr(case, "values", case))
    label = getattr(case, "id", None)
    return label or "-".join(map(str, values)), values
