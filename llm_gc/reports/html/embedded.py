"""What the page's script needs to put every request together again: the records themselves, as JSON inside HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from llm_gc.transcript.encode import plain
from llm_gc.transcript.records import RequestRecord, Transcript

_UNSAFE = re.compile("[<>&\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could end the script's element or begin a comment in it, what deceives the eye, and what UTF-8 does not know."""


def embedded(transcript: Transcript) -> Markup:
    """Return the texts, the turns and the requests as JSON that no parser of HTML takes for anything else.

    A part of a request is a pair: its role, and the key of its text or the place of the turn that it repeats.
    """
    turns: list[Mapping[str, Any]] = []
    requests: dict[str, Any] = {}
    places = {turn.id: place for place, turn in enumerate(transcript.turns)}
    for turn in transcript.turns:
        said = {} if turn.said is None else {"said": turn.said}
        turns.append({"label": turn.label, "content": turn.content, **said})
        for attempt in turn.attempts:
            if attempt.request is not None:
                requests[attempt.id] = _lean(attempt.request, places)
        requests[turn.id] = _lean(turn.request, places)
    whole = {"texts": plain(transcript.texts), "turns": turns, "requests": requests}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return Markup(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))  # noqa: S704  # no mark of HTML is left


def _lean(request: RequestRecord, places: Mapping[str, int]) -> dict[str, Any]:
    parts = [(part.role, part.text if part.turn is None else places.get(part.turn)) for part in request.parts]
    whole = {**plain(request), "parts": parts}
    return {key: value for key, value in whole.items() if value not in (0, [])}
