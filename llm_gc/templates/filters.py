"""The filters beside Jinja's own: what is counted, found and worked out over what models wrote.

The rules: over what models wrote they never raise. Where there is no match, no JSON, no number and nothing to count,
they give none. A message counts as its content, one that failed as none. A filter gives plain values and lists.
What the author got wrong (a name that is not there, a regular expression that cannot be read) is an error.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from jinja2 import Undefined, UndefinedError
from jinja2.exceptions import FilterArgumentError

from llm_gc.protocol import Message
from llm_gc.values.did_you_mean import near
from llm_gc.values.frozen import freeze
from llm_gc.values.regex import Regex, RegexError
from llm_gc.values.regex import compile as compile_regex

MAX_SEARCHED = 100_000
"""So many characters of a text are searched, and no more, whatever the pattern."""

MAX_NUMBER = 1e15
"""Up to here a whole number is printed without a point, however it was worked out."""

_LANGUAGE = re.compile(r"[A-Za-z]*\s*")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?", re.ASCII)

_NUMBERS = 2
_LARGE = 2**60
"""From here on numbers of one hash can be found."""

Attribute = str | int | None


class Group(NamedTuple):
    """Items with a value in common: a pair, as Jinja's ``groupby`` gives it."""

    grouper: Any
    list: Sequence[Any]


class Decision(NamedTuple):
    """What a majority decided over: how many items there were, how many had a value, and how many the one that won.

    ``votes`` is None where the items have weights.
    """

    votes: int | None
    counted: int
    given: int

    def __str__(self) -> str:
        """Return it in words."""
        answers = "1 answer" if self.counted == 1 else f"{self.counted} answers"
        words = answers if self.votes is None else f"{self.votes} of {answers}"
        missing = self.given - self.counted
        return f"{words} ({missing} of {self.given} gave none)" if missing else words


class Vote(NamedTuple):
    """A value that a majority counts: the first of those that are equal, how many there are, and what they weigh."""

    value: Any
    times: int
    weight: float


_decisions: ContextVar[list[Decision] | None] = ContextVar("decisions", default=None)


@contextmanager
def decisions() -> Iterator[list[Decision]]:
    """Collect what majorities decide over while this lasts."""
    found: list[Decision] = []
    token = _decisions.set(found)
    try:
        yield found
    finally:
        _decisions.reset(token)


def majority(value: Any, attribute: Attribute = None, weight: Attribute = None) -> Any:
    """Return the value that most items have, or the most ``weight`` together; ties go to the first.

    The empty do not count. ``attribute`` is where an item has its value, ``weight`` where it has its number, such as
    ``data.answer``; an item without a number weighs nothing.
    """
    items = list(_items(value))
    counted = votes(items, attribute, weight)
    if not counted:
        return None
    winner = max(counted.values(), key=lambda vote: vote.weight)
    found = _decisions.get()
    if found is not None:
        most = int(winner.weight) if weight is None else None
        found.append(Decision(most, sum(vote.times for vote in counted.values()), len(items)))
    return winner.value


def votes(items: Iterable[Any], attribute: Attribute = None, weight: Attribute = None) -> dict[Any, Vote]:
    """Return what a majority counts, by a key for each value, in the order of their first ones."""
    found: dict[Any, Vote] = {}
    for item in items:
        value = plain(_at(item, attribute))
        if _is_empty(item) or _is_empty(value):
            continue
        key = _hashed(value)
        before = found.get(key, Vote(value, 0, 0))
        more = 1 if weight is None else _number(_at(item, weight)) or 0
        found[key] = Vote(before.value, before.times + 1, before.weight + more)
    return found


def extract(value: Any, regex: Any) -> Any:
    """Return what a regular expression finds first: its first group, or all of the match; in a list, in each item."""
    return _found(_given(value), _compiled(regex))


def from_json(value: Any) -> Any:
    """Return the data that a text writes as JSON; a code fence around it is forgiven."""
    text = plain(_given(value))
    if not isinstance(text, str):
        return None
    try:
        return freeze(json.loads(unfenced(text)))
    except (ValueError, RecursionError):
        return None


def unfenced(text: str) -> str:
    """Return what is in the code fence around a text; a text without one as it is."""
    bare = text.strip()
    first, line_break, rest = bare.removeprefix("```").partition("\n")
    is_fenced = line_break and bare.startswith("```") and rest.endswith("```") and _LANGUAGE.fullmatch(first)
    return rest.removesuffix("```") if is_fenced else text


def mean(value: Any) -> float | None:
    """Return the mean of the numbers in a list."""
    return _worked_out(statistics.mean, value, 1)


def median(value: Any) -> float | None:
    """Return the middle of the numbers in a list, or the mean of the two around it."""
    return _worked_out(statistics.median, value, 1)


def stdev(value: Any) -> float | None:
    """Return how far the numbers in a list spread: the standard deviation of a sample, which takes two at least."""
    return _worked_out(statistics.stdev, value, 2)


def groupby(
    value: Any, attribute: Attribute, default: Any = None, case_sensitive: bool = True
) -> list[tuple[Any, Sequence[Any]]]:
    """Return the items in groups by an attribute, sorted by it; each group is a pair of ``grouper`` and ``list``."""
    groups: dict[Any, tuple[Any, list[Any]]] = {}
    for item in _items(value):
        found = plain(_at(item, attribute))
        found = default if found is None else found
        groups.setdefault(_hashed(_cased(found, case_sensitive)), (found, []))[1].append(item)
    by_value = sorted(groups.values(), key=lambda group: _key(_cased(group[0], case_sensitive)))
    return [Group(*group) for group in by_value]


def unique(value: Any, case_sensitive: bool = True, attribute: Attribute = None) -> list[Any]:
    """Return the items without those that are equal to an earlier one, or have an equal attribute."""
    first: dict[Any, Any] = {}
    for item in _items(value):
        first.setdefault(_hashed(_cased(plain(_at(item, attribute)), case_sensitive)), item)
    return list(first.values())


FILTERS: dict[str, Callable[..., Any]] = {
    filter_.__name__: filter_ for filter_ in (majority, extract, from_json, mean, median, stdev, groupby, unique)
}


def _given(value: Any) -> Any:
    """Return a value. A missing key of a map is None, for a model may have left it out; a name must exist."""
    if not isinstance(value, Undefined):
        return value
    if isinstance(getattr(value, "_undefined_obj", None), Mapping):
        return None
    raise UndefinedError(_message_of(value))


def _message_of(value: Undefined) -> str:
    try:
        return str(value)
    except UndefinedError as error:
        return str(error.message)


def _items(value: Any) -> Iterable[Any]:
    """Return the items of a list; a single value is a list of one, none an empty one."""
    value = _given(value)
    if value is None:
        return []
    if isinstance(value, (str, Message, Mapping)) or not isinstance(value, Iterable):
        return [value]
    return value


def _at(item: Any, attribute: Attribute) -> Any:
    """Return what is at a dotted path in an item; None where there is nothing.

    Raises:
        UndefinedError: for what no message has.

    """
    item = _given(item)
    if attribute is None:
        return item
    for step in str(attribute).split("."):
        if isinstance(item, Message):
            names = list(Message.__dataclass_fields__)
            if step not in names:
                hint = near(step, names) or f"It has {', '.join(names)}."
                raise UndefinedError(f"a message has no {step!r}. {hint}".rstrip(" ."))
            item = getattr(item, step)
        elif isinstance(item, Mapping):
            item = item.get(step)
        elif isinstance(item, (list, tuple)) and step.isdecimal():
            item = item[int(step)] if len(step) < 10 and int(step) < len(item) else None
        else:
            return None
    return item


def plain(value: Any) -> Any:
    """Return what counts of a value: of a message its content, and nothing of one that failed."""
    if isinstance(value, Message):
        return None if value.failed else value.content
    return _given(value)


def _is_empty(value: Any) -> bool:
    text = plain(value)
    return text is None or (isinstance(text, str) and not text.strip())


def _cased(value: Any, case_sensitive: bool) -> Any:
    return value.lower() if isinstance(value, str) and not case_sensitive else value


def _key(value: Any) -> tuple[int, Any]:
    """Return what tells values apart and puts them in order: none, truth, numbers, texts, all else as it is written."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, (int, float)):
        return _NUMBERS, value
    if isinstance(value, str):
        return 3, value
    return 4, json.dumps(value, sort_keys=True, default=repr)


def _hashed(value: Any) -> tuple[int, Any]:
    """Return a key to find equal values by. Python's hashes of large numbers can be made to be all the same."""
    key = _key(value)
    if key[0] == _NUMBERS and math.isfinite(key[1]) and abs(key[1]) >= _LARGE:
        return _NUMBERS, hex(int(key[1]))
    return key


def _number(value: Any) -> float | None:
    """Return a value as a number, a text that is one too; None where it is none, or no machine's number."""
    value = plain(value)
    if isinstance(value, str) and len(value) < 1000 and _NUMBER.fullmatch(value.strip()):
        value = int(value) if value.strip("+- \t\r\n").isdecimal() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= 1e300 else None


def _worked_out(work: Callable[[list[float]], float], value: Any, least: int) -> float | None:
    numbers = [number for number in map(_number, _items(value)) if number is not None]
    if len(numbers) < least:
        return None
    result = work(numbers)
    return int(result) if abs(result) <= MAX_NUMBER and result == int(result) else float(result)


def _found(value: Any, regex: Regex) -> Any:
    value = plain(value)
    if isinstance(value, (list, tuple)):
        return [_found(item, regex) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    found = regex.search(value[:MAX_SEARCHED]) if isinstance(value, str) else None
    if found is None:
        return None
    return found[0] if len(found.spans) == 1 else next((group for group in found.groups() if group is not None), None)


def _compiled(regex: Any) -> Regex:
    """Read a regular expression.

    Raises:
        FilterArgumentError: where it cannot be read.

    """
    if not isinstance(regex, str):
        raise FilterArgumentError(f"extract takes a regular expression in quotes, and was given {regex!r}")
    try:
        return compile_regex(regex)
    except RegexError as error:
        raise FilterArgumentError(f"the regular expression cannot be used: {error}") from error
