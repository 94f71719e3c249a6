"""What `mutation.py` may change: every operator, constant and index of a source that is behaviour."""

from __future__ import annotations

import ast
import bisect
import io
import tokenize
from dataclasses import dataclass

#: An operator and what it becomes.
OPERATORS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in",
    "not in": "in", "and": "or", "or": "and", "+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "*", "**": "*",
    "|": "&", "&": "|", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|=",
}  # fmt: skip
SYMBOLS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in", ast.And: "and", ast.Or: "or", ast.Add: "+", ast.Sub: "-",
    ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.BitOr: "|", ast.BitAnd: "&",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: bytes `start` to `end` of a file become `new`."""

    file: str
    line: int
    kind: str
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind} {self.old} -> {self.new}"

    def apply(self, source: bytes) -> bytes:
        """Return the changed source."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants(source: bytes, file: str) -> list[Mutant]:
    """List every change of a file's source that this script may draw, in the order of the source."""
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    skipped, indices = _skipped(tree), _indices(tree)
    tokens = [
        ((token.start[0], _bytes(token, 0)), (token.end[0], _bytes(token, 1)), token.string)
        for token in tokenize.tokenize(io.BytesIO(source).readline)
        if token.type in (tokenize.OP, tokenize.NAME)
    ]
    found: list[Mutant] = []

    def at(line: int, column: int) -> int:
        return starts[line - 1] + column

    def operator(left: ast.expr, right: ast.expr, symbol: str) -> None:
        """Add a change of the operator that stands between two expressions."""
        low = bisect.bisect_left(tokens, ((left.end_lineno or 0, left.end_col_offset or 0),))
        high = bisect.bisect_left(tokens, ((right.lineno, right.col_offset),))
        words = symbol.split()
        for place in range(low, high):
            chosen = tokens[place : place + len(words)]
            if [text for *_, text in chosen] == words:
                start, end = at(*chosen[0][0]), at(*chosen[-1][1])
                found.append(Mutant(file, chosen[0][0][0], "operator", start, end, symbol, OPERATORS[symbol]))
                return

    def replace(node: ast.expr, kind: str, new: str) -> None:
        start, end = at(node.lineno, node.col_offset), at(node.end_lineno or 0, node.end_col_offset or 0)
        found.append(Mutant(file, node.lineno, kind, start, end, source[start:end].decode(), new))

    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Compare):
            for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                operator(left, right, SYMBOLS[type(op)])
        elif isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                operator(left, right, SYMBOLS[type(node.op)])
        elif isinstance(node, ast.BinOp) and type(node.op) in SYMBOLS:
            operator(node.left, node.right, SYMBOLS[type(node.op)])
        elif isinstance(node, ast.AugAssign) and SYMBOLS.get(type(node.op), "") + "=" in OPERATORS:
            operator(node.target, node.value, SYMBOLS[type(node.op)] + "=")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            if not isinstance(node.operand, ast.Constant):
                start, end = at(node.operand.lineno, node.operand.col_offset), at(node.end_lineno or 0, 0)
                inner = source[start : end + (node.end_col_offset or 0)].decode()
                replace(node, "operator", f"({inner})")
        elif isinstance(node, ast.Constant):
            kind = "index" if node in indices else "constant"
            replace_by = _other(node.value)
            if replace_by is not None:
                replace(node, kind, replace_by)
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.new))


def _bytes(token: tokenize.TokenInfo, which: int) -> int:
    """Column of a token's start or end in bytes, as syntax trees count; tokens count characters."""
    column = (token.start if which == 0 else token.end)[1]
    return len(token.line[:column].encode())


def differs(mutant: Mutant, source: bytes) -> bool:
    """Say whether a mutant is a program, and another one."""
    try:
        return ast.dump(ast.parse(mutant.apply(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def _other(value: object) -> str | None:
    """Give the constant that stands for `value` in a mutant, as source; None for one that is not touched."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return repr(value * 2 if value else 1.0)
    if isinstance(value, str) and value.split() == [value] * bool(value):
        return repr({"_": "-", "-": "_", "": "x"}.get(value, value + "x"))
    return None


def _indices(tree: ast.AST) -> set[ast.AST]:
    """Find the numbers that stand in square brackets."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for inner in ast.walk(node.slice)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, int) and not isinstance(inner.value, bool)
    }


def _skipped(tree: ast.AST) -> set[ast.AST]:
    """Find what no mutant touches: docstrings, annotations, f-strings, messages, what only type checkers read."""
    roots: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or isinstance(node, ast.JoinedStr):
            roots.append(node)
        elif isinstance(node, ast.AnnAssign | ast.arg):
            roots.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            roots.append(node.returns)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            roots.append(node)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            # Numbers of a message count, its words do not.
            roots += [part for part in ast.walk(node.exc) if isinstance(getattr(part, "value", None), str)]
        elif isinstance(node, ast.keyword) and node.arg in ("help", "desc", "description", "title"):
            roots.append(node.value)
        elif isinstance(node, ast.Assign) and any(getattr(name, "id", "") == "__all__" for name in node.targets):
            roots.append(node)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("cast", "TypeVar"):
            roots += node.args[:1]
    return {inner for root in roots if root is not None for inner in ast.walk(root)}
