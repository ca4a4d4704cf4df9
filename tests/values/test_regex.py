"""Regular expressions of authors: they find what Python finds, and in linear time."""

from __future__ import annotations

import re
import sys
import warnings
from random import Random

import pytest

from llm_gc.values import regex

CHARACTERS = "abABkKsSiI_ 0٣éÉßſıİK\n\r-.ǅ日\u200b\xa0\x1c\ud800𝟘"
"""Letters with odd case, digits and white space of other scripts, half a surrogate, what looks like white space."""

CLASSES = (r"\w", r"\W", r"\d", r"\D", r"\s", r"\S")
ASSERTIONS = ("^", "$", r"\b", r"\B", r"\A", r"\Z")


class Writer:
    """Writes patterns; what it repeats matches one character at least where they are ``plain``."""

    def __init__(self, chance: Random, *, plain: bool) -> None:
        self.chance, self.plain = chance, plain

    def pattern(self) -> str:
        """Write a pattern, perhaps with flags."""
        flags = self.chance.choice(["", "", "", "(?i)", "(?a)", "(?m)", "(?s)", "(?im)", "(?ai)", "(?x) "])
        return flags + self.ways(0)

    def ways(self, depth: int) -> str:
        return "|".join(self.sequence(depth) for _ in range(self.chance.choice([1, 1, 1, 2, 3])))

    def sequence(self, depth: int) -> str:
        least = 1 if self.plain or not depth else 0
        return "".join(self.part(depth) for _ in range(self.chance.randint(least, 4)))

    def part(self, depth: int) -> str:
        kind = self.chance.random()
        if kind < 0.1:
            return self.chance.choice(ASSERTIONS)
        if kind < 0.3 and depth < 4:
            opening = self.chance.choice(["(", "(?:", "(?i:", "(?s:", "(?-i:", f"(?P<n{self.chance.getrandbits(60)}>"])
            inner = self.ways(depth + 1)
            return f"{opening}{self.character() if self.plain else ''}{inner}){self.count()}"
        return self.one() + self.count()

    def count(self) -> str:
        if self.chance.random() < 0.7:
            return ""
        counts = ["+", "{2}", "{1,3}", "{2,}"] if self.plain else ["*", "+", "?", "{2}", "{1,3}", "{0,2}"]
        return self.chance.choice(counts) + self.chance.choice(["", "", "?"])

    def one(self) -> str:
        kind = self.chance.random()
        if kind < 0.5:
            return self.character()
        if kind < 0.75:
            return self.chance.choice([*CLASSES, "."])
        items = "".join(self.item() for _ in range(self.chance.randint(1, 3)))
        return f"[{self.chance.choice(['', '^'])}{items}]"

    def item(self) -> str:
        if self.chance.random() < 0.5:
            return self.chance.choice([self.character(), *CLASSES])
        first, last = sorted(self.chance.choices(CHARACTERS, k=2))
        return f"\\U{ord(first):08x}-\\U{ord(last):08x}"

    def character(self) -> str:
        char = self.chance.choice(CHARACTERS)
        short = [f"\\x{ord(char):02x}"] if ord(char) < 0x100 else [f"\\u{ord(char):04x}"] if ord(char) < 0x10000 else []
        return self.chance.choice([re.escape(char), re.escape(char), f"\\U{ord(char):08x}", *short])


def text_of(chance: Random) -> str:
    """Return a short text, often with a line break at its end."""
    return "".join(chance.choices(CHARACTERS, k=chance.randint(1, 10))) + chance.choice(["", "\n"])


def spans(found: re.Match[str] | regex.Match | None) -> list[tuple[int, int] | None] | None:
    """Return where a match and its groups are."""
    if isinstance(found, re.Match):
        every = [found.span(number) for number in range(found.re.groups + 1)]
        return [None if span == (-1, -1) else span for span in every]
    return None if found is None else list(found.spans)


def compared(seed: int, count: int, *, plain: bool) -> None:
    """Hold ``count`` patterns against Python's own, each over some texts."""
    chance, refused = Random(seed), 0
    writer = Writer(chance, plain=plain)
    for _ in range(count):
        pattern = writer.pattern()
        try:
            compiled = regex.Regex(pattern)
        except regex.RegexError:
            refused += 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = re.compile(pattern)
        for text in (text_of(chance) for _ in range(5)):
            expected, found = spans(own.search(text)), spans(compiled.search(text))
            if plain:
                assert found == expected, (pattern, text)
            else:
                assert (found is None) == (expected is None), (pattern, text)
    assert refused < count // 20


@pytest.mark.parametrize("plain", [True, False])
def test_it_finds_what_python_finds(plain: bool) -> None:
    """The same matches and groups; where a loop repeats what may be empty, a match wherever Python has one."""
    compared(1, 500, plain=plain)


@pytest.mark.slow
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("seed", range(2, 8))
def test_it_finds_what_python_finds_at_length(seed: int, plain: bool) -> None:
    """As above, with many more patterns."""
    compared(seed, 2_000, plain=plain)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"a$", "a\n", "a"),
        (r"a$\n", "a\n", "a\n"),
        (r"a$", "a\nb", None),
        (r"a$", "a\n\n", None),
        (r"a\Z", "a\n", None),
        (r"(?m)a$", "a\nb", "a"),
        (r"\bé\b", "né é", "é"),
        (r"\bé", "né", None),
        (r"(?a)\bé", "né", "é"),
        (r"(?a)\bn", "én", "n"),
        (r"\w+", "naïve", "naïve"),
        (r"(?a)\w+", "naïve", "na"),
        (r"[^\W\d]+", "12ab3", "ab"),
        (r"\d", "٣", "٣"),
        (r"[\s]", "\u2003", "\u2003"),
        (r"\N{SNOWMAN}\u0041\x42\U00000043", "☃ABC", "☃ABC"),
        (r"(?i)straße", "STRAßE", "STRAßE"),
        (r"(?i)k", "\u212a", "\u212a"),
        (r"(?x) a b # and no more", "ab", "ab"),
        (r"(?P<word>\w+)=", "a=1", "a="),
        ("\ud800", "a\ud800", "\ud800"),
        (".", "\ud83d", "\ud83d"),
        (r"[a-\u1fff]{2}", "é\u1000", "é\u1000"),
    ],
)
def test_python_gives_the_meaning(pattern: str, text: str, expected: str | None) -> None:
    """Ends, boundaries, classes, escapes, flags and case are Python's."""
    own, found = re.search(pattern, text), regex.compile(pattern).search(text)
    assert (own and own[0]) == expected
    assert (found and found[0]) == expected


def test_many_characters_beside_a_boundary() -> None:
    r"""More than 63 of them are told apart beside ``\b``, and a text without any of them may come before."""
    signs = [chr(0x4E00 + number) for number in range(300)]
    pattern = rf"\b({'|'.join(signs)})\b"
    compiled = regex.Regex(pattern)
    for text in ("", "nothing", f"x{signs[5]} {signs[299]}。", f"{signs[7]}{signs[8]}", f"{signs[9]}\n"):
        assert spans(compiled.search(text)) == spans(re.search(pattern, text))


def test_new_characters_change_nothing_known() -> None:
    """A pattern that met many characters finds what a fresh one finds."""
    pattern = r"(?i)(é+|[^\W\d_]\d)\b"
    used = regex.Regex(pattern)
    for start in range(0x80, 0x3000, 64):
        used.search("".join(map(chr, range(start, start + 64))))
    for text in ("ÉÉ", "ǅ7", "日٣ ", "a٣é"):
        assert spans(used.search(text)) == spans(regex.Regex(pattern).search(text)) == spans(re.search(pattern, text))


def test_it_forgets_where_characters_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it remembers of characters is bounded, and nothing goes wrong beyond."""
    monkeypatch.setattr(regex, "MAX_KNOWN", 200)
    compiled = regex.Regex(r"[à-ü]+$")
    for start in range(0x80, 0x800, 50):
        text = "".join(map(chr, range(start, start + 50))) + "àü"
        found = compiled.search(text)
        assert found is not None
        assert found[0] == re.findall(r"[à-ü]+$", text)[0]
        assert len(compiled._program.symbols) <= 250


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("a(?=b)", "a look-ahead, (?=…)"),
        ("a(?!b)", "a look-ahead, (?!…)"),
        ("a(?!)", "a look-ahead, (?!…)"),
        ("(?<=a)b", "a look-behind, (?<=…)"),
        ("(?<!a)b", "a look-behind, (?<!…)"),
        (r"(a)\1", "a back-reference"),
        ("(?P<x>a)(?P=x)", "a back-reference"),
        ("(a)?(?(1)b|c)", "a conditional group, (?(1)…)"),
        ("(?>a)", "an atomic group, (?>…)"),
        ("a*+", "a possessive quantifier, as in *+"),
        ("(?m:^a)b$", "(?m:…) around a part of it, and $ elsewhere"),
        (r"(?a:\ba)\b", r"(?a:…) around a part of it, and \b both in it and elsewhere"),
        ("a{1001}", "counts further than 1,000, nested counts multiplied; write maxLength"),
        ("a{5,2000}", "counts further than 1,000"),
        ("(?:a{40}){40}", "counts further than 1,000"),
        ("(" * 150 + ")" * 150, "is nested too deeply"),
        ("(" * 4000 + ")" * 4000, "nested too deeply"),
        ("a" * 10_001, "is longer than 10,000 characters"),
        ("(?:[a-z]{0,900}x){1}" * 12, "is too large: shorten it, or lower its counts"),
        ("".join(f"[{chr(a)}{chr(a + 300)}]" for a in range(0x100, 0x210)), "more than 256 different sets"),
        ("a{99999999999999999999}", "a count in it is too large"),
        ("(", "is no regular expression: missing )"),
        ("a**", "is no regular expression: multiple repeat"),
    ],
)
def test_what_is_refused_is_named(pattern: str, named: str) -> None:
    """Whatever has no linear form, or is too large, is an error that says what it is."""
    assert named in regex.problem(pattern)
    with pytest.raises(regex.RegexError, match=r".") as caught:
        regex.Regex(pattern)
    assert len(str(caught.value)) < 400


def test_nothing_is_printed_about_a_refusal(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 is silent."""
    assert regex.problem("(?:[a-z]{0,900}x){1}" * 40)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pattern", "piece"),
    [
        ("^(a+)+$", "a"),
        ("(a|a)*b", "a"),
        ("(a|aa)+$", "a"),
        (r"(\w+\s?)*DONE$", "word "),
        (r"^(\s*\w*)*:$", "  é"),
        ("(.*)*x", "日本"),
        ("(?:a?){500}a{500}$", "ab"),
        (r"\s+$", " x"),
        ("(x+x+)+y", "x"),
        (r"(?i)(ſ|s)*k\b", "sſ"),
    ],
)
def test_what_makes_python_backtrack_is_fast(pattern: str, piece: str) -> None:
    """Patterns that take Python for ever over these texts come to an end before the test's time is over."""
    text = piece * (200_000 // len(piece))
    for end in ("", "!", "\n!"):
        regex.Regex(pattern).search(text + end)


def test_every_character_at_once() -> None:
    """A text of all characters there are is searched."""
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    for pattern in (r"[^\W\d_]\b\s$", "(?i)[é-ü]+日"):
        assert spans(regex.Regex(pattern).search(text)) == spans(re.search(pattern, text))


def test_a_large_pattern_over_a_huge_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of one search is bounded by the size of both."""
    monkeypatch.setattr(regex, "MAX_WORK", 100_000)
    compiled = regex.Regex("(?:a?){500}b")
    assert compiled.search("a" * 20 + "b")
    with pytest.raises(regex.TooLong, match=r"is too large a pattern for a text of 10,000 characters|too large for"):
        compiled.search("a" * 10_000)
