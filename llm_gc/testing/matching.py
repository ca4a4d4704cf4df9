"""Whether a value is what it was expected to be, and if not, how it differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_gc import regex
from llm_gc.cases import Contained, Match, Texts, as_match
from llm_gc.protocol import Message, Path
from llm_gc.testing.diff import diff, nearest, shown


@dataclass(frozen=True)
class Mismatch:
    """An expectation that does not hold: its path in the test file, a sentence, and lines that show it."""

    path: Path
    message: str
    lines: tuple[str, ...] = ()


def same(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def equal(what: str, expected: Any, actual: Any, path: Path) -> Iterator[Mismatch]:
    """Hold a value against the one that was expected."""
    if not same(expected, actual):
        yield Mismatch(path, f"{what} is not as expected", diff(expected, actual))


def value(what: str, expected: Any, actual: Any, path: Path) -> Iterator[Mismatch]:
    """Hold a value against the one that was expected, or against a map of what it must be like."""
    match = as_match(expected)
    if match is None:
        yield from equal(what, expected, unwrapped(actual, expected), path)
    else:
        yield from matched(what, match, actual, path)


def contained(what: str, expected: Contained, actual: str, path: Path) -> Iterator[Mismatch]:
    """Hold a text against those that were to be in it, or against a map of what it must be like."""
    if isinstance(expected, Match):
        yield from matched(what, expected, actual, path)
        return
    for text, at in _each(expected, path):
        if text not in actual:
            yield Mismatch(at, f"{what} does not contain {shown(text)}", nearest(text, actual))


def lacking(what: str, unwanted: Texts, actual: str, path: Path) -> Iterator[Mismatch]:
    """Hold a text against those that were not to be in it."""
    for text, at in _each(unwanted, path):
        if text in actual:
            number = actual[: actual.index(text)].count("\n")
            lines = actual.splitlines()[number : number + text.count("\n") + 1]
            yield Mismatch(at, f"{what} contains {shown(text)}", tuple(f"+ {line}" for line in lines))


def whole(what: str, expected: str | Match, actual: str, path: Path) -> Iterator[Mismatch]:
    """Hold a text against the one that was expected, or against a map of what it must be like."""
    if isinstance(expected, Match):
        yield from matched(what, expected, actual, path)
    else:
        yield from equal(what, expected, actual, path)


def matched(what: str, match: Match, actual: Any, path: Path) -> Iterator[Mismatch]:
    """Hold a value against all that a map says of it."""
    if match.is_given("equals"):
        yield from equal(what, match.equals, unwrapped(actual, match.equals), (*path, "equals"))
    rest = match.model_fields_set - {"equals"}
    text = unwrapped(actual, "")
    if rest and not isinstance(text, str):
        yield Mismatch(path, f"{what} is no text", diff("a text", text))
        return
    if match.contains is not None:
        yield from contained(what, match.contains, text, (*path, "contains"))
    if match.lacks is not None:
        yield from lacking(what, match.lacks, text, (*path, "lacks"))
    if match.starts is not None and not text.startswith(match.starts):
        begin = text[: len(match.starts)]
        yield Mismatch((*path, "starts"), f"{what} begins otherwise", diff(match.starts, begin))
    if match.ends is not None and not text.endswith(match.ends):
        end = text[-len(match.ends) :]
        yield Mismatch((*path, "ends"), f"{what} ends otherwise", diff(match.ends, end))
    if match.matches is not None and regex.compile(match.matches).search(text) is None:
        lines = (f"- {match.matches}", *(f"+ {line}" for line in text.splitlines()[:20]))
        yield Mismatch((*path, "matches"), f"{what} does not match", lines)


def unwrapped(actual: Any, expected: Any) -> Any:
    """Give a value without messages: each is its content where a text was expected, and its data elsewhere."""
    if isinstance(actual, Message):
        return actual.content if isinstance(expected, str) or actual.data is None else unwrapped(actual.data, None)
    if isinstance(actual, list):
        beside = expected if isinstance(expected, list) else []
        return [unwrapped(one, beside[n] if n < len(beside) else "") for n, one in enumerate(actual)]
    if isinstance(actual, Mapping):
        given = expected if isinstance(expected, Mapping) else {}
        return {key: unwrapped(one, given.get(key)) for key, one in actual.items()}
    return actual


def _each(texts: Texts, path: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(texts, str):
        yield texts, path
    else:
        yield from ((text, (*path, index)) for index, text in enumerate(texts))
