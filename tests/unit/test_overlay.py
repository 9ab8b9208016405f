"""The sorted keys of a running block, however often bringing them up to date is broken off."""

from __future__ import annotations

from random import Random

import pytest

from blockfold.domain.overlay import Overlay, holds

PREFIXES = ("", "a", "a1", "a11", "b", "\U0001f600", "zz")


class Interrupted(BaseException):
    pass


class Touched:
    """What was done to each key, with an end that comes now and then."""

    def __init__(self, patience: Random | None = None) -> None:
        self.live: dict[str, bool] = {}
        self._patience = patience

    def is_live(self, key: str) -> bool | None:
        if self._patience is not None and self._patience.random() < 0.02:
            raise Interrupted
        return self.live.get(key)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("interrupted", [False, True])
def test_it_holds_what_is_live_and_what_is_gone_in_order(seed: int, interrupted: bool) -> None:
    random = Random(seed)
    touched = Touched(Random(seed) if interrupted else None)
    overlay = Overlay(touched.is_live)
    keys = [f"{letter}{number}" for letter in ("a", "b", "\U0001f600") for number in range(60)]
    for _ in range(200):
        moved = random.sample(keys, random.choice([0, 1, 1, 2, 5, 40]))
        overlay.move_all(moved)
        for key in moved:
            overlay.move(key)
            how = random.choice([True, True, False, None, "not at all"])
            if how is None:
                touched.live.pop(key, None)
            elif isinstance(how, bool):
                touched.live[key] = how
        prefix = random.choice(PREFIXES)
        while True:
            try:
                live, gone = overlay.below(prefix)
            except Interrupted:
                continue
            break
        expected = sorted(key for key in touched.live if key.startswith(prefix))
        assert live == [key for key in expected if touched.live[key]]
        assert gone == [key for key in expected if not touched.live[key]]


def test_what_was_handed_out_stays_as_it_was() -> None:
    touched = Touched()
    overlay = Overlay(touched.is_live)
    overlay.move("a")
    touched.live["a"] = True
    live, _ = overlay.below("")
    overlay.move("b")
    touched.live["b"] = True
    overlay.below("")
    assert live == ["a"]


def test_holds() -> None:
    assert [holds(["a", "c"], key) for key in ("", "a", "b", "c", "d")] == [
        *(False, True, False, True, False)
    ]
    assert not holds([], "a")
