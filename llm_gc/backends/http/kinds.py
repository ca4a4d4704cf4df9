"""The kinds of model servers, each in the words that its users know."""

from __future__ import annotations

from typing import NamedTuple


class ServerKind(NamedTuple):
    """What a server of some kind is called, and what to do about it.

    ``variable`` names it in the environment, ``default`` is where it is if nobody says, ``port`` is that of an address
    without one. ``get`` tells how to come by a model; ``busy`` are the statuses after which another try is worth it.
    ``superfluous`` are ends of a path that belong to single requests, and not to the address.
    """

    name: str
    variable: str
    default: str
    port: int
    start: str
    get: str
    superfluous: tuple[str, ...]
    busy: tuple[int, ...] = (429, 502, 503, 504)


KEY_VARIABLE = "OPENAI_API_KEY"
"""The variable that holds the key which an OpenAI-compatible server wants to see."""

OLLAMA = ServerKind(
    name="an Ollama server",
    variable="OLLAMA_HOST",
    default="http://127.0.0.1:11434",
    port=11434,
    start="See that the server runs (`ollama serve`), or point elsewhere with --host or OLLAMA_HOST.",
    get="get it with `ollama pull {model}`",
    superfluous=("/v1", "/api"),
)

OPENAI = ServerKind(
    name="an OpenAI-compatible server",
    variable="OPENAI_BASE_URL",
    default="",
    port=80,
    start="See that the server runs, or point elsewhere with --host or OPENAI_BASE_URL.",
    get="start it with that model, or cast one that it has",
    superfluous=("/chat/completions", "/completions", "/models"),
)

EMBEDDED = ServerKind(
    name="the embedded engine",
    variable="",
    default="",
    port=0,
    start="Install it with `pip install 'llm-gc[embedded]'`.",
    get="name a .gguf file, or a model that `llm-gc doctor --backend embedded` lists",
    superfluous=(),
    busy=(),
)
