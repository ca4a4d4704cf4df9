"""Texts that would steer a terminal or forge a line, values that nothing can count, and what must not come of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.commands import Result
from tests.inside import called

CONTROLS = [
    *range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029,
    *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, *range(0xD800, 0xE000),
]  # fmt: skip
"""What may never be printed; tabs and line ends may, where they are layout."""

FORGED = "/etc/forged:1:1: error: not found by us [shape]"
COMMAND = "::set-env name=PATH::/tmp"
HOSTILE = (
    "\x1b]52;c;aGk=\x07\x9b2J\x08\x7f\u202e\u2028\u2029\x85\u200e\u200f\u061c\u2066\u202c\r\n"
    f"{COMMAND}\n{FORGED}\n\t##[add-mask]x\n"
)
"""A write to the clipboard, cleared screens, turned directions, a command for a workflow, and a finding of another."""

NAME = HOSTILE.replace("/", "-")[:80] + "\udcff"
"""As the name of a file, with a byte that is no text."""

DEEP = "[" * 500 + "]" * 500
NUMBERS = ["1e999", "-1e999", "NaN", "9" * 400, "9" * 5000, "-1", "18446744073709551616"]
ODD = [*NUMBERS, "true", "null", "[]", "{}", '"x"', "1.5", DEEP, "[" * 3000 + "]" * 3000]
"""JSON, or what Python takes for it, that is not what should be there."""


def problems(result: Result, *, is_document: bool = False) -> list[str]:
    """Return what was printed that must not be; a document has lines of its own, and they are what they are."""
    found = []
    for text in (result.out, result.err):
        found += [f"U+{ord(one):04X}" for one in sorted(set(text)) if ord(one) in CONTROLS]
        lines = [] if is_document else text.split("\n")
        found += [line for line in lines if line.lstrip().startswith("::") and not _is_annotation(line)]
        found += [line for line in lines if line.startswith(FORGED)]
    if "fault of llm-gc" in result.err or "Traceback" in result.err:
        found.append(result.err[-1000:])
    return found


def _is_annotation(line: str) -> bool:
    return re.match(r"::(error|warning) file=", line) is not None


class Attack:
    """Calls commands in a folder, and remembers what they printed that they must not."""

    def __init__(self, folder: Path) -> None:
        """Work in ``folder``."""
        self.folder = folder
        self.count = 0
        self.found: dict[tuple[str, ...], list[str]] = {}

    def call(self, *args: str, about: object = "", stdin: str = "") -> Result:
        """Call one command; ``about`` is what was done before, for the report."""
        result = called(*args, cwd=self.folder, stdin=stdin)
        self.count += 1
        if wrong := problems(result, is_document="-" in args and args[0] in ("show", "rehearse", "test")):
            self.found[(str(about), *args)] = wrong
        return result

    def check(self) -> None:
        """Check that nothing was found."""
        assert self.count
        assert not self.found, "\n".join(f"{ascii(args)[:300]}: {found!r}" for args, found in self.found.items())


Leaf = tuple[str | int, ...]


def leaves(data: Any, path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Yield every value in plain data that is no list or map, with its path."""
    items: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))
    if not isinstance(data, (dict, list)):
        yield path, data


def keys(data: Any, path: Leaf = ()) -> Iterator[Leaf]:
    """Yield the path of every key of every map in plain data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(data, dict):
            yield (*path, key)
        yield from keys(value, (*path, key))


def with_value(data: Any, path: Leaf, value: str) -> str:
    """Return plain data as JSON, as a transcript is written, with ``value``, which is JSON, in one place."""
    copy = json.loads(json.dumps(data))
    node = copy
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = "\x00here\x00"
    return json.dumps(copy, indent=1).replace(json.dumps("\x00here\x00"), value)


def with_key(data: Any, path: Leaf, key: str) -> str:
    """Return plain data as JSON, with another name for one key."""
    copy = json.loads(json.dumps(data))
    node = copy
    for step in path[:-1]:
        node = node[step]
    items = list(node.items())
    node.clear()
    node.update((key if name == path[-1] else name, value) for name, value in items)
    return json.dumps(copy, indent=1)
