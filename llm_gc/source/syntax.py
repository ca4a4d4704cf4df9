"""What the YAML parser says of a file that it cannot read, in sentences for the file's author."""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_DEPTH = 100
TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"

_TAB = "there is a tab where only spaces are allowed; indent with spaces"
_CUT = "the quote that opens here is never closed"
_TAGS = "a tag (a word that begins with !) is not allowed; a pipeline is plain data"
_DIRECTIVE = "this line, which begins with %, is no directive that is allowed here; leave it out"

_SENTENCES = {  # what the parser says, or how it begins
    "mapping values are not allowed": (
        "a ':' is not allowed here; look at the indentation, or put a text with a colon in quotes"
    ),
    "could not find expected ':'": "a ':' is missing after this",
    "block sequence entries are not allowed": "a list cannot begin here; its first '-' belongs on a line of its own",
    "mapping keys are not allowed": "a key cannot begin here",
    "did not find expected key": (
        "a key with a ':' was expected here; look at the indentation, and at the quotes and brackets before it"
    ),
    "did not find expected '-' indicator": "an item of the list, with '-', was expected here; look at the indentation",
    "did not find expected ',' or ']'": "the list that opens here lacks a ',' or its ']'",
    "did not find expected ',' or '}'": "the map that opens here lacks a ',' or its '}'",
    "did not find expected node content": "a text, a list or a map was expected here",
    "did not find expected <document start>": "nothing is allowed here; the document has ended before it",
    "found unexpected end of stream": _CUT,
    "found unexpected document indicator": _CUT,
    "found unexpected ':'": "there is a ':' inside a text; put the text in quotes",
    "found a tab character": _TAB,
    "did not find expected comment or line break": "only a comment may follow here; the text begins on the next line",
    "found an indentation indicator equal to 0": "an indentation of 0 is not possible; leave the figure out",
    "did not find expected alphabetic or numeric": "a name was expected after the & or *",
    "did not find URI escaped octet": _TAGS,
    "did not find expected tag URI": _TAGS,
    "did not find expected whitespace": _TAGS,
    "did not find the expected '>'": _TAGS,
    "found an incorrect": _TAGS,
    "found undefined tag handle": _TAGS,
    "could not find expected directive name": _DIRECTIVE,
    "found duplicate %": _DIRECTIVE,
    "found unexpected non-alphabetical": _DIRECTIVE,
    "found incompatible YAML document": _DIRECTIVE,
    "found unknown directive name": _DIRECTIVE,
    "but found another document": "a second document begins here; a pipeline file holds one",
    "found unknown escape character": (
        "the text in double quotes has an escape that is none; write \\\\ for a backslash, or use single quotes"
    ),
    "did not find expected hexdecimal number": (
        "the escape in the text lacks digits; it has two after \\x, four after \\u, eight after \\U"
    ),
    "found invalid Unicode character escape code": "the escape means no character; write the character itself",
}

_EARLIER = (
    "could not find expected ':'",
    "did not find expected ','",
    "found unexpected end",
    "found unexpected doc",
    "found unknown d",
)
"""What is said of where the matter began, not of where the parser noticed."""


def explain(error: yaml.YAMLError, text: str) -> tuple[str, int, int]:
    """Return a sentence, and the line and column that it speaks of, counted from 1."""
    problem = str(getattr(error, "problem", None) or "")
    mark, began = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        return TOO_DEEP if str(error) == TOO_DEEP else f"this is not valid YAML: {problem or error}", 1, 1
    if braces := _open_braces(text, mark):
        return braces
    sentence, at = _sentence(problem, mark, began, text)
    last = text.rstrip().splitlines() or [""]
    if at.line >= len(last):  # the parser notices at the end what lacks there
        return sentence, len(last), len(last[-1]) + 1
    return sentence, at.line + 1, at.column + 1


def _sentence(problem: str, mark: Any, began: Any, text: str) -> tuple[str, Any]:
    rest = text[mark.index : mark.index + 80]
    match problem:
        case problem if problem == TOO_DEEP:
            return problem, mark
        case "found character that cannot start any token":
            return _odd_start(rest), mark
        case "found undefined alias":
            return f"{_word(rest)} refers to nothing; no {_word(rest).replace('*', '&')} comes before it", mark
        case "second occurrence":
            return f"the anchor {_word(rest)} appears twice; give each its own name", mark
    if rest[:1] == "!":
        return _TAGS, mark
    for beginning, sentence in _SENTENCES.items():
        if problem.startswith(beginning):
            return sentence, began if began is not None and problem.startswith(_EARLIER) else mark
    return f"this is not valid YAML: {problem}", mark


def _odd_start(rest: str) -> str:
    if rest[:1] == "\t":
        return _TAB
    return f"a text cannot begin with {rest[:1]!r}; put it in quotes"


def _word(rest: str) -> str:
    found = re.match(r"[*&][^\s,\[\]{}]*", rest)
    return found[0] if found else "this name"


def _open_braces(text: str, mark: Any) -> tuple[str, int, int] | None:
    """Return whether the matter is a template outside quotes: YAML takes its braces for a map."""
    lines = re.split(r"\r\n|\r|\n", text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    found = re.search(r"(?:^\s*|[:\-,\[]\s+)(?P<braces>\{[{%])", line[: mark.column + 1])
    if found is None:
        return None
    return BRACES, mark.line + 1, found.start("braces") + 1


BRACES = "a text that begins with {{ or {% must be in quotes; YAML takes the braces for a map"
