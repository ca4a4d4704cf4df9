"""standin: an Ollama server without a model, for tests that want real sockets.

    with StandIn([Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b", context=2048)]) as server:
        server.script(Say("A plan."), Hang(), Error(503, QUEUE_FULL))
        ...                         # let a client talk to server.url
        assert server.chats[0].json["messages"]
        assert server.load_counts == {"qwen2.5-coder:1.5b": 1}

It follows the rules of a real server (validation, context window, loading, streaming) and answers what no
script covers with made-up text. What it can be made to do is in `say`, `faults` and `wrappers`; to write a
new behaviour, read one of those and `acts`. As a process: `python -m tests.standin --model NAME`.
"""

from .acts import Act, Drop, Head, Wait, Wire
from .behaviour import Behaviour, Job
from .errors import ENGINE_GONE, ENGINE_STOPPED, QUEUE_FULL, TOO_LONG
from .faults import Body, Cut, EngineError, Error, Garbage, Hang, Raw, Redirect, Text
from .model import Message, Model, TemplateError, chatml, each_character, four_characters
from .options import LoadOptions
from .records import Load, Request
from .say import NO_COUNTERS, Endless, Say
from .server import StandIn
from .wrappers import Drip, Gzip, HugeHeaders, Mangle, Split, Together, WithHead

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
