"""What in a machine's source may give another result the next time: found in its syntax.

Only what is written in the module itself is seen, and only under the names that its imports give.
A line may say that it means it, with the reason: ``# allow[clock]: only shown, never stored``.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

from blockfold.domain.lint_rules import (
    CALLS,
    HARMLESS,
    MODULES,
    MUTABLE_CALLS,
    MUTATORS,
    ORDERLESS,
    RULES,
)

_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_LOOPS = (ast.GeneratorExp, ast.ListComp)
_ORDERED = {"list", "tuple", "iter", "next", "enumerate", "zip", "map", "filter", "reversed"}
_SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}
_SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)
_ALLOW = re.compile(r"#\s*allow\[([^\]]*)\](?::\s*(\S.*))?")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place that may not be deterministic.

    Attributes:
        line: Its line, from 1.
        column: Its column, from 1.
        rule: A name in `RULES`.
        message: What stands there, and why that matters.
    """

    line: int
    column: int
    rule: str
    message: str


def lint(source: str) -> list[Finding]:
    """What may not be deterministic in a module, in the order of its lines.

    Raises:
        SyntaxError: It is no Python.
    """
    visitor = _Visitor()
    visitor.visit(ast.parse(source))
    return sorted(_without_allowed(visitor.found, source))


def _without_allowed(found: list[Finding], source: str) -> Iterator[Finding]:
    """The findings that no comment allows, and the comments that allow nothing."""
    allowed = dict(_allowances(source))
    used: set[tuple[int, str]] = set()
    for each in found:
        rules, reason = allowed.get(each.line, (set(), ""))
        if each.rule in rules and reason:
            used.add((each.line, each.rule))
        else:
            yield each
    for line, (rules, reason) in allowed.items():
        for rule in sorted(rules):
            if not reason:
                yield _finding(line, 0, "allow", f"allow[{rule}] gives no reason")
            elif rule not in RULES:
                yield _finding(line, 0, "allow", f"there is no rule {rule!r}")
            elif (line, rule) not in used:
                yield _finding(line, 0, "allow", f"nothing breaks the rule {rule!r} here")


def _allowances(source: str) -> Iterator[tuple[int, tuple[set[str], str]]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and (match := _ALLOW.search(token.string)):
            rules = {name.strip() for name in match[1].split(",")}
            yield token.start[0], (rules, match[2] or "")


def _finding(line: int, column: int, rule: str, what: str) -> Finding:
    return Finding(line, column + 1, rule, f"{what}: {RULES[rule]}")


@dataclass(slots=True)
class _Visitor(ast.NodeVisitor):
    """Walks a module and takes down what breaks a rule."""

    found: list[Finding] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # local name → full name
    shared: set[str] = field(default_factory=set)  # mutable names of the module
    sets: list[set[str]] = field(default_factory=lambda: [set()])  # names of sets, by scope
    depth: int = 0  # functions around
    machine: bool = False  # within a machine's class
    calm: set[ast.AST] = field(default_factory=set)  # loops whose order does not matter

    def note(self, node: ast.AST, rule: str, what: str) -> None:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        finding = _finding(line, column, rule, what)
        if finding not in self.found:
            self.found.append(finding)

    # -- names -----------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self.names[each.asname or each.name.partition(".")[0]] = (
                each.name if each.asname else each.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module is None or node.level:
            return
        for each in node.names:
            self.names[each.asname or each.name] = f"{node.module}.{each.name}"

    def full_name(self, node: ast.AST) -> str:
        """The dotted name of an expression, as its import says; empty if it has none."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and (owner := self.full_name(node.value)):
            return f"{owner}.{node.attr}"
        return ""

    def is_imported(self, node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.names

    def visit_Name(self, node: ast.Name) -> None:
        self.use(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) == ("context", "number"):
            self.note(node, "batching", "context.number")
        if not self.use(node):
            self.generic_visit(node)

    def use(self, node: ast.AST) -> bool:
        """Take down the use of something in a module; whether that settles it."""
        name = self.full_name(node)
        if not name or not self.is_imported(node):
            return False
        if name.startswith(HARMLESS):
            return True
        for rule, modules in MODULES.items():
            if any(name.startswith(f"{each}.") for each in modules):
                self.note(node, rule, name)
                return True
        for rule, calls in CALLS.items():
            if name in calls:
                self.note(node, rule, name)
                return True
        return False

    # -- functions and classes -------------------------------------------------------------

    def visit_Module(self, node: ast.Module) -> None:
        for each in node.body:
            for target, value in _assigned(each):
                if isinstance(target, ast.Name) and _is_mutable(value):
                    self.shared.add(target.id)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer, self.machine = self.machine, self.is_machine(node)
        for each in node.body if self.machine else ():
            for target, value in _assigned(each):
                if isinstance(target, ast.Name) and _is_mutable(value):
                    self.note(each, "global", f"the class keeps {target.id}, which can be changed")
        self.generic_visit(node)
        self.machine = outer

    def is_machine(self, node: ast.ClassDef) -> bool:
        bases = (self.full_name(base) for base in node.bases)
        functions = (each for each in node.body if isinstance(each, ast.FunctionDef))
        marks = (self.full_name(mark) for each in functions for mark in each.decorator_list)
        return any(base.endswith("Machine") for base in bases) or any(
            mark.rpartition(".")[2] == "action" for mark in marks
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.note(node, "concurrency", f"async {node.name}")
        self.scope(node)

    def scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.sets.append(set())
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        self.sets.pop()

    def visit_Global(self, node: ast.Global) -> None:
        self.note(node, "global", f"global {', '.join(node.names)}")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        caught = [] if node.type is None else getattr(node.type, "elts", [node.type])
        if node.type is None or any(self.full_name(each) == "BaseException" for each in caught):
            raises = any(isinstance(each, ast.Raise) for each in ast.walk(node))
            if not raises:
                self.note(node, "swallow", "except that catches all")
        self.generic_visit(node)

    # -- what is changed -------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.assign(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.assign(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.assign(node.target, None)
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.assign(target, None)
        self.generic_visit(node)

    def assign(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            if value is not None and self.is_set(value):
                self.sets[-1].add(target.id)
            else:
                self.sets[-1].discard(target.id)
            return
        owner = target
        while isinstance(owner, (ast.Attribute, ast.Subscript, ast.Starred)):
            owner = owner.value
        kept = self.shared | ({"self", "cls"} if self.machine else set())
        if self.depth and isinstance(owner, ast.Name) and owner.id in kept:
            self.note(target, "global", f"{ast.unparse(target)} is changed")

    # -- calls and loops -------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        name = self.full_name(node.func)
        if isinstance(node.func, ast.Name) and not self.is_imported(node.func):
            for rule, calls in CALLS.items():
                if name in calls:
                    self.note(node, rule, f"{name}()")
        if isinstance(node.func, ast.Attribute):
            self.method(node, node.func)
        if name in ORDERLESS:
            self.calm.update(each for each in node.args if isinstance(each, _LOOPS))
        joins = isinstance(node.func, ast.Attribute) and node.func.attr == "join"
        if name in _ORDERED or joins:
            for each in node.args:
                self.iterate(each)
        self.generic_visit(node)

    def method(self, node: ast.Call, function: ast.Attribute) -> None:
        owner = function.value
        if function.attr == "pop" and not node.args and self.is_set(owner):
            self.note(node, "set", "pop() of a set")
        changes = function.attr in MUTATORS and self.depth
        if changes and isinstance(owner, ast.Name) and owner.id in self.shared:
            self.note(node, "global", f"{owner.id}.{function.attr}()")

    def visit_For(self, node: ast.For) -> None:
        self.iterate(node.iter)
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self.loops(node, node.generators)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.loops(node, node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self.loops(node, node.generators)

    def loops(self, node: ast.AST, generators: list[ast.comprehension]) -> None:
        if node not in self.calm:
            for each in generators:
                self.iterate(each.iter)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self.iterate(node.value)
        self.generic_visit(node)

    def iterate(self, node: ast.expr) -> None:
        if self.is_set(node):
            self.note(node, "set", f"a loop over {ast.unparse(node)}")

    def is_set(self, node: ast.expr) -> bool:
        if isinstance(node, (ast.Set, ast.SetComp)):
            return True
        if isinstance(node, ast.Call):
            name = self.full_name(node.func)
            if name in {"set", "frozenset"}:
                return True
            return isinstance(node.func, ast.Attribute) and (
                node.func.attr in _SET_METHODS and self.is_set(node.func.value)
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, _SET_OPERATORS):
            return self.is_set(node.left) or self.is_set(node.right)
        return isinstance(node, ast.Name) and any(node.id in names for names in self.sets)


def _assigned(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value
    elif isinstance(node, ast.AnnAssign):
        yield node.target, node.value


def _is_mutable(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in MUTABLE_CALLS
    return isinstance(node, _MUTABLE)
