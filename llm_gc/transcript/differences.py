"""What differs between two values, two texts or two requests, in a form that people can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from llm_gc.protocol import Path
from llm_gc.transcript.records import PipelineRecord

CONTEXT = 2
"""So many lines are shown around a difference."""

SHORT = 60
"""A value no longer than this, on one line, is shown as it is; in a longer one the words that differ are marked."""

MAX_WORDS = 5000
"""In a line of more words none are marked."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


class _Absent:
    """Stands where there is no value."""

    def __repr__(self) -> str:
        """Say so."""
        return "(absent)"


ABSENT = _Absent()


@dataclass(frozen=True)
class Change:
    """One place at which two documents differ; ``ABSENT`` where one of them has nothing there."""

    path: Path
    old: Any
    new: Any

    @property
    def place(self) -> str:
        """The path as people write it."""
        return ".".join(map(str, self.path))

    def lines(self) -> list[str]:
        """Say it: in one line where both are short, else with the differing words marked."""
        old, new = ("" if value is ABSENT else value for value in (self.old, self.new))
        if isinstance(old, str) and isinstance(new, str) and not _is_short(old, new):
            return [f"{self.place}:", *(f"  {line}" for line in marked(old, new))]
        return [f"{self.place}: {_shown(self.old)} -> {_shown(self.new)}"]


def changes(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """Yield the places at which two values of plain data differ, in the order of the first one.

    Items that were put into a list or taken out of it are told as such; what is behind them is not.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from changes(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif _is_list(old) and _is_list(new):
        yield from _in_lists(old, new, path)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Change(path, old, new)


def pipeline_changes(old: PipelineRecord, new: PipelineRecord, path: Path = ()) -> Iterator[Change]:
    """Yield what differs between two recorded pipelines: the documents, their prompt files, those of their scenes."""
    yield from changes(old.document, new.document, path)
    yield from changes(old.prompts, new.prompts, (*path, "prompts"))
    for name in {**old.scenes, **new.scenes}:
        one, other = old.scenes.get(name), new.scenes.get(name)
        if one is None or other is None:
            yield Change((*path, "scenes", name), ABSENT if one is None else "…", ABSENT if other is None else "…")
        else:
            yield from pipeline_changes(one, other, (*path, "scenes", name))


def message_lines(old: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the messages in which two requests differ, each with its number and role, the differing words marked."""
    lines: list[str] = []
    for number in range(max(len(old), len(new))):
        one = old[number] if number < len(old) else {"role": new[number]["role"], "content": ""}
        other = new[number] if number < len(new) else {"role": one["role"], "content": ""}
        if one == other:
            continue
        role = one["role"] if one["role"] == other["role"] else f"{one['role']} -> {other['role']}"
        lines.append(f"@@ message {number + 1}, {role} @@")
        lines += marked(one["content"], other["content"])
    return lines


def marked(old: str, new: str) -> list[str]:
    """Return two texts as one: ``-`` and ``+`` before lines that differ, ``[-…-]`` and ``{+…+}`` around words."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[str] = []
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT):
        if lines or group[0][1] > 0:
            lines.append("  …")
        for kind, start, end, other_start, other_end in group:
            if kind == "equal":
                lines += [f"  {line}" for line in before[start:end]]
            else:
                lines += _replaced(before[start:end], after[other_start:other_end])
    if not lines and old != new:  # only the line ends differ
        lines = [f"- {old!r}", f"+ {new!r}"]
    return lines


def _replaced(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    pairs = min(len(before), len(after))
    for old, new in zip(before, after, strict=False):
        yield from _words(old, new)
    yield from (f"- {line}" for line in before[pairs:])
    yield from (f"+ {line}" for line in after[pairs:])


def _words(old: str, new: str) -> tuple[str, str]:
    """Mark the words of two lines that differ; where they have next to nothing in common, none."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    if len(before) + len(after) > MAX_WORDS:
        return f"- {old}", f"+ {new}"
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.3:
        return f"- {old}", f"+ {new}"
    left = right = ""
    for is_same, gone, come in _stretches(matcher, before, after):
        left += gone if is_same else f"[-{gone}-]" if gone else ""
        right += come if is_same else f"{{+{come}+}}" if come else ""
    return f"- {left}", f"+ {right}"


def _stretches(
    matcher: SequenceMatcher[str], before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[bool, str, str]]:
    """Yield what is the same and what is not, in turn; space between two that are not belongs to them."""
    gone = come = ""
    codes = matcher.get_opcodes()
    for number, (kind, start, end, other_start, other_end) in enumerate(codes):
        left, right = "".join(before[start:end]), "".join(after[other_start:other_end])
        if kind == "equal" and not (0 < number < len(codes) - 1 and left.isspace()):
            if gone or come:
                yield False, gone, come
            gone = come = ""
            yield True, left, right
        else:
            gone, come = gone + left, come + right
    if gone or come:
        yield False, gone, come


def _in_lists(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Change]:
    before, after = ([json.dumps(item, sort_keys=True, default=dict) for item in items] for items in (old, new))
    for kind, start, end, other_start, other_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(end - start, other_end - other_start)):
            one = old[start + offset] if start + offset < end else ABSENT
            other = new[other_start + offset] if other_start + offset < other_end else ABSENT
            at = start + offset if one is not ABSENT else other_start + offset
            yield from changes(one, other, (*path, at))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _is_short(*texts: str) -> bool:
    return all(len(text) <= SHORT and "\n" not in text for text in texts)


def _shown(value: Any) -> str:
    if value is ABSENT:
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=dict)
