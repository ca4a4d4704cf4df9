"""Nothing that anybody else wrote steers a terminal or ends in a traceback: each command, each channel, each format."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from llm_gc.cli.commands import cli
from llm_gc.cli.output import Stream
from llm_gc.cli.registry import COMMANDS
from tests.cli.terminal import Terminal
from tests.commands import ROOT, command, environ
from tests.hostile import CONTROLS, DEEP, HOSTILE, NAME, NUMBERS, ODD, Attack, Leaf, keys, leaves, with_key, with_value
from tests.inside import called
from tests.standin import EngineError, Error, Model, Raw, Say, StandIn

REHEARSED = ("--backend", "rehearsal")
PIPELINE: dict[str, Any] = {
    "name": "h",
    "description": "About nothing.",
    "inputs": {"task": {"description": "What to do.", "default": "x"}, "kind": {"enum": ["a", "b"], "default": "a"}},
    "roles": {
        "anna": {
            "model": "m",
            "label": "Anna",
            "prompt": "You are {{ kind }}.",
            "description": "Leads.",
            "num_ctx": 2048,
        },
        "ben": {"model": "m2", "host": "http://127.0.0.1:1", "prompt": "{{ task }}", "options": {"top_k": 3}},
        "carl": {"model": "m", "format": {"type": "object", "properties": {"a": {"type": "string"}}}},
    },
    "opening": "Do {{ task }}",
    "limits": {"timeout": "3s", "max_turns": 5},
    "stop": [{"role": "ben", "token": "DONE"}],
    "turns": [
        "anna",
        {"say": "ben", "instruction": "Go on."},
        {"repeat": [{"choose": ["anna", "ben"], "by": "ben"}], "times": 2},
        {"set": {"v": "last"}},
        {"say": "carl"},
        {"post": "hello {{ v }}"},
        {"end": "finished"},
    ],
    "result": "{{ v }}",
}
"""A pipeline with a bit of everything; each of its values and keys is replaced in turn."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with M1, its prompts and a session."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pipelines").mkdir()
    shutil.copy(ROOT / "pipelines" / "m1.yaml", folder / "pipelines")
    shutil.copytree(ROOT / "prompts" / "m1", folder / "prompts" / "m1")
    assert called("run", "m1", "--task", "x", *REHEARSED, cwd=folder).code == 0
    return folder


@pytest.fixture
def attack(project: Path, tmp_path: Path) -> Iterator[Attack]:
    """An attack in a copy of the project; it must have found nothing."""
    attack = Attack(shutil.copytree(project, tmp_path / "project"))
    yield attack
    attack.check()


def transcript(attack: Attack) -> Any:
    """Return the transcript of the project as plain data."""
    return json.loads(next((attack.folder / "sessions").glob("*.json")).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments(attack: Attack, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As argument, as option, and as the value of every option, before and after something that is right."""
    loaded = cli.get_command(click.Context(cli), name)
    assert loaded is not None
    monkeypatch.setenv("XDG_CACHE_HOME", str(attack.folder / "cache"))
    alone = ("--offline",) if name == "demo" else ()  # nothing is fetched, and no model is here: the stand-in speaks
    for args in ((HOSTILE,), (HOSTILE, HOSTILE), (f"--{HOSTILE}",), ("m1", HOSTILE), (f"-{HOSTILE}", "m1")):
        attack.call(name, *args)
    valued = [param for param in loaded.params if isinstance(param, click.Option) and not param.is_flag]
    for option in (option for param in valued for option in param.opts):
        for target in ((), ("m1", "--task", "x"), ("last",)):
            backend = REHEARSED if name == "run" and option != "--backend" else ()
            attack.call(name, *alone, *target, *backend, option, HOSTILE)


def test_inputs(attack: Attack) -> None:
    """What a user or a program hands in is shown, and is text."""
    task = ("m1", "--task", HOSTILE)
    attack.call("run", *task, *REHEARSED)
    attack.call("run", *task, *REHEARSED, "--quiet")
    attack.call("show", "last")
    attack.call("plan", *task, "--requests")
    attack.call("plan", *task, "--json")
    attack.call("rehearse", *task, "--max-states", "50")
    for form in ("text", "json", "github", "sarif"):
        attack.call("validate", "-", "--format", form, stdin=f"name: {HOSTILE}")
        attack.call("validate", "-", "--format", form, stdin=HOSTILE)


FILES = {
    ".yaml": "name: a\nroles: {r: {model: m}}\nturns: [r]\nopening: x\n",
    "2.yaml": "name: a\nroles: {r: {model: m, nope: 1}}\nturns: [q]\nopening: '{{ zz }}'\n",
    "3.yaml": "a: [1",
    "4.yaml": "just: text",
    "5.yaml": "name: a\nroles: {r: {model: m}}\nturns: [r]\nopening: nope.md\n",
    ".test.yaml": "cases: [{name: x, replies: [a], expect: {turns: 3}}]",
    "9.test.yaml": "cases: 3",
}


@pytest.mark.skipif(os.name == "nt", reason="names of files are tamer there")
def test_names_of_files(attack: Attack) -> None:
    """Of pipelines, tests, prompts, sessions, reports, and of the folders in which they are."""
    folder = attack.folder / NAME
    for kind, ending, text in (
        ("prompts", ".md", "{{ x"),
        ("sessions", ".json", "{}"),
        ("sessions", ".jsonl", "{}\n{"),
    ):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{NAME}{ending}").write_text(text, encoding="utf-8")
    (folder / "pipelines").mkdir()
    stem = str(folder / "pipelines" / NAME)
    for ending, text in FILES.items():
        Path(stem + ending).write_text(text, encoding="utf-8")
        file = stem + ending
        for args in (("plan",), ("rehearse",), ("graph",), ("test",), ("schema", "--resolved"), ("run", *REHEARSED)):
            attack.call(*args, file)
            attack.call(*args, file, "--help")
        for form in ("text", "json", "github", "sarif"):
            attack.call("validate", "--format", form, file)
    for args in (("validate",), ("validate", "--jobs", "2"), ("test", "-v", "--cover"), ("replay",)):
        attack.call(*args, str(folder))
    attack.call("run", f"{stem}.yaml", *REHEARSED, "--sessions", str(folder / "more"))
    for sessions in ("sessions", "more"):
        for call in (["ls"], ["ls", "--json"], ["show", "last"], ["show", "last", "--html", str(folder / "page")]):
            attack.call(*call, "--sessions", str(folder / sessions))
    attack.call("replay", str(folder / "more"))
    attack.call("rehearse", f"{stem}.yaml", "--write-tests", f"{stem}6.test.yaml")
    attack.call("test", str(folder), "--junit", f"{stem}.xml")


ODD_YAML = [".inf", ".nan", "&a [*a]", "*b", "!!set {a}", "!!binary aGk=", '"\\u0000.md"', '"\\ud800"', "12:30:45", "~"]


def on_pipeline(attack: Attack, text: str, about: object) -> None:
    """Call every command that reads a pipeline on one, and on its test."""
    (attack.folder / "pipelines" / "h.yaml").write_text(text, encoding="utf-8")
    for args in (
        ("validate", "pipelines/h.yaml"),
        ("validate", "pipelines/h.yaml", "--format", "github"),
        ("validate", "pipelines/h.yaml", "--format", "sarif"),
        ("run", "pipelines/h.yaml", "--help"),
        ("run", "pipelines/h.yaml", *REHEARSED),
        ("plan", "pipelines/h.yaml", "--requests"),
        ("graph", "pipelines/h.yaml"),
        ("schema", "--resolved", "pipelines/h.yaml"),
        ("test", "pipelines/h.yaml"),
        ("rehearse", "pipelines/h.yaml", "--max-states", "30"),
    ):
        attack.call(*args, about=about)


def hostile_pipelines() -> list[tuple[object, str]]:
    """Return the pipeline with a hostile text in every place, as a value and as a key."""
    values = [(path, with_value(PIPELINE, path, json.dumps(f"a{HOSTILE}"))) for path, _ in leaves(PIPELINE)]
    return values + [((path, "key"), with_key(PIPELINE, path, f"a{HOSTILE}")) for path in keys(PIPELINE)]


def test_texts_of_a_pipeline(attack: Attack) -> None:
    """In a value or a key that a stranger wrote: a part of all places each time, always the same."""
    case = {"name": HOSTILE, "replies": [HOSTILE], "expect": {"turns": 9, "last": HOSTILE}}
    (attack.folder / "pipelines" / "h.test.yaml").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    on_pipeline(attack, json.dumps(PIPELINE), "as it is")
    inputs = [("inputs", name, "key") for name in PIPELINE["inputs"]]
    for about, text in [*hostile_pipelines()[::4], *((path, with_key(PIPELINE, path[:2], HOSTILE)) for path in inputs)]:
        on_pipeline(attack, text, about)


@pytest.mark.slow
def test_all_texts_of_a_pipeline(attack: Attack) -> None:
    """In every place."""
    for about, text in hostile_pipelines():
        on_pipeline(attack, text, about)


@pytest.mark.slow
def test_odd_values_in_a_pipeline(attack: Attack) -> None:
    """Numbers that are none, lists for texts, a thousand brackets: each place, and some of the values."""
    chance = random.Random(1)
    for path, _ in leaves(PIPELINE):
        for value in chance.sample([*ODD, *ODD_YAML], 8):
            on_pipeline(attack, with_value(PIPELINE, path, value), (path, value[:20]))


def on_session(attack: Attack, text: str, about: object) -> None:
    """Call every command that reads a session on one, which is in a folder beside a sound one."""
    sound = next((attack.folder / "sessions").glob("*.json"))
    folder = attack.folder / "other"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(sound, folder / "20200101T000000Z-sound.json")
    session = folder / "20300101T000000Z-odd.json"
    session.write_text(text, encoding="utf-8")
    for more in ((), ("--json",)):
        assert "20200101T000000Z-sound" in attack.call("ls", "--sessions", "other", *more, about=about).out
    name = str(session)
    for args in (
        ("show", name),
        ("show", name, "--json"),
        ("show", name, "--turn", "1", "--request", "--thinking"),
        ("show", name, "--markdown", "-"),
        ("show", name, "--html", "-"),
        ("diff", name, str(sound)),
        ("replay", name),
        ("run", "--from", name, "--turn", "2", *REHEARSED, "--sessions", "forked"),
        ("resume", name),
    ):
        attack.call(*args, about=about)


def shapes(data: Any) -> dict[Leaf, Leaf]:
    """Return the path of one leaf of each kind: of those that differ only in their places in lists, the first."""
    kinds: dict[Leaf, Leaf] = {}
    for path, _ in leaves(data):
        kinds.setdefault(tuple(0 if isinstance(step, int) else step for step in path), path)
    return kinds


def test_texts_of_a_transcript(attack: Attack) -> None:
    """In one field of each kind."""
    data = transcript(attack)
    for path in [*shapes(data).values()][::3]:
        on_session(attack, with_value(data, path, json.dumps(HOSTILE)), path)


def test_odd_numbers_in_a_transcript(attack: Attack) -> None:
    """Infinite, not a number, beyond all counters, nested: the session may be unreadable, and only that one."""
    data, chance = transcript(attack), random.Random(1)
    numbers = [path for path in shapes(data).values() if isinstance(dict(leaves(data))[path], (int, float))]
    for path in numbers:
        for value in chance.sample([*NUMBERS, DEEP, "null", '"x"'], 2):
            on_session(attack, with_value(data, path, value), (path, value[:20]))


@pytest.mark.slow
def test_everything_in_every_field_of_a_transcript(attack: Attack) -> None:
    """Hostile texts and odd values, in all fields."""
    data, chance = transcript(attack), random.Random(1)
    for path, _ in leaves(data):
        for value in [json.dumps(HOSTILE), *chance.sample(ODD, 3)]:
            on_session(attack, with_value(data, path, value), (path, value[:20]))


def test_a_journal_with_odd_lines(attack: Attack) -> None:
    """As in a transcript: one that cannot be read breaks nothing else."""
    data = transcript(attack)
    header = {
        key: value for key, value in data.items() if key not in ("turns", "texts", "totals", "status", "ended_by")
    }
    for value in [*ODD, json.dumps(HOSTILE)]:
        turn = with_value(data["turns"][0], ("tokens", "prompt"), value).replace("\n", "")
        calls = with_value({**data["turns"][0], "tool_calls": [0]}, ("tool_calls", 0), value).replace("\n", "")
        for line in (turn, calls):
            journal = f'{json.dumps({"start": header})}\n{{"turn": {line}, "texts": {json.dumps(data["texts"])}}}\n'
            on_session(attack, journal, value[:20])
            attack.call("resume", "other/20300101T000000Z-odd.json", "--anyway", *REHEARSED)


def test_a_session_with_a_tool_call_that_is_nested_too_deeply(attack: Attack) -> None:
    """Can be shown, replayed and continued: nobody ever acts on such a call."""
    data = transcript(attack)
    data["turns"][0]["tool_calls"] = [0]
    text = with_value(data, ("turns", 0, "tool_calls", 0), DEEP)
    (attack.folder / "sessions" / "20300101T000000Z-deep.json").write_text(text, encoding="utf-8")
    for args in (("show", "last"), ("show", "last", "--json"), ("replay", "last"), ("resume", "last")):
        assert attack.call(*args).code == 0
    fork = ("run", "--from", "last", "--turn", "2", *REHEARSED)
    assert attack.call(*fork).code == 0


def reply(**more: Any) -> bytes:
    """Return a line of a reply."""
    return json.dumps({"model": "m", "done": False, **more}).encode() + b"\n"


def streamed(*lines: bytes) -> Raw:
    """Return a streamed answer of these lines."""
    return Raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n" + b"".join(lines))


def nested(depth: int) -> bytes:
    """Return a line of a reply that calls a tool, with an argument that is so deep."""
    return reply(message={"content": "hi", "tool_calls": "@"}).replace(b'"@"', b"[" * depth + b"1" + b"]" * depth)


LAST = reply(message={"content": ""}, done=True, done_reason="stop", eval_count=3).replace(b"false", b"true")
PIECE = reply(message={"content": "hi"})
COUNTERS = ("eval_count", "prompt_eval_count", "eval_duration", "total_duration", "load_duration")
ANSWERS = {
    "a reply": Say(HOSTILE),
    "an error": Error(500, HOSTILE),
    "not found": Error(404, HOSTILE),
    "an error in the middle": EngineError(HOSTILE),
    "another model": streamed(reply(model=HOSTILE, message={"content": HOSTILE, "thinking": HOSTILE}), LAST),
    "an error line": streamed(json.dumps({"error": HOSTILE}).encode()),
    "a reason": streamed(PIECE, LAST.replace(b'"stop"', json.dumps(HOSTILE).encode())),
    "a tool": streamed(reply(message={"content": "hi", "tool_calls": [{"function": {"name": HOSTILE}}]}), LAST),
    "no JSON": streamed(HOSTILE.encode()),
    "no text": streamed(b"\xff\xfe\x00\x9b"),
    "no HTTP": Raw(HOSTILE.encode()),
    "a status line": Raw(b"HTTP/1.1 500 " + HOSTILE.encode() + b"\r\n\r\n"),
    **{f"a tool nested {depth} deep": streamed(nested(depth), LAST) for depth in (63, 64, 70, 500, 900, 5000)},
    **{
        f"{counter} {number[:8]}": streamed(PIECE, LAST.replace(b'"eval_count": 3', f'"{counter}": {number}'.encode()))
        for counter in COUNTERS
        for number in NUMBERS
    },
}


@pytest.mark.parametrize("about", ANSWERS)
def test_what_a_server_answers(attack: Attack, about: str) -> None:
    """Is shown, recorded and read again without harm."""
    text = "name: p\nroles: {a: {model: m, prompt: hi}, b: {model: m, prompt: hi}}\nopening: x\nturns: [a, b]\n"
    (attack.folder / "p.yaml").write_text(f"{text}limits: {{retries: 0, timeout: 3s}}\n", encoding="utf-8")
    with StandIn([Model("m")]) as server:
        server.script(ANSWERS[about], *[Say("two")] * 5)
        attack.call("run", "p.yaml", "--host", server.url, "--sessions", "s")
        for args in (("--json",), ("--html", "-", "--thinking"), ("--markdown", "-"), ("--turn", "1", "--thinking")):
            attack.call("show", "last", *args, "--sessions", "s")
        for call in (["replay", "last"], ["ls"], ["diff", "last", "last", "--json"], ["resume", "last"]):
            attack.call(*call, "--sessions", "s")


@pytest.mark.parametrize("path", ["/api/tags", "/api/show", "/api/version", "/api/ps"])
def test_what_a_server_says_of_itself(attack: Attack, path: str) -> None:
    """Names, sizes, versions and errors."""
    model = {"name": HOSTILE, "model": HOSTILE, "size": 10**30, "digest": HOSTILE, "details": {"family": HOSTILE}}
    about = {"models": [model], "version": HOSTILE, "capabilities": [HOSTILE], "model_info": {HOSTILE: HOSTILE}}
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    with StandIn([Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b")]) as server:
        for answer in (Error(500, HOSTILE), Raw(HOSTILE.encode()), Raw(head + json.dumps(about).encode())):
            for args in (("doctor", "m1"), ("doctor", "m1", "--json"), ("run", "m1", "--task", "x")):
                server.intercept(path, *[answer] * 3)
                attack.call(*args, "--host", server.url, about=answer)


def steers(shown: str) -> str:
    """Return what of the texts of others got through to a terminal: all escapes of our own are known."""
    left = re.sub(r"\x1b\[(\?25[lh]|\?1[lh]|\?7[lh]|\?12l|\?2004[lh]|[0-9;]*[mKJABCDH])", "", shown)
    return "".join(sorted({one for one in left if ord(one) in CONTROLS} - {"\r"}))


def test_a_person_is_asked(tmp_path: Path) -> None:
    """By the prompt, the menu and what is shown above them."""
    roles = {
        "anna": {"model": "m", "description": HOSTILE, "prompt": "x"},
        "chair": {"human": True, "label": f"Chair{HOSTILE}", "prompt": HOSTILE},
    }
    turns = [{"choose": ["anna", "chair"], "by": "chair"}]
    pipeline = {"name": "h", "roles": roles, "opening": HOSTILE, "turns": turns}
    (tmp_path / "h.yaml").write_text(json.dumps(pipeline), encoding="utf-8")
    environment = environ(PROMPT_TOOLKIT_NO_CPR="1")
    terminal = Terminal(command("run", "h.yaml", *REHEARSED), tmp_path, environment, columns=300, lines=100)
    terminal.answer("name)>", "1\r")
    shown = terminal.read()
    assert terminal.code == 0
    assert "]52;" in shown
    assert steers(shown) == ""


def test_what_is_shown_in_a_terminal(attack: Attack) -> None:
    """While a model is waited for, thinks and speaks, and when it is shown again."""
    role = {"model": "m", "label": f"Anna{HOSTILE}", "prompt": "hi", "think": True}
    pipeline = {"name": "p", "roles": {"a": role}, "opening": "x", "turns": ["a", "a"]}
    (attack.folder / "p.yaml").write_text(json.dumps(pipeline), encoding="utf-8")
    thinking = reply(model=HOSTILE, message={"content": "", "thinking": HOSTILE})
    with StandIn([Model("m", capabilities=("completion", "thinking"))]) as server:
        server.script(streamed(thinking, reply(message={"content": HOSTILE}), LAST), Error(400, HOSTILE))
        run = ("run", "p.yaml", "--host", server.url, "--thinking", "--sessions", "s")
        for args in (
            run,
            ("show", "last", "--thinking", "--sessions", "s"),
            ("validate", "p.yaml"),
            ("doctor", "p.yaml"),
        ):
            terminal = Terminal(command(*args), attack.folder, environ())
            shown = terminal.read()
            assert steers(shown) == "", args
            assert args[0] not in ("run", "show") or "]52;" in shown
    attack.call("ls")


class Screen(io.StringIO):
    """A terminal, as far as what draws in it can tell."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def test_a_download_is_shown_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name and what the server says of it."""
    monkeypatch.setenv("TERM", "xterm")
    shown, stream = Screen(), Stream("stderr")
    stream.keep(shown)
    with stream.bars() as bars:
        bars.show(HOSTILE, "part", status=HOSTILE, total=10, done=3)
    stream.spinner(HOSTILE).stop()
    stream.status(HOSTILE)
    assert shown.getvalue().count("]52;") > 2
    assert steers(shown.getvalue()) == ""
