"""The CDK app: `cdk deploy` runs it, and so does `python app.py` without the CLI."""

from __future__ import annotations

from pathlib import Path

from infra.synth import main

if __name__ == "__main__":
    main(root=Path(__file__).resolve().parent)
