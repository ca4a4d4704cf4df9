"""The frozen words that everything is made of: what is asked, what is answered, what was said.

Theory of operation. A step is a generator (a *flow*). It yields an ``Ask`` when it needs a reply and is sent a
``Reply``; it yields ``Together`` when several flows may continue at once and is sent what became of each. A
``Conversation`` walks the flows and hands the asks out; whoever answers them (a model server, a stand-in, a script,
an earlier transcript) decides nothing else. No value here knows a clock, a disk, a network or chance: time enters
only as the seconds in a ``Reply``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["system", "user", "assistant"]
Path = tuple[str | int, ...]
"""Where something is in the pipeline's document: ``("turns", 0, "repeat", 1)``."""


class PromptFile(str):
    """The name of a file under ``prompts/`` where a text may be: one word that ends as such files do.

    It equals the plain text of the same letters, and only where it is read as a template does it stand for the file.
    """

    __slots__ = ()


class Speaker(NamedTuple):
    """Who speaks: a role, and which copy of it (0 is the role itself).

    Inside a block a role is itself in every branch; it is known at the join which copies were made.
    """

    role: str
    copy: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What was said, as templates see it; printed by itself it is its content.

    ``data`` is the parsed structured reply, ``heard`` what the others are sent. A failed turn is still a message:
    empty, and ``failed``; ``error`` says why.
    """

    role: str = ""
    label: str = ""
    content: str = ""
    data: Any = None
    turn: int | None = None
    failed: bool = False
    heard: str = ""
    error: str | None = None

    def __str__(self) -> str:
        return self.content

    def __bool__(self) -> bool:
        return bool(self.content)

    def __contains__(self, text: str) -> bool:
        return text in self.content


NOTHING = Message()
"""The message of a role that has not spoken yet."""


class Part(NamedTuple):
    """A piece of a request before neighbours are merged; ``of`` is the id of the turn it repeats, if any."""

    kind: Kind
    text: str
    of: str | None = None


@dataclass(frozen=True)
class Request:
    """What a model is sent: parts in order, and the chat messages that they make.

    Of what was said before and what its speaker sees, it holds ``kept`` messages, and ``dropped`` older ones no more.
    """

    parts: tuple[Part, ...]
    kept: int = 0
    dropped: int = 0

    @property
    def messages(self) -> list[dict[str, str]]:
        """The parts with neighbours of one kind merged, as ``[{role, content}]``."""
        merged: list[tuple[Kind, list[str]]] = []
        for part in self.parts:
            if merged and merged[-1][0] == part.kind:
                merged[-1][1].append(part.text)  # joined once: thousands of branches may be neighbours
            else:
                merged.append((part.kind, [part.text]))
        return [{"role": kind, "content": "\n\n".join(texts)} for kind, texts in merged]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """How a role is played: its model, where it runs, and everything that is sent along with the messages.

    ``options`` are the server's names with what was declared, ``num_predict`` and ``seed`` not yet among them.
    ``backend`` is its server's kind. With ``api: generate`` the messages are one text, ``raw``: the author's own.
    ``needs``, known before the start alone, are the tokens that prompt and reply can have, None where anything will do.
    """

    model: str
    host: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    max_tokens: int | None = None
    seed: int | None = None
    human: bool = False
    backend: str | None = None
    api: Literal["chat", "generate"] = "chat"
    raw: bool = False
    needs: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Ask:
    """A question to whoever plays a role. ``request`` is rendered when it is first read, and may raise TemplateError.

    ``id`` is made of the step's path, rounds, branch and attempt; ``step`` is the path alone. Times are in seconds:
    ``timeout`` is how long the server may say nothing, ``first_token`` and ``gap`` replace it before the first token
    and between two; ``reply_time`` is for one whole reply, a cold load not counted; ``time_left`` is what is left of
    ``max_time`` for all tries together, None without such a limit, and ``load_timeout`` is not more. ``stops`` are the
    tokens by which this reply could end the scene; ``turn`` is the number the turn will have, none inside a branch; a
    pick asks who speaks next, and is no turn. ``branch`` is the place of the innermost branch around it, or empty.
    A server that has gone away is waited for ``restart`` seconds.
    """

    id: str
    step: Path
    speaker: Speaker
    label: str
    casting: ModelConfig
    options: Mapping[str, Any]
    timeout: float
    load_timeout: float
    retries: int
    render: Callable[[], Request] = field(compare=False, repr=False)
    format: Any = None
    time_left: float | None = None
    stops: tuple[str, ...] = ()
    turn: int | None = None
    attempt: int = 1
    is_pick: bool = False
    first_token: float | None = None
    gap: float | None = None
    reply_time: float | None = None
    max_time: float | None = None
    branch: str = ""
    restart: float = 0.0

    @property
    def deadline(self) -> float | None:
        """The seconds after which a reply is cut, however it comes; None without such a limit."""
        return min((limit for limit in (self.reply_time, self.time_left) if limit is not None), default=None)

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self.casting.model

    @cached_property
    def request(self) -> Request:
        """The request, rendered now if it was not before.

        Raises:
            TemplateError: where a prompt or an instruction fails.

        """
        return self.render()


FailureKind = Literal[
    "timeout",  # a limit of time ended the reply before there was a word in it
    "load_timeout",  # the model was not loaded within load_timeout
    "unreachable",  # nobody listens there any more
    "server",  # the server answered with an error
    "broken",  # the connection or the stream broke off
    "overflow",  # the prompt does not fit the context window
    "refused",  # the server will not do what was asked, now or later
    "too_large",  # the reply is beyond every bound
    "empty",  # a whole reply without a word in it
    "malformed",  # a structured reply that does not fit its format
    "template",  # the request could not be rendered
]


class Failure(NamedTuple):
    """Why there is no reply, in words for people; ``retry`` says whether the same ask may succeed at once.

    What a driver needs to know beyond that is not part of the record: after how many seconds the server wants to be
    asked again (``after``), and whether it is still loading (``is_loading``).
    """

    kind: FailureKind
    message: str
    retry: bool = False
    after: float | None = None
    is_loading: bool = False


CutLimit = Literal["max_tokens", "num_ctx", "timeout", "gap", "reply_time", "max_time"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Which limit ended a reply before the model did, and in words for people how far the reply was by then."""

    limit: CutLimit
    message: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the server counted; None where it did not say.

    Of a reply that was given up before the server said anything, ``completion`` is how many tokens had come.
    """

    prompt: int | None = None
    completion: int | None = None

    @property
    def total(self) -> int:
        """Both together, the unknown as zero."""
        return (self.prompt or 0) + (self.completion or 0)


@dataclass(frozen=True, slots=True)
class Latency:
    """Where the seconds of a reply went, as far as is known; ``total`` is ours, the rest the server's figures."""

    total: float | None = None
    load: float | None = None
    first_token: float | None = None
    prompt: float | None = None
    generation: float | None = None
    wait: float | None = None


class Attempt(NamedTuple):
    """A try that failed: what had arrived until then is recorded, and never heard."""

    failure: Failure
    content: str = ""
    thinking: str = ""
    seconds: float = 0.0
    tokens: Tokens = Tokens()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to an ask: a text, or the failure that is in its place.

    ``seconds`` is all the time that the ask took, loading, retries and their waits included. ``model`` is the name of
    who really spoke where it is not the model asked for. ``tool_calls`` were offered by nobody and are refused.
    ``unsent`` are the fields of the request, by the server's names, that it refuses and that were left out for that.
    """

    content: str = ""
    thinking: str = ""
    done_reason: str | None = None
    tokens: Tokens = Tokens()
    latency: Latency = Latency()
    seconds: float = 0.0
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    model: str | None = None
    tool_calls: tuple[Any, ...] = ()
    cut_by: Cut | None = None
    unsent: tuple[str, ...] = ()

    @property
    def cut(self) -> bool:
        """Whether a limit ended the reply before the model did."""
        return self.cut_by is not None or self.done_reason == "length"


class Fork(NamedTuple):
    """Several flows that continue independently; whoever yields this is sent when all of them are done."""

    flows: tuple[Flow, ...]


Effect = Ask | Fork
Flow = Generator[Effect, Any, None]


class StepProtocol(Protocol):
    """What a scope can run: a step."""

    @property
    def when(self) -> str | None:
        """An expression; the step is passed over where it is false."""

    def run(self, scope: Scope) -> Flow:
        """Do what the step does."""

    def otherwise(self, scope: Scope) -> Flow:
        """Do what is to be done where ``when`` is false."""


class TurnSpec(NamedTuple):
    """What a step says about one turn; whatever is none is as the role has it."""

    role: str
    instruction: str | None = None
    sees: Any = None
    format: Any = None
    max_tokens: int | None = None
    temperature: float | str | None = None
    result: str | None = None
    label: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """What a step says about a conversation inside this one; ``steps`` or, for another pipeline, ``file``."""

    steps: Sequence[StepProtocol] | None = None
    file: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    opening: str | None = None
    label: str | None = None
    result: str | None = None
    stop: Any = None
    limits: Any = None
    name: str | None = None


class Scope(Protocol):
    """The face that a step sees of the conversation it is in."""

    @property
    def path(self) -> Path:
        """Where the step is in the document."""

    def run(self, key: str, steps: Sequence[StepProtocol]) -> Flow:
        """Run the steps that are under ``key``, one after the other."""

    def rounds(self, times: int | None) -> Generator[Scope]:
        """Return a scope for each round, numbered from 1; without ``times``, until a round in which nobody spoke."""

    def each(self, name: str, items: Sequence[Any]) -> Generator[Scope]:
        """Return a scope for each item, under whose ``name`` it is."""

    def evaluate(self, key: str, expression: Any) -> Any:
        """Evaluate the expression that is under ``key``; a value that is not text stands for itself."""

    def render(self, key: str, template: Any) -> Any:
        """Render the template that is under ``key``; a value that is not text stands for itself."""

    def number(self, key: str, template: Any) -> int:
        """Render a template that must give a whole number."""

    def items(self, key: str, expression: Any) -> Sequence[Any]:
        """Evaluate an expression that must give a list; none is an empty one."""

    def listed(self, key: str, template: str) -> Sequence[Any]:
        """Render a template that must give a list; none is an empty one."""

    def set(self, name: str, value: Any) -> None:
        """Set a variable."""

    def speak(self, words: TurnSpec) -> Flow:
        """Run one turn of a role."""

    def pick(self, chooser: str, allowed: Sequence[str], fallback: str | None) -> Generator[Effect, Any, str | None]:
        """Ask a role who speaks next, and return the name."""

    def draw(self, count: int) -> int:
        """Draw a number below ``count``, the same one in every run with the same seed."""

    def previous(self) -> str | None:
        """Return the role that spoke last."""

    def roles(self) -> Sequence[str]:
        """Return all roles, in the order in which they are declared."""

    def post(self, key: str, template: str) -> None:
        """Render a text, and add it as a message of the narrator that everybody hears; an empty one is none."""

    def end(self, detail: str, *, failed: bool) -> None:
        """End the scene, perhaps as one that has failed; this does not return."""

    def together(
        self, key: str, steps: Sequence[StepProtocol], items: Sequence[Any] | None, name: str | None
    ) -> Generator[Effect, Any, Sequence[Message]]:
        """Run each step (once for each item) side by side; return the last message of each, in declared order."""

    def play(self, inner: SceneSpec) -> Flow:
        """Play a conversation of its own inside this one; its result is heard here."""
