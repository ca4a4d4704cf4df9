"""The stand-in server against the recorded answers of a real one, and its promises to tests."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.standin import Act, Behaviour, Drip, Endless, Hang, Head, Job, Model, Say, StandIn, Wait
from tests.standin.behaviours import MODELS, Exchange, behaviour, exchanges
from tests.standin.client import MODEL, Answer, ask, asking, chat, everything, plug, said
from tests.standin.server import PATIENCE

SECOND = 1_000_000_000
OTHER = "other:latest"
OPEN_FILES = Path("/proc/self/fd")

EXACT = {"error", "content", "response", "done", "done_reason", "finish_reason"}
EXACT |= {"prompt_eval_count", "eval_count", "prompt_tokens", "completion_tokens", "total_tokens"}
"""The keys whose values must be equal, not only of one type."""

LOADS_FIRST = {"ps"}
"""Recorded while a model was loaded."""


@pytest.fixture
def server() -> Iterator[StandIn]:
    """Two models."""
    with StandIn([Model(MODEL), Model(OTHER)]) as server:
        yield server


@pytest.mark.parametrize("exchange", exchanges(), ids=lambda exchange: str(exchange["case"]))
def test_recorded_exchange(exchange: Exchange) -> None:
    """As a real server answered: status, headers, keys, types, errors, words and counts."""
    wanted, request = exchange["response"], exchange["request"]
    body = request["body"] if request["raw_body"] is None else request["raw_body"].encode()
    with StandIn(MODELS) as server:
        if exchange["case"] in LOADS_FIRST:
            chat(server, model="gotmpl", messages=[])
        server.script(behaviour(exchange))
        answer = ask(server, request["method"], request["path"], body)
    assert answer.status == wanted["status"]
    assert answer.headers["Content-Type"] == wanted["content_type"]
    assert answer.headers["Transfer-Encoding"] == wanted["transfer_encoding"]
    assert outline(answer.text) == outline(wanted["body"])


def outline(body: str) -> list[Any]:
    """What must be equal in two answers, line by line."""
    lines = body.split("\n")
    return [form(json.loads(line.removeprefix("data: "))) if "{" in line else line for line in lines]


def form(value: Any, key: str = "") -> Any:
    """The keys and types of a JSON value; a list has the different forms of its items."""
    if isinstance(value, dict):
        return {name: form(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        forms = [form(item) for item in value]
        return [item for index, item in enumerate(forms) if item not in forms[:index]]
    return value if key in EXACT else type(value).__name__


def test_requests_are_recorded(server: StandIn) -> None:
    """Every request is there, as it was received, and those that generate once more."""
    before = time.monotonic()
    ask(server, "GET", "/api/version?x=1", headers={"X-Test": "yes"})
    ask(server, "POST", "/api/chat", b"{broken")
    chat(server, "Hi", stream=False)
    version, broken, hi = server.wait_for_requests(3)
    assert (version.method, version.path, version.headers["x-test"], version.json) == (
        "GET",
        "/api/version",
        "yes",
        None,
    )
    assert (broken.raw, broken.json) == (b"{broken", None)
    assert hi.json == said("Hi", stream=False)
    assert before <= version.arrived_at <= hi.arrived_at <= time.monotonic()
    assert server.chats == [hi]
    assert hi.answered.wait(PATIENCE)
    assert not hi.gone.is_set()


def test_waiting_in_vain(server: StandIn) -> None:
    """Waiting for what does not come ends with an error that tells what came."""
    chat(server)
    with pytest.raises(TimeoutError, match="POST /api/chat"):
        server.wait_for_chats(2, timeout=0.01)


def test_bounded_memory() -> None:
    """Only as many requests are remembered as asked for."""
    with StandIn([Model(MODEL)], remember=2) as server:
        for text in "abc":
            chat(server, text)
        assert [request.json["messages"][0]["content"] for request in server.requests] == ["b", "c"]


@pytest.mark.parametrize(
    ("first", "second", "loads"),
    [
        ({}, {}, 1),
        ({"options": {"num_ctx": 1024}}, {"options": {"num_ctx": 1024, "seed": 1, "num_keep": 9}}, 1),
        ({"options": {"num_ctx": 4096}}, {}, 1),
        ({"options": {"num_ctx": 99999}}, {"options": {"num_ctx": 4096}}, 1),
        ({}, {"options": {"num_gpu": -1, "stop": ["x"]}, "think": False, "keep_alive": 9}, 1),
        ({"options": {"num_gpu": 3}}, {}, 1),
        ({"options": {"num_ctx": 1024}}, {}, 2),
        ({}, {"options": {"num_ctx": 1024}}, 2),
        ({}, {"options": {"num_batch": 256}}, 2),
        ({}, {"options": {"num_gpu": 3}}, 2),
        ({}, {"options": {"main_gpu": 1}}, 2),
        ({}, {"options": {"use_mmap": False}}, 2),
        ({}, {"options": {"num_thread": 2}}, 2),
        ({}, {"options": {"draft_num_predict": 2}}, 2),
        ({}, {"shift": False}, 2),
    ],
)
def test_reloads(server: StandIn, first: dict[str, Any], second: dict[str, Any], loads: int) -> None:
    """A change of a load option loads the model again, nothing else does."""
    chat(server, **first)
    chat(server, **second)
    assert server.load_counts == {MODEL: loads}
    assert (server.loads[0].options == server.loads[-1].options) == (loads == 1)


def test_room_for_one_model() -> None:
    """Where only one model fits, taking turns loads each time."""
    with StandIn([Model(MODEL), Model(OTHER)], max_loaded=1) as server:
        for model in (MODEL, OTHER, OTHER, MODEL):
            chat(server, model=model)
        assert [load.model for load in server.loads] == [MODEL, OTHER, MODEL]


def test_loading_takes_time() -> None:
    """A load is silence before the first byte, once, and it is told in load_duration."""
    with StandIn([Model(MODEL, load_seconds=0.15)]) as server:
        cold, _ = chat(server, stream=False), chat(server)
        assert cold.seconds[0] >= 0.15
        assert cold.json["load_duration"] >= 0.15 * SECOND
        assert server.load_counts == {MODEL: 1}


def test_loaded_models() -> None:
    """/api/ps tells which models are loaded, with which window; keep_alive says for how long."""
    times = [0.0]
    with StandIn([Model(MODEL), Model(OTHER)], seconds=lambda: times[-1]) as server:
        chat(server, options={"num_ctx": 1024}, keep_alive=-1)
        chat(server, model="other", messages=[], keep_alive="150ms")
        loaded = ask(server, "GET", "/api/ps").json["models"]
        assert [(model["name"], model["context_length"]) for model in loaded] == [(OTHER, 4096), (MODEL, 1024)]
        assert loaded[1]["expires_at"] > "2300"
        times.append(0.2)
        assert [model["name"] for model in ask(server, "GET", "/api/ps").json["models"]] == [MODEL]
        assert chat(server, messages=[], keep_alive=0).json["done_reason"] == "unload"
        chat(server, model="other", keep_alive=0)
        assert ask(server, "GET", "/api/ps").json == {"models": []}
        chat(server, options={"num_ctx": 1024})
        assert server.load_counts == {MODEL: 2, OTHER: 2}


def together(count: int, ask_one: Callable[[], Answer]) -> list[Answer]:
    """The answers of so many requests at the same time."""
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(ask_one())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class Crowd(Behaviour):
    """Replies that begin when all are there who can be at once; it counts them."""

    def __init__(self, slots: int) -> None:
        self.slots, self.now, self.most = slots, 0, 0

    def acts(self, job: Job) -> Iterator[Act]:
        self.now += 1
        self.most = max(self.most, self.now)
        while self.most < self.slots:
            yield Wait(0.001)
        yield from Say("x", before=0.02).acts(job)
        self.now -= 1


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_slots(slots: int) -> None:
    """As many replies as a model has slots are made at once, and no more; the others wait for one."""
    crowd = Crowd(slots)
    with StandIn([Model(MODEL, slots=slots)], reply=lambda job: crowd) as server:
        answers = together(3, lambda: chat(server))
    assert [answer.contents for answer in answers] == [["x", ""]] * 3
    assert crowd.most == slots


def test_waiting_for_a_slot_is_told_by_the_total_alone() -> None:
    """No other figure has it in it."""
    parts = ("load_duration", "prompt_eval_duration", "eval_duration")
    with StandIn([Model(MODEL, slots=1)]) as server:
        server.script(Hang(), Say("x"))
        answers: list[Answer] = []
        waiting = threading.Thread(target=lambda: answers.append(chat(server, stream=False)))
        with plug(server):
            server.wait_for_chats(1)
            waiting.start()
            server.wait_for_chats(2)
            time.sleep(0.1)
        waiting.join()
    figures = answers[0].json
    assert figures["total_duration"] - sum(figures[part] for part in parts) >= 0.05 * SECOND


def test_full_queue() -> None:
    """Too many requests that wait for a load are turned away at once."""
    with StandIn([Model(MODEL, load_seconds=60)], max_queue=1) as server, plug(server), plug(server):
        server.wait_for_chats(2)
        assert [chat(server).status for _ in range(2)] == [503, 503]


@pytest.mark.parametrize(
    "waiting",
    [
        Hang(),
        Hang(Say("one two"), lines=1),
        Say("x", before=60),
        Say("one two", gap=60),
        Endless(),
        Drip(Say("one"), 60),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [True, False])
def test_client_goes_away(server: StandIn, waiting: Behaviour, stream: bool) -> None:
    """A client that leaves is noticed at once, and its slot is free for the next one."""
    server.script(waiting)
    with plug(server, said(stream=stream)):
        (request,) = server.wait_for_chats(1)
        assert not request.gone.wait(0.03)
    assert request.gone.wait(PATIENCE)
    assert not request.answered.is_set()
    assert chat(server).status == 200


def test_client_goes_away_while_it_waits() -> None:
    """So is one that waits for a load, which ends with it, or for a slot."""
    with StandIn([Model(MODEL), Model(OTHER, load_seconds=60)]) as server:
        with plug(server, said(model=OTHER)):
            server.wait_for_chats(1)
        assert server.chats[0].gone.wait(PATIENCE)
        assert not server.loads
        server.script(Hang(), Say("never"))
        with plug(server):
            server.wait_until(lambda: len(server.loads) == 1)
            with plug(server):
                server.wait_for_chats(3)
            assert server.chats[2].gone.wait(PATIENCE)
            assert not server.chats[1].gone.is_set()


class Counted(Behaviour):
    """An endless body that counts its pieces."""

    pieces = 0

    def acts(self, job: Job) -> Iterator[Act]:
        yield Head()
        while True:
            self.pieces += 1
            yield b"x" * 100_000


def test_client_does_not_read(server: StandIn) -> None:
    """A client that reads nothing stops an endless reply, and is noticed when it leaves."""
    endless = Counted()
    server.script(endless)
    with plug(server):
        (request,) = server.wait_for_chats(1)
        sent = -1
        while sent != endless.pieces < 1000:  # until no more of it is taken
            sent = endless.pieces
            assert not request.gone.wait(0.1)
        assert sent == endless.pieces
    assert request.gone.wait(PATIENCE)


def test_quick_shutdown() -> None:
    """The end of the server waits for nobody: not for a hang, a load, a slot or a slow client."""
    with ExitStack() as clients, StandIn([Model(MODEL), Model(OTHER, load_seconds=60)]) as server:
        server.script(Hang(Say("x"), lines=1), Say("waits"), model=MODEL)
        for body in (said(), said(), said(model=OTHER), said(model=OTHER)):
            clients.enter_context(plug(server, body))
        server.wait_for_chats(4)
        clients.enter_context(asking(server, "GET", "/api/tags"))
    assert not server.load_counts[OTHER]
    assert not any(chat.answered.is_set() for chat in server.chats)
    assert not any(request.gone.is_set() for request in server.requests)


def test_own_mistakes_are_not_hidden() -> None:
    """A script that fails makes its test fail."""

    def broken(job: Job) -> Behaviour:
        raise ZeroDivisionError

    models = [Model(MODEL)]
    with pytest.raises(ZeroDivisionError), StandIn(models, reply=broken) as server, plug(server) as bare:
        assert everything(bare) == b""


def test_pulling() -> None:
    """What is in the library can be pulled; what is not fails after the status was sent."""
    with StandIn(library=[Model(MODEL)]) as server:
        assert ask(server, "GET", "/api/tags").json == {"models": []}
        missing = ask(server, "POST", "/api/pull", {"model": "absent"})
        assert missing.status == 200
        assert missing.lines[-1] == {"error": "pull model manifest: file does not exist"}
        assert ask(server, "POST", "/api/pull", {"model": "absent", "stream": False}).status == 500
        statuses = [line["status"] for line in ask(server, "POST", "/api/pull", {"model": MODEL}).lines]
        assert (statuses[0], statuses[-1]) == ("pulling manifest", "success")
        assert chat(server).status == 200


def test_http(server: StandIn) -> None:
    """Connections are kept, bodies may be chunked, requests may come in a row; nonsense is refused."""
    chunked = b"POST /api/show HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}x\r\n0\r\n\r\n"
    last = b"GET /api/version HTTP/1.1\r\nConnection: close\r\n\r\n"
    before = server.connections
    with plug(server) as bare:
        bare.sendall(chunked[:50])
        time.sleep(0.01)
        bare.sendall(chunked[50:] + b"GET / HTTP/1.1\r\n\r\n" + last)
        assert everything(bare).count(b"HTTP/1.1") == 4
    assert server.connections == before + 1
    with plug(server) as bare:
        bare.sendall(b"what?\r\n\r\n")
        assert b"400 Bad Request" in everything(bare)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process(number: signal.Signals) -> None:
    """As a process it prints its URL, answers, and ends without a word when it is told to."""
    models = ["--model", f"{MODEL}:2048", "--model", "plain"]
    command = [sys.executable, "-m", "tests.standin", *models, "--reply", "One.", "Two."]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=root, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline().strip().removeprefix("http://127.0.0.1:"))
        tags = ask(port, "GET", "/api/tags").json["models"]
        replies = [chat(port, stream=False).json["message"]["content"] for _ in range(3)]
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE)
    windows = {model["name"]: model["details"]["context_length"] for model in tags}
    assert windows == {MODEL: 2048, "plain:latest": 4096}
    assert replies == ["One.", "Two.", "One."]
    assert (process.returncode, output, errors) == (0, "", "")


def test_taken_port(server: StandIn) -> None:
    """A port that is taken is an error, not a hang."""
    with pytest.raises(OSError, match="in use"), StandIn(port=server.port):
        pass


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="this system does not tell which files are open")
def test_nothing_open_afterwards() -> None:
    """A server that has ended has left nothing open."""
    before = len(list(OPEN_FILES.iterdir()))
    for _ in range(5):
        with StandIn([Model(MODEL)]) as server, plug(server):
            server.script(Hang())
            server.wait_for_chats(1)
    assert len(list(OPEN_FILES.iterdir())) <= before
