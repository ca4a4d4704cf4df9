"""YAML to data with places: what is read, what is refused, and where everything is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.errors import PipelineError
from llm_gc.source import MAX_BYTES, Source, dotted, load, read, spot_in

QUICK = settings(max_examples=150, derandomize=True, deadline=None, database=None)


def data(text: str) -> Any:
    """Return the data of a YAML text."""
    return load(text, "f.yaml").data


def refused(text: str) -> str:
    """Return the one finding about a text that is refused, without the file's name."""
    with pytest.raises(PipelineError) as caught:
        load(text, "f.yaml")
    (finding,) = caught.value.findings
    return f"{finding.line}:{finding.column}: {finding.message}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("NO", "NO"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("+1", 1),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("0o8", "0o8"),
        (".", "."),
        ("2001-01-01", "2001-01-01"),
        ("=", "="),
        ("'5'", "5"),
        ("qwen2.5-coder:1.5b", "qwen2.5-coder:1.5b"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    """`no` is text, `1:30` is text, `012` is twelve."""
    found = data(f"key: {text}")["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", [".inf", ".Inf", "-.INF", "+.inf", ".nan", ".NaN", ".NAN", "1e999", "-1e999"])
def test_numbers_that_json_lacks_are_refused(text: str) -> None:
    """Infinity and what is no number, in every spelling."""
    assert refused(f"a: {text}") == f"1:4: {text} is no number that JSON can hold"


@pytest.mark.parametrize("text", ["9" * 301, "-" + "9" * 5000, "0x" + "f" * 299, "0x" + "f" * 5000, "0o" + "7" * 5000])
def test_numbers_without_end_are_refused(text: str) -> None:
    """A number of thousands of digits is a mistake, and must not stop Python either."""
    assert refused(f"a: {text}").endswith("… is no number that JSON can hold")


@pytest.mark.parametrize(
    "text",
    ["!!float abc", "!!int x", "!!bool ''", "!!null foo", "!!str 5", "! 5", "!foo {b: 1}", "!!set {b}", "!!binary aGk=",
     "!!map {}", "!<tag:yaml.org,2002:str> 5", "&x !!int 5", "!!str"],
)  # fmt: skip
def test_tags_are_refused(text: str) -> None:
    """Each at its own place, whatever it is on."""
    column = text.index("!") + 4
    assert refused(f"a: {text}").startswith(f"1:{column}: the tag '!")


def test_a_tag_on_the_document_is_refused() -> None:
    """Also where there is nothing above it."""
    assert refused("!foo\na: 1").startswith("1:1: the tag '!foo' is not allowed")


@pytest.mark.parametrize("character", ["\0", "\a", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\ufffe"])
def test_odd_characters_are_refused(character: str) -> None:
    """What YAML forbids, and what only some take for a line break, at its place."""
    assert (
        refused(f"a: b\nc: d{character}e")
        == f"2:5: the character U+{ord(character):04X} is not allowed here; remove it"
    )


def test_half_a_character_is_refused() -> None:
    """A lone surrogate cannot be written anywhere."""
    assert refused("a: \ud800") == "1:4: the character U+D800 is not allowed here; remove it"


def test_a_byte_order_mark_is_passed_over() -> None:
    """And moves no column."""
    source = load("\ufeffname: x", "f")
    assert source.data == {"name": "x"}
    assert source.place(("name",)).column == 7


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Every kind of line end gives the same data and the same places."""
    source = load(end.join(["a:", "  b: |", "    one", "    two {{ x }}", "c: d"]), "f")
    assert source.data == {"a": {"b": "one\ntwo {{ x }}\n"}, "c": "d"}
    assert source.spot(("a", "b"), 2, 8).start == (4, 12)
    assert (source.place(("c",)).line, source.place(("c",)).column) == (5, 4)


def test_everything_wrong_is_told_at_once() -> None:
    """One reading gives all that is wrong with the data."""
    with pytest.raises(PipelineError) as caught:
        load("a: 1\na: 2\n1: 3\nb: .inf\n", "f")
    assert [(f.line, f.column) for f in caught.value.findings] == [(2, 1), (3, 1), (4, 4)]


def test_aliases_give_equal_data() -> None:
    """An alias stands for what it names."""
    assert data("a: &x {m: [1]}\nb: *x\nc: [*x, *x]") == {"a": {"m": [1]}, "b": {"m": [1]}, "c": [{"m": [1]}] * 2}


def test_a_value_is_placed_behind_its_anchor() -> None:
    """The place of a value is that of its first word."""
    source = load("a: &x  word\nb: &y\n  c: 1\n", "f")
    assert source.place(("a",)).column == 8
    assert (source.place(("b",)).line, source.place(("b",)).column) == (3, 3)


DEEP = {
    "flow lists": "'[' * n",
    "flow maps": "'{a: ' * n",
    "both": "'[{a: ' * n",
    "block lists": "'- ' * n",
    "keys": "'? ' * n",
    "keys and lists": "'? - ' * n",
    "block maps": "'\\n'.join(' ' * i + 'a:' for i in range(2000))",
    "block maps with carriage returns": "'\\r'.join(' ' * i + 'a:' for i in range(2000))",
    "closed": "'[' * n + ']' * n",
    "aliases in a chain": "'\\n'.join(['a0: &a0 [x]', *(f'a{i}: &a{i} [*a{i-1}]' for i in range(1, 9000))])",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_nesting_does_not_crash_the_interpreter(text: str) -> None:
    """libyaml recurses in C: what is nested too deeply must not get that far."""
    code = f"""
n = 200_000
from llm_gc.errors import PipelineError
from llm_gc.source import load
try:
    load({text}, "f")
except PipelineError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "nested more than 100 levels deep" in done.stdout


def test_aliases_that_unfold_without_end() -> None:
    """A billion laughs are not laughed."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "more than 200,000 values" in refused("\n".join(lines))


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: &x {b: *x}", "&x [1, [2, *x]]"])
def test_an_alias_of_itself(text: str) -> None:
    """Data that holds itself has no end."""
    assert "holds an alias of itself" in refused(text)


def test_a_huge_text_is_refused() -> None:
    """A pipeline is a short text."""
    assert refused("a: " + "x" * MAX_BYTES) == "1:1: the file is larger than 4096 KiB; a pipeline is a short text"


SPOTS = {  # the text with the words that are looked for in brackets
    "plain": "a: one [two] three\n",
    "plain over lines": "a: one\n  two\n\n  [three] four\nb: 1\n",
    "single quotes": "a: 'it''s [one]'\n",
    "single quotes over lines": "a: 'it''s\n\n   ''quoted'' and [one]'\n",
    "double quotes": 'a: "tab\\tquote\\" e\\u00e9 [one]"\n',
    "double quotes over lines": 'a: "one \\\n  \\  two\n  [three]\\n"\n',
    "double quotes with odd spaces": 'a: "a\\_b\\Lc\\x20d\\x1ce [one]"\n',
    "literal": "a: |\n  one\n\n    [two]\n",
    "literal with marks": "a: |2-  # why\n\n   one\n  [two]\n",
    "folded": "a: >\n  one\n  two\n\n  three\n    four\n  five [six]\n",
    "folded and stripped": "a: >-\n\n  one\n  two [three]\n\n\n",
    "in a flow map": "a: {b: [c, 'one [two]']}\n",
    "behind an anchor": "a: &x 'one [two]'\n",
    "first": "a: '[one] two'\n",
    "beyond the basic plane": "a: '𝔘 é [one]'\n",
}


@pytest.mark.parametrize("marked", SPOTS.values(), ids=SPOTS)
def test_spots_in_a_text(marked: str) -> None:
    """The line and column of a word in a value are found where the word is in the file."""
    begin = marked.rindex("[")
    word = marked[begin + 1 : marked.index("]", begin)]
    text = marked[:begin] + word + marked[begin + 2 + len(word) :] if "b: [c" not in marked else marked
    line, column = text.count("\n", 0, begin) + 1, begin - text.rfind("\n", 0, begin)
    source, path = load(text, "f"), ("a", "b", 1) if "b: [c" in marked else ("a",)
    value: Any = source.data["a"] if len(path) == 1 else source.data["a"]["b"][1]
    at = value.index(word)
    found = source.spot(path, value.count("\n", 0, at) + 1, at - value.rfind("\n", 0, at))
    assert found.start == (line, column + (1 if "b: [c" in marked else 0))
    assert (found.end_line, found.end_column) == (line, found.column + len(word))


def test_the_first_word_of_a_line() -> None:
    """Without a column, the first word of the line is meant."""
    source = load("a: |\n  one\n    two\n  three\nb: {}\n", "f")
    assert source.spot(("a",), 2).start == (3, 5)
    assert source.spot(("a",), 1).start == (2, 3)
    assert spot_in("a\n  b c\n", 2) == 4


def test_the_end_of_a_text() -> None:
    """What is beyond the last word is right behind it; in an empty text, where it begins."""
    source = load("a: 'one'\nb: ''\n", "f")
    assert source.spot(("a",), 1, 99).start == (1, 8)
    assert source.spot(("b",), 1, 1).start == (2, 4)


def test_a_spot_in_what_is_no_text() -> None:
    """It is the place of what is there."""
    assert load("a: {b: 1}\n", "f").spot(("a",), 3, 4).start == (1, 4)


def places(source: Source, *paths: tuple[tuple[str | int, ...], bool]) -> list[tuple[int, int]]:
    """Return line and column of paths, each of a key or a value."""
    found = [source.place(path, key=key) for path, key in paths]
    return [(place.line, place.column) for place in found]


def test_places_of_keys_and_values() -> None:
    """In block and flow, in lists and maps."""
    source = load("# first\nname: x\nroles:\n  a: {model: m,  prompt: p}\nturns:\n  - say: a\n  - [b]\n", "f")
    assert places(
        source,
        ((), False),
        (("name",), True),
        (("name",), False),
        (("roles", "a", "prompt"), True),
        (("roles", "a", "prompt"), False),
        (("turns", 0, "say"), False),
        (("turns", 1, 0), False),
    ) == [(2, 1), (2, 1), (2, 7), (4, 18), (4, 26), (6, 10), (7, 6)]


def test_places_of_what_is_not_there() -> None:
    """The nearest thing around it; for the short form of a map, the short form itself."""
    source = load("roles:\n  a: {model: m, sees: [b, c]}\nturns: [a]\n", "f")
    assert places(
        source,
        (("roles", "b"), False),
        (("roles", "a", "prompt"), False),
        (("turns", 0, "say"), False),
        (("turns", 0, "say"), True),
        (("turns", 7), False),
        (("roles", "a", "sees", "from", 1), False),
    ) == [(1, 1), (2, 3), (3, 9), (3, 9), (3, 1), (2, 27)]


def test_an_empty_file_has_a_place() -> None:
    """Its beginning."""
    assert places(load("", "f"), ((), False), (("a",), True)) == [(1, 1), (1, 1)]


def test_paths_are_written_with_dots() -> None:
    """`turns.0.repeat.1`."""
    assert dotted(("turns", 0, "repeat", 1)) == "turns.0.repeat.1"


SYNTAX = {
    "a: 'x": "1:4: the quote that opens here is never closed",
    "a: [1, 2": "1:4: the list that opens here lacks a ',' or its ']'",
    "a: {b: 1\nc: 2": "1:4: the map that opens here lacks a ',' or its '}'",
    "- a\nb: c": "2:1: an item of the list, with '-', was expected here; look at the indentation",
    "a: 1\n b: 2": "2:3: a ':' is not allowed here; look at the indentation, or put a text with a colon in quotes",
    "a: `x`": "1:4: a text cannot begin with '`'; put it in quotes",
    "a: |x\n b": "1:5: only a comment may follow here; the text begins on the next line",
    "a: |0\n b": "1:5: an indentation of 0 is not possible; leave the figure out",
    "a: &x 1\nb: &x 2": "2:4: the anchor &x appears twice; give each its own name",
    "a: *b": "1:4: *b refers to nothing; no &b comes before it",
    "key: - a": "1:6: a list cannot begin here; its first '-' belongs on a line of its own",
    "a: !x!y z": "1:4: a tag (a word that begins with !) is not allowed; a pipeline is plain data",
    "%YAML 1.3\n---\na: b": "1:1: this line, which begins with %, is no directive that is allowed here; leave it out",
    'a: "\\xZZ"': "1:7: the escape in the text lacks digits; it has two after \\x, four after \\u, eight after \\U",
    "[]]": "1:3: nothing is allowed here; the document has ended before it",
    "a: [b,, c]": "1:7: a text, a list or a map was expected here",
}


@pytest.mark.parametrize(("text", "finding"), SYNTAX.items(), ids=SYNTAX)
def test_syntax_errors_in_plain_sentences(text: str, finding: str) -> None:
    """What the parser says becomes a sentence for the author, at the place that it is about."""
    assert refused(text) == finding


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029\ufeff", max_codepoint=0xFFFF),
    max_size=20,
)
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


class Dumper(yaml.SafeDumper):
    """Dumps as YAML's own tools do, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@QUICK
@given(JSON_LIKE)
def test_json_is_yaml(value: Any) -> None:
    """Data written as JSON comes back as it was, but for a key that would merge."""
    assert data(json.dumps(value)) == value


@QUICK
@given(JSON_LIKE, st.booleans(), st.booleans())
def test_what_was_dumped_is_loaded_as_it_was(value: Any, flow: bool, as_it_is: bool) -> None:
    """A plain dumper writes for YAML 1.1 and in its own styles, and all of it reads the same here."""
    assert data(yaml.dump(value, Dumper=Dumper, default_flow_style=flow, allow_unicode=as_it_is, width=40)) == value


ALPHABET = st.sampled_from(
    [*"abc:-?[]{},&*!|>'\"%@` \n\t#~.0159", ": ", "- ", "\n  ", "{{", "}}", "<<", "é", "\0", "\r"]
)


@QUICK
@given(st.lists(ALPHABET, max_size=40).map("".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a refusal with a place inside the text is ever raised."""
    try:
        load(text, "f")
    except PipelineError as error:
        for finding in error.findings:
            assert 1 <= finding.line <= text.count("\n") + text.count("\r") + 2
            assert finding.column >= 1
            assert "not valid YAML" not in finding.message, text


# --- What is left of a text with errors


def recovered(text: str) -> tuple[list[tuple[int, int]], Any]:
    """Return the places of all errors, and the data that could be read."""
    source = read(text, "f")
    return [(fault.line, fault.column) for fault in source.faults], source.data


@pytest.mark.parametrize(
    ("text", "places", "left"),
    [
        ("a: 1\nb: @x\nc: 3\n", [(2, 4)], {"a": 1, "c": 3}),
        ("a: [1\nb: 'x\n", [(1, 4), (2, 4)], None),
        ("a: [1, 2\nb: 2\nc: {d\ne: 3\n", [(1, 4), (3, 4)], {"b": 2, "e": 3}),
        ("a:\n  b: 1\n  c: @x\n  d: 2\ne: 3\n", [(3, 6)], {"a": {"b": 1, "d": 2}, "e": 3}),
        ("a:\n- 1\n- @x\n- 2\n", [(3, 3)], {"a": [1, 2]}),
        ("a:\n  - 1\n  - {b: |\n      x\n    }\n  - 2\n", [(3, 9)], {"a": [1, 2]}),
        ("a:\n  - @x\n  - @y\nb: 1\n", [(2, 5)], {"b": 1}),
        ("a: &x 'y\nb: 2\n", [(1, 7)], {"b": 2}),
        ("a: 1\nb: [&x 1\nc: *x\nd: 2\n", [(2, 4)], {"a": 1, "d": 2}),
        ("a: 1\n---\nb: 2\n", [(2, 1)], {"a": 1}),
        ("a: 1\r\nb: @x\r\nc: 3\r\n", [(2, 4)], {"a": 1, "c": 3}),
        ("@", [(1, 1)], None),
        ("[]\n[]\n[]\n", [(2, 1)], None),
    ],
)
def test_what_is_left_of_a_text_with_errors(text: str, places: list[tuple[int, int]], left: Any) -> None:
    """Each error is told, and all is read but the entries or blocks in which they are."""
    assert recovered(text) == (places, left)


def test_places_in_what_is_left() -> None:
    """Are those of the whole text."""
    source = read("a: @x\nb:\n  c: 3\n", "f")
    assert source.place(("b", "c")).start == (3, 6)
    assert (source.holes, source.lost) == (frozenset([()]), "a: @x\n")


def test_holes() -> None:
    """Where a value could not be read; where a map lacks a key that could not be."""
    source = read("a: !!int 3\nb: {1: 2, c: 3}\nd: [x, .inf]\ne: &k .nan\nf: *k\n", "f")
    assert len(source.faults) == 4
    assert source.holes == {("a",), ("b",), ("d", 1), ("e",), ("f",)}
    assert read("1: 2\na: 3\n", "f").holes == {()}
    twice = read("a: {b: 1, b: 2}\n", "f")
    assert (len(twice.faults), twice.holes, twice.lost) == (1, frozenset(), "2")


@QUICK
@given(st.text(st.sampled_from("ab: \n-[]{}'\"|>#&*!%@`,?\t0"), max_size=60))
def test_any_text_is_read_as_far_as_it_goes(text: str) -> None:
    """Nothing is raised; there are faults, or all of it was read, and every fault has a place in the text."""
    source = read(text, "f")
    lines = text.split("\n")
    assert source.faults or source.data == load(text, "f").data
    assert all(
        1 <= fault.line <= len(lines) and fault.column <= len(lines[fault.line - 1]) + 1 for fault in source.faults
    )
