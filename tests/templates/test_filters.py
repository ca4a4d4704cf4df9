"""The filters beside Jinja's own, as expressions use them."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.errors import TemplateError
from llm_gc.protocol import NOTHING, Message
from llm_gc.templates import Templates
from llm_gc.values.frozen import FrozenDict, FrozenList, freeze

FAILED = Message("anna", "Anna", failed=True, data=FrozenDict({"answer": "A", "sure": 9}))


def message(content: str = "text", **data: Any) -> Message:
    """Return a message, with the data of a structured reply."""
    return Message("anna", "Anna", content, freeze(data) if data else None)


def value(expression: str, **names: Any) -> Any:
    """Return what an expression gives."""
    return Templates().expression(expression)({name: freeze(value) for name, value in names.items()}.__getitem__)


def test_majority_is_what_most_have() -> None:
    """Ties go to the first."""
    assert value("x | majority", x=["a", "b", "b"]) == "b"
    assert value("x | majority", x=["b", "a", "a", "b"]) == "b"
    assert value("x | majority", x=[1, 2, 1.0]) == 1


def test_large_numbers_are_told_apart() -> None:
    """Equal numbers are equal however large, whole or with a point; others are others, also of one hash."""
    apart = [number * (2**61 - 1) for number in range(5)]
    assert value("x | unique", x=[2**61 - 1, 2.0**70, 2**70, *apart]) == [2**61 - 1, 2.0**70, 0, *apart[2:]]
    assert value("x | majority", x=[2**61 - 1, 2 * (2**61 - 1), 2 * (2**61 - 1)]) == 2 * (2**61 - 1)
    found = value("x | groupby('n')", x=[{"n": 2**65}, {"n": -(2**70)}, {"n": 1}])
    assert [key for key, _ in found] == [-(2**70), 1, 2**65]
    assert value("[1e308 * 10, 1e308 * 10, 1] | unique | length") == 2


def test_majority_skips_the_empty() -> None:
    """None, empty text, failed messages and those that nobody spoke do not count; of nothing it is none."""
    assert value("x | majority", x=[None, None, "", "", " \n", FAILED, FAILED, NOTHING, NOTHING, "a"]) == "a"
    assert value("x | majority('data.answer')", x=[FAILED, FAILED, message(answer="B")]) == "B"
    for nothing in ([], None, [None], FAILED, NOTHING, [FAILED]):
        assert value("x | majority", x=nothing) is None


def test_majority_counts_what_is_falsy_and_not_empty() -> None:
    """No and nought are answers, and not the same one."""
    assert value("x | majority", x=[False, 1, False]) is False
    assert value("x | majority", x=[0, 1, 0, True, True, True]) is True
    assert value("x | majority", x=[0, 0, False]) == 0


def test_majority_of_messages_is_a_content() -> None:
    """A message counts as its content, whoever said it."""
    assert value("x | majority", x=[message("yes"), Message("ben", "Ben", "no"), Message("cleo", "Cleo", "no")]) == "no"


def test_majority_of_an_attribute() -> None:
    """The attribute is a dotted path, with places in a list, as in Jinja's map."""
    votes = [message(answer=answer) for answer in ("A", "B", "B")]
    assert value("x | majority(attribute='data.answer')", x=votes) == "B"
    assert value("x | majority('b.0')", x=[{"b": ["x"]}, {"b": ["y", "x"]}, {"b": ["y"]}]) == "y"


def test_majority_survives_what_models_leave_out() -> None:
    """A key that is not there, data that are no map, no data at all: those do not count."""
    odd = [message(other=1), message(), {"data": "text"}, {"data": [1]}, 7, None, message(answer="A")]
    assert value("x | majority('data.answer')", x=odd) == "A"
    assert value("x | majority('data.0.b')", x=odd) is None


def test_majority_by_weight() -> None:
    """Numbers add up, texts that are numbers too; what has none weighs nothing."""
    votes = [message(answer=a, sure=s) for a, s in (("A", 1), ("B", "2.5"), ("A", 1), ("C", None), ("C", "very"))]
    assert value("x | majority('data.answer', weight='data.sure')", x=votes) == "B"
    assert value("x | majority('data.answer', 'data.none')", x=votes) == "A"


def test_majority_of_lists_and_maps() -> None:
    """They are equal when they say the same."""
    assert value("x | majority", x=[[1], {"a": 1, "b": 2}, {"b": 2, "a": 1}]) == {"a": 1, "b": 2}


def test_a_misspelt_attribute_of_a_message_is_an_error() -> None:
    """It is the author's slip, and says what was meant."""
    with pytest.raises(TemplateError, match=r"a message has no 'daat'. Did you mean 'data'"):
        value("x | majority('daat.answer')", x=[message()])


def test_extract_gives_the_first_match() -> None:
    """Its first group where there is one, else all of it; the first group that takes part."""
    assert value(r"x | extract('[0-9]+')", x="12 of 30") == "12"
    assert value(r"x | extract('answer: (\\w+)')", x="answer: red, answer: blue") == "red"
    assert value(r"x | extract('a(\\d)|b(\\d)')", x="b7") == "7"


def test_extract_without_a_match_is_none() -> None:
    """So it is for what is no text, for a group that takes no part, and for a message that failed."""
    for nothing in ("red", "", None, True, {"a": "1"}, FAILED, NOTHING):
        assert value("x | extract('[0-9]')", x=nothing) is None
    assert value("x | extract('a([0-9])?')", x="a") is None
    assert value("x | extract('.*')", x=FAILED) is None


def test_extract_maps_over_a_list() -> None:
    """One for each item, None where there is none; messages are their content."""
    found = value("x | extract('[0-9]+')", x=[message("a 1"), "b", 23, None, FAILED, ["4"]])
    assert found == ["1", None, "23", None, None, ["4"]]
    assert isinstance(found, FrozenList)


def test_extract_searches_the_beginning_of_a_long_text() -> None:
    """100,000 characters of it, so that its time is bounded."""
    assert value("x | extract('b')", x="a" * 99_999 + "b") == "b"
    assert value("x | extract('b')", x="a" * 100_000 + "b") is None


@pytest.mark.parametrize("regex", ["'(a'", "'a{9999999999999}'", "3", "none", "['a']", "'(' * 5000"])
def test_a_bad_regular_expression_is_an_error(regex: str) -> None:
    """It is the author's, and names what was given."""
    with pytest.raises(TemplateError, match="regular expression"):
        value(f"'text' | extract({regex})")


def test_a_doubtful_regular_expression_is_no_warning() -> None:
    """What Python would like to say about it would reach nobody who can do something about it."""
    assert value("'[' | extract('[[a]')") == "["


def test_from_json_gives_data() -> None:
    """Of a text or a message; a code fence around it is forgiven."""
    assert value("(x | from_json).a[1]", x='{"a": [1, 2]}') == 2
    assert value("x | from_json", x=message(' "text" ')) == "text"
    assert value("x | from_json", x='```json\n{"a": 1}\n```') == {"a": 1}


@pytest.mark.parametrize(
    "text", ["", "no", "{'a': 1}", '{"a": NaN}', "1e999", "[" * 9000, "9" * 5000, '{"a": 1} and so']
)
def test_bad_json_is_none(text: str) -> None:
    """So is what JSON cannot hold."""
    assert value("x | from_json", x=text) is None


def test_from_json_of_no_text_is_none() -> None:
    """Data are none already."""
    for nothing in (None, 7, ["1"], {"a": 1}, FAILED, NOTHING):
        assert value("x | from_json", x=nothing) is None


def test_mean_median_and_stdev() -> None:
    """Whole results are whole numbers."""
    assert value("[x | mean, x | median, x | stdev]", x=[2, 4, 4, 4, 6]) == [4, 4, 2**0.5]
    assert value("[x | mean, x | median]", x=[1, 2]) == [1.5, 1.5]
    assert [type(one) for one in value("[x | mean, x | median, x | stdev]", x=[1.0, 3.0, 5.0])] == [int, int, int]


def test_numbers_given_as_text_count() -> None:
    """With a sign, a point, an exponent and space around them; messages are their content."""
    assert value("x | mean", x=["1", " +2.0\n", "-3", "4e0", message("6"), ".5", "1.5"]) == 12 / 7


def test_what_is_no_number_is_skipped() -> None:
    """None, other text, truth, what is too large for a machine's number, failed messages."""
    words = ["", "ten", "1_0", "10%", "nan", "inf", "1e999", "9" * 400, "9" * 5000]
    odd = [None, *words, True, [1], {"a": 1}, FAILED, NOTHING]
    assert value("x | median", x=[*odd, 7]) == 7
    for work in ("mean", "median", "stdev"):
        assert value(f"x | {work}", x=odd) is None


def test_the_middle_of_nothing_is_none() -> None:
    """A spread takes two."""
    for work in ("mean", "median", "stdev"):
        assert value(f"x | {work}", x=[]) is None
        assert value(f"x | {work}", x=None) is None
    assert value("x | stdev", x=[1]) is None
    assert value("x | stdev", x=[1, 1]) == 0
    assert value("x | mean", x=7) == 7


def test_large_numbers_do_not_break_them() -> None:
    """Whatever a model may write."""
    assert value("x | mean", x=["1e300", "1e300"]) == 1e300
    assert value("x | stdev", x=["1e300", "-1e300"]) == pytest.approx(1.41e300, rel=0.01)
    assert value("x | median", x=["9" * 300, 1]) == pytest.approx(5e299)
    assert value("x | mean", x=[5e-324, 5e-324]) == 5e-324


def test_groupby_heeds_case() -> None:
    """Groups are sorted by what they have in common; each is a pair, in a list."""
    said = [{"role": "b"}, {"role": "B"}, {"role": "a"}, {"role": "b"}]
    assert value("x | groupby('role') | map('first')", x=said) == ["B", "a", "b"]
    assert value("x | groupby('role', case_sensitive=false) | map(attribute='grouper')", x=said) == ["a", "b"]
    template = "{% for name, all in x | groupby('role') %}{{ name }}{{ all | length }} {% endfor %}"
    assert Templates().template(template)({"x": freeze(said)}.__getitem__) == "B1 a1 b2 "


def test_groupby_survives_what_models_write() -> None:
    """Values of any kind, or none, can be grouped and sorted."""
    odd = [message(v=v) for v in ("x", 2, None, True, [1], {"a": 1}, 2.0)] + [FAILED, 5]
    groups = value("x | groupby('data.v') | map('first')", x=odd)
    assert groups == [None, True, 2, "x", [1], {"a": 1}]
    assert value("x | groupby('data.v', default='?') | map('first') | first", x=[FAILED]) == "?"


def test_unique_heeds_case() -> None:
    """The first of what is equal stays, of messages those with the same content."""
    assert value("x | unique", x=["b", "B", "a", "b"]) == ["b", "B", "a"]
    assert value("x | unique(case_sensitive=false)", x=["b", "B", "a"]) == ["b", "a"]
    one, other = message("same"), Message("ben", "Ben", "same")
    assert value("x | unique", x=[one, other]) == [one]
    assert value("x | unique(attribute='role')", x=[one, other]) == [one, other]
    assert value("x | unique", x=[[1], [1], {"a": 1}, None, 1, True]) == [[1], {"a": 1}, None, 1, True]


def test_a_key_that_a_model_left_out_is_none() -> None:
    """Each filter takes it for that; a name that nobody has given is an error all the same."""
    for filter_ in ("majority", "extract('a')", "from_json", "mean", "median", "stdev"):
        assert value(f"x.answer | {filter_}", x={"other": 1}) is None
        with pytest.raises(TemplateError, match="answer"):
            value(f"answer | {filter_}")
    assert value("[x.answer, 3] | mean", x={"other": 1}) == 3


def test_no_filter_gives_a_generator() -> None:
    """What it gives can be counted, looked at twice and kept."""
    for filter_ in ("extract('a')", "groupby('a')", "unique"):
        assert isinstance(value(f"x | {filter_}", x=[{"a": 1}]), FrozenList)
