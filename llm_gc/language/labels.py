"""Lines that begin like somebody's label: in another case or script as well, and marked so that they pass for nothing.

What the others say reaches a model as paragraphs that begin with a label and a colon. A reply may hold a line that
looks like such a beginning, and what follows it would pass for the words of another participant, or of the narrator.
Two texts look alike here where they have the same key: their compatible forms, without accents and without what cannot
be seen, with each letter replaced by the Latin one that it resembles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Container, Iterable
from functools import lru_cache

MARK = "> "
"""What a line is marked with: it reads as a quotation then."""

LONGEST = 200
"""A beginning of so many characters, without those that cannot be seen, is no label."""

TELLING = 9
"""A line of an author's text that is equal so far behind its label to one that was said is taken for that one."""

_COLONS = frozenset(":：︰﹕∶ː꞉׃։᛬︓")
_AROUND = frozenset("#*_~`|()[]{}<>【】〈〉《》")
"""What may be put around a label: emphasis, headings and brackets. (A key of JSON is in quotation marks.)"""

_BULLET = re.compile(r"(?:>|[-+*•·–—]\s)")
_DIGITS = "0123456789"
_BEFORE_NUMBER = "#.,_-"
_UNSEEN = frozenset(("Cc", "Cf", "Cn", "Co", "Mn", "Me"))

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing."""

_LOOKALIKES = {
    "a": "аαΑАɑᴀᎪꓮ", "b": "вВΒβьЬʙᏴꓐ", "c": "сСϲςᴄᏟꓚ", "d": "ԁᴅđᎠꓓ", "e": "еЕεΕєᴇᎬꓰ", "f": "ꜰꓝ", "g": "ɡɢցᏀꓖ",
    "h": "нНһҺΗհʜħᎻꓧ", "i": "іІιΙɪıɩᎥ", "j": "јЈϳյᴊȷᎫꓙ", "k": "кКκΚᴋᏦꓗ", "l": "ӏӀʟłԼᏞꓡꓲ1|", "m": "мМΜᴍᎷꓟ",
    "n": "пПΝηոՈɴꓠ", "o": "оОοΟσօՕᴏøꓳ0", "p": "рРρΡᴘᏢꓑ", "q": "ԛԚզꞯ", "r": "гʀᏒꓣ", "s": "ѕЅՏꜱᏚꓢ",
    "t": "тТτΤᴛŧᎢꓔ", "u": "μυսᴜꓴ", "v": "ѵѴνᴠᏙꓦ", "w": "ԝԜωաᴡᎳꓪ", "x": "хХχΧꓫ", "y": "уУγΥʏꓬ", "z": "ζΖᴢᏃꓜ",
}  # fmt: skip
_LATIN = str.maketrans({alike: latin for latin, others in _LOOKALIKES.items() for alike in others})
_ONE_STROKE = str.maketrans({"i": "l"})


def key(text: str) -> str:
    """Return what is the same for all texts that look like this one."""
    seen = "".join(char for char in _seen(text) if not char.isspace() and char not in _AROUND)
    alike = seen.translate(_LATIN).casefold().translate(_LATIN).translate(_ONE_STROKE)
    return alike.replace("rn", "m").replace("vv", "w")


class Labels:
    """The labels that a line may begin like. Copies, which are numbered, are found by the label of their role."""

    def __init__(self, labels: Iterable[str]) -> None:
        """Take the labels."""
        self._by_key = {key(label): label for label in reversed([*labels]) if key(label)}

    def like(self, label: str) -> str | None:
        """Return the label that another one looks like, or like a numbered copy of which it looks."""
        return self._by_key.get(key(label)) or self._numbered(label)

    def begun(self, line: str, own: Container[str] = ()) -> str | None:
        """Return the label that a line begins like, if any; a quotation and an item of a list begin like none.

        ``own`` are the keys of the speaker's own labels. With a number behind it, its own is a copy's.
        """
        if _COLONS.isdisjoint(line):
            return None
        start = _beginning(line)
        if _BULLET.match(start):
            return None
        for at, char in enumerate(start):
            if char in _COLONS:
                name = key(start[:at])
                found = self.like(start[:at])
                if found is not None:
                    return None if name in own else found
        return None

    def _numbered(self, name: str) -> str | None:
        """Return the label of the role whose numbered copy a name looks like."""
        plain = "".join(char for char in name if char not in _AROUND).strip()
        role = plain.rstrip(_DIGITS)
        if role == plain:
            return None
        while role and (role[-1].isspace() or role[-1] in _BEFORE_NUMBER):
            role = role[:-1]
        return self._by_key.get(key(role))

    def found(self, text: str, own: Container[str] = ()) -> list[str]:
        """Return the labels that lines of a text begin like, each once."""
        if _COLONS.isdisjoint(text):
            return []
        begun = (self.begun(line, own) for line in text.splitlines())
        return list(dict.fromkeys(label for label in begun if label is not None))

    def marked(self, text: str, own: Container[str] = (), words: Callable[[], str] | None = None) -> str:
        """Return the text with a mark before each line that begins like a label; nothing else of it changes.

        With ``words``, only lines that may come from them are marked: the others are an author's own.
        """
        if not self.found(text, own):
            return text
        is_said = (lambda _: True) if words is None else self._taken_over(words(), own)
        return "".join(
            MARK + line if self.begun(line, own) and is_said(line) else line for line in text.splitlines(keepends=True)
        )

    def _taken_over(self, words: str, own: Container[str]) -> Callable[[str], bool]:
        """Return a check whether a line may come from ``words``, also cut short or with more text behind it."""
        known = key(words)
        labelled = ((self.begun(line, own), key(line)) for line in words.splitlines())
        begins = tuple({line[: len(key(label)) + TELLING] for label, line in labelled if label is not None})

        def is_said(line: str) -> bool:
            seen = key(line)
            return seen in known or seen.startswith(begins)

        return is_said


@lru_cache(maxsize=256)
def labels_of(labels: frozenset[str]) -> Labels:
    """Return these labels, each set of them worked out once."""
    return Labels(labels)


def _beginning(line: str) -> str:
    """Return the beginning of a line as it is seen, without what may come before a label."""
    kept: list[str] = []
    for char in _seen(line):
        if not kept and (char.isspace() or (char in _AROUND and char not in "*>")):
            continue
        kept.append(char)
        if len(kept) == LONGEST:
            break
    return "".join(kept)


def _seen(text: str) -> Iterable[str]:
    """Return the characters of a text in their compatible forms, without accents and those that cannot be seen."""
    return (char for original in text for char in _shown(original))


@lru_cache(maxsize=4096)
def _shown(original: str) -> str:
    """Return what is seen of a character."""
    return "".join(
        char
        for char in unicodedata.normalize("NFKD", original)
        if char == "\t" or (unicodedata.category(char) not in _UNSEEN and char not in _BLANK)
    )
