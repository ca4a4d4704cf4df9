"""How many tokens a template makes: of its own text, and of the messages that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llm_gc.check.subject import Subject
from llm_gc.check.told import Told
from llm_gc.frozen import as_text
from llm_gc.templates import Use
from llm_gc.tokens import as_tokens

MOST = 10**9
"""Nothing is longer than that."""

_TAGS = re.compile(r"\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z)|\{#.*?(?:#\}|\Z)", re.DOTALL)


class Sizes:
    """The sizes of a pipeline's templates, each read once."""

    def __init__(self, subject: Subject) -> None:
        """Take a pipeline."""
        self._subject = subject
        self._own: dict[str, int] = {}
        self._named: dict[tuple[str, bool], tuple[tuple[str, str], ...]] = {}

    def of(self, text: str | None, told: Told | None = None) -> int:
        """Estimate the tokens of a template: 0 only where it is surely empty. ``told`` tells how long messages are."""
        if not text:
            return 0
        if text not in self._own:
            self._own[text] = self._of_its_own(text)
        return self._own[text] + (self.named(text, told) if told is not None else 0)

    def named(self, text: Any, told: Told, *, is_expression: bool = False) -> int:
        """Estimate the tokens of the messages that a template or an expression names as a whole."""
        if not isinstance(text, str):
            return 0
        key = (text, is_expression)
        if key not in self._named:
            compiled = self._subject.compiled(*key)
            self._named[key] = tuple(dict.fromkeys(_whole_messages(compiled.uses))) if compiled else ()
        named = self._named[key]
        return min(sum(_held(told, *one) for one in named), MOST) if named else 0

    def _of_its_own(self, text: str) -> int:
        compiled = self._subject.compiled(text)
        try:
            whole = as_text(self._subject.worked_out(text))
            least = 1 if compiled is None or compiled.names else 0
        except ValueError:
            whole, least = _TAGS.sub("", self._subject.source(text)), 1
        return max(as_tokens(len(whole)), least)


def _whole_messages(uses: tuple[Use, ...]) -> Iterator[tuple[str, str]]:
    """Give the names whose messages come out as they are, and not only their data; with the role of a `said`."""
    for use in uses:
        name, *rest = [word.word for word in use.words]
        role = rest.pop(0) if name == "said" and rest else ""
        if use.whole and (not rest or rest[-1] in ("content", "heard", "")):
            yield name, role


def _held(told: Told, name: str, role: str) -> int:
    if name == "last":
        return told.newest_size
    if name == "said":
        return told.piles[role].most if role in told.piles else 0
    return told.held.get(name, 0)
