"""standin: an Ollama server without a model, for tests that want real sockets.

    with StandIn([Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b", context=2048)]) as server:
        server.script(Say("A plan."), Hang(), Error(503, QUEUE_FULL))
        ...                         # let a client talk to server.url
        assert server.chats[0].json["messages"]
        assert server.load_counts == {"qwen2.5-coder:1.5b": 1}

It follows the rules of a real server (validation, context window, loading, streaming) and answers what no
script covers with made-up text. To be read in this order: `server` (how tests use it), `behaviours` (what it can be
made to do), `requests` (models, bodies of requests and answers), `prompts`, `engine` (what is loaded), `app` (from
a request to its answer), `transport` and `notation`. To write a new behaviour, read one of `behaviours` and the acts of
`transport`. As a process: `python -m tests.standin --model NAME`.
"""

from .behaviours import (
    NO_COUNTERS,
    Behaviour,
    Body,
    Cut,
    Drip,
    Endless,
    EngineError,
    Error,
    Garbage,
    Gzip,
    Hang,
    HugeHeaders,
    Job,
    Mangle,
    Raw,
    Redirect,
    Say,
    Split,
    Text,
    Together,
    WithHead,
)
from .engine import Load, Request
from .notation import ENGINE_GONE, ENGINE_STOPPED, QUEUE_FULL, TOO_LONG
from .requests import LoadOptions, Message, Model, TemplateError, chatml, each_character, four_characters
from .server import StandIn
from .transport import Act, Drop, Head, Wait, Wire

__all__ = [
    "ENGINE_GONE",
    "ENGINE_STOPPED",
    "NO_COUNTERS",
    "QUEUE_FULL",
    "TOO_LONG",
    "Act",
    "Behaviour",
    "Body",
    "Cut",
    "Drip",
    "Drop",
    "Endless",
    "EngineError",
    "Error",
    "Garbage",
    "Gzip",
    "Hang",
    "Head",
    "HugeHeaders",
    "Job",
    "Load",
    "LoadOptions",
    "Mangle",
    "Message",
    "Model",
    "Raw",
    "Redirect",
    "Request",
    "Say",
    "Split",
    "StandIn",
    "TemplateError",
    "Text",
    "Together",
    "Wait",
    "Wire",
    "WithHead",
    "chatml",
    "each_character",
    "four_characters",
]
