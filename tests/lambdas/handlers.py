"""Handlers in this process, imported under the environment that the stack gives them."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import pytest


def imported(name: str) -> Any:
    """The module of the handler ``lambdas.<name>``, afresh."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_SERVICE_NAME", name)
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Blockfold")
        patch.setenv("POWERTOOLS_LOG_LEVEL", "INFO")
        sys.modules.pop(f"lambdas.{name}", None)
        return import_module(f"lambdas.{name}")


def metrics_in(printed: str) -> dict[str, float]:
    """The sum of each metric among printed lines."""
    found: dict[str, float] = {}
    for line in printed.splitlines():
        blob = json.loads(line)
        if "_aws" not in blob:
            continue
        (directive,) = blob["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Blockfold"
        for metric in directive["Metrics"]:
            found[metric["Name"]] = found.get(metric["Name"], 0) + sum(blob[metric["Name"]])
    return found
