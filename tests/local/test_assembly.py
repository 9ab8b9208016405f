"""From app.py to template and assets, and when app.py need not run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from blockfold.local import SynthesisError
from blockfold.local.assembly import read, synthesize
from blockfold.local.inputs import fingerprint

MINIATURE = Path(__file__).with_name("miniature")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINIATURE, tmp_path / "project"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "data" / "assembly" / "Mine"


def test_context_reaches_the_app_and_assets_come_back(root: Path, out: Path) -> None:
    assembly = synthesize(root, out, stack="Mine", context={"machine": "a:B"})

    resources = json.loads(assembly.template)["Resources"]
    variables = resources["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["BLOCKFOLD_MACHINE"] == "a:B"
    [asset] = assembly.assets  # the template itself is no asset
    assert asset.is_folder
    assert (asset.source / "handler.py").is_file()
    assert asset.key == asset.source.name.removeprefix("asset.") + ".zip"
    assert asset.bucket_in("000000000000", "eu-west-1") == (
        "cdk-hnb659fds-assets-000000000000-eu-west-1"
    )


def test_unchanged_inputs_are_not_synthesized_again(root: Path, out: Path) -> None:
    def synthesized() -> bool:
        before = (out / "manifest.json").stat().st_mtime_ns
        synthesize(root, out, stack="Mine", context={})
        return (out / "manifest.json").stat().st_mtime_ns != before

    synthesize(root, out, stack="Mine", context={})
    assert not synthesized()

    (root / ".cache").mkdir()
    (root / ".cache" / "noise").write_text("")
    assert not synthesized()

    code = root / "code" / "handler.py"
    code.write_text(code.read_text() + "# changed\n")
    assert synthesized()
    assert len(list(out.glob("asset.*"))) == 1  # the old asset is gone

    shutil.rmtree(next(out.glob("asset.*")))
    assert synthesized()
    assert not synthesized()


def test_code_outside_of_the_project_is_never_taken_for_unchanged(
    root: Path, tmp_path: Path
) -> None:
    (root / "machines").mkdir()
    outside = tmp_path / "elsewhere.py"
    outside.write_text("")

    assert fingerprint(root, {}) is not None
    assert fingerprint(root, {"machine": "machines.forest:Forest"}) is not None
    assert fingerprint(root, {"machine": "code/handler.py:Class"}) is not None
    assert fingerprint(root, {"machine": f"{outside}:Class"}) is None
    assert fingerprint(root, {"machine": "../elsewhere.py:Class"}) is None
    assert fingerprint(root, {"machine": "installed.package:Class"}) is None
    assert fingerprint(root, {"machine": "tests/unwatched.py:Class"}) is None


def test_a_failing_app_is_quoted(root: Path, out: Path) -> None:
    (root / "app.py").write_text("raise SystemExit('context stage may be dev or prod')")

    with pytest.raises(SynthesisError, match="stage may be dev or prod"):
        synthesize(root, out, stack="Mine", context={})


def test_callers_aws_settings_do_not_reach_the_app(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", "123456789012")
    (root / "app.py").write_text(
        "import os, sys\n"
        "sys.exit(str(sorted(k for k in os.environ if k.startswith(('AWS_', 'CDK_')))))"
    )

    with pytest.raises(SynthesisError, match=r"\['CDK_CONTEXT_JSON', 'CDK_OUTDIR'\]"):
        synthesize(root, out, stack="Mine", context={})


def test_what_is_no_assembly_is_refused(root: Path, out: Path, tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match=r"no app\.py"):
        synthesize(tmp_path, out, stack="Mine", context={})
    with pytest.raises(SynthesisError, match=r"manifest\.json"):
        read(out, "Mine")
    synthesize(root, out, stack="Mine", context={})
    with pytest.raises(SynthesisError, match="no stack 'Other'"):
        read(out, "Other")
    shutil.rmtree(next(out.glob("asset.*")))
    with pytest.raises(SynthesisError, match="is missing"):
        read(out, "Mine")
    (out / "manifest.json").write_text("[")
    with pytest.raises(SynthesisError, match="no readable part"):
        read(out, "Mine")
