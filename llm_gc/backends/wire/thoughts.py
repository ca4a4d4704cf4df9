"""What a model says and what it only thinks, where both come in one text; it does no I/O.

Servers part the two by tags, and where that fails a ``<think>…</think>`` block is left in the text. A block is one
wherever it begins, but not in code, where somebody only writes about it; one that nobody closes goes to the end, if
nothing stood before it on its line. Some templates open the block in the prompt already, so that only its end is in the
text: where it stands at the beginning of a line and no block came before, all until there was thought.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TAG = re.compile("<(/?)(think|thinking)>")
_LONGEST = ("<thinking>", "</thinking>")
_FENCE = "```"


class Parted(NamedTuple):
    """A piece of text in two: what was said, and what was thought.

    ``back`` tells that all that had been said before was thought, too.
    """

    said: str = ""
    thought: str = ""
    back: bool = False


class Thoughts:
    """Part a text that comes in pieces. What may be the beginning of a tag is held back until that is known."""

    def __init__(self, *, anywhere: bool = True, trim: bool = False) -> None:
        """Take only blocks in front of all text, unless ``anywhere``; with ``trim`` pass over blanks in front."""
        self._anywhere, self._trim = anywhere, trim
        self._held = ""
        self._closing = ""  # the tag that ends the block we are in
        self._kept: list[str] | None = None  # a block that is text after all, if it is never closed
        self._is_silent = True  # nothing but blanks was said
        self._at_line_start = True
        self._in_fence, self._ticks = False, ""
        self._has_parted = False
        self._back = False

    def feed(self, text: str) -> Parted:
        """Take a piece."""
        if not self._held and not self._closing and "<" not in text:  # as nearly every piece
            return Parted(self._say(text))
        text, self._held = self._held + text, ""
        said, thought = "", ""
        self._back = False
        while text:
            if self._closing:
                more, text = self._think(text)
                thought += more
                continue
            was_back = self._back
            more, text = self._speak(text)
            said += more
            if self._back and not was_back:
                said, thought = "", said
        return Parted(said, thought, self._back)

    def finish(self) -> Parted:
        """Take notice that nothing more comes."""
        held, self._held = self._held, ""
        closing, self._closing = self._closing, ""
        if not closing:
            return Parted(self._say(held))
        if self._kept is None:
            return Parted(thought=held)
        kept, self._kept = "".join(self._kept), None
        return Parted(self._say(closing.replace("/", "") + kept + held))

    def _speak(self, text: str) -> tuple[str, str]:
        """Give what is said at the front of ``text``, and what is left to look at."""
        found = _TAG.search(text)
        if found is None:
            size = max(_overlap(text, tag) for tag in _LONGEST)
            self._held = text[len(text) - size :]
            return self._say(text[: len(text) - size]), ""
        said, rest = self._say(text[: found.start()]), text[found.end() :]
        is_end = bool(found[1])
        in_code = self._in_fence or self._ticks
        if in_code or not (is_end or self._anywhere or self._is_silent) or (is_end and not self._is_stray_end):
            return said + self._say(found[0]), rest
        self._has_parted = True
        if is_end:
            self._back = self._trim = self._is_silent = True
        else:
            self._closing = f"</{found[2]}>"
            self._kept = None if self._at_line_start else []
        return said, rest

    @property
    def _is_stray_end(self) -> bool:
        return self._at_line_start and not self._has_parted

    def _think(self, text: str) -> tuple[str, str]:
        """Give what is thought at the front of ``text``, and what is left to look at."""
        thought, closing, rest = text.partition(self._closing)
        if not closing:
            size = _overlap(text, self._closing)
            self._held = text[len(text) - size :]
            thought = text[: len(text) - size]
            if self._kept is None:
                return thought, ""
            self._kept.append(thought)
            return "", ""
        thought, self._kept = "".join(self._kept or ()) + thought, None
        self._closing = ""
        self._trim = self._trim or self._is_silent
        return thought, rest

    def _say(self, text: str) -> str:
        if self._trim and self._is_silent:
            text = text.lstrip()
        if not text:
            return text
        _, newline, line = text.rpartition("\n")
        is_blank = not line.strip()
        self._at_line_start = is_blank and (bool(newline) or self._at_line_start)
        self._is_silent = self._is_silent and is_blank and not text.strip()
        if self._ticks or "`" in text:
            ticked = self._ticks + text
            self._in_fence ^= bool(ticked.count(_FENCE) % 2)
            self._ticks = "`" * ((len(ticked) - len(ticked.rstrip("`"))) % len(_FENCE))
        return text


def _overlap(text: str, tag: str) -> int:
    """How much of the text's end is the beginning of a tag."""
    most = min(len(text), len(tag) - 1)
    return next((size for size in range(most, 0, -1) if tag.startswith(text[-size:])), 0)
