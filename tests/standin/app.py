"""app: from a request to its answer, on both interfaces, and onto the connection."""

import asyncio
import ipaddress
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from time import perf_counter_ns
from typing import Any
from urllib.parse import urlsplit

from .behaviours import Behaviour, Job
from .engine import Engine, Journal, Request, Store, listed, running, show, tag
from .notation import EngineRefusal, Refusal, dumps, encode, error_object
from .prompts import Prompt, build
from .requests import (
    OPENAI,
    PULL,
    SHOW,
    Call,
    Done,
    GenerateShape,
    Kind,
    LoadOptions,
    Model,
    Part,
    Shape,
    chat,
    check_format,
    check_ranges,
    check_schema,
    load_options,
    read_body,
    read_chat,
    read_generate,
    read_options,
)
from .transport import (
    LAST_CHUNK,
    NOT_HTTP,
    TEXT,
    Act,
    BadRequest,
    Drop,
    Head,
    Received,
    Wait,
    Wire,
    answer,
    chunk,
    head_bytes,
    read_request,
)

# --- /v1/chat/completions and /v1/completions: their requests in the words of /api, and their own answers.


_SAME = ("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty")
_OPTIONS = {name: name for name in _SAME}
_OPTIONS |= {"max_tokens": "num_predict", "max_completion_tokens": "num_predict"}


def read_openai(raw: bytes) -> Call:
    """A request to /v1/chat/completions."""
    body = read_body(raw, OPENAI)
    if not body.get("messages"):
        raise Refusal(400, "[] is too short - 'messages'")
    options = {ours: body[theirs] for theirs, ours in _OPTIONS.items() if body.get(theirs) is not None}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    asked = {
        "model": body.get("model"),
        "messages": [{**message, "content": _text(message.get("content"))} for message in body["messages"]],
        "stream": bool(body.get("stream")),
        "options": options,
        "tools": body.get("tools"),
        "format": _format(body.get("response_format") or {}),
    }
    return chat(asked, "openai", usage=bool((body.get("stream_options") or {}).get("include_usage")))


def read_completion(raw: bytes) -> Call:
    """A request to /v1/completions: its prompt is all that the model reads."""
    body = read_body(raw, OPENAI)
    options = {ours: body[theirs] for theirs, ours in _OPTIONS.items() if body.get(theirs) is not None}
    asked = {
        "model": body.get("model"),
        "messages": [{"role": "user", "content": body.get("prompt") or ""}],
        "stream": bool(body.get("stream")),
        "options": options,
    }
    return chat(asked, "completion", usage=bool((body.get("stream_options") or {}).get("include_usage")))


def _text(content: Any) -> str:
    """The text of a message that may be given in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _format(wanted: Mapping[str, Any]) -> Any:
    schema = (wanted.get("json_schema") or {}).get("schema")
    return "json" if wanted.get("type") == "json_object" else schema


class OpenAIShape(Shape):
    """The events of /v1/chat/completions."""

    stream_type = "text/event-stream"
    whole_type = "application/json"

    def __init__(self, model: str, clock: Callable[[], int], usage: bool = False) -> None:
        """Write one completion; all its events share one id."""
        super().__init__(model, clock)
        self.usage = usage
        self.id = f"chatcmpl-{clock() // 1000 % 1000}"

    def line(self, part: Part) -> bytes:
        """A part as a server-sent event; the end is one or two events of its own."""
        events = b""
        if part.content or part.thinking or part.tool_calls:
            events += self._event([{"index": 0, "delta": self._message(part), "finish_reason": None}])
        if part.done:
            events += self._event([{"index": 0, "delta": {}, "finish_reason": part.done.reason or None}])
            if self.usage:
                events += self._event([], usage=_usage(part.done))
        return events

    def whole(self, part: Part) -> bytes:
        """A part as a whole completion."""
        done = part.done or Done("", {})
        choice = {"index": 0, "message": self._message(part), "finish_reason": done.reason or None}
        return encode(self._object("chat.completion") | {"choices": [choice], "usage": _usage(done)}) + b"\n"

    def nothing(self) -> bytes:
        """The whole answer when the engine said nothing at all."""
        return self.whole(Part())

    def failure(self, error: str) -> bytes:
        """The event of a stream that breaks."""
        return b"data: " + encode(error_object("/v1/", 500, error)) + b"\n\n"

    def end(self) -> bytes:
        """The mark at the end of the events."""
        return b"data: [DONE]\n\n"

    def _event(self, choices: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
        event = self._object("chat.completion.chunk") | {"choices": choices} | more
        return b"data: " + encode(event) + b"\n\n"

    def _object(self, kind: str) -> dict[str, Any]:
        created = self.clock() // 1_000_000_000
        named = {"id": self.id, "object": kind, "created": created, "model": self.model}
        return named | {"system_fingerprint": "fp_ollama"}

    def _message(self, part: Part) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": part.content}
        message |= {"reasoning": part.thinking} if part.thinking else {}
        if part.tool_calls:
            message["tool_calls"] = [_as_text(call) for call in part.tool_calls]
        return message


class CompletionShape(OpenAIShape):
    """The events of /v1/completions: a text in place of a message."""

    def _event(self, choices: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
        texts = [{**choice, "text": choice["delta"].get("content", "")} for choice in choices]
        return super()._event([{k: v for k, v in choice.items() if k != "delta"} for choice in texts], **more)


def _usage(done: Done) -> dict[str, int]:
    prompt, completion = done.counters.get("prompt_eval_count") or 0, done.counters.get("eval_count") or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _as_text(call: Mapping[str, Any]) -> dict[str, Any]:
    """A tool call with its arguments as text, as OpenAI wants them."""
    function = dict(call["function"])
    index = function.pop("index", 0)
    function["arguments"] = dumps(function["arguments"])
    return {"id": call["id"], "index": index, "type": "function", "function": function}


# --- one answer on its way out: acts to bytes, bytes to the transport.


_ENOUGH = 65536
_RESET = struct.pack("ii", 1, 0)


class Performance:
    """Performs the acts of one answer; `keeps` tells afterwards whether the connection can continue."""

    def __init__(self, received: Received, transport: asyncio.Transport, writable: asyncio.Event) -> None:
        """Answer what was received; nothing is written while the client does not read."""
        self.transport = transport
        self.writable = writable
        self.keeps = received.keeps
        self.old = received.http == "1.0"
        self.bodiless = received.method == "HEAD"
        self.headless = True
        self.chunked = False
        self.out = bytearray()

    async def perform(self, acts: Iterable[Act]) -> None:
        """Do what the acts say, then end the answer properly."""
        for act in acts:
            if isinstance(act, bytes):
                self._body(act)
                if len(self.out) > _ENOUGH:
                    await self._flush()
                    await asyncio.sleep(0)
            elif isinstance(act, Head):
                self._head(act)
            elif isinstance(act, Wire):
                self.out += act.data
            elif isinstance(act, Wait):
                await self._flush()
                await _pause(act.seconds)
            else:
                await self._flush()
                self._drop(act)
                return
        if self.headless:
            self.keeps = False
        elif self.chunked and not self.bodiless:
            self.out += LAST_CHUNK
        await self._flush()

    def _head(self, head: Head) -> None:
        if self.old:
            head = replace(head, http="1.0")
        self.headless = False
        self.chunked = head.length is None and head.http != "1.0"
        self.keeps = self.keeps and head.http != "1.0"
        self.out += head_bytes(head, self.keeps)

    def _body(self, data: bytes) -> None:
        if data and not self.bodiless:
            self.out += chunk(data) if self.chunked else data

    async def _flush(self) -> None:
        if self.out:
            self.transport.write(bytes(self.out))
            self.out.clear()
        await self.writable.wait()

    def _drop(self, drop: Drop) -> None:
        self.keeps = False
        if drop.reset:
            connected = self.transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


async def _pause(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)


# --- the way of a request that wants a model, from its bytes to the acts that answer it.


READERS: dict[Kind, Callable[[bytes], Call]] = {
    "chat": read_chat,
    "generate": read_generate,
    "openai": read_openai,
    "completion": read_completion,
}


class Script:
    """What the next requests that generate are answered with: one model's own part goes first."""

    def __init__(self) -> None:
        """Nothing is planned."""
        self._plans: dict[str | None, deque[Behaviour]] = {None: deque()}

    def add(self, behaviours: Iterable[Behaviour], key: str | None) -> None:
        """Plan more."""
        self._plans.setdefault(key, deque()).extend(behaviours)

    def next(self, key: str) -> Behaviour | None:
        """Take the next behaviour for a model."""
        plans = [plan for plan in (self._plans.get(key), self._plans[None]) if plan]
        return plans[0].popleft() if plans else None

    def __len__(self) -> int:
        """How much of it has not been taken."""
        return sum(len(plan) for plan in self._plans.values())


@dataclass
class Generation:
    """Answers chat and generate requests."""

    store: Store
    engine: Engine
    journal: Journal
    script: Script
    improvise: Callable[[Job], Behaviour]
    automatic: int
    clock: Callable[[], int]

    async def answer(self, kind: Kind, request: Request, performance: Performance) -> None:
        """Answer one request, or refuse it."""
        started = perf_counter_ns()
        call = READERS[kind](request.raw)
        model = self.store.find(call.model, kind)
        shape = self._shape(call)
        if not call.messages and call.keep_alive == 0:
            self.engine.unload(model)
            await performance.perform(answer(shape.whole(Part(done=Done("unload", {})))))
            return
        check_capabilities(model, call)
        wanted = read_options(model.parameters) | read_options(call.options)
        num_ctx = model.window(wanted, self.automatic)
        load = load_options(wanted, num_ctx, call.shift)
        if not call.messages:
            async with self.engine.loaded(model, load, call.keep_alive):
                await performance.perform(answer(shape.whole(Part(done=Done("load", {})))))
            return
        prompt = await self._prompt(model, call, wanted, load)
        job = Job(request, call, model, wanted, num_ctx, prompt, shape, started)
        await self._generate(job, load, performance)

    async def _prompt(self, model: Model, call: Call, wanted: dict[str, Any], load: LoadOptions) -> Prompt:
        """The prompt; a refusal of it comes only after the model was loaded."""
        try:
            check_format(call.format)
            check_schema(call.format if isinstance(call.format, dict) else {})
            check_ranges(wanted)
            return build(model, call, wanted, load.num_ctx)
        except Refusal as refusal:
            if isinstance(refusal, EngineRefusal):
                refusal.streamed = call.stream and (model.path == "rendered" or call.kind == "generate")
            async with self.engine.loaded(model, load, call.keep_alive):
                raise

    async def _generate(self, job: Job, load: LoadOptions, performance: Performance) -> None:
        """Play the next behaviour, with a model and one of its slots if it needs them."""
        behaviour = self.script.next(job.model.named.key) or self.improvise(job)
        job.request.prompt, job.request.prompt_tokens = job.prompt.text, job.prompt.tokens
        self.journal.chats.append(job.request)
        self.journal.changed()
        if not behaviour.occupies:
            await performance.perform(behaviour.acts(job))
            return
        async with self.engine.loaded(job.model, load, job.call.keep_alive) as runner:
            job.loaded = perf_counter_ns()
            async with runner.slots:
                job.begun = perf_counter_ns()
                await performance.perform(behaviour.acts(job))

    def bystander(self, request: Request) -> Job:
        """What a behaviour may know of a request that has no model."""
        call, model = Call("chat", ""), Model("none")
        return Job(request, call, model, {}, 4096, Prompt("", 0, 4096), self._shape(call), perf_counter_ns())

    def _shape(self, call: Call) -> Shape:
        if call.kind in ("openai", "completion"):
            shape = OpenAIShape if call.kind == "openai" else CompletionShape
            return shape(call.model, self.clock, call.usage)
        return (GenerateShape if call.kind == "generate" else Shape)(call.model, self.clock)


def check_capabilities(model: Model, call: Call) -> None:
    """Refuse what the model cannot do."""
    if not model.can("completion"):
        wanted = "generate" if call.kind == "generate" else "chat"
        raise Refusal(400, f'"{call.model}" does not support {wanted}')
    if call.think not in (None, False) and not model.can("thinking"):
        raise Refusal(400, f'"{call.model}" does not support thinking')
    if isinstance(call.think, str) and call.messages and not model.takes_levels and model.family != "gptoss":
        raise Refusal(400, f'think value "{call.think}" is not supported for this model')
    needed = {"tools": call.tools, "insert": call.suffix}
    missing = [name for name, wanted in needed.items() if wanted and not model.can(name)]
    if missing:
        raise Refusal(400, "\n".join(f"{model.named.full} does not support {name}" for name in missing))


# --- one client's socket: its requests are read one by one, and answered one by one.


Answerer = Callable[[Request, Performance], Awaitable[None]]


class Connection(asyncio.Protocol):
    """The server's end of a connection.

    While a request is being answered the socket is still read, so that a client that goes away is
    noticed at once: then the answer is given up wherever it is, and the request is marked as `gone`.
    """

    transport: asyncio.Transport

    def __init__(self, answerer: Answerer, journal: Journal, everyone: set["Connection"]) -> None:
        """Answer with `answerer`, and be one of `everyone` for as long as the connection lasts."""
        self.answerer = answerer
        self.journal = journal
        self.everyone = everyone
        self.received = bytearray()
        self.writable = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.request: Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.writable.set()
        self.everyone.add(self)
        self.journal.connections += 1

    def data_received(self, data: bytes) -> None:
        """A client has sent something."""
        self.received += data
        if self.task is None:
            self._next_request()

    def eof_received(self) -> None:
        """A client that will not send any more does not want its answer either: so Go sees it."""
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over, whoever ended it."""
        self.everyone.discard(self)
        if self.task and self.request:
            self.request.gone.set()
            self.journal.changed()
            self.task.cancel()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writable.set()

    async def shut(self) -> None:
        """The server goes away, whatever it leaves unanswered."""
        task, self.task = self.task, None
        self.transport.abort()
        if task:
            task.cancel()
            await asyncio.wait([task])

    def _next_request(self) -> None:
        try:
            received = read_request(self.received)
        except BadRequest:
            self.transport.write(NOT_HTTP)
            self.transport.close()
            return
        if received:
            del self.received[: received.size]
            self.task = asyncio.get_running_loop().create_task(self._serve(received))
            self.task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        """Notice a mistake of our own: the client sees a cut, the test the exception."""
        if not task.cancelled() and (bug := task.exception()):
            self.journal.bugs.append(bug)
            self.transport.abort()

    async def _serve(self, received: Received) -> None:
        """Answer one request."""
        path = received.target.partition("?")[0]
        request = self.request = Request(received.method, path, received.headers, received.body)
        performance = Performance(received, self.transport, self.writable)
        await self.answerer(request, performance)
        self.task = None
        request.answered.set()
        self.journal.changed()
        if not performance.keeps:
            self.transport.close()
        elif self.received:
            self._next_request()


# --- which endpoint answers which request.


Endpoint = Callable[[Request, Performance], Awaitable[None]]

_KINDS: dict[str, Kind] = {
    "/api/chat": "chat",
    "/api/generate": "generate",
    "/v1/chat/completions": "openai",
    "/v1/completions": "completion",
}
_LOCAL_NAMES = (".localhost", ".local", ".internal")


@dataclass
class App:
    """The whole server, but for its sockets. What it `lacks` are paths that it does not know, as an emulator."""

    generation: Generation
    version: str
    key: str | None = None
    lacks: Collection[str] = ()
    interceptions: dict[str, deque[Behaviour]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set up the table of endpoints."""
        looks = {"/": self._root, "/api/version": self._version, "/api/tags": self._tags}
        self.routes: dict[str, dict[str, Endpoint]] = {
            path: {"POST": partial(self.generation.answer, kind)} for path, kind in _KINDS.items()
        }
        for path, make in looks.items():
            self.routes[path] = dict.fromkeys(("GET", "HEAD"), self._plain(make))
        self.routes["/v1/models"] = {"GET": self._plain(self._openai_models)}
        self.routes["/api/ps"] = {"GET": self._plain(self._ps)}
        self.routes["/api/show"] = {"POST": self._plain(self._show)}
        self.routes["/api/pull"] = {"POST": self._plain(self._pull)}

    async def answer(self, request: Request, performance: Performance) -> None:
        """Answer a request, whatever it is."""
        self.generation.journal.requests.append(request)
        self.generation.journal.changed()
        if not _welcome(request.headers.get("host", ""), request.headers.get("origin")):
            await performance.perform(answer(b"", 403, None))
            return
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            refusal = error_object(request.path, 401, f"Incorrect API key provided: {given}")
            await performance.perform(answer(encode(refusal), 401))
            return
        if interceptions := self.interceptions.get(request.path):
            job = self.generation.bystander(request)
            await performance.perform(interceptions.popleft().acts(job))
            return
        methods = None if request.path in self.lacks else self.routes.get(request.path)
        if methods is None:
            await performance.perform(answer(b"404 page not found", 404, TEXT))
        elif request.method not in methods:
            allowed = {"Allow": ", ".join(methods)}
            await performance.perform(answer(b"405 method not allowed", 405, TEXT, allowed))
        else:
            await self._answer(methods[request.method], request, performance)

    async def _answer(self, endpoint: Endpoint, request: Request, performance: Performance) -> None:
        try:
            await endpoint(request, performance)
        except Refusal as refusal:
            body = encode(error_object(request.path, refusal.status, refusal.error))
            if isinstance(refusal, EngineRefusal) and refusal.streamed:
                await performance.perform([Head(refusal.status, "application/json"), body])
            else:
                await performance.perform(answer(body, refusal.status))

    def _plain(self, make: Callable[[Request], Iterator[Act]]) -> Endpoint:
        """An endpoint that knows its answer at once."""

        async def endpoint(request: Request, performance: Performance) -> None:
            await performance.perform(make(request))

        return endpoint

    def _root(self, request: Request) -> Iterator[Act]:
        return answer(b"Ollama is running", content_type="text/plain; charset=utf-8")

    def _version(self, request: Request) -> Iterator[Act]:
        return answer(encode({"version": self.version}))

    def _tags(self, request: Request) -> Iterator[Act]:
        return answer(encode({"models": [tag(model) for model in self.generation.store]}))

    def _ps(self, request: Request) -> Iterator[Act]:
        now = self.generation.clock()
        loaded = [running(runner, now) for runner in self.generation.engine.runners]
        return answer(encode({"models": loaded}))

    def _openai_models(self, request: Request) -> Iterator[Act]:
        return answer(encode({"object": "list", "data": [listed(model) for model in self.generation.store]}))

    def _show(self, request: Request) -> Iterator[Act]:
        body = read_body(request.raw, SHOW)
        model = self.generation.store.find(body.get("model") or body.get("name") or "")
        return answer(encode(show(model)))

    def _pull(self, request: Request) -> Iterator[Act]:
        body = read_body(request.raw, PULL)
        name = body.get("model") or body.get("name") or ""
        return self.generation.store.pull(name, body.get("stream") is not False)


@lru_cache(maxsize=256)
def _welcome(host: str, origin: str | None) -> bool:
    """Whether a server that listens on loopback talks to whoever sends these headers."""
    return _local(urlsplit(f"//{host}").hostname or "localhost") and (
        origin is None or _local(urlsplit(origin).hostname or "")
    )


def _local(name: str) -> bool:
    """Whether a host is this machine, or near it."""
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return name == "localhost" or name.endswith(_LOCAL_NAMES)
