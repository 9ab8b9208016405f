"""What the code can do, so that a test can say what the matrix lacks."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import blockfold.application
from tests.simulation.environments import module_of
from tests.simulation.matrix.cases import CASES
from tests.simulation.matrix.crossing import Recorded, record

LAMBDAS = Path(__file__).parents[3] / "lambdas"

NOT_HERE = {
    "dump.ignore": "does nothing",
    "execute.Executor.fold": "commit and flush one after the other, for the plain object",
    "execute.Executor.forget": "drops what is in memory",
    "frames.PastSource.get": "one key of `get_many`",
    "history.History.at": "the plain object's way to what `nearest` and `forward` do",
    "history.History.nearest": "the same",
    "import_lines.members": "parses",
    "import_state.Sorter.add": "a protocol",
    "import_state.Sorter.sorted": "a protocol",
    "outcomes.ActionOutcome.applied": "a value",
    "outcomes.Watch.missed": "an error's text",
    "plan.exists": "an error's text",
    "push.read_actions": "parses",
    "push.to_line": "a text",
    "repair_blocks.SoundBlocks.append": "refuses",
    "repair_blocks.SoundBlocks.expire": "refuses",
    "repaired.Repaired.lose": "an entry of a list",
    "verify.Verification.findings": "a value",
}
"""Public functions of the application that no use case enters, and why that is no gap."""


def functions() -> dict[CodeType, str]:
    """All public functions and methods of the application, by their code."""
    found: dict[CodeType, str] = {}
    for info in pkgutil.iter_modules(blockfold.application.__path__):
        module = importlib.import_module(f"blockfold.application.{info.name}")
        for name, thing in _public(vars(module).items()):
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            for path, function in _functions(name, thing):
                found[function.__code__] = f"{info.name}.{path}"
    return found


def _functions(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isfunction(thing):
        yield name, thing
    elif inspect.isclass(thing):
        for attribute, each in _public(vars(thing).items()):
            inner = each.fget if isinstance(each, property) else getattr(each, "__func__", each)
            if inspect.isfunction(inner):
                yield f"{name}.{attribute}", inner


def _public(things: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, thing) for name, thing in things if not name.startswith("_")]


def calls() -> set[str]:
    """Everything that functions may be called with, in words: ``dumper: command stop``."""
    found = set()
    for path in LAMBDAS.glob("*.py"):
        if path.stem == "__init__":
            continue
        found.add(path.stem)
        module = module_of(path.stem)
        for name in getattr(module, "COMMANDS", ()) or getattr(module, "TAKES", ()):
            found.add(f"{path.stem}: command {name}")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {f"{path.stem}: {each}" for each in _words(tree)}
    return found


def _words(tree: ast.AST) -> Iterator[str]:
    """Fields that a handler looks for, and steps that it knows."""
    for node in ast.walk(tree):
        match node:
            case ast.MatchMapping(keys=keys, patterns=patterns):
                for key, pattern in zip(keys, patterns, strict=True):
                    match key, pattern:
                        case ast.Constant(field), ast.MatchValue(ast.Constant(value)):
                            yield f"{field} {value}"
            case ast.Compare(ast.Constant(field), [ast.In()], [ast.Name("event")]):
                yield f"field {field}"
            case ast.Call(ast.Attribute(ast.Name("event"), "get"), [ast.Constant(field), *_]):
                yield f"field {field}"


def called(recorded: Iterable[Recorded]) -> set[str]:
    """What use cases called functions with, in the same words."""
    found = set()
    for each in recorded:
        for function, payload in each.payloads:
            found.add(function)
            for field, value in payload.items():
                found.add(f"{function}: field {field}")
                found.add(f"{function}: {field} {value}")
    return found


def all_recorded() -> list[Recorded]:
    """All use cases, recorded with what they enter; call it within `on_stage`."""
    watched = functions()
    return [record(case, watched) for case in CASES]
