"""Nothing that llm-gc itself does with a text takes more than linear time, whatever the text.

Nothing here looks at a clock: what takes quadratic time over texts as long as these does not end before the test's
time is over.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import pytest

import llm_gc
from llm_gc.core import structured
from llm_gc.errors import TemplateError
from llm_gc.language.fields import Stop
from llm_gc.language.stop_tokens import says
from llm_gc.reports.mermaid import _inside
from llm_gc.templates import Templates
from llm_gc.templates.filters import extract, from_json
from llm_gc.values.frozen import freeze

LENGTH = 80_000
SEARCHES = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub")
OURS = "tools.manual"
"""What reads only the project's own files."""


class Ours(NamedTuple):
    """A pattern of ours, where it is, and how it is used; empty where that cannot be seen."""

    written: Any
    flags: int
    where: str
    use: str = ""


def patterns() -> list[Ours]:
    """Return the patterns of the package: those that modules keep, and those written where they are used."""
    found: dict[Ours, None] = {}
    for module in pkgutil.walk_packages(llm_gc.__path__, "llm_gc."):
        if not module.name.endswith("__main__") and module.name != OURS:
            loaded = importlib.import_module(module.name)
            for one in kept([*vars(loaded).values()]):
                found[Ours(one.pattern, one.flags & ~re.UNICODE, module.name)] = None
            tree = ast.parse(Path(loaded.__file__ or "").read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                match node:
                    case ast.Call(ast.Attribute(ast.Name("re"), use), [ast.Constant(written), *_]) if use in SEARCHES:
                        flags = re.MULTILINE if "MULTILINE" in ast.unparse(node) else 0
                        found[Ours(written, flags, module.name, use)] = None
    return list(found)


def kept(value: Any) -> Iterator[re.Pattern[Any]]:
    """Return the patterns in a value."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from kept(inner)


def pieces(tree: Any) -> Iterator[str]:
    """Return the literal pieces of a pattern, and a character for each set."""
    run = ""
    for kind, value in tree:
        if kind in (sre.LITERAL, sre.NOT_LITERAL):
            run += chr(value)
            continue
        yield run
        run = ""
        match value:
            case [*items] if kind is sre.IN:
                yield from (chr(item[1]) for item in items if item[0] is sre.LITERAL)
            case (_, _, inner) | (_, _, _, inner) if hasattr(inner, "getwidth"):
                yield from pieces(inner)
            case (_, inner) if kind in (sre.ASSERT, sre.ASSERT_NOT):
                yield from pieces(inner)
            case (_, [*branches]) if kind is sre.BRANCH:
                for branch in branches:
                    yield from pieces(branch)
    yield run


def texts(pattern: str | bytes, flags: int) -> Iterator[str]:
    """Return long texts of the pieces that a pattern has, alone and in pairs, and of other characters."""
    own = sorted({*pieces(_parser.parse(pattern, flags))} - {""}, key=lambda piece: (len(piece), piece))
    pairs = [one + other for one, other in product(own[:6], own[:6])]
    for unit in [*own[:20], *pairs, *" \ta1-`<{\n", "a ", " \n", "1.", "/a"]:
        for start, end in (("", ""), ("", "\x00!"), ("".join(own[-1:]), "\x00!")):
            yield start + unit * (LENGTH // len(unit)) + end


@pytest.mark.slow
@pytest.mark.parametrize("ours", patterns(), ids=lambda ours: f"{ours.where} {ours.written!r:.40}")
def test_our_own_patterns_are_linear(ours: Ours) -> None:
    """Each is looked for, everywhere and at the beginning, in long texts made of its own pieces."""
    compiled = re.compile(ours.written, ours.flags)
    for text in texts(ours.written, ours.flags):
        hostile: Any = text.encode("utf-8", "surrogatepass") if isinstance(ours.written, bytes) else text
        if ours.use not in ("match", "fullmatch"):
            collections.deque(compiled.finditer(hostile), 0)
        if ours.use in ("", "match", "fullmatch"):
            compiled.match(hostile)
            compiled.fullmatch(hostile)


PIECES = (
    "`", "```", "~~~", "{", "{{", "{%", "{#", "[", "(", "<", "<think>", "</think>", "<|", "[THINK]", ":", "%(", "%0",
    '"', " ", "\n", "\t", "\r", "\r\n", "0", "1", "-", ".", ",", "a", "a ", "1. ", "* ", "\\", "\\u", "é", "\ud800",
)  # fmt: skip
STOPS = (Stop(token="DONE"), Stop(token="DONE", match="contains"), Stop(token="(a+)+$|D.*E", match="regex"))


def rendered(expression: str) -> Callable[[str], object]:
    """Return what renders an expression over a text."""
    compiled = Templates().expression(expression)

    def render(text: str) -> None:
        with contextlib.suppress(TemplateError):  # the quota, or a format that Python refuses
            compiled({"x": freeze(text)}.__getitem__)

    return render


def read(text: str) -> None:
    """Read a text as an expression."""
    with contextlib.suppress(TemplateError):
        Templates().expression(text)


FILTERS = ("int", "float", "trim", "title", "striptags", "wordwrap", "wordcount", "replace('aa', 'b')", "truncate(50)")
METHODS = ("split", "splitlines", "title", "swapcase", "strip", "capitalize")

USES: dict[str, Callable[[str], object]] = {
    "stops": lambda text: [says(stop, text) for stop in STOPS],
    "structured reply": lambda text: structured.parse(text, {"pattern": "(a+)+$"}),
    "from_json": from_json,
    "extract": lambda text: extract(text, r"(\w+\s?)*DONE$"),
    "braces in a graph": _inside,
    "format": rendered("x.format(1)"),
    "percent": rendered("x % 1"),
    "an expression": read,
    **{name: rendered(f"x | {name}") for name in FILTERS},
    **{name: rendered(f"x.{name}()") for name in METHODS},
    "in": rendered("('a' * 5000 + 'b') in x"),
}


@pytest.mark.parametrize("use", USES)
def test_texts_of_any_kind_take_linear_time(use: str) -> None:
    """Repeated pieces, alone and in pairs, behind each other and inside a fence."""
    for piece in PIECES:
        for start, end in (("", ""), ("```\n", ""), ("```json\n", "\n```x"), ("{{", ""), ("x", "\n!")):
            USES[use](start + piece * (LENGTH // len(piece)) + end)
