"""llm-gc runs conversations between language models, written as YAML.

``llm_gc.run("pipelines/m1.yaml", task="…")`` gives the transcript. Everything here is loaded when it is first used.
"""

from __future__ import annotations

from llm_gc._version import __version__

TYPE_CHECKING = False  # as in typing, whose import would take longer than all else that starts a command
if TYPE_CHECKING:
    from typing import Any

    from llm_gc.api import run, run_async
    from llm_gc.core import Conversation
    from llm_gc.errors import (
        LlmGcError,
        ModelMissing,
        PipelineError,
        ServerError,
        ServerUnreachable,
        SessionError,
        UsageError,
    )
    from llm_gc.runtime.engine import Engine
    from llm_gc.sessions import load_session
    from llm_gc.transcript.encode import messages_of
    from llm_gc.transcript.records import Transcript, TurnRecord

_HOMES = {
    "Conversation": "core",
    "Engine": "runtime.engine",
    "LlmGcError": "errors",
    "ModelMissing": "errors",
    "PipelineError": "errors",
    "ServerError": "errors",
    "ServerUnreachable": "errors",
    "SessionError": "errors",
    "Transcript": "transcript.records",
    "TurnRecord": "transcript.records",
    "UsageError": "errors",
    "load_session": "sessions",
    "messages_of": "transcript.encode",
    "run": "api",
    "run_async": "api",
}

__all__ = [
    "Conversation",
    "Engine",
    "LlmGcError",
    "ModelMissing",
    "PipelineError",
    "ServerError",
    "ServerUnreachable",
    "SessionError",
    "Transcript",
    "TurnRecord",
    "UsageError",
    "__version__",
    "load_session",
    "messages_of",
    "run",
    "run_async",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for (PEP 562), so that ``--version`` need not load it all."""
    if name not in _HOMES:
        raise AttributeError(f"module 'llm_gc' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"llm_gc.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
