"""Cases to YAML, as an author would write them: short values in one line, texts of several lines as blocks.

What is written is read back as the same cases: whatever YAML would take for something other than text is in quotes.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from llm_gc.source.nodes import CORE
from llm_gc.transcript.cases import CaseFile

WIDTH = 100
"""A list or a map up to this long is in one line."""

SCHEMA = "# yaml-language-server: $schema={}\n"


def text_of(cases: CaseFile, schema: str | None = None) -> str:
    """Return a test file's text; ``schema`` is where editors find its JSON Schema, seen from the file."""
    data = cases.model_dump(mode="json", by_alias=True, exclude_unset=True)
    blocks = [_dumped(_BlockText({key: value})) for key, value in data.items() if key != "cases"]
    written = "\n".join(_indented(_dumped(_BlockText(case))) for case in data["cases"])
    head = SCHEMA.format(schema) if schema else ""
    return head + "".join(blocks) + ("\n" if blocks else "") + "cases:\n" + written


def _dumped(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=False
    )
    return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", text)


def _indented(text: str) -> str:
    """Make an item of a list of it."""
    lines = text.splitlines(keepends=True)
    return f"  - {lines[0]}" + "".join(f"    {line}" if line.strip() else line for line in lines[1:])


_ODD = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u061b\u061d-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff"
    "\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What is written as an escape alone: what YAML does not allow, and marks that turn the direction of what is read.

PyYAML leaves some of it as it is, even in double quotes.
"""


class _BlockText(dict[str, Any]):
    """A map that has a line for each of its keys, however short it is."""


class _Dumper(yaml.SafeDumper):
    """Writes lists inside maps further in, short collections in one line, and quotes what is text alone."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style or _is_short(sequence))

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        return super().represent_mapping(
            tag, mapping, flow_style or (not isinstance(mapping, _BlockText) and _is_short(mapping))
        )


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text and _can_be_block(text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    style = '"' if "\n" in text or _ODD.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_BlockText, lambda dumper, block: dumper.represent_mapping("tag:yaml.org,2002:map", block))
for _tag, _pattern, _first in CORE:  # beside YAML 1.1's: what either reads as a number is in quotes
    _Dumper.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def _can_be_block(text: str) -> bool:
    """Return whether a text can be as a block: no spaces at an end of a line, nothing to be escaped."""
    return not re.search(r"[ \t]\n|\t|[ \t]\Z|\A[ \n]", text) and not _ODD.search(text)


def _is_short(value: Any) -> bool:
    """Return whether a collection can be in one line: it holds no text of several lines."""
    return bool(value) and _size(value) <= WIDTH and not _has_lines(value) and _depth(value) <= 2


def _size(value: Any) -> int:
    return len(yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True))


def _has_lines(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_has_lines, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and "\n" in value


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, (dict, list)) else 0
