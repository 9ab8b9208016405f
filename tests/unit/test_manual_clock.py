"""The clock of tests and notebooks."""

from __future__ import annotations

from threading import Lock, Thread

from blockfold import ManualClock


def test_calls_are_made_in_order_of_time() -> None:
    clock = ManualClock()
    seen: list[tuple[str, float]] = []
    for name, seconds in (("b", 2.0), ("a", 1.0), ("late", 9.0)):
        clock.call_later(seconds, lambda name=name: seen.append((name, clock.monotonic())))
    clock.call_later(1.5, lambda: None).cancel()
    clock.advance(3)
    assert seen == [("a", 1.0), ("b", 2.0)]
    assert clock.monotonic() == 3.0


def test_a_call_may_wait_for_a_thread_that_asks_for_a_timer() -> None:
    clock = ManualClock()
    held = Lock()

    def hold_and_ask() -> None:
        with held:
            moving.start()
            while not called:
                clock.call_later(1, lambda: None)

    def wait() -> None:
        called.append(1)
        with held:
            pass

    called: list[int] = []
    clock.call_later(0.5, wait)
    moving = Thread(target=lambda: clock.advance(1), daemon=True)
    asking = Thread(target=hold_and_ask, daemon=True)
    asking.start()
    asking.join(20)
    moving.join(20)
    assert not asking.is_alive()
    assert not moving.is_alive()
