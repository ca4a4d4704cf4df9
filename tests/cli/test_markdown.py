"""A session as Markdown: it says what was said, and nothing of that becomes anything but text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from llm_gc.reports.markdown import escaped, markdown, quoted
from tests.shown import THOUGHTS, hostile, rich

READER = MarkdownIt("commonmark", {"html": True}).enable("table")
"""Reads as one who lets HTML through, which is the worst case."""


class Tags(HTMLParser):
    """The tags in a piece of HTML, and what of it is text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_tells_all_of_it() -> None:
    """A heading for each turn, what was said in quotes, choices and failures in a line, figures below."""
    text = "".join(markdown(rich()))
    assert text.startswith("# durations\n")
    assert "## 2 · coder (qwen2.5-coder:7b)\n\n> This does it" in text
    assert "> ```python\n> import re\n" in text
    assert "*moderator (llama3.2:3b) chose tester.*" in text
    assert "**Failed:** deepseek-coder:1.3b did not end within 30 s" in text
    assert "| Turns | 12, 1 of them failed |" in text
    assert text.count("\n## ") == 13  # twelve turns and the result
    assert THOUGHTS.splitlines()[0] not in text


def test_thinking_on_demand() -> None:
    """In quotes of its own, before the reply."""
    assert f"*Thinking:*\n\n> {THOUGHTS.splitlines()[0]}\n" in "".join(markdown(rich(), thinking=True))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "![x](http://example.org/x.png)",
        "`code` <b>bold</b> `more`",
        "\\`<script>\\`",
        "\\<b>",
        "```\nnever closed\n<script>",
        "    <script>indented</script>\n\n<script>",
        "- ```\n<script>x</script>\n  ```",
        "`` ` <b>`` <b>`",
        "<!-- -->",
        "![a][b]\n\n[b]: http://example.org/x.png",
        "a\n```x`y\n<b>\n```",
        "\x1b[31mred",
        "> " * 30 + "<script>",
        "<b>" + "- " * 30 + "<script>\n\n" + "[" * 100,
        "<script>" + "x" * 70_000,
    ],
)
def test_hostile_texts_stay_text(text: str) -> None:
    """No tag but those of Markdown, no image, no control character; what follows is not drawn in."""
    made = "".join(quoted(text)) + "after\n"
    found = Tags(READER.render(made))
    assert not {"script", "img", "b"} & set(found.tags)
    assert found.tags[0] == "blockquote"
    assert READER.render(made).endswith("</blockquote>\n<p>after</p>\n")
    assert "\x1b" not in made


MARKS = st.text(alphabet="<>!-[]()`~\\ \n\tab=\"'/:*_#&;1.", max_size=40)


@given(MARKS, MARKS, st.sampled_from(["<b>", "<b x=y>", "![x](y)", "<!-- x -->", "<b\n>"]))
def test_whatever_stands_around_it(before: str, after: str, live: str) -> None:
    """HTML and images come through nowhere."""
    found = Tags(READER.render("".join(quoted(before + live + after))))
    assert not {"b", "img"} & set(found.tags)


@given(st.text(max_size=60))
def test_a_text_that_stands_for_itself(text: str) -> None:
    """A name or an error is shown as it is, on one line, and is no mark of Markdown."""
    found = Tags(READER.render(f"x {escaped(text)}"))
    assert found.tags == ["p"]


def test_a_hostile_session() -> None:
    """Labels, inputs and replies of all kinds."""
    text = "".join(markdown(hostile("<script>alert(1)</script>\n# Heading\n```\n", "![x](http://a.b)"), thinking=True))
    found = Tags(READER.render(text))
    assert not {"script", "img", "b"} & set(found.tags)
    assert "<b>Ben</b>" in found.text
