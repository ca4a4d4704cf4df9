"""What models wrote becomes HTML of a few harmless kinds, whatever they wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.reports.html.prose import ATTRIBUTES, LANGUAGES, MAX_CODE, MAX_PROSE, TAGS, code, data, plain, prose


class Found(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def is_harmless(html: str) -> bool:
    """Look whether there are only the tags and attributes that the page allows, and links that lead to the web."""
    found = Found(html)
    return all(
        tag in TAGS
        and set(attributes) <= {*ATTRIBUTES.get(tag, ()), *({"rel"} if tag == "a" else ())}
        and re.match(r"(https?:|mailto:|[^:]*$)", attributes.get("href") or "") is not None
        for tag, attributes in found.tags
    )


def test_markdown_is_rendered() -> None:
    """Headings sink below those of the page, cells keep their side, lines stay lines."""
    html = prose("# Title\n\n**bold** and `code`\nnext\n\n| a |\n| ---: |\n| 1 |\n\n- x\n\n> y\n\n~~z~~")
    assert "<h4>Title</h4>" in html
    assert "<strong>bold</strong> and <code>code</code><br>\nnext" in html
    assert '<td class="right">1</td>' in html
    assert "<ul>" in html
    assert "<blockquote>" in html
    assert "<s>z</s>" in html


def test_code_is_coloured() -> None:
    """By classes; what has no colour on the page is no element either."""
    html = prose("```python\ndef f(x): return 'a'\n```")
    assert '<pre class="code"><code><span class="k">def</span> <span class="nf">f</span>(x): ' in html
    assert Found(html).text.strip() == "def f(x): return 'a'"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_is_known(language: str) -> None:
    """Each has a lexer, and loses nothing of the code."""
    text = "a = 1 < 2 && 'x'\n"
    assert Found(code(text, language)).text == text


@pytest.mark.parametrize("language", ["", "klingon", "<b>", '"><script>', "python onload=x", "brainfuck"])
def test_an_unknown_language_is_plain(language: str) -> None:
    """Nothing of its name comes into the page."""
    html = prose(f"```{language}\n<b>\n```")
    assert is_harmless(html)
    assert "&lt;b&gt;" in html
    assert "script" not in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<b onclick='x'>b</b>",
        "<style>*{display:none}</style>",
        "</div></main><h1>",
        "<!-- x",
        "<svg/onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
    ],
)
def test_html_stays_text(text: str) -> None:
    """It can be read as it was written, and does nothing."""
    html = prose(text)
    assert is_harmless(html)
    assert Found(html).text.strip() == text


@pytest.mark.parametrize(
    "scheme", ["javascript", "JaVaScRiPt", "data", "vbscript", "file", "java\tscript", "&#106;avascript"]
)
def test_links_that_do_something_are_none(scheme: str) -> None:
    """Only the web and mail can be linked."""
    html = prose(f"[x]({scheme}:alert(1)) <{scheme}:alert(1)> [y][1]\n\n[1]: {scheme}:alert(1)")
    assert is_harmless(html)
    assert "<a" not in html


def test_links_to_the_web_tell_nothing_of_the_page() -> None:
    """They are followed by hand alone, without a referrer."""
    html = prose("[x](https://example.org) <mailto:a@example.org>")
    assert re.search(r'<a href="https://example.org" rel="noopener noreferrer">x</a>', html)
    assert "mailto:a@example.org" in html


def test_an_image_is_told_and_not_loaded() -> None:
    """Its words and where it would have come from."""
    html = prose("![alt](http://example.org/x.png)")
    assert Found(html).text.strip() == "[image: alt http://example.org/x.png]"
    assert "<img" not in html


def test_what_defines_a_link_is_shown() -> None:
    """Nothing that was said is hidden."""
    text = "![alt][1] [x]\n\n[1]: http://example.org/x.png\n[x]: y"
    assert Found(prose(text)).text.split() == text.split()


def test_control_characters_are_shown() -> None:
    """Escapes for terminals, and marks that turn the direction, in prose, code and data."""
    text = "a\x1b[31mb\u202ec\x00d"
    for html in (prose(text), prose(f"`{text}`"), prose(f"```\n{text}\n```"), plain(text), data({"x": text})):
        assert not re.search("[\x00\x1b\u202e]", html)


def test_what_is_too_long_is_shown_as_it_stands() -> None:
    """No text takes more than its share of time."""
    assert prose("*a* " * MAX_PROSE).startswith("<pre>*a* ")
    assert "<span" not in code("1 " * MAX_CODE, "python")


@pytest.mark.parametrize("depth", [5, 15, 45, 60, 400])
@pytest.mark.parametrize("mark", ["- ", "> ", "1. "])
def test_nothing_is_lost_however_deep(mark: str, depth: int) -> None:
    """Lists in lists and quotations in quotations, on one line or on a line each: every word is there."""
    indent = mark if mark == "> " else " " * len(mark)
    lines = [f"{indent * level}{mark}word{level}." for level in range(depth)]
    for text in ("\n".join(lines), f"{mark * depth}word{depth - 1}."):
        shown = Found(prose(text)).text
        assert [word for level in range(depth) if (word := f"word{level}.") in text and word not in shown] == []


def test_data_is_json() -> None:
    """Indented, and coloured by the same classes."""
    assert (
        Found(data({"a": [1, None], "b": "<i>"})).text.strip() == '{\n  "a": [\n    1,\n    null\n  ],\n  "b": "<i>"\n}'
    )


PIECES = [
    "<script>", "</script>", "<img src=x onerror=y>", "![a](b)", "[a](javascript:b)", "```python\n", "```", "`", "\n",
    "\n\n", "* ", "> ", "| a | b |\n| - | - |\n", "<", ">", "&lt;", "\\", '"', "x", "[a]: data:x", "# ",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40))
def test_whatever_a_model_writes(text: str) -> None:
    """Only tags of the list come of it."""
    assert is_harmless(prose(text))
