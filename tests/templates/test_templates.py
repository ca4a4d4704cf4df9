"""Templates: values in, frozen values out; what they cannot reach, cannot make, and how they fail."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, meta, nodes

from llm_gc.errors import TemplateError
from llm_gc.protocol import NOTHING, Message, PromptFile
from llm_gc.templates import Templates, is_file, referenced, taken
from llm_gc.values.frozen import FrozenDict, FrozenList, freeze

QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)

HELLO = Message("anna", "Anna", "Hello.", freeze({"score": 3, "items": ["a"], "get": 1}), 1)


def rendered(text: str, prompts: dict[str, str] | None = None, /, **names: Any) -> Any:
    """Return what a template gives."""
    return Templates(prompts).template(text)({name: freeze(value) for name, value in names.items()}.__getitem__)


def evaluated(text: str, /, **names: Any) -> Any:
    """Return what an expression gives."""
    return Templates().expression(text)({name: freeze(value) for name, value in names.items()}.__getitem__)


def failure(text: str, prompts: dict[str, str] | None = None, /, **names: Any) -> TemplateError:
    """Return the error of a template that fails, when it is compiled or when it is rendered."""
    with pytest.raises(TemplateError) as caught:
        rendered(text, prompts, **names)
    return caught.value


# --- What comes out


@pytest.mark.parametrize(
    "text",
    ["{{ x }}", "{{x}}", " {{ x }}", "{{ x }}\n", "\n\n  {{ x }}  \n", "{{- x -}}", "{{+ x }}",
     "{{ x if true else 1 }}", "{{ (x) }}", "{{\n  x\n}}"],
)  # fmt: skip
@pytest.mark.parametrize("value", [3, 0.5, True, None, [1, "a"], {"a": [1]}, "text", " 3 "])
def test_one_expression_keeps_its_type(text: str, value: Any) -> None:
    """A template that is wholly one `{{ }}`, whatever space is around it, gives the value itself."""
    found = rendered(text, x=value)
    assert (found, type(found)) == (freeze(value), type(freeze(value)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ x }}{{ x }}", "33"),
        ("{{ x }} {{ x }}", "3 3"),
        ("a {{ x }}", "a 3"),
        ("{{ x }}.", "3."),
        ("{# why #}{{ x }}", "3"),
        ("{{ x }}{# why #}", "3"),
        ("{% if x %}{{ x }}{% endif %}", "3"),
        ("{% set y = x %}{{ y }}", "3"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("text", "text"),
        ("", ""),
        ("one }} two", "one }} two"),
    ],
)
def test_any_other_template_gives_text(text: str, value: str) -> None:
    """Two expressions, anything around one, a comment, a statement."""
    assert rendered(text, x=3) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ '}}' }}", "}}"),
        ("{{ '{{ x }}' }}", "{{ x }}"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ {'a': {'b': 1}}['a'] }}", {"b": 1}),
        ("{{ \"%}\" ~ '#}' }}", "%}#}"),
    ],
)
def test_marks_inside_an_expression(text: str, value: Any) -> None:
    """Jinja's marks inside a text or a map end nothing."""
    assert rendered(text) == value


def test_a_prompt_file_keeps_types_too() -> None:
    """The rule is the same in a file."""
    assert rendered("n.j2", {"n.j2": "{{ x + 1 }}\n"}, x=2) == 3


@pytest.mark.parametrize("name", ["n.j2", "n.md", "n.txt"])
def test_a_prompt_file_is_a_template_whatever_it_ends_in(name: str) -> None:
    """Markdown and plain text are rendered, and their lines are named in errors."""
    prompts = {name: "Hello,\n{{ x + 1 }}"}
    assert rendered(PromptFile(name), prompts, x=2) == "Hello,\n3"
    error = failure(PromptFile(name), prompts, x="a")
    assert (error.file, error.line) == (name, 2)


def test_the_name_of_a_text_file_is_text_where_no_file_is_meant() -> None:
    """Only the keys that hold texts name such files; elsewhere the same letters stand for themselves."""
    templates, values = Templates({"n.md": "content"}), dict[str, Any]()
    given = ["n.md", PromptFile("n.md"), "n.md"]
    assert [templates.template(text)(values.__getitem__) for text in given] == ["n.md", "content", "n.md"]


def test_what_comes_out_is_frozen() -> None:
    """Lists and maps that a template makes cannot be changed."""
    found = evaluated("{'a': [1, 2], 'b': x}", x=[3])
    assert type(found) is FrozenDict
    assert [type(item) for item in found.values()] == [FrozenList, FrozenList]


@pytest.mark.parametrize(
    "expression",
    ["x | map('upper')", "x | select", "x | reject('none')", "x | batch(1)", "x | slice(2)", "x | reverse",
     "x | unique", "{'a': 1} | items", "x | map(attribute='foo', default=1)", "messages | selectattr('content')",
     "messages | rejectattr('failed')", "messages | groupby('role')", "{'a': 1}.items()", "{'a': 1}.keys()",
     "{'a': 1}.values()", "range(3)", "x | sort", "x | list"],
)  # fmt: skip
def test_filters_give_lists(expression: str) -> None:
    """Never a generator, an iterator or a view, which could be read only once or not be kept."""
    assert type(evaluated(expression, x=["b", "a"], messages=[HELLO])) is FrozenList


def test_lists_from_filters_can_be_read_twice() -> None:
    """And counted, and indexed."""
    text = "{% set up = x | map('upper') %}{{ up | length }}{{ up[0] }}{{ up | join }}{{ up | join }}"
    assert rendered(text, x=["a", "b"]) == "2AABAB"


@QUICK
@given(st.text(max_size=30) | st.sampled_from(["{{ 7*7 }}", "{% include 'a.j2' %}", "a.j2", "{# x #}", "{{", "%}"]))
def test_what_a_model_wrote_is_never_rendered(content: str) -> None:
    """A value is data, whatever it looks like: alone, in a text, through filters, and through an expression."""
    prompts = {"a.j2": "secret"}
    message = Message("anna", "Anna", content)
    assert rendered("{{ x }}", prompts, x=content) == content
    assert rendered("<{{ x }}>", prompts, x=content) == f"<{content}>"
    assert rendered("<{{ m }}|{{ m.content | string }}>", prompts, m=message) == f"<{content}|{content}>"
    assert evaluated("x ~ ''", x=content) == content


# --- Names


def test_none_has_no_attributes() -> None:
    """Attributes, items and parts of none are none, however deep."""
    assert rendered("{{ x.a }}", x=None) is None
    assert evaluated("x.a.b['c'][0][1:2]", x=None) is None
    assert evaluated("(x.a or 'nothing')", x=None) == "nothing"
    assert evaluated("m.data.answer", m=NOTHING) is None


@pytest.mark.parametrize("key", ["items", "keys", "values", "get", "copy", "update", "pop", "__class__"])
def test_a_key_comes_before_a_method(key: str) -> None:
    """A map that a model wrote may call its keys as it likes."""
    assert evaluated(f"x.{key}", x={key: "mine"}) == "mine"
    assert evaluated(f"x['{key}']", x={key: "mine"}) == "mine"
    assert evaluated(f"[x] | map(attribute='{key}')", x={key: "mine"}) == ["mine"]


def test_methods_of_maps_are_there_where_no_key_is() -> None:
    """`items` of a map without such a key is the method."""
    assert evaluated("x.items() | list", x={"a": 1}) == [["a", 1]]


def test_messages() -> None:
    """A message prints as its content, and is false where nobody said anything."""
    assert rendered("{{ m }}: {{ m.label }} {{ m.data.score }} {{ m.data['items'][0] }}", m=HELLO) == "Hello.: Anna 3 a"
    assert evaluated("'yes' if m else 'no'", m=NOTHING) == "no"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ x is defined }}", False),
        ("{{ x if x is defined else 'none' }}", "none"),
        ("{{ x | default('none') }}", "none"),
        ("{{ x is undefined }}", True),
        ("{% if x is defined %}{{ x.a.b }}{% endif %}.", "."),
    ],
)
def test_a_name_can_be_asked_for(text: str, value: Any) -> None:
    """`is defined` and `default` do not fail."""
    assert rendered(text) == value


def test_an_if_without_else_gives_none() -> None:
    """Nothing is not an error."""
    assert evaluated("1 if false") is None
    assert rendered("<{{ 'x' if false }}>") == "<>"


UNDEFINED = {
    "{{ taks }}": "'taks' is undefined",
    "a {{ taks }}": "'taks' is undefined",
    "{{ [taks] }}": "'taks' is undefined",
    "{{ {'a': [taks]} }}": "'taks' is undefined",
    "{{ taks.a }}": "'taks' is undefined",
    "{{ taks + 1 }}": "'taks' is undefined",
    "{{ taks | upper }}": "'taks' is undefined",
    "{{ taks ~ 'a' }}": "'taks' is undefined",
    "{% for i in taks %}{% endfor %}": "'taks' is undefined",
    "{% if taks %}{% endif %}": "'taks' is undefined",
    "{{ m.contnet }}": "a message has no 'contnet'. Did you mean 'content'?",
    "{{ m.data.scroe }}": "a map has no 'scroe'. Did you mean 'score'?",
    "{{ m.data.zzz }}": "a map has no 'zzz'. It has score, items, get",
    "{{ 'a'.foo }}": "a text has no 'foo'",
    "{{ m.data['items'][7] }}": "a list has no item 7",
    "{{ m.data['items'][7].foo }}": "a list has no item 7",
}


@pytest.mark.parametrize(("text", "message"), UNDEFINED.items(), ids=UNDEFINED)
def test_what_is_missing_is_named(text: str, message: str) -> None:
    """An error says which name, and what was meant."""
    assert failure(text, m=HELLO).message == message


# --- Errors


def test_an_error_names_its_line() -> None:
    """In a text of many lines, also where it is one expression."""
    assert failure("a\nb\n{{ x }}").line == 3
    assert failure("\n\n{{ x }}\n").line == 3
    assert failure("a\n{% for i in [1] %}\n{{ i + 'a' }}\n{% endfor %}").line == 3
    assert failure("{% macro f() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ f() }}").line == 2


def test_an_error_names_its_file() -> None:
    """The file in which it happened, though another one took that in."""
    prompts = {"a.j2": "one\n{% include 'b.j2' %}\n", "b.j2": "x\n\n{{ 1 + 'a' }}\n", "c.j2": "\n{{ nope.x }}\n"}
    error = failure("a.j2", prompts)
    assert (error.file, error.line) == ("b.j2", 3)
    error = failure("c.j2", prompts)
    assert (error.file, error.line, error.message) == ("c.j2", 2, "'nope' is undefined")
    assert str(error) == "c.j2, line 2: 'nope' is undefined"


def test_an_error_can_be_told_where_it_was_used() -> None:
    """Once; the place that is nearest counts."""
    error = failure("a\n{{ x }}").at(("turns", 0, "post"))
    assert str(error) == "turns.0.post, line 2: 'x' is undefined"
    assert error.at(("other",)) is error


SYNTAX = {
    "a {{ x": ("'}}' is missing at the end", 1, 6),
    "{{ x y }}": ("'y' is not allowed here; '}}' was expected", 1, 6),
    "a\n  {% fi %}": ("there is no tag 'fi'", 2, 6),
    "{% if x %}": ("the template ends, and 'if' is still open; 'elif' or 'else' or 'endif' is missing", 1, 9),
    "{% if x %}{% endfor %}": (
        "the tag 'endfor' is not allowed here; 'if' is still open, and 'elif' or 'else' or 'endif' was expected",
        1,
        14,
    ),
    "{{ x | uper }}": ("there is no filter 'uper'. Did you mean 'upper'?", 1, 8),
    "{% if y %}{{ x | uper }}{% endif %}": ("there is no filter 'uper'. Did you mean 'upper'?", 1, 18),
    "{{ x is defnied }}": ("there is no test 'defnied'. Did you mean 'defined'?", 1, 6),
    "{{ x | random }}": ("there is no filter 'random'", 1, 8),
    "{{ x $ }}": ("'$' is not allowed here", 1, 6),
    "{{ 'x }}": ("the quote that opens here is never closed", 1, 4),
    "{{ " + "(" * 300 + "1" + ")" * 300 + " }}": ("it is nested too deeply", None, None),
    "{{ " + "+".join("1" * 300) + " }}": ("it is nested too deeply", None, None),
    "{{ " + "9" * 5000 + " }}": ("a number has too many digits", None, None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), SYNTAX.items(), ids=[key[:30] for key in SYNTAX])
def test_syntax_errors(text: str, told: tuple[str, int | None, int | None]) -> None:
    """In plain words, with line and column."""
    error = failure(text, x=1, y=0)
    assert (error.message, error.line, error.column) == told


EXPRESSIONS = {
    "": ("it is empty", 1, None),
    "  ": ("it is empty", 1, None),
    "a >": ("something is missing at the end", 1, 3),
    "(a": ("')' is missing at the end", 1, 2),
    "a)": ("')' is not allowed here", 1, 2),
    "a b": ("'b' cannot follow here", 1, 3),
    "a = b": ("'=' cannot follow here; write == to compare", 1, 3),
    "a\n+ b\n+ $": ("'$' is not allowed here", 3, 3),
    "{{ a > 2 }}": ("this is an expression already, and needs no {{; write: a > 2", 1, 1),
    "{{- a -}}": ("this is an expression already, and needs no {{; write: a", 1, 1),
    "a > {{ b }}": ("this is an expression already, and needs no {{", 1, 5),
    "a\n and {% b %}": ("this is an expression already, and needs no {%", 2, 6),
}


@pytest.mark.parametrize(("text", "told"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_syntax_errors_of_expressions(text: str, told: tuple[str, int, int | None]) -> None:
    """An expression is no template, and says so."""
    with pytest.raises(TemplateError) as caught:
        Templates().expression(text)
    error = caught.value
    assert (error.message, error.line, error.column) == told


FAILURES = {
    "'3' + 1": "+ is not allowed between a text and a number",
    "[] + 3": "+ is not allowed between a list and a number",
    "none + 1": "+ is not allowed between nothing and a number",
    "{} ** 'a'": "** is not allowed between a map and a text",
    "'a' < 1": "< cannot compare a text and a number",
    "[1, 'a'] | sort": "< cannot compare a text and a number",
    "m > 1": "> cannot compare a message and a number",
    "none | sort": "nothing is no list",
    "1 in true": "a truth value is no list",
    "3.5 | length": "a number has no length",
    "1 / 0": "division by zero",
    "1 // 0": "division by zero",
    "1 % 0": "division by zero",
    "[] | first": "there is no first item in what is empty",
    "[] | max": "there is nothing in what is empty",
    "'x' | batch('y')": "'y' is no whole number",
    "'x' | filesizeformat": "'x' is no number",
    "[] | abs": "a list is no number",
    "[] | filesizeformat": "a list is no number",
    "'x' | sort(none)": "nothing is no whole number",
    "'x' | round": "a text cannot be rounded",
    "none | last": "nothing is no list",
    "3 | reverse": "this is no list",
    "'x' | items": "only a map has pairs of keys and values",
    "none | dictsort": "nothing is no map",
    "[] | indent": "a list is not allowed here",
    "none | attr('x')": "nothing has no 'x'",
    "-'x'": "- is not allowed before a text",
    "'x' * 1.5": "* cannot repeat what is before it a number times",
    "3 in 'x'": "a number cannot be in a text",
    "3()": "a number cannot be called",
    "true[1:]": "a truth value has no items",
    "3[none]": "a number has no such item",
    "{[]: 1}": "a list can be no key",
    "'x'['a':]": "the ends of a slice are whole numbers",
    "'x'[::0]": "the step of a slice cannot be 0",
    "'%d' % 'x'": "%d needs a number, and is given a text",
    "'x' | format(1)": "the text has no place for all that is to be put into it",
    "'%s %s' % 1": "the text has more places than there is to be put into it",
    "'x' | batch": "'batch' is given too little in its parentheses",
    "range()": "'range' is given too little in its parentheses",
    "'x' is eq": "'eq' is given too little in its parentheses",
    "'x' | last(3)": "'last' is given too much in its parentheses",
    "'x' | abs(3)": "'abs' is given too much in its parentheses",
    "'x' is eq(1, 2)": "'eq' is given too much in its parentheses",
    "'x' is even(base=3)": "'even' has no use for 'base' in its parentheses",
    "'x' | map(m.content)": "there is no filter 'a'",
}


@pytest.mark.parametrize(("text", "told"), FAILURES.items(), ids=FAILURES)
def test_what_python_refuses_is_told_in_words_for_authors(text: str, told: str) -> None:
    """Its names of types are no words of theirs."""
    assert failure(f"{{{{ {text} }}}}", m=Message(content="a")).message == told


# --- What a template cannot reach


@pytest.mark.parametrize(
    "expression",
    ["''.__class__", "''['__class__']", "''|attr('__class__')", "x.__class__.__mro__", "''.__class__.__mro__[1]",
     "['a']|map(attribute='__class__')|list", "'{0.__class__}'.format(x)", "'{x.__class__}'.format(x=1)",
     "'{0.__class__}'.format_map({'0': 1})", "''|attr('format')('a').__class__", "cycler.__init__.__globals__",
     "joiner.__class__", "namespace.__init__", "range.__self__", "x.append.__self__.__class__",
     "m.__dataclass_fields__", "m.__class__", "m.__reduce__()", "x.__init__([1])", "x.depth.__class__", "dict.mro()",
     "x|map('attr', '__len__')|list"],
)  # fmt: skip
def test_nothing_inside_python_can_be_reached(expression: str) -> None:
    """No dunder, by dot, by item, by filter, by format string."""
    with pytest.raises(TemplateError):
        evaluated(expression, x=[1], m=HELLO)
    with pytest.raises(TemplateError):
        rendered("text {{ " + expression + " }}", x=[1], m=HELLO)


@pytest.mark.parametrize(
    "expression",
    ["x.append(1)", "x.extend([1])", "x.pop()", "x.clear()", "x.sort()", "x.insert(0, 1)", "x|attr('append')(1)",
     "y.update({'a': 1})", "y.pop('a')", "y.clear()", "y.setdefault('b', 1)", "[].append(1)", "{}.update(a=1)"],
)  # fmt: skip
def test_nothing_given_can_be_changed(expression: str) -> None:
    """Neither what is handed in nor what a template made."""
    x, y = freeze([1]), freeze({"a": 2})
    with pytest.raises(TemplateError):
        evaluated(expression, x=x, y=y)
    assert (x, y) == ([1], {"a": 2})


@pytest.mark.parametrize("text", ["{% set x.y = 1 %}", "{% set m.content = 'x' %}", "{% set y.a = 1 %}"])
def test_set_changes_no_value(text: str) -> None:
    """Only a namespace of the template's own."""
    assert "cannot assign attribute" in failure(text, x=[1], y={"a": 1}, m=HELLO).message
    assert rendered("{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}") == "2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% include '/etc/passwd' %}", "there is no file '/etc/passwd' under prompts/"),
        ("{% include '../secret.j2' %}", "there is no file '../secret.j2' under prompts/"),
        ("{% extends 'secret.j2' %}", "there is no file 'secret.j2' under prompts/"),
        ("{% import 'secret.j2' as s %}", "there is no file 'secret.j2' under prompts/"),
        ("{% from 'secret.j2' import s %}", "there is no file 'secret.j2' under prompts/"),
        ("{% include x %}", "the name of a file that is taken in must be fixed text"),
        ("{% include ['secret.j2', 'a.j2'] %}", "there is no file 'secret.j2' under prompts/"),
        ("{% include 'secret.j2' ignore missing %}", "there is no file 'secret.j2' under prompts/"),
        ("secret.j2", "there is no file 'secret.j2' under prompts/"),
    ],
)
def test_no_other_file_can_be_reached(text: str, message: str) -> None:
    """Only those that were read before, by their fixed names."""
    assert failure(text, {"a.j2": "a"}, x="a.j2").message == message


def test_chance_and_clock_are_not_there() -> None:
    """The same values give the same text, and nothing prints where it is in memory."""
    assert "lipsum" not in Templates().everywhere
    assert "no filter 'random'" in failure("{{ [1] | random }}").message
    for text in ("a {{ 'x'.upper }}", "{{ 'x'.upper }}", "{{ ['x'.upper] }}", "{{ 'a' ~ 'x'.upper }}", "{{ range }}",
                 "{{ '%s' % 'x'.upper }}", "{{ '{}'.format('x'.upper) }}", "{{ ['x'.upper] | join }}",
                 "{{ namespace() }}", "{{ 'x'.upper | string }}"):  # fmt: skip
        assert "is no value" in failure(text).message, text


# --- What a template cannot make

BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ [1] * 10**9 }}",
    "{{ ['a' * 1000] * 100000 }}",
    "{{ 9 ** 9999 }}",
    "{% set ns = namespace(x=3) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = [x, x] %}" * 60 + "{{ x | tojson }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%.999999999f' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ ('%99999d' * 1000) % ([1] * 1000) }}",
    "{{ '{:999999999}'.format(1) }}",
    "{{ '{:.999999999f}'.format(1.5) }}",
    "{{ '{:{}}'.format(1, 999999999) }}",
    "{{ '{a:999999999}'.format_map({'a': 1}) }}",
    "{{ ('{0}' * 10000).format('a' * 1000) }}",
    "{{ 'a'.ljust(999999999) }}",
    "{{ 'a'.rjust(999999999) }}",
    "{{ 'a'.center(999999999) }}",
    "{{ 'a'.zfill(999999999) }}",
    "{{ '\\t'.expandtabs(999999999) }}",
    "{{ '\\t'.expandtabs(tabsize=999999999) }}",
    "{{ 'a' | center(999999999) }}",
    "{{ 'a' | center(width=999999999) }}",
    "{{ 'a' | indent(999999999, true) }}",
    "{{ ('a' * 1000) | wordwrap(1, wrapstring='b' * 100000) }}",
    "{{ ('a' * 100000) | replace('a', 'b' * 1000) }}",
    "{{ ('a' * 100000) | replace('', 'b' * 1000) }}",
    "{{ ('a' * 100000).replace('a', 'b' * 1000) }}",
    "{{ range(99999) | join('a' * 100000) }}",
    "{{ range(99999) | join(d='a' * 100000) }}",
    "{{ ('a' * 100000).join(['b'] * 1000) }}",
    "{{ [1] | batch(999999999, 'x') }}",
    "{{ [1] | batch(linecount=999999999, fill_with='x') }}",
    "{{ [1] | slice(999999999) }}",
    "{{ {'a': 1} | tojson(indent=999999999) }}",
    "{{ 1.5 | round(999999999, 'ceil') }}",
    "{{ (1).to_bytes(999999999, 'big') }}",
    "{{ 'aaa'.translate({97: 'b'}) }}",
    "{{ range(10**9) }}",
    "{{ range(99999) | map('center', 1000000) | list }}",
    "{{ range(99999) | map('string') | map('center', 100000) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% set x %}{% for i in range(99999) %}{{ 'a' * 100000 }}{% endfor %}{% endset %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{{ ([[1]] * 99999) | sum(start=[]) | length }}{{ 'a' * 10**9 }}",
    "{{ ('www.a.b ' * 1000) | urlize(target='a' * 100000) }}",
]


@pytest.mark.parametrize("text", BOMBS, ids=[text[:50] for text in BOMBS])
def test_no_template_makes_too_much(text: str) -> None:
    """A slip ends in an error, soon, and not in a machine without memory."""
    began = time.process_time()  # what others do on this machine does not count
    failure(text)
    assert time.process_time() - began < 10


LARGE = {
    "text": "a" * 900_000,
    "other": "a" * 899_999 + "b",
    "texts": ["a" * 1000] * 800,
    "numbers": [*range(150_000)],
    "colliding": [number * (2**61 - 1) for number in range(30_000)],
    "maps": [{"a": number} for number in range(50_000)],
    "nested": [[["a"] * 50] * 50] * 20,
    "messages": [Message("anna", "Anna", "x" * 900, freeze({"n": number}), number) for number in range(900)],
    "comments": "<!---->" * 100_000,
    "floats": [1.5 * 2.0 ** (number % 1800 - 900) for number in range(20_000)],
}
REPEATED = [
    "text == other", "text != other", "text < other", "'a' < text < other", "'zz' in text", "'zz' not in text",
    "text is eq(other)", "text is lower", "texts | select('eq', texts[0]) | list", "numbers == numbers[:]",
    "-1 in numbers", "numbers.index(149999)", "numbers.count(3)", "messages == messages[:]", "{'a': -1} in maps",
    "other in [text, text]", "nested == nested[:]", "text.count('b')", "text.find('b')", "text.upper()", "text[1:]",
    "text.split('b')", "text ~ ''", "text * 1", "text.replace('b', 'a')", "texts | sort", "colliding | sort",
    "maps | unique", "colliding | unique", "colliding | majority", "colliding | groupby('a')", "maps | majority('a')",
    "floats | stdev", "floats | mean", "comments | striptags", "nested | pprint", "nested | tojson",
    "text | extract('(a|a)*b')", "maps | selectattr('a', 'gt', 3) | list", "'%s' % text", "text | truncate(9)",
    "0.5 in range(99999)",
]  # fmt: skip


@pytest.mark.parametrize("expression", REPEATED)
def test_work_that_makes_nothing_is_charged(expression: str) -> None:
    """To compare, to look for, to sort and to cut large values, a hundred thousand times, ends in an error, soon."""
    began = time.process_time()
    error = failure("{% for i in range(99999) %}{% set x = " + expression + " %}{% endfor %}", **LARGE)
    assert "more than 20,000,000" in error.message
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99) recursive %}{% if loop.depth < 4 %}{{ loop(range(99999)) }}{% endif %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(999) %}"
        + "{% set x = i.real %}" * 200
        + "{% endfor %}{% endfor %}",
        "{% macro f() %}" + "{% set x = 1 %}" * 3000 + "{% endmacro %}{% for i in range(99999) %}{{ f() }}{% endfor %}",
        "{% for i in range(99999) %}{% include 'long.j2' %}{% endfor %}",
        "{% for i in range(99999) %}{% if 1 %}" + "{% set x = 1 %}" * 3000 + "{% endif %}{% endfor %}",
    ],
    ids=["recursive loop", "loop", "macro", "file", "branch"],
)
def test_blocks_are_charged_by_what_is_in_them(text: str) -> None:
    """A block that runs costs as much as it is large: in a loop, in a macro, in another file."""
    began = time.process_time()
    assert "more than 20,000,000" in failure(text, {"long.j2": "{% set x = 1 %}" * 3000}).message
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 == 1.0", True),
        ("[1, 'a'] == x", True),
        ("x == [1, 'b']", False),
        ("m == m", True),
        ("'ell' in m", True),
        ("1 < 2 < 3", True),
        ("1 < 2 > 3", False),
        ("1 < 0 < nothing_here", False),
        ("'a' in x", True),
        ("'b' not in x", True),
        ("2 in x", False),
        ("'k' in {'k': 1}", True),
        ("2 in range(3)", True),
        ("[1, 2] < [1, 3]", True),
        ("'a' < 'b' and 'b' >= 'b' and not 'a' > 'b' and 'a' <= 'a' and 'a' != 'b'", True),
        ("x is eq([1, 'a'])", True),
        ("1 is in([1])", True),
        ("x | select('string') | list", ["a"]),
    ],
)
def test_what_is_charged_compares_as_python_does(expression: str, value: Any) -> None:
    """Comparing, in chains too, gives what it always gave."""
    assert evaluated(expression, x=[1, "a"], m=HELLO) == value


def test_what_is_within_bounds_is_made() -> None:
    """The bounds are far from what a prompt needs."""
    long = "word " * 100_000
    assert rendered("<{{ x }}>", x=long) == f"<{long}>"
    assert len(rendered("{% for m in x %}{{ m }}\n{% endfor %}", x=[HELLO] * 20_000)) == 140_000
    assert evaluated("('ab' * 1000) | length") == 2000
    assert evaluated("2 ** 64") == 2**64
    assert rendered("{{ '%5.1f|%-5s|%03d' % (1.25, 'a', 7) }} {{ '{:>5}'.format(x) }} {{ 'a'.ljust(3) }}|", x=3) == (
        "  1.2|a    |007     3 a  |"
    )
    assert rendered("{{ x | indent(2) }}|{{ x | replace('a', 'bb') }}|{{ [1, 2] | join(', ') }}", x="a\nb") == (
        "a\n  b|bb\nb|1, 2"
    )


def test_each_rendering_is_counted_anew() -> None:
    """A conversation renders the same template often."""
    compiled = Templates().template("{{ ('a' * 900000) | length }}")
    nothing: dict[str, Any] = {}
    for _ in range(50):
        assert compiled(nothing.__getitem__) == 900_000


PIECES = [*"{}%#'\"|.()[]~*+- \nabx1", "{{ ", " }}", "{% ", " %}", "if ", "for ", "in ", "end", "is ", "set "]


@QUICK
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_template_gives_data_or_an_error(text: str) -> None:
    """Nothing but a TemplateError is ever raised, compiling or rendering."""
    names = {"a": freeze([1]), "b": HELLO, "x": "x"}
    templates = Templates({"a.j2": text})
    for make in (templates.template, templates.expression):
        with contextlib.suppress(TemplateError):
            freeze(make(text)(names.__getitem__))


# --- What a template uses

USED = {
    "{{ a }} {{ b.c.d }} {{ e['f'][0].g }}": "a b.c.d e.f..g",
    "{% for i in a %}{{ i }}{{ loop.index }}{{ b }}{% else %}{{ i }}{% endfor %}": "a b i",
    "{% for i in a if i > b recursive %}{{ loop(i) }}{% endfor %}": "a b",
    "{% set x = a %}{{ x }}": "a",
    "{{ x }}{% set x = 1 %}": "x",
    "{% set x %}{{ a }}{% endset %}{{ x }}": "a",
    "{% macro f(p, q=a) %}{{ p }}{{ q }}{{ b }}{{ varargs }}{% endmacro %}{{ f(c) }}": "a b c",
    "{% call(x) f(a) %}{{ x }}{{ b }}{% endcall %}": "f a b",
    "{% with p = a, q = b %}{{ p }}{{ q }}{{ c }}{% endwith %}{{ p }}": "a b c p",
    "{% filter upper %}{{ a }}{% endfilter %}": "a",
    "{% if a is defined %}{{ a }}{% endif %}": "a a",
    "{{ range(a) }} {{ dict(b=b) }} {{ namespace() }}": "range a dict b namespace",
    "{% for k, v in a.items() %}{{ k }}{{ v }}{% endfor %}": "a.items",
    "{{ a[b] }} {{ a[b:c] }}": "a. b a b c",
}


@pytest.mark.parametrize(("text", "used"), USED.items(), ids=USED)
def test_names_that_are_used(text: str, used: str) -> None:
    """Each name that a template does not bind itself, with what follows it; a computed item is empty."""
    found = [".".join(word.word for word in use.words) for use in Templates().template(text).uses]
    assert found == used.split()


@pytest.mark.parametrize("text", USED, ids=USED)
def test_no_name_is_overlooked(text: str) -> None:
    """Whatever Jinja would look up is among them."""
    environment = Environment(autoescape=False)
    looked_up = meta.find_undeclared_variables(environment.parse(text))
    assert looked_up <= Templates().template(text).names


def test_where_names_stand() -> None:
    """Line and column of each word, in the file that it is in."""
    prompts = {
        "a.j2": "x\n{% include 'b.j2' %}\n{{ one }}",
        "b.j2": "\n  {{ two.three }}{% if z %}\n {{ four }}{% endif %}",
    }
    spots = [(w.word, w.file, w.line, w.column) for use in Templates(prompts).template("a.j2").uses for w in use.words]
    assert spots == [
        ("one", "a.j2", 3, 4),
        ("two", "b.j2", 2, 6),
        ("three", "b.j2", 2, 10),
        ("z", "b.j2", 2, 24),
        ("four", "b.j2", 3, 5),
    ]


def test_columns_past_what_jinja_trims() -> None:
    """What `trim_blocks`, `lstrip_blocks` and `-` take away is counted all the same."""
    text = "   {% if a %}\n{{ b }}\n\n   {%- endif %} {{- c }}"
    assert [(w.words[0].line, w.words[0].column) for w in Templates().template(text).uses] == [(1, 10), (2, 4), (4, 21)]


def test_guards() -> None:
    """A name that is asked for, or that has a stand-in, is guarded throughout its text."""
    uses = Templates().template("{{ a }}{{ a is defined }}{{ b | default(1) }}{{ b }}{{ c }}").uses
    assert {use.name: use.guarded for use in uses} == {"a": True, "b": True, "c": False}


def test_files_that_are_taken_in() -> None:
    """With their places; of what cannot be read, none."""
    text = "{% include 'a.j2' %}\n {% include ['b.j2', 'c.j2'] %}{% import 'd.j2' as d %}{% from 'e.j2' import e %}"
    assert [(one.word, one.line, one.column) for one in taken(text)] == [
        ("a.j2", 1, 13), ("b.j2", 2, 15), ("c.j2", 2, 23), ("d.j2", 2, 43), ("e.j2", 2, 65)]  # fmt: skip
    assert referenced(text) == {"a.j2", "b.j2", "c.j2", "d.j2", "e.j2"}
    assert taken("{% include %}") == taken("{% include x %}") == taken("{% extends 1 %}") == []


def test_an_import_without_context_is_told() -> None:
    """It would fail only when the macro is called."""
    prompts = {"m.j2": "{% macro f() %}{{ task }}{% endmacro %}"}
    error = failure("{% import 'm.j2' as m %}{{ m.f() }}", prompts, task=1)
    assert error.message == "m.j2 uses 'task', and is given no names here; add 'with context'"
    assert rendered("{% import 'm.j2' as m with context %}{{ m.f() }}", prompts, task=1) == "1"


def test_a_file_that_takes_itself_in() -> None:
    """Is told of before it is rendered, by whatever way it goes."""
    prompts = {"a.j2": "{% include 'b.j2' %}", "b.j2": "{% include 'a.j2' %}"}
    assert failure("a.j2", prompts).message == "a.j2 takes itself in without end, by way of b.j2"
    assert failure("a.j2", {"a.j2": "{% include 'a.j2' %}"}).message == "a.j2 takes itself in without end"


def test_files_that_many_take_in_are_looked_at_once() -> None:
    """Else forty files that each take in the next one twice would be looked at till the end of all days."""
    both = "{{{{ x{0} }}}}{{% include 'f{1}.j2' %}}{{% include 'f{1}.j2' %}}"
    prompts = {f"f{number}.j2": both.format(number, number + 1) for number in range(40)} | {"f40.j2": "{{ y }}"}
    assert Templates(prompts).template("f0.j2").names == {*(f"x{number}" for number in range(40)), "y"}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("m1/a.j2", True), ("a.j2", True), ("a.txt", False), ("a.j2\n", False), ("{{ x }}.j2", False), ("", False)],
)
def test_what_is_a_files_name(text: str, is_one: bool) -> None:
    """What ends in `.j2` and is one line without braces."""
    assert is_file(text) is is_one


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("{{ a }}", "a"),
        ("{% if a %}{{ b }}{% elif c %}{{ d }}{% else %}{{ e }}{% endif %}", "a"),
        ("{{ a if b else c }}", "b"),
        ("{{ a and b or c }}", "a"),
        ("{% for x in a if x.b %}{{ x }}{{ c }}{% else %}{{ d }}{% endfor %}", "a"),
        ("{% set x = a %}{{ x }}{{ b | default(c) }}{{ f(d).e }}", "abcdf"),
        ("{% macro m() %}{{ a }}{% endmacro %}{{ b }}", "b"),
    ],
)
def test_which_uses_are_sure(text: str, sure: str) -> None:
    """Those that rendering always comes by."""
    assert "".join(sorted(use.name for use in Templates().template(text).uses if use.sure)) == sure


def test_which_uses_are_asked_for() -> None:
    """Those that a test or a filter asks for with all their words, right there."""
    text = "{{ a.b is defined }}{{ c.d | default('') }}{{ e | length }}{{ a.b }}{{ f[g] | d }}{{ h | default(i) }}"
    uses = Templates().template(text).uses
    assert [".".join(word.word for word in use.words) for use in uses if use.asked] == ["a.b", "c.d", "f.", "g", "h"]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("{{ a }} {{ b.c }} {{ d | length }} {{ e + 1 }} {{ f(g) }}", "a b.c e"),
        ("{% for x in a | select %}{{ x }}{% endfor %}{% for x in b | map('upper') %}{{ x }}{% endfor %}", "a"),
        ("{{ a if b else c }}{{ d or e }}{{ f | join(g) }}{{ h | default(i) }}", "a c d e f g h i"),
        ("{{ [a, {'k': b}] }}{{ c == d }}{% if e %}{% endif %}{{ f[:2] }}", "a b"),
    ],
)
def test_which_uses_come_out_whole(text: str, whole: str) -> None:
    """Those that are printed, or gone through, as they are; not what something else is worked out of."""
    uses = Templates().template(text).uses
    assert sorted(".".join(w.word for w in use.words) for use in uses if use.whole) == whole.split()


def test_an_expression_alone_is_kept() -> None:
    """So that it can be told what it may give; None where there is more."""
    templates = Templates({"a.j2": "{{ a }}"})
    assert isinstance(templates.template("{{ a.b }}").sole, nodes.Getattr)
    assert isinstance(templates.template("a.j2").sole, nodes.Name)
    assert isinstance(templates.expression("a or b").sole, nodes.Or)
    assert templates.template("{{ a }}{{ b }}").sole is None
    assert templates.template("text").sole is None
