"""engine: what is recorded, which models there are, and which are loaded, with what, and who waits for whom."""

import asyncio
import json
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Condition, Event
from time import monotonic
from typing import Any

from .notation import QUEUE_FULL, Name, Refusal, encode, parse, rfc3339
from .requests import Kind, LoadOptions, Model
from .transport import NDJSON, Act, Head, answer

# --- what the server has seen, for a test to look at and to wait for.


@dataclass(eq=False)
class Request:
    """A request as it was received, and what became of it.

    `gone` is set when the client closed the connection before the answer was complete, `answered`
    when the whole answer was handed to the socket. `prompt` and `prompt_tokens` are those of a
    request that generates.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    arrived_at: float = field(default_factory=monotonic)
    prompt: str = ""
    prompt_tokens: int = 0
    gone: Event = field(default_factory=Event)
    answered: Event = field(default_factory=Event)

    @cached_property
    def json(self) -> Any:
        """The parsed body, or None if it is not JSON."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None


@dataclass(frozen=True)
class Load:
    """A model that was loaded, for the first time or again."""

    model: str
    options: LoadOptions
    at: float


class Journal:
    """Everything that happened; `keep` limits how many requests are remembered."""

    def __init__(self, keep: int | None = None) -> None:
        """Begin an empty journal."""
        self.requests: deque[Request] = deque(maxlen=keep)
        self.chats: deque[Request] = deque(maxlen=keep)
        self.loads: list[Load] = []
        self.connections = 0
        self.bugs: list[BaseException] = []
        self._changed = Condition()

    def changed(self) -> None:
        """Wake those who wait."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, holds: Callable[[], bool], timeout: float) -> None:
        """Wait until something holds, looking again whenever something happens."""
        with self._changed:
            if not self._changed.wait_for(holds, timeout):
                seen = [f"{request.method} {request.path}" for request in self.requests]
                raise TimeoutError(f"not in {timeout} s; requests so far: {seen}")


# --- which models are loaded, with what, and who waits for whom.
#
# Rules, as Ollama has them:
# - A request for a model that is loaded with the same load options only waits for a free slot.
# - Every other request loads: one load after another, and a model is idle before it is loaded again.
# - What is idle for longer than its keep-alive is unloaded; a request that sets none leaves it as it is.


Seconds = float | None

Clock = Callable[[], float]
"""Gives seconds that go by."""


class Runner:
    """A loaded model."""

    def __init__(self, model: Model, options: LoadOptions, keep_alive: float, seconds: Clock) -> None:
        """Loaded just now, with these options."""
        self._seconds = seconds
        self.model = model
        self.options = options
        self.keep_alive = keep_alive
        self.slots = asyncio.Semaphore(model.slots)
        self.users = 0
        self.idle = asyncio.Event()
        self.idle_since = self._seconds()
        self.retired = False
        self.idle.set()

    @property
    def expires_in(self) -> float:
        """The seconds until it is unloaded, if nobody comes."""
        return self.keep_alive if self.users else self.idle_since + self.keep_alive - self._seconds()

    @contextmanager
    def used(self) -> Iterator["Runner"]:
        """Keep it loaded while a request waits for it or is answered by it."""
        self.users += 1
        self.idle.clear()
        try:
            yield self
        finally:
            self.users -= 1
            self.idle_since = self._seconds()
            if not self.users:
                self.idle.set()


class Engine:
    """All loaded models."""

    def __init__(self, journal: Journal, keep_alive: float, max_loaded: int, max_queue: int, seconds: Clock) -> None:
        """Begin with nothing loaded; ``seconds`` say how long a model has been idle."""
        self.seconds = seconds
        self.journal = journal
        self.keep_alive = keep_alive
        self.max_loaded = max_loaded
        self.max_queue = max_queue
        self._runners: dict[str, Runner] = {}
        self._loading = asyncio.Lock()
        self._queue = 0

    @property
    def runners(self) -> list[Runner]:
        """The models that are loaded now, newest first."""
        for key, runner in list(self._runners.items()):
            if runner.expires_in <= 0 and not runner.users:
                del self._runners[key]
        return list(reversed(self._runners.values()))

    @asynccontextmanager
    async def loaded(self, model: Model, options: LoadOptions, keep_alive: Seconds) -> AsyncIterator[Runner]:
        """The model with these options, kept loaded for as long as this is open."""
        runner = self._ready(model, options) or await self._load(model, options)
        if keep_alive is not None:
            runner.keep_alive = keep_alive
        with runner.used():
            yield runner

    def unload(self, model: Model) -> None:
        """Unload a model as soon as nobody uses it."""
        if runner := self._runners.get(model.named.key):
            runner.keep_alive = 0.0

    def _ready(self, model: Model, options: LoadOptions) -> Runner | None:
        """The loaded model, if it needs no loading for these options."""
        runner = next((runner for runner in self.runners if runner.model.named.key == model.named.key), None)
        return runner if runner and not runner.retired and runner.options.fits(options) else None

    async def _load(self, model: Model, options: LoadOptions) -> Runner:
        """Wait for one's turn, then load, unless somebody else has meanwhile."""
        if self._loading.locked() and self._queue >= self.max_queue:
            raise Refusal(503, QUEUE_FULL)
        self._queue += 1
        try:
            await self._loading.acquire()
        finally:
            self._queue -= 1
        try:
            return self._ready(model, options) or await self._load_now(model, options)
        finally:
            self._loading.release()

    async def _load_now(self, model: Model, options: LoadOptions) -> Runner:
        await self._make_room(model.named.key)
        if model.load_seconds:
            await asyncio.sleep(model.load_seconds)
        runner = self._runners[model.named.key] = Runner(model, options, self.keep_alive, self.seconds)
        self.journal.loads.append(Load(model.named.short, options, monotonic()))
        self.journal.changed()
        return runner

    async def _make_room(self, key: str) -> None:
        """Unload this model, and another one if there are too many, when they are idle."""
        runners = {runner.model.named.key: runner for runner in self.runners}
        leaving = [runners.pop(key)] if key in runners else []
        if len(runners) >= self.max_loaded:
            leaving.append(min(runners.values(), key=lambda runner: (runner.users > 0, runner.expires_in)))
        for runner in leaving:
            runner.retired = True
            await runner.idle.wait()
            self._runners.pop(runner.model.named.key, None)


def expiry(runner: Runner, now: int) -> int:
    """When a model is unloaded, in nanoseconds since 1970; "forever" is as far as Go can count."""
    if math.isinf(runner.keep_alive):
        return now + 2**63 - 1
    return now + int(runner.expires_in * 1_000_000_000)


# --- the models that are there, and those that could be pulled.


class Store:
    """Models by name; case, defaults and outer blanks do not matter."""

    def __init__(self, models: Iterable[Model], library: Iterable[Model]) -> None:
        """Create some local models, and others in the library."""
        self._here = {model.named.key: model for model in models}
        self._library = {model.named.key: model for model in library}

    def __iter__(self) -> Iterator[Model]:
        """The models that are here."""
        return iter(self._here.values())

    def find(self, name: str, kind: Kind | None = None) -> Model:
        """The model of a name, or the refusal that this endpoint has for it."""
        if not name and kind == "generate":
            raise Refusal(404, "model '' not found")
        if not name:
            raise Refusal(400, "model is required")
        parsed = _parsed(name)
        if model := self._here.get(parsed.key):
            return model
        raise Refusal(404, f"model '{name if kind else parsed.short}' not found")

    def pull(self, name: str, stream: bool) -> Iterator[Act]:
        """Get a model from the library, and tell how it goes."""
        key = _parsed(name).key
        model = self._here.get(key) or self._library.get(key)
        failure = {"error": "pull model manifest: file does not exist"}
        if model:
            self._here[key] = model
        if not stream:
            return answer(encode({"status": "success"} if model else failure), 200 if model else 500)
        told = _progress(model) if model else [failure]
        return _lines([{"status": "pulling manifest"}, *told])


def _parsed(name: str) -> Name:
    parsed = parse(name)
    if parsed is None:
        raise Refusal(400, "invalid model name")
    return parsed


def _progress(model: Model) -> list[dict[str, object]]:
    """The lines of a download: what is there of each blob, then what is done with it."""
    blob = {"status": f"pulling {model.digest[:12]}", "digest": f"sha256:{model.digest}", "total": model.size}
    steps: list[dict[str, object]] = [{**blob, "completed": done} for done in (model.size // 2, model.size)]
    steps += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    return [{**blob}, *steps]


def _lines(objects: Iterable[dict[str, object]]) -> Iterator[Act]:
    yield Head(content_type=NDJSON)
    for told in objects:
        yield encode(told) + b"\n"


# --- what the server tells about its models: the answers of tags, show and ps.


_LAYERS = ("attn_k", "attn_norm", "attn_output", "attn_q", "attn_v", "ffn_down", "ffn_norm", "ffn_up")
_EMBEDDING = 64


def tag(model: Model) -> dict[str, Any]:
    """A model in the list of those that are there; abilities of a native template are not seen here."""
    capabilities = ["completion"] if model.path == "native" else list(model.capabilities)
    sizes = {"context_length": model.context, "embedding_length": _EMBEDDING}
    return {
        "name": model.named.short,
        "model": model.named.short,
        "modified_at": model.modified_at,
        "size": model.size,
        "digest": model.digest,
        "details": _details(model) | sizes,
        "capabilities": capabilities,
    }


def listed(model: Model) -> dict[str, Any]:
    """A model in the list of /v1/models."""
    return {"id": model.named.short, "object": "model", "created": 1767323045, "owned_by": "library"}


def running(runner: Runner, now: int) -> dict[str, Any]:
    """A model in the list of those that are loaded, with the window it really has."""
    model = runner.model
    return {
        "name": model.named.short,
        "model": model.named.short,
        "size": model.size,
        "digest": model.digest,
        "details": _details(model),
        "expires_at": rfc3339(expiry(runner, now)),
        "size_vram": 0,
        "context_length": runner.options.num_ctx,
    }


def show(model: Model) -> dict[str, Any]:
    """Everything about one model; what is empty is left out."""
    texts = {
        "modelfile": _modelfile(model),
        "parameters": "\n".join(_parameters(model)),
        "template": model.template.__doc__,
        "system": model.system,
    }
    return {name: text for name, text in texts.items() if text} | {
        "details": _details(model),
        "model_info": _info(model),
        "tensors": _tensors(),
        "capabilities": list(model.capabilities),
        "modified_at": model.modified_at,
    }


def _details(model: Model) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def _parameters(model: Model) -> list[str]:
    """A line for each parameter, and for each of several values."""
    pairs = [
        (name, one)
        for name, value in model.parameters.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    return [f"{name:<30} " + (f'"{one}"' if isinstance(one, str) else str(one)) for name, one in pairs]


def _modelfile(model: Model) -> str:
    head = f'# Modelfile generated by "ollama show"\n# FROM {model.named.short}\n\n'
    parameters = "".join(f"PARAMETER {line}\n" for line in _parameters(model))
    parser = f"RENDERER {model.parser}\nPARSER {model.parser}\n" if model.parser else ""
    return f"{head}FROM /models/blobs/sha256-{model.digest}\nTEMPLATE {model.path}\n{parser}{parameters}"


def _info(model: Model) -> dict[str, Any]:
    """The model's own metadata; long lists are null unless they are asked for."""
    family = {
        "attention.head_count": 4,
        "attention.head_count_kv": 4,
        "attention.layer_norm_rms_epsilon": 0.00001,
        "block_count": 2,
        "context_length": model.context,
        "embedding_length": _EMBEDDING,
        "feed_forward_length": 128,
        "rope.dimension_count": 16,
        "vocab_size": 102,
    }
    tokenizer = {
        "add_bos_token": model.bos,
        "bos_token_id": 96,
        "eos_token_id": 97,
        "merges": None,
        "model": "gpt2",
        "pre": "gpt-2",
        "token_type": None,
        "tokens": None,
    }
    general = {
        "architecture": model.family,
        "file_type": 0,
        "parameter_count": 95296,
        "quantization_version": 2,
    }
    return (
        {f"general.{key}": value for key, value in general.items()}
        | {f"{model.family}.{key}": value for key, value in family.items()}
        | {f"tokenizer.ggml.{key}": value for key, value in tokenizer.items()}
    )


def _tensors() -> list[dict[str, Any]]:
    names = ["output.weight", "output_norm.weight", "token_embd.weight"]
    names += [f"blk.{block}.{layer}.weight" for block in range(2) for layer in _LAYERS]
    return [{"name": name, "type": "F32", "shape": [_EMBEDDING, _EMBEDDING]} for name in names]
