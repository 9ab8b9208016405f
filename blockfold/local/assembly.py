"""From the project's ``app.py`` to what has to be deployed: a template and its file assets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from blockfold.local import inputs
from blockfold.local.errors import SynthesisError

SYNTH_SECONDS = 600.0
TAIL_LINES = 30
STACK_TYPE = "aws:cloudformation:stack"
ASSETS_TYPE = "cdk:asset-manifest"
ACCOUNT_MARK = "${AWS::AccountId}"
REGION_MARK = "${AWS::Region}"
Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class FileAsset:
    """A file or folder that the template expects at `key` in `bucket`.

    `is_folder` means that the bucket gets `source`, a directory, as a zip. The bucket's name may
    hold the placeholders of account and region; see `bucket_in`.
    """

    source: Path
    is_folder: bool
    bucket: str
    key: str

    def bucket_in(self, account: str, region: str) -> str:
        """The bucket's name in one account and region."""
        return self.bucket.replace(ACCOUNT_MARK, account).replace(REGION_MARK, region)


@dataclass(frozen=True, slots=True)
class Assembly:
    """One stack of a cloud assembly: its template as JSON text, and the assets it names."""

    stack: str
    template: str
    assets: tuple[FileAsset, ...]


def synthesize(root: Path, out: Path, *, stack: str, context: Mapping[str, str]) -> Assembly:
    """Run the project's ``app.py`` for `stack` and read what it wrote to `out`.

    The run is skipped when nothing that it reads has changed since the last one (see inputs.py).

    Args:
        root: The project folder, with app.py.
        out: The assembly's folder; made when missing, and used by nothing else.
        stack: The stack's name, handed over as context ``stack``.
        context: More context for the app; ``stack`` in it is overridden.

    Raises:
        SynthesisError: There is no app.py, it failed, or it wrote no such stack.
    """
    app = root / "app.py"
    if not app.is_file():
        raise SynthesisError(
            f"there is no app.py in {root}",
            hint="run this in the folder of a Blockfold project, or name it with --root",
        )
    given = {**context, "stack": stack}
    fingerprint = inputs.fingerprint(root, given)
    memo = out.with_name(f"{out.name}.inputs")
    if fingerprint is not None and memo.exists() and memo.read_text() == fingerprint:
        try:
            return read(out, stack)
        except SynthesisError:
            memo.unlink()  # somebody removed a part of the assembly: write it again
    memo.unlink(missing_ok=True)
    _run(root, out, given)
    assembly = read(out, stack)
    _prune(out, assembly)
    if fingerprint is not None:
        memo.write_text(fingerprint)
    return assembly


def read(out: Path, stack: str) -> Assembly:
    """The stack named `stack` of the cloud assembly in `out`.

    Raises:
        SynthesisError: No assembly, no such stack, or an asset that is not there.
    """
    manifest = _load(out / "manifest.json")
    artifacts = _documents(manifest.get("artifacts"))
    found = None
    for name, artifact in artifacts.items():
        properties = _document(artifact.get("properties"))
        if artifact.get("type") == STACK_TYPE and properties.get("stackName", name) == stack:
            found = properties
    if found is None:
        raise SynthesisError(
            f"the assembly in {out} has no stack {stack!r}",
            hint="app.py must name its stack after the context key 'stack'",
        )
    if manifest.get("missing"):
        raise SynthesisError(
            f"the assembly in {out} asks for look-ups in a real account",
            hint="a local stack can only hold what is known without an account",
        )
    template = (out / str(found.get("templateFile"))).read_text()
    assets: list[FileAsset] = []
    for artifact in artifacts.values():
        if artifact.get("type") == ASSETS_TYPE:
            file = out / str(_document(artifact.get("properties")).get("file"))
            assets += _assets(out, _load(file), str(found.get("templateFile")))
    return Assembly(stack, template, tuple(assets))


def _assets(out: Path, manifest: Document, template_file: str) -> list[FileAsset]:
    assets = []
    for entry in _documents(manifest.get("files")).values():
        source = _document(entry.get("source"))
        path = out / str(source.get("path"))
        if source.get("path") == template_file:
            continue  # the template goes to CloudFormation itself
        if not path.exists():
            raise SynthesisError(
                f"the asset {path} of the assembly is missing",
                hint="delete the folder of the assembly and try again",
            )
        is_folder = source.get("packaging") == "zip"
        assets += [
            FileAsset(path, is_folder, str(where.get("bucketName")), str(where.get("objectKey")))
            for where in _documents(entry.get("destinations")).values()
        ]
    return assets


def _run(root: Path, out: Path, context: Mapping[str, str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    # Without AWS settings the template is the same for every account and region.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CDK_"))}
    environment = {
        **kept,
        "CDK_OUTDIR": str(out),
        "CDK_CONTEXT_JSON": json.dumps(dict(context)),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SYNTH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(
            f"app.py in {root} did not end within {SYNTH_SECONDS:.0f} s",
            hint="run `python app.py` there by hand to see where it waits",
        ) from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise SynthesisError(
            f"app.py in {root} failed with exit code {done.returncode}:\n{tail}",
            hint="mend what it names, then run the command again",
        )


def _prune(out: Path, assembly: Assembly) -> None:
    """Delete staged assets of earlier runs."""
    kept = {asset.source for asset in assembly.assets}
    for path in out.glob("asset.*"):
        if path not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _load(path: Path) -> Document:
    try:
        return _document(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise SynthesisError(
            f"{path} is no readable part of a cloud assembly: {error}",
            hint="delete its folder and run the command again",
        ) from error


def _document(value: object) -> Document:
    return cast("Document", value) if isinstance(value, dict) else {}


def _documents(value: object) -> dict[str, Document]:
    return {name: _document(entry) for name, entry in _document(value).items()}
