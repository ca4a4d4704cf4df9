"""What a model says and what it only thinks, where both come in one text; it does no I/O.

Servers part the two, and where that fails the marks of thinking are left in the text. Three kinds are known: blocks
with a tag at both ends (``<think>…</think>``, ``[THINK]…[/THINK]``), Gemma's channels, which are such blocks with a
name in front, and Harmony's messages, each of which names its channel: what is not ``final`` is thought.

A block is one wherever it begins, but not in code, where somebody only writes about it. One that nobody closes goes
to the end; where its tag is in the middle of a line it is text after all. Some templates open the block in the prompt
already, so that only its end is in the reply: where no block came before, and the end is at the beginning or the end
of a line or after a sentence, all until there was thought.

Each character is looked at a bounded number of times, however the text comes in: what is held back until more is
known is never longer than ``_LONGEST``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think", "longcat_think")
_TAGS = {f"<{name}>": f"</{name}>" for name in _NAMES}
"""Their case does not matter."""

_MARKS = {
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
_NAMED = {"<|channel>": "<channel|>", "<unused94>": "<unused95>"}
"""Those whose name comes after them: ``<|channel>thought``, and a line break."""

_BLOCKS = {**_TAGS, **_MARKS, **_NAMED}
_ENDS = {
    opening: re.compile(re.escape(end), re.IGNORECASE if opening in _TAGS else 0) for opening, end in _BLOCKS.items()
}

_TO = r"(?:\s?to=[\w.:-]{1,40})?\s?"
_HEADER = (
    rf"(?:<\|start\|>\s?assistant{_TO})?<\|channel\|>(?P<channel>\w{{1,16}}){_TO}(?:<\|constrain\|>\s?\w{{0,16}})?"
    r"<\|message\|>|<\|start\|>assistant<\|message\|>"
)
_MESSAGE_END = re.compile(r"<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)")
_BARE, _BARE_FINAL = "analysis", "assistantfinal"
"""What is left of Harmony's headers where a server takes the control tokens away: ``analysisWe … assistantfinalHi``."""


def _any(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, texts))


_TAG = re.compile(
    rf"(?P<header>{_HEADER})|(?P<named>{_any(_NAMED)})\w{{0,16}}\s?|(?P<open>(?i:{_any(_TAGS)})|{_any(_MARKS)})"
    rf"|(?P<end>(?i:{_any(_TAGS.values())})|{_any((*_MARKS.values(), *_NAMED.values()))})"
    rf"|(?P<bare>{_BARE}(?=[A-Z]))|(?P<over><\|(?:end|return|call)\|>)"
)
_WHOLE = (*_BLOCKS, *_BLOCKS.values(), "<|start|>", "<|channel|>", "<|end|>", "<|return|>", "<|call|>")
_BEGINNINGS = frozenset(tag[:size] for tag in _WHOLE for size in range(1, len(tag)))
_MOST = max(map(len, _WHOLE))
_BEGUN = re.compile(
    r"(?:<\|start\|>[\w .=:-]{0,60}(?:<\|channel\|>[\w .=:-]{0,60})?|<\|channel\|>[\w .=:-]{0,60})"
    rf"(?:<\|constrain\|>\s?\w{{0,16}})?(?:<[|a-z]{{0,12}})?\Z|(?:{_any(_NAMED)})\w{{0,16}}\Z"
)
"""A header, or an opening with a name, that may continue."""

_LONGEST = 200
_FIRST = re.compile(r"[<\[◁]")
_TICKS = re.compile("`+|\n|[^`\n]+")
_BLANKS = 8
_SPACE = re.compile(rf"[ \t\r]{{0,{_BLANKS}}}")
_SENTENCE_ENDS = ".!?…。！？"
_DATA = '{["`'
"""How a structured reply begins, or the fence around one."""


class Parted(NamedTuple):
    """A piece of text in two: what was said, and what was thought.

    ``back`` tells that all that had been said before was thought, too.
    """

    said: str = ""
    thought: str = ""
    back: bool = False


class _ThinkingBlock(NamedTuple):
    """An open block: what ends it, and how that may begin.

    Where it is text after all if it never ends, it has its opening and its text so far.
    """

    end: re.Pattern[str]
    beginnings: frozenset[str] = _BEGINNINGS
    opening: str = ""
    kept: list[str] | None = None


_BARE_BLOCK = _ThinkingBlock(
    re.compile(_BARE_FINAL), frozenset(_BARE_FINAL[:size] for size in range(1, len(_BARE_FINAL)))
)


class Thoughts:
    """Part a text that comes in pieces. What may be the beginning of a tag is held back until that is known."""

    def __init__(self, *, anywhere: bool = True, trim: bool = False) -> None:
        """Take only blocks in front of all text, unless ``anywhere``; with ``trim`` pass over blanks in front."""
        self._anywhere, self._trim = anywhere, trim
        self._held = ""
        self._block: _ThinkingBlock | None = None
        self._place = _ThinkingPlace()
        self._has_parted = self._is_harmony = False
        self._said: list[str] = []
        self._thought: list[str] = []
        self._back = False

    def feed(self, text: str) -> Parted:
        """Take a piece."""
        if text and not (self._held or self._block or self._place.is_front) and not _FIRST.search(text):
            self._place.move(text)  # as nearly every piece
            return Parted(text)
        return self._part(text, is_last=False)

    def finish(self) -> Parted:
        """Note that nothing more comes."""
        return self._part("", is_last=True)

    def _part(self, text: str, *, is_last: bool) -> Parted:
        text, self._held = self._held + text, ""
        self._said, self._thought, self._back = [], [], False
        at = 0
        while at < len(text):
            at = self._speak(text, at, is_last) if self._block is None else self._think(self._block, text, at, is_last)
        if is_last and self._block is not None and self._block.kept is not None:
            self._say(self._block.opening + "".join(self._block.kept))
        return Parted("".join(self._said), "".join(self._thought), self._back)

    def _think(self, block: _ThinkingBlock, text: str, at: int, is_last: bool) -> int:
        """Take what is thought from ``at`` on, and return where that ends."""
        found = block.end.search(text, at)
        end = len(text) if found is None else found.start()
        if found is None and not is_last:
            end = max(at, _settled(text, block.beginnings))
            self._held = text[end:]
        (self._thought if block.kept is None else block.kept).append(text[at:end])
        if found is None:
            return len(text)
        self._thought += block.kept or ()
        self._block = None
        self._trim = self._trim or self._place.is_front
        return found.end()

    def _speak(self, text: str, at: int, is_last: bool) -> int:
        """Take what is said from ``at`` on, as far as the next tag or behind it, and return where that ends."""
        found = _TAG.search(text, at)
        end = len(text) if found is None else found.start()
        if found is None and not is_last:
            end = max(at, min(_settled(text), self._place.bare_from(text, at)))
            self._held = text[end:]
        self._say(text[at:end])
        if found is None:
            return len(text)
        is_open = found["named"] is not None and found.end() == len(text)
        if not is_last and (is_open or (found["end"] and _may_end_line(text, found))):
            self._held = text[found.start() :]
            return len(text)
        if not self._place.in_code and self._takes(found, text):
            return found.end()
        self._say(found[0])
        return found.end()

    def _takes(self, found: re.Match[str], text: str) -> bool:
        """Do what a tag says, and return whether it is one here."""
        may_begin = self._anywhere or self._place.is_front or self._is_harmony
        match found.lastgroup:
            case "end":
                if self._has_parted or not self._is_stray_end(found, text):
                    return False
                self._take_back()
            case "over":
                return self._is_harmony
            case "bare":
                if not self._place.is_front:
                    return False
                self._block = _BARE_BLOCK
            case _ if not may_begin:
                return False
            case "open":
                opening = found[0] if found[0] in _ENDS else found[0].lower()
                kept = None if self._place.at_line_start or "|" in opening else list[str]()
                self._block = _ThinkingBlock(_ENDS[opening], opening=found[0], kept=kept)
            case "named":
                self._block = _ThinkingBlock(_ENDS[found["named"]])
            case _:
                self._take_header(found["channel"])
        self._has_parted = True
        return True

    def _take_header(self, channel: str | None) -> None:
        """Take the header of one of Harmony's messages; one without a channel is said."""
        self._is_harmony = True
        if channel is not None and channel != "final":
            self._block = _ThinkingBlock(_MESSAGE_END)
        elif not (self._has_parted or self._place.is_front):
            self._take_back()

    def _take_back(self) -> None:
        """Make a thought of all that was said."""
        self._back = self._trim = True
        self._thought, self._said = self._said, []
        self._place = _ThinkingPlace()

    def _is_stray_end(self, found: re.Match[str], text: str) -> bool:
        """Check whether a tag ends a block that was opened before the reply began."""
        place = self._place
        if not self._anywhere and place.first and place.first in _DATA:
            return False
        if "|" in found[0] or place.at_line_start or (place.last and place.last in _SENTENCE_ENDS):
            return True
        end = _blanks_end(text, found.end())
        return text[end : end + 1] in ("", "\n") or end - found.end() == _BLANKS

    def _say(self, text: str) -> None:
        if self._trim and self._place.is_front:
            text = text.lstrip()
        if text:
            self._place.move(text)
            self._said.append(text)


class _ThinkingPlace:
    """Where a text has reached: in a line, in code, or in front of all that is no blank."""

    def __init__(self) -> None:
        """Begin in front."""
        self.is_front = self.at_line_start = True
        self.first = self.last = ""
        self._in_fence = self._in_span = False
        self._ticks = 0

    @property
    def in_code(self) -> bool:
        """Whether a fence of code is open, or code in the line."""
        self._settle()
        return self._in_fence or self._in_span

    def move(self, text: str) -> None:
        """Go on by a piece that is not empty."""
        _, newline, line = text.rpartition("\n")
        is_blank = not line.strip()
        self.at_line_start = is_blank and (bool(newline) or self.at_line_start)
        self.last = text[-1]
        if self.is_front:
            self.first = text.strip()[:1]
            self.is_front = not self.first
        if self._ticks or self._in_span or "`" in text:
            self._count(text)

    def bare_from(self, text: str, at: int) -> int:
        """Return where a reply may begin with Harmony's bare word that is not whole yet; else the end."""
        if not self.is_front:
            return len(text)
        start = len(text) - len(text[at:].lstrip())
        return start if _BARE.startswith(text[start : start + len(_BARE) + 1]) else len(text)

    def _count(self, text: str) -> None:
        """Look at the backticks: three or more open or close a fence, fewer code in a line, which ends with it."""
        for piece in _TICKS.findall(text):
            if piece[0] == "`":
                self._ticks += len(piece)
                continue
            self._settle()
            self._in_span = self._in_span and piece != "\n"

    def _settle(self) -> None:
        if self._ticks >= 3:
            self._in_fence, self._in_span = not self._in_fence, False
        elif self._ticks and not self._in_fence:
            self._in_span = not self._in_span
        self._ticks = 0


def _settled(text: str, beginnings: frozenset[str] = _BEGINNINGS) -> int:
    """Return up to where a text cannot be the beginning of a tag, whatever comes next."""
    start = max(0, len(text) - _LONGEST)
    if beginnings is _BEGINNINGS and not _FIRST.search(text, start):
        return len(text)
    sizes = range(min(_MOST, len(text)), 0, -1)
    size = next((n for n in sizes if text[-n:] in beginnings or text[-n:].lower() in beginnings), 0)
    begun = _BEGUN.search(text, start)
    return len(text) - size if begun is None else min(begun.start(), len(text) - size)


def _blanks_end(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return start if found is None else found.end()


def _may_end_line(text: str, found: re.Match[str]) -> bool:
    """Check whether it is not known yet if a line ends behind a tag."""
    end = _blanks_end(text, found.end())
    return end == len(text) and end - found.end() < _BLANKS
