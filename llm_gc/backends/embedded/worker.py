"""The engine's process: llama.cpp with one model, asked by lines on standard input. The only file that knows xllamacpp.

The engine has a process of its own because the package holds Python's lock while it loads, so that nothing else of a
program could move, and no time limit act, for as long as that takes; because it ends its process over what it does not
expect; and because it may wait for ever when it is taken down. It is run as a script, and imports nothing of llm-gc.

The first line on standard input says what to load (``Model`` below). Then each line is a request, or takes one back:

    {"id": 1, "kind": "chat" or "text", "body": {…}}      a request as OpenAI's API has it, streaming
    {"cancel": 1}                                         nothing more of it is wanted

Each line on standard output is a number, a blank and JSON: of the request with that number an event, or nothing when
it is over. Those of number 0 are the engine's own: ``{"loaded": {…}}`` or ``{"failed": "…"}``. What the engine logs
goes to standard error. The process ends when standard input does.
"""

import json
import os
import secrets
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    class Model(TypedDict):
        """What to load: the file, tokens of context for each of ``slots``, and how.

        ``threads`` are the numbers to choose from, by measuring; ``chats`` says whether the template will be used.
        ``socket`` is where the engine's own server listens, empty where it has to be a port.
        """

        path: str
        window: int
        slots: int
        threads: list[int]
        chats: bool
        socket: str


MEASURED, PATIENCE = 8, 1.5
"""The tokens by which numbers of threads are compared, and the seconds after which fewer will do."""

ERRORS = 1
"""How much the engine logs: errors alone."""


def main() -> None:
    """Load the model, then answer requests until standard input ends."""
    answers = _Answers()
    model = json.loads(sys.stdin.readline() or "null")
    if model is None:
        return
    try:
        server, threads = _load(model)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is reported, and the log says more
        answers.send(0, json.dumps({"failed": str(error) or type(error).__name__}))
        return
    answers.send(0, json.dumps({"loaded": {"threads": threads}}))
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            answers.cancel(message["cancel"])
        else:
            answers.begin(message["id"])
            threading.Thread(target=_answer, args=(server, answers, message), daemon=True).start()
    os._exit(0)  # requests may be under way: nobody wants their ends


class _Answers:
    """Writes what comes of requests."""

    def __init__(self) -> None:
        # what the engine prints of its own accord must not come between the lines
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._wanted: set[int] = set()

    def begin(self, number: int) -> None:
        self._wanted.add(number)

    def cancel(self, number: int) -> None:
        self._wanted.discard(number)

    def wants(self, number: int) -> bool:
        return number in self._wanted

    def send(self, number: int, data: str = "") -> None:
        with self._lock, suppress(BrokenPipeError):
            self._out.write(f"{number} {data}\n")
            self._out.flush()


def _answer(server: "Any", answers: _Answers, message: "dict[str, Any]") -> None:
    """Answer one request; that nothing more is wanted is seen at its next token."""
    number = message["id"]

    def take(data: str) -> bool:
        if answers.wants(number):
            answers.send(number, data)
        return not answers.wants(number)

    handle = server.handle_chat_completions if message["kind"] == "chat" else server.handle_completions
    try:
        handle(json.dumps(message["body"]), take)
    except Exception as error:  # noqa: BLE001  # the engine refuses a request by any kind of error
        answers.send(number, json.dumps({"error": {"message": str(error), "code": 400}}))
    answers.cancel(number)
    answers.send(number)


def _load(model: "Model") -> "tuple[Any, int]":
    """Load the model with the number of threads that writes fastest; return it, and that number."""
    choices = sorted(model["threads"])
    rates: dict[int, float] = {}
    server = None
    for number in choices:
        server = None  # the one before must be gone: there may not be memory for two
        server = _server(model, number)
        rates[number] = _rate(server, model)
    best = max(choices, key=lambda number: rates[number])
    if best != choices[-1]:
        server = None
        server = _server(model, best)
        _rate(server, model)
    return server, best


def _server(model: "Model", threads: int) -> "Any":
    """Return the engine with the model loaded.

    It insists on an HTTP server of its own. That listens on a socket in a folder that only this user may enter, and
    whose name is taken away as soon as it does; where there are no such sockets, on loopback, for a key nobody knows.
    """
    import xllamacpp  # type: ignore[import-not-found, import-untyped, unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = model["path"]
    params.n_ctx, params.n_parallel = model["window"] * model["slots"], model["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_batch = 512  # a request that is not wanted any more ends between two of these
    # how many threads there are must not decide what is said, and with flash attention it does
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.fit_params, params.warmup, params.kv_unified, params.ui = False, False, False, False
    params.cache_ram_mib = 0  # prompts of the past, kept beside the slots: memory would grow with each conversation
    params.verbosity = ERRORS
    params.api_keys = [secrets.token_urlsafe(32)]
    params.hostnames, params.port = [model["socket"] or "127.0.0.1"], 0
    if not model["chats"]:
        params.chat_template = "chatml"
    server = xllamacpp.Server(params)
    if model["socket"]:
        Path(model["socket"]).unlink()
    return server


def _rate(server: "Any", model: "Model") -> float:
    """Return how many tokens a second the engine writes.

    Asking it for some has other uses: pages of the file are read, and an engine that has answered once can be taken
    down, while one that has not may wait for ever.
    """
    times: list[float] = []

    def take(_: str) -> bool:
        times.append(time.monotonic())
        return times[-1] - times[0] > PATIENCE

    tokens = MEASURED if len(model["threads"]) > 1 else 1
    body = {"prompt": "a", "max_tokens": tokens, "stream": True, "ignore_eos": True, "cache_prompt": False}
    server.handle_completions(json.dumps(body), take)
    return (len(times) - 1) / max(times[-1] - times[0], 1e-9) if times else 0.0


if __name__ == "__main__":
    main()
