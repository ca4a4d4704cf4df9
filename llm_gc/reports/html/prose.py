"""What models wrote, as HTML that can do nothing: Markdown without HTML in it, then a second fence around that.

Nothing of it loads anything: images become their words. Links stay links, for they are followed by hand alone, and only
those of the web and of mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore, inline
from markdown_it.token import Token
from markupsafe import Markup
from pygments import highlight
from pygments.filter import Filter
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Name, Operator, Punctuation, Text, Whitespace

from llm_gc.transcript.encode import dumps
from llm_gc.values.safe_text import clean

MAX_PROSE = 64 * 1024
"""A longer text is shown as it is: to read it as Markdown could take more than its share of time."""

DEEPEST = 100
"""A text with lists and quotations deeper in each other is shown as it is; a list in a list is two levels."""

INLINE = 20
"""So deep are emphasis and links in each other read."""

MAX_CODE = 32 * 1024
"""Longer code is not coloured."""

LANGUAGES = frozenset({
    "bash", "c", "c++", "console", "cpp", "cs", "csharp", "css", "diff", "docker", "dockerfile", "go", "golang",
    "html", "ini", "java", "javascript", "jinja", "js", "json", "jsx", "kotlin", "lua", "make", "makefile",
    "markdown", "md", "perl", "php", "pl", "powershell", "py", "python", "python3", "r", "rb", "rs", "ruby", "rust",
    "scala", "sh", "shell", "sql", "swift", "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml", "zsh",
})  # fmt: skip
"""What is coloured; the lexers of rarer languages are less tried, and a model may write anything."""

SINK = 3
"""The headings of the page itself take the first ranks."""

TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    **{tag: {"class"} for tag in ("pre", "code", "span", "td", "th")},
}


def prose(text: str) -> Markup:
    """Return what a model wrote as Markdown."""
    if len(text) > MAX_PROSE:
        return plain(text)
    reader = _reader()
    environment: dict[str, Any] = {}
    tokens = reader.parse(clean(text), environment)
    if any(token.level > DEEPEST for token in tokens):  # what is deeper yet would be left out
        return plain(text)
    return _fenced(reader.renderer.render(tokens, reader.options, environment))


def plain(text: str) -> Markup:
    """Return a text as it is."""
    return Markup("<pre>{}</pre>").format(clean(text))


def data(value: Any) -> Markup:
    """Return data as JSON, indented and coloured."""
    return _fenced(_coloured(clean(dumps(value, indent=2)), "json", ""))


def code(text: str, language: str) -> Markup:
    """Return code, coloured."""
    return _fenced(_coloured(clean(text), language, ""))


def _fenced(html: str) -> Markup:
    return Markup(  # noqa: S704  # what is left after this fence is the list above, and nothing else
        nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"})
    )


@cache
def _reader() -> MarkdownIt:
    options = {"html": False, "breaks": True, "highlight": _coloured, "maxNesting": DEEPEST + 4}
    reader = MarkdownIt("commonmark", options)
    reader.enable(["table", "strikethrough"]).disable("reference")  # what defines a link would not be shown
    reader.core.ruler.at("inline", _inline)
    reader.core.ruler.push("page", _adapt)
    reader.add_render_rule("image", _image)
    return reader


def _inline(state: StateCore) -> None:
    """Read what is on the lines less deeply than the blocks: nothing is lost there, and brackets cost time."""
    options = state.md.options
    deepest, options["maxNesting"] = options["maxNesting"], INLINE
    try:
        inline(state)
    finally:
        options["maxNesting"] = deepest


def _adapt(state: StateCore) -> None:
    """Lower headings below those of the page, and mark the alignment of cells by class: styles are forbidden here."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + SINK, 6)}"
        elif token.type in ("th_open", "td_open") and (style := token.attrs.pop("style", "")):
            token.attrs["class"] = str(style).removeprefix("text-align:")


def _image(_renderer: Any, tokens: Sequence[Token], at: int, _options: Any, _environment: Any) -> str:
    """Return an image in words: to load it would tell somebody that the page was looked at."""
    token = tokens[at]
    return escape(f"[image: {token.content} {token.attrs.get('src', '')}]")


def _coloured(text: str, language: str, _attributes: str) -> str:
    name = language.lower()
    inner = highlight(text, _lexer(name), _FORMATTER) if name in LANGUAGES and len(text) <= MAX_CODE else escape(text)
    return f'<pre class="code"><code>{inner}</code></pre>'


@cache
def _lexer(name: str) -> Lexer:
    lexer: Lexer = get_lexer_by_name(name, stripnl=False, ensurenl=False)
    lexer.add_filter(_Uncoloured())
    return lexer


class _Uncoloured(Filter):
    """Takes for plain text what the page gives no colour: it halves the length of code."""

    def filter(self, _lexer: Lexer | None, stream: Iterable[tuple[Any, str]]) -> Iterator[tuple[Any, str]]:
        plain = {Name, Operator, Punctuation, Text, Whitespace}
        for kind, value in stream:
            yield Text if kind in plain else kind, value


_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
