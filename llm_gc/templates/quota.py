"""How much a template may make: sizes are worked out before a thing is made, and added up for each rendering.

A template is code, and a slip in it (a loop in a loop, a repetition with one nought too many) must end in an error
that names it, not in a machine that has run out of memory.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, KeysView, Mapping, ValuesView
from contextvars import ContextVar
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

from llm_gc.protocol import Message

MAX_TEXT = 1_000_000
"""The most characters or items that one value in a template may have, with all that is in it."""

MAX_WORK = 20_000_000
"""The most characters and items that one rendering may handle, and the rounds of its loops."""

MAX_BITS = 4096
"""The largest whole number, in bits."""

CALL = 100
"""What a call costs, so that a macro that calls itself reaches an end."""

FILTER = 20
"""What a filter costs, whatever its values."""

TEST = 20
"""What a test costs, whatever its values."""

NODE = 3
"""What each part of the code of a block costs when it runs."""

STEP = 12
"""What it costs to look at a value inside of values that are compared."""

_AT_ENDS = frozenset({"endswith", "removeprefix", "removesuffix", "startswith"})
"""Methods of texts that look no further than their argument is long."""

_FIELD = re.compile(r"%(?:\([^)]*\))?[-#0 +]*+(\*|[0-9]*)(?:\.(\*|[0-9]*))?[hlL]?[a-zA-Z%]")
_FIGURE = re.compile(r"[0-9]+")


_left: ContextVar[list[int]] = ContextVar("left")
"""What is left for the rendering in this thread: conversations that share templates may render at once."""


class Quota:
    """Counts what one rendering makes, and what it takes."""

    def begin(self) -> None:
        """Begin a rendering."""
        _left.set([MAX_WORK])

    def charge(self, size: int) -> None:
        """Count what is made now.

        Raises:
            SecurityError: where it is too much, at once or in all.

        """
        if size > MAX_TEXT:
            raise SecurityError(f"this would make more than {MAX_TEXT:,} characters or items")
        self.spend(size)

    def spend(self, work: int) -> None:
        """Count work that makes nothing.

        Raises:
            SecurityError: where it is too much in all.

        """
        left = _left.get()
        left[0] -= work
        if left[0] < 0:
            raise SecurityError(f"this takes too long: more than {MAX_WORK:,} characters, items and rounds")


def size_of(value: Any, *, written: bool = False) -> int:
    """Return how long a value is when it is written out, with all that is in it, as far as that is bounded.

    Where it is ``written``, a name that is not there is an error also inside a list or a map.

    Raises:
        SecurityError: for what is no value: a function, a method, an object of Jinja's.

    """
    total, heap = 0, [value]
    while heap and total <= MAX_TEXT:
        item = heap.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, Message):
            total += 1 + len(item.content) + len(item.heard)
            heap.append(item.data)
        elif isinstance(item, int):
            total += 1 + item.bit_length() // 3
        elif item is None or isinstance(item, (float, Undefined)):
            total += len(str(item)) if written else 1  # which raises what a strict one has to say
        elif isinstance(item, (list, tuple)):
            total += 1 + len(item)
            heap += item
        elif isinstance(item, Mapping):
            total += 1
            heap += [*item.keys(), *item.values()]
        elif isinstance(item, (range, KeysView, ValuesView, ItemsView)):
            total += 1 + len(item)
            heap += item
        else:
            name = getattr(item, "__name__", type(item).__name__)
            raise SecurityError(f"{name!r} is no value{f'; call it: {name}()' if callable(item) else ''}")
    return total


def compared(operator: str, left: Any, right: Any) -> int:
    """Return at most how many characters and items Python looks at to compare two values."""
    if operator in ("in", "notin"):
        return _looked_for(left, right)
    if operator not in ("eq", "ne") and isinstance(left, str) and isinstance(right, str):
        return 1 + min(len(left), len(right))
    return _equated(left, right)


def _equated(left: Any, right: Any) -> int:
    """Return what it takes to see whether two values are equal: little, where they are not equally long."""
    work, waiting = 0, [(left, right)]
    while waiting and work <= MAX_WORK:
        one, other = waiting.pop()
        work += STEP
        if isinstance(one, Message) and isinstance(other, Message):
            waiting += [(one.content, other.content), (one.data, other.data)]
        elif one is not other and _is_alike(one, other) and len(one) == len(other):
            work += len(one)
            if isinstance(one, Mapping):
                waiting += [(value, other[key]) for key, value in one.items() if key in other]
            elif not isinstance(one, str):
                waiting += zip(one, other, strict=True)
    return work


def _is_alike(one: Any, other: Any) -> bool:
    """Return whether both are texts, lists, tuples or maps."""
    return any(isinstance(one, kind) and isinstance(other, kind) for kind in (str, list, tuple, Mapping))


def _looked_for(value: Any, place: Any) -> int:
    """Return what it takes to look for a value in another one."""
    if isinstance(place, str):
        return 1 + len(place) + (len(value) if isinstance(value, str) else 0)
    if isinstance(place, Message):
        return 1 + len(place.content)
    if isinstance(place, (list, tuple)) and isinstance(value, str):
        as_long = sum(isinstance(item, str) and len(item) == len(value) for item in place)
        return 1 + 2 * len(place) + len(value) * as_long
    if isinstance(place, (list, tuple)):
        is_inside = isinstance(value, (Message, list, tuple, Mapping))
        return 1 + (sum(_equated(value, item) for item in place) if is_inside else len(place))
    if isinstance(place, (range, ValuesView, ItemsView)):
        return 1 + len(place) * (1 if isinstance(value, int) else size_of(value))
    return 1 + (len(value) if isinstance(value, str) else 0)


def handled(owner: Any, name: str, args: tuple[Any, ...]) -> int:
    """Return how many characters and items a method looks at."""
    if isinstance(owner, str):
        own = 0 if name in _AT_ENDS else len(owner)
        return own + sum(len(arg) if isinstance(arg, str) else size_of(arg) for arg in args)
    if isinstance(owner, (list, tuple)) and args:
        return _looked_for(args[0], owner)
    return 0


def sorting(size: int, _values: tuple[Any, ...]) -> int:
    """Return what it takes to sort what has this size."""
    return size * size.bit_length()


def reading(size: int, _values: tuple[Any, ...]) -> int:
    """Return what it takes to write values out in order to compare them."""
    return 4 * size


def calculating(size: int, _values: tuple[Any, ...]) -> int:
    """Return what it takes to calculate with exact fractions, or to lay values out in lines."""
    return 20 * size


def stripping(size: int, values: tuple[Any, ...]) -> int:
    """Return what it takes to strip a text of its tags: all of it is written again for each comment."""
    text = str(values[0])
    return size + text.count("<!--") * len(text) // 100


def kind(value: Any) -> str:
    """Return what kind of value this is, in the words of the language."""
    for type_, words in ((str, "a text"), (bool, "a truth value"), ((int, float), "a number"), (Message, "a message"),
                         (Mapping, "a map"), ((list, tuple, range), "a list")):  # fmt: skip
        if isinstance(value, type_):
            return words
    return "nothing" if value is None else f"a {type(value).__name__}"


def product(sized: Any, count: Any) -> int:
    """Return the size of a repeated text or list, or of a product of numbers as a share of what is allowed."""
    if isinstance(count, int) and not isinstance(sized, (int, float)) and hasattr(sized, "__len__"):
        return size_of(sized) * max(count, 0)
    if isinstance(sized, int) and isinstance(count, int) and sized.bit_length() + count.bit_length() > MAX_BITS:
        raise SecurityError("the number would be too large")
    return 1


def power(base: Any, exponent: Any) -> int:
    """Refuse a whole number that is too large."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent * max(base.bit_length(), 1) > MAX_BITS:
        raise SecurityError("the number would be too large")
    return 1


def total(left: Any, right: Any) -> int:
    """Return the size of two texts or lists together."""
    if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
        return len(left) + len(right)
    return 1


def percent(text: str, values: Any) -> int:
    """Return at most how long ``text % values`` is."""
    widths, fields = 0, 0
    unclosed = text.find("%(", text.rfind(")") + 1)  # where Python gives up; to look for its end takes all of the rest
    for found in _FIELD.finditer(text if unclosed < 0 else text[:unclosed]):
        fields += 1
        for figure in found.groups():
            if figure == "*":
                raise SecurityError("a width of '*' is not allowed; write the figure out")
            widths += _figure(figure or "")
    times = fields if isinstance(values, Mapping) else 1
    return len(text) + widths + times * size_of(values)


def braces(text: str, args: Iterable[Any], kwargs: Mapping[str, Any]) -> int:
    """Return at most how long ``text.format(…)`` is. A width that is itself a field is refused."""
    if re.search(r"\{[^{}]*\{", text.replace("{{", "")):
        raise SecurityError("a width that is itself a field is not allowed; write the figure out")
    fields = (before.rpartition("{")[2].partition(":")[2] for before in text.split("}")[:-1])
    widths = sum(_figure(figure) for field in fields for figure in _FIGURE.findall(field))
    return len(text) + widths + text.count("{") * size_of([list(args), dict(kwargs)])


def _figure(digits: str) -> int:
    return min(int(digits[:9] or "0"), 10 * MAX_TEXT)


def replaced(text: Any, old: Any, new: Any, count: Any = None) -> int:
    """Return at most how long a text is with something replaced."""
    text, old = str(text), str(old)
    times: int = text.count(old) if old else len(text) + 1
    if isinstance(count, int) and 0 <= count < times:
        times = count
    return len(text) + times * len(str(new))


def joined(items: Iterable[Any], d: Any = "", *_: Any) -> int:
    """Return how long joined texts are, at most, with the separator between them."""
    values = list(items)
    return size_of(values) + len(values) * len(str(d))


def padded(text: Any, width: Any = 0, *_: Any) -> int:
    """Return how long a text filled up to a width is."""
    return max(len(str(text)), int(width))


def expanded(text: Any, tabsize: Any = 8) -> int:
    """Return how long a text with its tabs expanded is."""
    tabs: int = str(text).count("\t")
    return len(str(text)) + tabs * int(tabsize)


def indented(text: Any, width: Any = 4, *_: Any) -> int:
    """Return how long a text is with its lines indented."""
    lines: int = str(text).count("\n") + 1
    return len(str(text)) + lines * (len(width) if isinstance(width, str) else int(width))


def wrapped(text: Any, width: Any = 79, break_long_words: Any = True, wrapstring: Any = None, *_: Any) -> int:
    """Return at most how long a text is with its lines broken."""
    text = str(text)
    return len(text) * (1 + len(str(wrapstring or "\n")))


def batched(_items: Any, linecount: Any = 1, *_: Any) -> int:
    """Return how many items a list may have that is filled up to so many."""
    return int(linecount)


def sliced(_items: Any, slices: Any = 1, *_: Any) -> int:
    """Return how many parts a list is cut into."""
    return int(slices)


def dumped(value: Any, indent: Any = 0) -> int:
    """Return at most how long a value is as JSON; every character may become an escape."""
    return size_of(value) * (1 + int(indent or 0))


def summed(items: Any, _attribute: Any = None, start: Any = 0) -> int:
    """Return how many items are handled when lists are added up, each time from the first."""
    return len(items) * size_of(items) if isinstance(start, (list, tuple)) else 1


def rounded(_value: Any, precision: Any = 0, *_: Any) -> int:
    """Refuse a precision that no number has."""
    if abs(int(precision)) > 300:
        raise SecurityError("no number has so many digits")
    return 1


def linked(*_: Any) -> int:
    """Refuse what makes HTML out of a text."""
    raise SecurityError("this filter makes HTML, and a prompt is plain text")
