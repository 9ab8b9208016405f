"""Small machines for tests, each with a plain model of what it must do."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from blockfold import Context, Machine, Reject, State, action
from blockfold.domain.canonical import Json, normalise


class Step(msgspec.Struct, frozen=True):
    """One thing to do to a state.

    Attributes:
        do: ``set`` a key, ``delete`` it if there, ``push`` to the container in it (or start
            a list), or write down in it what keys ``list`` finds under the prefix ``value``.
        key: The key.
        value: What to set, push, or search for.
    """

    do: Literal["set", "delete", "push", "list"]
    key: str
    value: Any = None


class Cells(Machine):
    """Does to its state exactly what it is told."""

    @action
    def run(
        self,
        state: State,
        context: Context,
        steps: list[Step],
        end: Literal["apply", "reject", "crash"] = "apply",
    ) -> None:
        for step in steps:
            _take(state, step)
        context.emit("Ran", steps=len(steps))
        if end == "reject":
            raise Reject("as told")
        if end == "crash":
            raise RuntimeError("as told")


def _take(state: State, step: Step) -> None:
    if step.do == "set":
        state[step.key] = step.value
    elif step.do == "delete":
        state.pop(step.key, None)
    elif step.do == "list":
        state[step.key] = [key for key, _ in state.scan(str(step.value))]
    else:
        cell = state.get(step.key)
        if isinstance(cell, list):
            cell.append(step.value)
        elif isinstance(cell, dict):
            cell["pushed"] = step.value
        else:
            state[step.key] = [step.value]


def model_step(entries: dict[str, Json], do: str, key: str, value: Json) -> dict[str, Json]:
    """The entries after one `Step`: what `Cells` must do, on a plain dictionary."""
    old = entries.get(key)
    if do == "delete":
        return {each: entries[each] for each in entries if each != key}
    if do == "list":
        new: Json = [each for each in sorted(entries) if each.startswith(str(value))]
    elif do == "push" and isinstance(old, list):
        new = [*old, value]
    elif do == "push" and isinstance(old, dict):
        new = {**old, "pushed": value}
    else:
        new = value if do == "set" else [value]
    return {**entries, key: normalise(new)}


def model_run(entries: dict[str, Json], args: dict[str, Any]) -> dict[str, Json]:
    """The entries after one ``run`` action of `Cells`."""
    if args.get("end", "apply") != "apply":
        return entries
    for step in args["steps"]:
        entries = model_step(entries, step["do"], step["key"], step.get("value"))
    return entries


class Journal(Machine):
    """Notes down each action under its ordinal: shows order, repetition and loss."""

    @action
    def note(self, state: State, context: Context, text: str) -> None:
        state[f"note/{context.ordinal:06}"] = {
            "text": text,
            "id": context.id,
            "time": context.milliseconds,
            "luck": context.random.randrange(10**12),
        }
        state["count"] = state.get("count", 0) + 1
