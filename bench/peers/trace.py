"""Writes down what a boto3 client sends and gets, for `bench.counting.read_trace`.

Standard library only, because peers have environments of their own.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any


def trace(client: Any, path: str) -> None:
    """Write down what the client sends and gets."""
    file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the process

    def asked(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["traced"] = json.dumps(params, default=_plain)

    def answered(model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        call = {"operation": model.name, "request": json.loads(context["traced"]), "answer": answer}
        file.write(json.dumps(call, default=_plain) + "\n")

    client.meta.events.register_last("before-parameter-build.dynamodb", asked)
    client.meta.events.register_first("after-call.dynamodb", answered)


def _plain(value: object) -> str:
    """Bytes as they go over the wire."""
    assert isinstance(value, bytes | bytearray), f"{value!r} goes into no request"
    return b64encode(value).decode()
