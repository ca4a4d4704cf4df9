r"""Regular expressions of authors: Python's meaning, in time linear in the text.

Python's own engine backtracks, so that a reply of a few dozen characters can keep ``(a+)+$`` busy for years. RE2 never
does, but it speaks another dialect: its ``\w``, ``\d``, ``\s`` and ``\b`` know ASCII alone, its ``$`` is the end only,
its case folding is its own. So the work is divided:

- Python reads the pattern (``re._parser``), so that exactly what it accepts is accepted, flags and escapes included.
- A pattern tells characters apart only by the sets of characters in it. Python's own ``re`` says which of these sets a
  character is in; all characters that are in the same sets are one *symbol*, a byte.
- RE2 matches bytes. The text is translated to symbols, one to one, so that each position found is one in the text.

The symbols are chosen so that RE2's assertions mean what Python's do: where the pattern has ``\b``, word characters
become ASCII letters, digits and ``_``, and all others do not; where it has ``$``, only a line break at the end of the
text becomes one. Two bytes make a symbol where one cannot tell enough of them apart.

Look-ahead, look-behind, back-references, conditional and atomic groups, and possessive quantifiers have no linear form
and are refused by name, as are counts over 1,000. One thing may differ: where a loop repeats what can match nothing, as
in ``(a|)*b``, both engines find something or both do not, but its groups may hold, and it may take, more or less.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product, repeat
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Literal

MAX_PATTERN = 10_000
"""The longest pattern, in characters: reading one takes Python more than linear time."""

MAX_COUNT = 1_000
"""The largest count in ``{n}``, nested ones multiplied; RE2 has no more."""

MAX_DEPTH = 100
"""The deepest nesting of groups."""

MAX_SETS = 256
"""The most different sets of characters in one pattern, single characters not counted."""

MAX_PROGRAM = 10_000
"""The most instructions of a compiled pattern."""

MAX_WORK = 2_000_000_000
"""The most instructions times characters of one search: some seconds, where RE2 finds no short cut at all."""

MAX_KNOWN = 100_000
"""So many characters keep their symbols from one text to the next."""

_MEMORY = 16 << 20
"""What RE2 may take for one pattern and its automata, in bytes."""

_WORD = string.ascii_letters + string.digits + "_"
_OTHER = "".join(chr(byte) for byte in range(256) if chr(byte) not in f"{_WORD}\n")
_NEVER = rb"[^\x00-\xff]"

_CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_NOT_DIGIT: r"\D", sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w", sre.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip
_REFUSED = {
    sre.ATOMIC_GROUP: "an atomic group, (?>…)",
    sre.FAILURE: "a look-ahead, (?!…)",
    sre.GROUPREF: "a back-reference",
    sre.GROUPREF_EXISTS: "a conditional group, (?(1)…)",
    sre.POSSESSIVE_REPEAT: "a possessive quantifier, as in *+",
}

Kind = Literal["word", "break", "other"]
Signature = tuple[tuple[int, ...], Kind]
"""What a pattern can know of a character: the sets that it is in, and what assertions look at."""


class RegexError(ValueError):
    """A pattern that cannot be used: ``str`` is a sentence about it, without its full stop."""


class TooLong(RegexError):
    """A text is too long for so large a pattern."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern was found: the spans of the whole and of its groups; a group that took no part has none."""

    text: str
    spans: Sequence[tuple[int, int] | None]

    def __getitem__(self, number: int) -> str | None:
        """Return the text of a group, of the whole match for 0; None where the group took no part."""
        span = self.spans[number]
        return None if span is None else self.text[slice(*span)]

    @property
    def start(self) -> int:
        """The position of its first character."""
        whole = self.spans[0]
        return whole[0] if whole is not None else 0

    def groups(self) -> list[str | None]:
        """Return the texts of all groups."""
        return [self[number] for number in range(1, len(self.spans))]


@lru_cache(maxsize=512)
def compile(pattern: str) -> Regex:  # as in re
    """Compile a pattern that is written as for Python's ``re``.

    Raises:
        RegexError: where it is no regular expression, or has no linear form.

    """
    return Regex(pattern)


def problem(pattern: str) -> str:
    """Return what is wrong with a pattern; an empty text where it can be used."""
    try:
        compile(pattern)
    except RegexError as error:
        return str(error)
    return ""


class Regex:
    """A compiled pattern."""

    def __init__(self, pattern: str) -> None:
        """Compile a pattern; ``compile`` keeps those that were used last.

        Raises:
            RegexError: where it is no regular expression, or has no linear form.

        """
        self.pattern = pattern
        self._source = _Source(pattern)
        self._program = _beginning(self._source)

    def search(self, text: str) -> Match | None:
        """Return the first match in a text, None where there is none.

        Raises:
            TooLong: where the text is too long for a pattern of this size.

        """
        program = self._program
        if len(text) * program.regex.programsize > MAX_WORK:
            raise TooLong(f"the pattern {_shown(self.pattern)} is too large for a text of {len(text):,} characters")
        if not text.isascii() and (new := {one for one in set(text) if ord(one) not in program.symbols}):
            program = _with(program, self._source, new)
            self._program = program if len(program.symbols) <= MAX_KNOWN else _beginning(self._source)
        data, width = text.translate(program.symbols).encode("latin-1"), program.width
        if self._source.has_end and text.endswith("\n"):
            data = data[:-width] + b"\n" * width
        found = program.regex.search(data)
        if found is None:
            return None
        spans = (found.span(number) for number in range(1, self._source.groups + 2))  # 1 is around all of the pattern
        return Match(text, [None if begin < 0 else (begin // width, end // width) for begin, end in spans])


@dataclass(frozen=True, slots=True)
class _Program:
    """A pattern over symbols: those of the signatures and of the characters met so far."""

    known: dict[Signature, str]
    symbols: dict[int, str]
    width: int
    regex: Any


def _beginning(source: _Source) -> _Program:
    """Return a program that knows the characters of ASCII."""
    return _with(_Program({}, {}, 0, None), source, set(map(chr, range(128))))


def _with(program: _Program, source: _Source, new: set[str]) -> _Program:
    """Return a program that knows these characters too; it is another one where the pattern tells more of them apart.

    What is added to one that is in use changes nothing there: a character has one signature, and that one symbol.
    """
    blocks = source.told_apart(new)
    if not blocks.keys() <= program.known.keys():
        program = _compiled(program, source, [*program.known, *blocks])
    for signature, characters in blocks.items():
        program.symbols.update(dict.fromkeys(map(ord, characters), program.known[signature]))
    return program


def _compiled(before: _Program, source: _Source, signatures: Sequence[Signature]) -> _Program:
    """Return a program with these signatures, and the characters of the one before."""
    known, width = _spelled(source, signatures)
    respelled = {symbol: known[signature] for signature, symbol in before.known.items()}
    symbols = {code: respelled[symbol] for code, symbol in before.symbols.copy().items()}
    members: list[list[str]] = [[] for _ in source.sets]
    for (sets, kind), symbol in known.items():
        for number in sets:
            members[number] += [symbol, "\n" * width] if kind == "break" else [symbol]
    classes = [_any_of(spelled) for spelled in members]
    body = b"".join(classes[piece] if isinstance(piece, int) else piece for piece in source.pieces)
    whole = b"(" + body + b")" if width == 1 else rb"\A(?s:..)*?(" + body + b")"
    return _Program(known, symbols, width, _re2(source, whole))


def _spelled(source: _Source, signatures: Sequence[Signature]) -> tuple[dict[Signature, str], int]:
    """Return each signature a symbol; return these, and how long one is."""
    different = dict.fromkeys(signatures)
    words = sum(kind == "word" for _, kind in different)
    width = 1 if words <= len(_WORD) and len(different) - words <= len(_OTHER) else 2
    ends = repeat("\n" * width) if source.has_lines else None
    word, other = (map("".join, product(letters, repeat=width)) for letters in (_WORD, _OTHER))
    ways = {"word": word, "other": other, "break": ends or other}
    spelled = {signature: next(ways[signature[1]], "") for signature in different}
    if not all(spelled.values()):
        raise _too_large(source.pattern)
    return spelled, width


def _re2(source: _Source, pattern: bytes) -> Any:
    import re2  # type: ignore[import-untyped]  # most commands have no pattern to compile

    options = re2.Options()
    options.encoding, options.max_mem, options.log_errors = re2.Options.Encoding.LATIN1, _MEMORY, False
    try:
        regex = re2.compile(pattern, options)
    except re2.error:
        raise _too_large(source.pattern) from None
    if regex.programsize > MAX_PROGRAM:
        raise _too_large(source.pattern)
    return regex


def _any_of(symbols: Iterable[str]) -> bytes:
    """Return what matches one of these symbols."""
    by_first: dict[str, str] = {}
    for symbol in symbols:
        by_first[symbol[:-1]] = by_first.get(symbol[:-1], "") + symbol[-1]
    ways = [_quoted(first) + b"[" + _quoted(last) + b"]" for first, last in by_first.items()]
    return b"(?:" + b"|".join(ways) + b")" if ways else _NEVER


def _quoted(symbol: str) -> bytes:
    return b"".join(b"\\x%02x" % ord(byte) for byte in symbol)


class _Source:
    """A pattern as Python reads it: pieces for RE2, between which a number stands for a set of characters."""

    def __init__(self, pattern: str) -> None:
        """Read a pattern.

        Raises:
            RegexError: where it is no regular expression, or has no linear form.

        """
        self.pattern = pattern
        self.pieces: list[bytes | int] = []
        self.sets: list[re.Pattern[str] | str] = []
        self._numbers: dict[tuple[str, int], int] = {}
        self._assertions: set[str] = set()
        tree = _read(pattern)
        self.groups: int = tree.state.groups - 1
        self._sequence(tree, tree.state.flags, 1, 0)
        self.has_end, self.has_lines = "$" in self._assertions, "line" in self._assertions
        if self.has_end and self.has_lines:
            raise self._refused("(?m:…) around a part of it, and $ elsewhere")
        if {r"\b", r"(?a)\b"} <= self._assertions:
            raise self._refused(r"(?a:…) around a part of it, and \b both in it and elsewhere")
        self._word = re.compile(r"(?a)\w" if r"(?a)\b" in self._assertions else r"\w")

    def told_apart(self, characters: set[str]) -> dict[Signature, set[str]]:
        """Return characters by what the pattern can know of them."""
        joined = "".join(characters)
        tells_words = not {r"\b", r"(?a)\b"}.isdisjoint(self._assertions)
        words = set(self._word.findall(joined)) if tells_words else set()
        kinds: dict[Kind, set[str]] = {"word": words, "break": {"\n"} & characters}
        kinds["other"] = characters.difference(*kinds.values())
        blocks: dict[Signature, set[str]] = {((), kind): block for kind, block in kinds.items()}
        for number, members in enumerate(self.sets):
            found = {members} if isinstance(members, str) else set(members.findall(joined))
            for (sets, kind), block in [*blocks.items()]:
                if inside := block & found:
                    blocks[sets, kind] = block - inside
                    blocks[(*sets, number), kind] = inside
        return {signature: block for signature, block in blocks.items() if block}

    def _sequence(self, tree: Any, flags: int, times: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise RegexError(f"{_shown(self.pattern)} is nested too deeply")
        for kind, value in tree:
            self._node(kind, value, flags, times, depth)

    def _node(self, kind: Any, value: Any, flags: int, times: int, depth: int) -> None:
        if kind is sre.BRANCH:
            self._branches(value[1], flags, times, depth)
        elif kind is sre.SUBPATTERN:
            self._group(value, flags, times, depth)
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            self._repeat(value, kind is sre.MIN_REPEAT, (flags, times, depth))
        elif kind is sre.AT:
            self._assertion(value, flags)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            signs = {(1, False): "a look-ahead, (?=…)", (1, True): "a look-ahead, (?!…)",
                     (-1, False): "a look-behind, (?<=…)", (-1, True): "a look-behind, (?<!…)"}  # fmt: skip
            raise self._refused(signs[value[0], kind is sre.ASSERT_NOT])
        elif kind in _REFUSED:
            raise self._refused(_REFUSED[kind])
        else:
            self._set(kind, value, flags)

    def _branches(self, branches: Iterable[Any], flags: int, times: int, depth: int) -> None:
        for number, branch in enumerate(branches):
            self.pieces.append(b"|" if number else b"(?:")
            self._sequence(branch, flags, times, depth + 1)
        self.pieces.append(b")")

    def _group(self, value: Any, flags: int, times: int, depth: int) -> None:
        number, added, removed, inner = value
        if added & _parser.TYPE_FLAGS:
            flags &= ~_parser.TYPE_FLAGS
        self.pieces.append(b"(?:" if number is None else b"(")
        self._sequence(inner, (flags | added) & ~removed, times, depth + 1)
        self.pieces.append(b")")

    def _repeat(self, value: Any, is_lazy: bool, around: tuple[int, int, int]) -> None:
        least, most, inner = value
        flags, times, depth = around
        counts = {(0, sre.MAXREPEAT): b"*", (1, sre.MAXREPEAT): b"+", (0, 1): b"?"}
        if (least, most) not in counts:
            times *= max(1, least if most is sre.MAXREPEAT else most)
            if times > MAX_COUNT:
                raise RegexError(_counts_too_far(self.pattern))
        most = b"" if most is sre.MAXREPEAT else b"%d" % most
        self.pieces.append(b"(?:")
        self._sequence(inner, flags, times, depth + 1)
        self.pieces += [b")", counts.get(value[:2], b"{%d,%b}" % (least, most)), b"?" if is_lazy else b""]

    def _assertion(self, where: Any, flags: int) -> None:
        if where in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
            self._assertions.add(r"(?a)\b" if flags & re.ASCII else r"\b")
            self.pieces.append(rb"\b" if where is sre.AT_BOUNDARY else rb"\B")
        elif where in (sre.AT_BEGINNING, sre.AT_END) and flags & re.MULTILINE:
            self._assertions.add("line")
            self.pieces.append(b"(?m:^)" if where is sre.AT_BEGINNING else b"(?m:$)")
        elif where is sre.AT_END:
            self._assertions.add("$")
            self.pieces.append(b"(?m:$)")
        else:
            self.pieces.append(rb"\A" if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING) else rb"\z")

    def _set(self, kind: Any, value: Any, flags: int) -> None:
        """Add the number of a set of characters."""
        if kind is sre.ANY:
            written = r"[\s\S]" if flags & re.DOTALL else r"[^\n]"
        elif kind is sre.IN:
            written = f"[{''.join(map(_written, value))}]"
        else:
            written = f"[{'^' if kind is sre.NOT_LITERAL else ''}{_character(value)}]"
        exact = chr(value) if kind is sre.LITERAL and not (flags & re.IGNORECASE and _has_case(chr(value))) else ""
        key = written, 0 if exact else flags & (re.IGNORECASE | re.ASCII)
        if key not in self._numbers:
            self._numbers[key] = len(self.sets)
            self.sets.append(exact or re.compile(written, key[1]))
            if sum(not isinstance(one, str) for one in self.sets) > MAX_SETS:
                raise RegexError(f"{_shown(self.pattern)} has more than {MAX_SETS} different sets of characters")
        self.pieces.append(self._numbers[key])

    def _refused(self, construct: str) -> RegexError:
        return RegexError(f"{_shown(self.pattern)} uses {construct}: not supported, since patterns run in linear time")


def _read(pattern: str) -> Any:
    """Compile a pattern with Python's ``re``."""
    if len(pattern) > MAX_PATTERN:
        raise RegexError(f"{_shown(pattern)} is longer than {MAX_PATTERN:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean something else one day
            return _parser.parse(pattern)
    except re.error as error:
        raise RegexError(f"{_shown(pattern)} is no regular expression: {error}") from error
    except (RecursionError, OverflowError) as error:
        reason = "a count in it is too large" if isinstance(error, OverflowError) else "it is nested too deeply"
        raise RegexError(f"{_shown(pattern)} is no regular expression: {reason}") from error


def _written(item: tuple[Any, Any]) -> str:
    """Return one item of a set as Python reads it."""
    kind, value = item
    if kind is sre.NEGATE:
        return "^"
    if kind is sre.RANGE:
        return f"{_character(value[0])}-{_character(value[1])}"
    return _CATEGORIES[value] if kind is sre.CATEGORY else _character(value)


def _character(code: int) -> str:
    return f"\\U{code:08x}"


def _has_case(character: str) -> bool:
    return not character.lower() == character == character.upper()


def _counts_too_far(pattern: str) -> str:
    advice = "write maxLength beside the pattern for the length of a text"
    return f"{_shown(pattern)} counts further than {MAX_COUNT:,}, nested counts multiplied; {advice}"


def _too_large(pattern: str) -> RegexError:
    return RegexError(f"{_shown(pattern)} is too large: shorten it, or lower its counts")


def _shown(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= 100 else repr(pattern[:100]) + "…"
