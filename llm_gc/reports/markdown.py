"""A session as Markdown: what models wrote is in quotes, and nothing of it can become HTML or load an image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from llm_gc.reports import figures
from llm_gc.transcript.records import Transcript, TurnRecord
from llm_gc.values.safe_text import clean

_CODE = re.compile(r"(?<![`\\])(`+)(?!`)(?:.*?[^`])\1(?!`)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")
MAX_CHECKED = 64 * 1024
"""A longer text could take more than its share of time."""

DEEPEST = 16
"""What is in deeper lists and quotations, a reader of Markdown may not even look at."""

_LIVE = ("html_block", "html_inline", "image")
"""What must not come of a text."""


def markdown(transcript: Transcript, *, thinking: bool = False) -> Iterator[str]:
    """Yield a session as Markdown, piece by piece."""
    name = transcript.pipeline.name
    yield f"# {escaped(name)}\n\n"
    description = transcript.pipeline.document.get("description")
    if isinstance(description, str):
        yield f"{escaped(description)}\n\n"
    yield from _facts(transcript)
    for turn in transcript.turns:
        yield from _turn(turn, thinking=thinking)
    result = figures.result(transcript)
    if result:
        yield "## Result\n\n"
        yield from quoted(result)


def quoted(text: str) -> Iterator[str]:
    """Yield what a model wrote, as a quotation; where it would still become more than text, as a block of code."""
    text = clean(text).strip("\n")
    safe = _harmless(text)
    if not _is_text(safe):
        fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=2) + 1)
        safe = f"{fence.ljust(3, '`')}\n{text}\n{fence.ljust(3, '`')}"
    for line in safe.split("\n"):
        yield f"> {line}".rstrip() + "\n"
    yield "\n"


def escaped(text: str) -> str:
    """Return a text that stands for itself, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(clean(text).split()))


def _facts(transcript: Transcript) -> Iterator[str]:
    totals, versions = transcript.totals, transcript.versions
    failed = f", {totals.failed} of them failed" if totals.failed else ""
    models = ", ".join(versions.models) or "none"
    facts = {
        "Session": transcript.id,
        "Ended": f"{transcript.status}: {transcript.ended_by.detail}",
        "Began": transcript.started_at,
        "Turns": f"{totals.turns}{failed}",
        "Tokens": f"{totals.tokens.prompt or 0} of prompts, {totals.tokens.completion or 0} of replies",
        "Time": figures.seconds(totals.seconds),
        "Seed": str(transcript.seed),
        "Models": models,
        **({"Forked from": f"{parent.id}, at turn {parent.turn}"} if (parent := transcript.parent) else {}),
        **({"Went on": ", ".join(again.at for again in transcript.resumed)} if transcript.resumed else {}),
        **{f"Input {name}": figures.text(value) for name, value in transcript.inputs.items()},
    }
    yield "| | |\n| --- | --- |\n"
    for name, value in facts.items():
        yield f"| {escaped(name)} | {escaped(value)} |\n"
    yield "\n"


def _turn(turn: TurnRecord, *, thinking: bool) -> Iterator[str]:
    who = f"{escaped(turn.label)} ({escaped(turn.model)})"
    if turn.is_pick:
        chosen = "nobody" if turn.error else escaped(str(turn.data["next"]))
        yield f"*{who} chose {chosen}.*\n\n"
        return
    yield f"## {f'{turn.turn} · ' if turn.turn else ''}{who}\n\n"
    if thinking and turn.thinking:
        yield "*Thinking:*\n\n"
        yield from quoted(turn.thinking)
        yield "*Reply:*\n\n"
    if turn.error is not None:
        yield f"**Failed:** {escaped(turn.error.message)}\n\n"
    else:
        yield from quoted(turn.content)
    for warning in turn.warnings:
        yield f"*{escaped(warning)}*\n\n"
    if line := figures.line_of(turn):
        yield f"*{escaped(line)}*\n\n"


def _harmless(text: str) -> str:
    """Escape, outside code, what begins HTML or an image."""
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not line[mark.end() :].strip()
            fence = "" if closes else fence
            lines.append(line)
            continue
        fence = mark[1] if mark is not None else ""
        lines.append(line if mark is not None else _outside_code(line))
    return "\n".join(lines)


def _outside_code(line: str) -> str:
    """Escape what is between pieces of code."""
    pieces, end = [], 0
    for found in _CODE.finditer(line):
        pieces += [_disarmed(line[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*pieces, _disarmed(line[end:])])


def _disarmed(text: str) -> str:
    return re.sub(r"(?<!\\)<", r"\\<", text).replace("![", r"!\[")


def _is_text(text: str) -> bool:
    """Look whether a text is no HTML and no image; one that is too long or too deep to be looked through is not."""
    if "<" not in text and "![" not in text:
        return True
    if len(text) > MAX_CHECKED:
        return False
    return all(token.type not in _LIVE and token.level < DEEPEST for token in _tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    """Read Markdown as one who lets HTML through does."""
    for token in MarkdownIt("commonmark", {"html": True}).parse(text):
        yield token
        yield from token.children or ()
