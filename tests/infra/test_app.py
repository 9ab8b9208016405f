"""`python app.py` as make and the local stack run it: no CLI, no Node on PATH, no account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(project: Path, out: Path, **context: str) -> subprocess.CompletedProcess[str]:
    """Run the project's app with next to nothing in its environment."""
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=project,
        env={
            "PATH": "/nonexistent",
            "HOME": os.environ.get("HOME", str(out)),  # jsii keeps its unpacked packages there
            "PYTHONPATH": str(ROOT),
            "CDK_OUTDIR": str(out),
            "CDK_CONTEXT_JSON": json.dumps(context),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.timeout(120)
def test_app_py_alone_writes_a_cloud_assembly_without_a_word(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "cdk.out"
    done = run(project, out, stack="Orchard", platform="host", count="25")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    template = json.loads((out / "Orchard.template.json").read_text())
    assert template["Description"].endswith("machines.forest:Forest")
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    counts = {f["Properties"]["Environment"]["Variables"]["BLOCKFOLD_COUNT"] for f in functions}
    assert counts == {"25"}
    assets = json.loads((out / "Orchard.assets.json").read_text())["files"].values()
    (code,) = [a["source"] for a in assets if a["source"]["packaging"] == "zip"]
    assert (out / code["path"] / "lambdas" / "executor.py").is_file()
    assert (out / code["path"] / "treelib.py").is_file()


def test_a_wrong_context_ends_with_one_clear_line(project: Path, tmp_path: Path) -> None:
    done = run(project, tmp_path / "cdk.out", stage="staging")
    assert done.returncode == 1
    assert done.stderr == "blockfold: context 'stage' is 'staging': it may be dev or prod\n"
    assert not (tmp_path / "cdk.out" / "manifest.json").exists()
