"""Checks the prose of docstrings, comments, messages and documents for words that a reader would have to decode.

``python -m tools.prose [FILE...]`` prints each hit as ``file:line: phrase: what to write instead``, and ends with 1
where there is any. A line that needs such a phrase says so with ``prose: ok``.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

DOCSTRINGS = {
    r"\A(Give|Tell|Have|Let)\b": "begin with what happens: Return, Yield, Build, Parse, Raise, Check",
}
"""Phrases of a docstring alone."""

PHRASES = {
    r"\b(is|are|was|were|be|been) come to\b": "reached, visited, executed",
    r"\bcome to \d+ times\b": "reached, visited, executed",
    r"\b(is|are|was|were) told of\b": "reported, notified",
    r"\bwhoever is told\b": "the observer",
    r"\bwhoever drives\b": "the caller",
    r"\bstands in (the|a|its|their|that|this|no)\b": "is in, is located in",
    r"\bas things stand\b": "in the current state",
    r"\bhad anew\b": "run again",
    r"\bgone on with\b": "continued, resumed",
    r"\b(to be|is|are) mended\b": "fixed, a problem",
    r"\bthings? (is|are) to be\b": "1 problem found",
    r"\bNothing stands in the way\b": "Ready: no problems found",
    r"\bhangs? on (what|which|the|a|its|it)\b": "depends on",
}
"""Phrases of any text."""


class Hit(NamedTuple):
    """A phrase that the lint refuses, with its place and what to write."""

    path: Path
    line: int
    phrase: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.phrase!r}: write {self.advice}"


def texts_of(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield the texts of a file, each with its first line and whether it is a docstring."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield 1, content, False
        return
    docstrings = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings.add(first.lineno)
                yield first.lineno, first.value.value, True
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        is_text = token.type in (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1))
        if is_text and token.start[0] not in docstrings:
            yield token.start[0], token.string, False


def hits_of(path: Path) -> Iterator[Hit]:
    """Yield every refused phrase of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for start, text, is_docstring in texts_of(path):
        for pattern, advice in {**PHRASES, **(DOCSTRINGS if is_docstring else {})}.items():
            for found in re.finditer(pattern, text):
                line = start + text[: found.start()].count("\n")
                if "prose: ok" not in lines[line - 1]:
                    yield Hit(path, line, found[0], advice)


def files() -> list[Path]:
    """Return the files of the repository whose prose is checked."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = (Path(name) for name in listed.split("\0") if name)
    own = Path(__file__).relative_to(ROOT)
    return [ROOT / name for name in names if name.suffix in {".py", ".md"} and name != own and (ROOT / name).is_file()]


def main() -> int:
    """Print the hits in the files that are named, else in all; return 1 where there are any."""
    chosen = [Path(name) for name in sys.argv[1:]] or files()
    found = [hit for path in chosen for hit in hits_of(path)]
    for hit in found:
        print(hit)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
