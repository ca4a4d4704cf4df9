"""app: which endpoint answers which request."""

import ipaddress
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from urllib.parse import urlsplit

from . import catalogue, decode
from .acts import TEXT, Act, Head, answer
from .behaviour import Behaviour
from .call import Kind
from .errors import EngineRefusal, Refusal, error_object
from .generation import Generation
from .gojson import encode
from .performance import Performance
from .records import Request

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
        return answer(encode({"models": [catalogue.tag(model) for model in self.generation.store]}))

    def _ps(self, request: Request) -> Iterator[Act]:
        now = self.generation.clock()
        loaded = [catalogue.running(runner, now) for runner in self.generation.engine.runners]
        return answer(encode({"models": loaded}))

    def _openai_models(self, request: Request) -> Iterator[Act]:
        return answer(encode({"object": "list", "data": [catalogue.listed(model) for model in self.generation.store]}))

    def _show(self, request: Request) -> Iterator[Act]:
        body = decode.read(request.raw, decode.SHOW)
        model = self.generation.store.find(body.get("model") or body.get("name") or "")
        return answer(encode(catalogue.show(model)))

    def _pull(self, request: Request) -> Iterator[Act]:
        body = decode.read(request.raw, decode.PULL)
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
