"""The records that make up a transcript: frozen, typed, and the source of its JSON Schema.

Requests are stored so that the whole grows with the conversation and no faster: a request is the parts it adds to an
earlier one of the same speaker, a part is a reference to the turn it repeats or to a text in ``texts``, and each text
is there once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_gc._version import FORMAT
from llm_gc.core.outcome import Reason, Status
from llm_gc.protocol import Cut, FailureKind, Latency, Tokens


@dataclass(frozen=True)
class ErrorRecord:
    """Why there is no reply."""

    kind: FailureKind
    message: str


@dataclass(frozen=True)
class PartRecord:
    """A piece of a request: one of ``text`` (a key in ``texts``) or ``turn`` (the id of the turn it repeats)."""

    role: Literal["system", "user", "assistant"]
    text: str | None = None
    turn: str | None = None


@dataclass(frozen=True)
class RequestRecord:
    """What was sent: the options, and the messages as the first ``keep`` parts of request ``after``, then ``parts``.

    ``sha256`` is that of the messages as compact JSON, sorted by key, in UTF-8. ``model`` is who was asked, where
    another answered, ``unsent`` are fields, by the server's names, that were left out since it refuses them.
    """

    options: Mapping[str, Any]
    sha256: str
    parts: tuple[PartRecord, ...]
    after: str | None = None
    keep: int = 0
    format: Any = None
    model: str | None = None
    unsent: tuple[str, ...] | None = None


@dataclass(frozen=True)
class AttemptRecord:
    """A try that failed; its text was heard by nobody. ``request`` only where it was another one."""

    id: str
    error: ErrorRecord
    content: str = ""
    thinking: str = ""
    seconds: float = 0.0
    tokens: Tokens = Tokens()
    request: RequestRecord | None = None


@dataclass(frozen=True)
class ContextRecord:
    """What the turn's request held: of the messages before it that its speaker sees, ``kept`` and not ``dropped``.

    ``window`` is the size of the context window in tokens, ``used`` what request and reply took of it.
    """

    kept: int
    dropped: int = 0
    window: int | None = None
    used: int | None = None


@dataclass(frozen=True)
class TurnRecord:
    """One turn. ``turn`` counts from 1; ``said`` is what the others heard where it is not the content.

    A pick, by which a role chose who speaks next, is recorded as well; it is no turn, and has no number.
    """

    turn: int | None
    id: str
    step: str
    role: str
    label: str
    model: str
    content: str
    data: Any
    thinking: str
    heard: bool
    cut: bool
    tokens: Tokens
    latency: Latency
    seconds: float
    done_reason: str | None
    attempts: tuple[AttemptRecord, ...]
    error: ErrorRecord | None
    request: RequestRecord
    copy: int | None = None
    said: str | None = None
    warnings: tuple[str, ...] = ()
    tool_calls: tuple[Any, ...] = ()
    is_pick: bool = False
    context: ContextRecord | None = None
    cut_by: Cut | None = None


@dataclass(frozen=True)
class PipelineRecord:
    """What was run: the resolved document, its prompt files, the pipelines of its scenes; ``sha256`` is that of all.

    ``overrides`` are what was laid over the file, as it was given: ``--set limits.max_turns=4``.
    """

    name: str
    file: str
    sha256: str
    document: Mapping[str, Any]
    prompts: Mapping[str, str] = field(default_factory=dict)
    scenes: Mapping[str, PipelineRecord] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """Why it ended, in a word and in a sentence."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class Versions:
    """Who took part: llm-gc, the backend, its server, and each model's digest.

    ``windows`` are the context windows of the models for which the pipeline declares none.
    """

    llm_gc: str
    backend: str
    server: str | None = None
    models: Mapping[str, str | None] = field(default_factory=dict)
    windows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Parent:
    """The conversation that this one was forked from: the turns before number ``turn`` are that one's."""

    id: str
    turn: int


@dataclass(frozen=True)
class Resumption:
    """When an interrupted conversation continued, after how many turns and picks, and who took part from then on."""

    at: str
    after: int
    versions: Versions


@dataclass(frozen=True)
class Totals:
    """Everything added up; ``seconds`` is the sum of all replies, side by side or not.

    ``reloads`` counts the turns before which a model was loaded that had spoken already, as the server's figures show.
    """

    turns: int = 0
    failed: int = 0
    tokens: Tokens = Tokens(0, 0)
    seconds: float = 0.0
    reloads: int = 0


@dataclass(frozen=True)
class Header:
    """What is known before the first turn: the journal's first line.

    ``rules`` is the version of what is sent and decided; a record that has none was made under the first.
    """

    id: str
    pipeline: PipelineRecord
    inputs: Mapping[str, Any]
    seed: int
    started_at: str
    versions: Versions
    format: Literal[1] = FORMAT
    parent: Parent | None = None
    resumed: tuple[Resumption, ...] = ()
    rules: int = 1


@dataclass(frozen=True)
class Transcript:
    """A whole conversation."""

    format: Literal[1]
    id: str
    pipeline: PipelineRecord
    inputs: Mapping[str, Any]
    seed: int
    status: Status
    ended_by: Ended
    result: Any
    started_at: str
    ended_at: str
    totals: Totals
    versions: Versions
    turns: tuple[TurnRecord, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    parent: Parent | None = None
    resumed: tuple[Resumption, ...] = ()
    rules: int = 1
