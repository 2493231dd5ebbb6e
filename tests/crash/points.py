"""The crash points of the product: every comment that says what a crash at that place leaves.

Nothing of this is in the product: a point is the comment itself. Its name is the module, the function and the number of
the comment in that function: ``pki.issuance.CertificateAuthority.issue#1``.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "hsm", "pki", "authz", "monitor", "backup", "deploy")

#: A comment that begins a point; the comment lines right after it belong to it.
MARK = re.compile(r"\bA crash (here|before this)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Point:
    """``function`` is the qualified name as frames tell it; ``fires`` the lines of the statement right after the
    comment (empty when the comment ends its block), ``after`` those of the statement before it."""

    name: str
    file: str
    function: str
    line: int
    text: str
    fires: tuple[int, ...]
    after: tuple[int, ...]


def find_points() -> dict[str, Point]:
    """Return every point of the product by name, in the order of files and lines."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {point.name: point for path in files for point in points_of(path)}


def points_of(path: Path, root: Path = ROOT) -> Iterator[Point]:
    """Yield the points of one file."""
    source = path.read_text(encoding="utf-8")
    marks = list(_marks(source))
    if not marks:
        return
    module = ".".join(path.relative_to(root).with_suffix("").parts)
    functions = list(_functions(ast.parse(source)))
    counted: dict[str, int] = {}
    for first, last, column, text in marks:
        name, function = _enclosing(functions, first, column)
        counted[name] = counted.get(name, 0) + 1
        before, behind = _neighbours(function, first, last, column)
        yield Point(
            name=f"{module}.{name.replace('.<locals>', '')}#{counted[name]}",
            file=str(path),
            function=name,
            line=first,
            text=text,
            fires=_lines(behind),
            after=_lines(before),
        )


def _marks(source: str) -> Iterator[tuple[int, int, int, str]]:
    """Yield first line, last line, column and text of each comment that is a point."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    for line, token in comments.items():
        if not MARK.search(token.string):
            continue
        last, text = line, token.string.lstrip("# ")
        while last + 1 in comments and comments[last + 1].start[1] == token.start[1]:
            if MARK.search(comments[last + 1].string) or comments[last + 1].string.startswith(("# 2.", "# 3.")):
                break
            last += 1
            text += " " + comments[last].string.lstrip("# ")
        yield line, last, token.start[1], text


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Yield every function with its ``__qualname__``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield prefix + node.name, node
            yield from _functions(node, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def _enclosing(functions: list[tuple[str, Function]], line: int, column: int) -> tuple[str, Function]:
    # A comment at the end of a function is beyond its last node: what counts is that it is indented deeper.
    inside = [(name, node) for name, node in functions if node.lineno < line and node.col_offset < column]
    if not inside:
        raise ValueError(f"line {line}: a crash point outside of any function")
    return max(inside, key=lambda one: one[1].lineno)


def _neighbours(function: Function, first: int, last: int, column: int) -> tuple[ast.stmt | None, ast.stmt | None]:
    """Return the statements of the comment's own block right before and right after it."""
    for node in ast.walk(function):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if not isinstance(block, list) or not block or block[0].col_offset != column:
                continue
            before = [one for one in block if (one.end_lineno or 0) < first]
            behind = [one for one in block if one.lineno > last]
            # The comment is in this block when it stands between two of its statements, or right behind the last one.
            if before and (behind or _is_last(function, before[-1], first)):
                return before[-1], behind[0] if behind else None
            if behind and not before and behind[0].lineno == last + 1:
                return None, behind[0]
    raise ValueError(f"line {first}: no statement stands beside this crash point")


def _is_last(function: Function, statement: ast.stmt, line: int) -> bool:
    between = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and (statement.end_lineno or 0) < node.lineno < line
    ]
    return not between


def _lines(statement: ast.stmt | None) -> tuple[int, ...]:
    if statement is None:
        return ()
    return tuple(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
