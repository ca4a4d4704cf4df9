"""A session as one page for a browser: it holds all that it shows, runs no script but its own, and asks nobody.

The Content-Security-Policy allows the one style and the one script that are in the page, each by its hash, and
nothing else: no request, no handler in an attribute, no style in one. So bars are drawn by SVG's own attributes. What
models wrote goes through ``prose``; everything else is escaped by Jinja. Without a script all can be read but the
requests.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import islice
from math import floor, log10
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llm_gc._version import __version__
from llm_gc.reports import figures
from llm_gc.reports.html.embedded import embedded
from llm_gc.reports.html.outline import Beside, Inside, Round, outline
from llm_gc.reports.html.prose import code, data, prose
from llm_gc.reports.html.timeline import PHASES, timeline
from llm_gc.reports.html.views import Views
from llm_gc.transcript.encode import dumps
from llm_gc.transcript.records import Transcript, TurnRecord
from llm_gc.values.safe_text import clean

TICKS = 6
"""The time line has at most so many marks."""

PIECES = 50
"""So many pieces of the template are written at once."""


def page(transcript: Transcript) -> Iterator[str]:
    """Yield the page, piece by piece."""
    pieces = _environment().get_template("page.html.j2").generate(_values(transcript))
    while some := "".join(islice(pieces, PIECES)):
        yield some


def _values(transcript: Transcript) -> dict[str, Any]:
    style, script = _file("style.css"), _file("script.js")
    blocks = outline(transcript.turns)
    bars, whole = timeline(blocks)
    views = Views(transcript, bars)
    return {
        "transcript": transcript,
        "version": __version__,
        "style": style,
        "script": script,
        "policy": _policy(style, script),
        "blocks": blocks,
        "view": views.turn,
        "roles": views.roles(transcript),
        "windows": [turn for turn in map(views.turn, transcript.turns) if turn.context],
        "whole": whole,
        "ticks": list(_ticks(whole)),
        "phases": PHASES,
        "used": [phase for phase in PHASES if any(phase in dict(bar.phases) for bar in bars.values())],
        "has_branches": any(".parallel" in turn.id for turn in transcript.turns),
        "clock": _clock(transcript),
        "above": figures.source(transcript),
        "result": _result(transcript.result),
        "document": _yaml(transcript.pipeline.document),
        "embedded": embedded(transcript),
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("llm_gc.reports", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if not isinstance(value, str) or isinstance(value, Markup) else clean(value),
    )
    environment.filters |= {"seconds": figures.seconds, "text": figures.text, "code": code}
    kinds = {"turn": TurnRecord, "round": Round, "beside": Beside, "inside": Inside}
    environment.tests |= {name: lambda value, kind=kind: isinstance(value, kind) for name, kind in kinds.items()}
    return environment


def _policy(style: Markup, script: Markup) -> str:
    """Return the policy; where it is known, it lets no text become HTML by script either."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; img-src data:;"
        " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _file(name: str) -> Markup:
    return Markup(files("llm_gc.reports.html").joinpath(name).read_text(encoding="utf-8"))  # noqa: S704  # our own file


def _ticks(whole: float) -> Iterator[tuple[str, str]]:
    """Yield the marks of the time line, at round numbers of seconds: what each says, and where it is."""
    if not whole:
        return
    rough = whole / TICKS
    unit = 10 ** floor(log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    for number in range(int(whole / step) + 1):
        yield f"{number * step:g} s", f"{100 * number * step / whole:.5g}%"


def _result(result: Any) -> Markup:
    if result in (None, ""):
        return Markup()
    return prose(result) if isinstance(result, str) else data(result)


def _yaml(document: Any) -> str:
    """Return a document as YAML, in its own order."""
    import json

    import yaml

    return yaml.safe_dump(json.loads(dumps(document)), allow_unicode=True, sort_keys=False, width=100)


def _clock(transcript: Transcript) -> float | None:
    """Return the seconds from beginning to end by the clock; None where the moments cannot be read."""
    try:
        began, ended = (datetime.fromisoformat(moment) for moment in (transcript.started_at, transcript.ended_at))
        return max((ended - began).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
