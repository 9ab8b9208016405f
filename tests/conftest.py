"""What every test needs: Hypothesis profiles, many more examples when BLOCKFOLD_SOAK is set."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

from tests.emulator import emulator

__all__ = ["emulator"]

gc.set_threshold(50_000, 20, 20)  # a test makes many objects and few cycles

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "ci",
    max_examples=30,
    derandomize=True,  # the same examples each time: the soak looks for new ones
    deadline=None,
    print_blob=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile(
    "soak", max_examples=3_000, deadline=None, print_blob=True, suppress_health_check=_SLOW_IS_FINE
)
settings.load_profile("soak" if os.environ.get("BLOCKFOLD_SOAK") else "ci")
