"""What a program needs to answer for the models itself: give an object like ``Backend`` as ``llm_gc.run(backend=…)``.

A backend is sent an ``Ask`` and returns a ``Reply``; it decides nothing else. Read ``Backend`` first, then ``Ask``,
``Request`` and ``Reply``; ``docs/backends.md`` has an example that runs. These names are public: they change only with
a note in the changelog.
"""

from __future__ import annotations

from llm_gc.backends.interface import (
    Asked,
    Backend,
    Delta,
    Facts,
    Loading,
    ModelFacts,
    Noticed,
    Notify,
    Progress,
    TakenBack,
    ignore,
)
from llm_gc.errors import ModelMissing, ServerError, ServerUnreachable
from llm_gc.protocol import (
    Ask,
    Cut,
    CutLimit,
    Failure,
    FailureKind,
    Latency,
    ModelConfig,
    Reply,
    Request,
    Speaker,
    Tokens,
)

__all__ = [
    "Ask",
    "Asked",
    "Backend",
    "Cut",
    "CutLimit",
    "Delta",
    "Facts",
    "Failure",
    "FailureKind",
    "Latency",
    "Loading",
    "ModelConfig",
    "ModelFacts",
    "ModelMissing",
    "Noticed",
    "Notify",
    "Progress",
    "Reply",
    "Request",
    "ServerError",
    "ServerUnreachable",
    "Speaker",
    "TakenBack",
    "Tokens",
    "ignore",
]
