"""What a walk tells of itself, to whoever measures what was reached: it changes nothing."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from llm_gc.protocol import Path

TraceKind = Literal["step", "when", "until", "by", "spoke", "stop", "ended", "stood_in"]


class TraceEvent(NamedTuple):
    """Something that a walk has reached. ``path`` is where it is; a scene that plays a file continues below its own.

    ``value`` is, for ``when``, ``until`` and the template of ``by``, what they gave; for ``spoke``, the role whose turn
    it was, also where a choice gave it; for ``ended``, why a scene ended; for ``stood_in``, why the ``result`` at the
    path could not be rendered after an early end, so that the last message stands in for it.
    """

    kind: TraceKind
    path: Path
    value: Any = None
