"""What is known before the first turn, and models that cannot be loaded: one clear sentence each."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm_gc.backends.embedded import engine, machine
from llm_gc.backends.embedded.backend import Embedded
from llm_gc.backends.interface import Loading, ModelFacts, Progress
from llm_gc.errors import LlmGcError, ModelMissing, ServerError, ServerUnreachable
from llm_gc.protocol import ModelConfig
from tests import tiny_gguf
from tests.backends.embedded.asking import (
    TINY,
    casting,
    embedded,
    facts,
    needs_engine,
    processes,
    question,
    sent,
    with_engine,
)
from tests.commands import environ


@needs_engine
def test_facts_are_those_of_the_file(tiny: Path) -> None:
    """The digest of the file, both windows, what the model can do, and the engine's version."""
    found = facts(embedded(tiny.parent), [casting(needs=100), casting(options={"num_ctx": 512})])
    digest = f"sha256:{hashlib.sha256(tiny.read_bytes()).hexdigest()}"
    assert found.models == {(None, TINY): ModelFacts(digest, ("completion",), 512, 4096)}
    assert found.backend == "embedded"
    assert (found.server or "").startswith("xllamacpp 20")
    assert found.warnings == ()


@needs_engine
def test_a_window_that_nobody_gives_is_what_can_be_needed(tmp_path: Path, made: Path) -> None:
    """From 4,096 to 8,192 tokens, and no more than the model was trained for; too little is said."""
    tiny_gguf.write(tmp_path / "wide.gguf", window=16384)
    wide = facts(embedded(tmp_path), [casting("wide.gguf", needs=5000)])
    assert wide.models[None, "wide.gguf"].num_ctx == 8192
    narrow = facts(embedded(made.parent), [casting(needs=9000)])
    assert narrow.models[None, TINY].num_ctx == 4096
    assert any("the conversation can need 9,000" in warning for warning in narrow.warnings)
    beyond = facts(embedded(made.parent), [casting(options={"num_ctx": 8000})])
    assert any("trained for a window of 4,096" in warning for warning in beyond.warnings)


@needs_engine
def test_what_will_be_passed_over_is_said(tmp_path: Path) -> None:
    """Options that the engine does not have, thinking of a model that cannot, a host, a missing template."""
    tiny_gguf.write(tmp_path / TINY, template=None)
    cast = casting(host="http://gpu", think=True, options={"mirostat": 1})
    warnings = " ".join(facts(embedded(tmp_path), [cast]).warnings)
    for words in ("not told of mirostat", "cannot think", "`host` is for roles", "has no chat template"):
        assert words in warnings


@needs_engine
def test_a_model_that_can_think_is_known_by_its_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told whether to; where a role says nothing it is told not to."""
    template = tiny_gguf.CHATML + "{% if not enable_thinking %}{{ '<think></think>' }}{% endif %}"
    tiny_gguf.write(tmp_path / TINY, template=template)
    bodies = sent(monkeypatch)

    async def go(backend: Embedded) -> None:
        for think in (None, True, "low"):
            await backend.reply(question(cast=casting(think=think)))

    with_engine(embedded(tmp_path), go)
    assert [body["chat_template_kwargs"] for body in bodies] == [
        {"enable_thinking": False},
        {"enable_thinking": True},
        {"enable_thinking": True, "reasoning_effort": "low"},
    ]
    assert "thinking" in facts(embedded(tmp_path), [casting()]).models[None, TINY].capabilities


def broken(tiny: Path) -> dict[str, bytes]:
    """Return files that cannot be loaded, by the words that are said of them."""
    content = tiny.read_bytes()
    return {
        "is no GGUF file": b"PK\x03\x04" + content,
        "ends within its header": content[:900],
        "is incomplete: it has 200,000 bytes of at least": content[:200_000],
        "key not found in model: llama.block_count": content.replace(b"llama.block_count", b"llama.black_count"),
        "tensor 'blk.1.attn_q.weight' not found": content.replace(b"blk.1.attn_q.weight", b"blk.1.attn_p.weight"),
        "is GGUF of version 9": content.replace(b"GGUF\x03", b"GGUF\x09"),
    }


@needs_engine
@pytest.mark.parametrize("number", range(6))
def test_a_broken_file_is_told_in_a_sentence(tiny: Path, number: int) -> None:
    """Which one, and what is wrong with it; nothing hangs, and no process is left."""
    words, content = list(broken(tiny).items())[number]
    tiny.write_bytes(content)
    with pytest.raises(ServerError, match=r"tiny\.gguf") as raised:
        facts(embedded(tiny.parent), [casting()])
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@needs_engine
@pytest.mark.parametrize(
    ("template", "words"),
    [("{{ raise_exception('only even days') }}", "only even days"), ("{% for m in messages %}{{ m }", "Expected }}")],
)
def test_a_template_that_cannot_be_applied_is_refused(tmp_path: Path, template: str, words: str) -> None:
    """With the reason; a role that sends a raw text does not need it."""
    tiny_gguf.write(tmp_path / TINY, template=template)
    with pytest.raises(ServerError, match=r"cannot apply the chat template of tiny\.gguf") as raised:
        facts(embedded(tmp_path), [casting()])
    assert words in str(raised.value)
    assert facts(embedded(tmp_path), [casting(api="generate")]).models


def test_a_missing_file_is_told_with_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded where one is missing."""
    monkeypatch.setattr(engine, "version", lambda: "x")
    with pytest.raises(ModelMissing) as raised:
        facts(embedded(tmp_path), [casting("a.gguf"), casting("b.gguf")])
    assert [line.count(".gguf") > 0 for line in raised.value.lines] == [True, True]


def test_a_model_that_is_too_large_is_refused_before_it_is_loaded(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it needs, what is free, and what to do."""
    monkeypatch.setattr(engine, "version", lambda: "x")
    with pytest.raises(ServerError, match=r"tiny.gguf needs 68 MB of memory, and 20 MB are free. Take a smaller"):
        facts(embedded(tiny.parent, free_memory=lambda: 20_000_000), [casting()])


@needs_engine
def test_roles_share_where_memory_is_short(tiny: Path) -> None:
    """One that has a slot keeps its prefix; that others do not is said."""
    need = 304_256 + 64 * 2**20 + 256 * 4096
    found = facts(embedded(tiny.parent, free_memory=lambda: need + 2 * 256 * 4096), [casting() for _ in range(3)])
    assert "keeps the context of 2 of its 3 roles, as far as memory goes" in found.warnings[0]


@needs_engine
def test_a_load_that_takes_too_long_is_given_up(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own limit; the process is gone."""
    started: list[int] = []

    def stop(note: Progress) -> None:
        assert isinstance(note, Loading)

    before = asyncio.create_subprocess_exec

    async def start(*args: object, **more: object) -> asyncio.subprocess.Process:
        process = await before(*args, **more)  # type: ignore[arg-type]
        os.kill(process.pid, signal.SIGSTOP)
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    with pytest.raises(ServerError, match=r"tiny.gguf was not loaded within 0.2s. Give limits.load_timeout more"):
        with_engine(embedded(tiny.parent), lambda opened: opened.preflight([casting()], 0.2, stop))
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_an_engine_that_is_not_installed_is_told_with_the_extra(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for it is told what to install."""
    monkeypatch.setattr(engine, "PACKAGE", "no_such_package_here")
    with pytest.raises(ServerUnreachable, match=r"pip install 'llm-gc\[embedded\]'"):
        facts(embedded(tiny.parent), [casting()])


def test_a_processor_that_lacks_instructions_is_told(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An engine that the system ends for an instruction that it does not know."""
    script = tiny.with_name("worker.py")
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)", encoding="utf-8")
    monkeypatch.setattr(engine, "WORKER", script)
    monkeypatch.setattr(engine, "version", lambda: "x")
    with pytest.raises(ServerError, match="this processor lacks instructions that the engine was built for"):
        facts(embedded(tiny.parent), [casting()])


@needs_engine
@pytest.mark.parametrize(
    ("given", "expected"), [(2, {2}), pytest.param(None, {1, 2, 3}, marks=pytest.mark.slow)], ids=["given", "measured"]
)
def test_threads_are_given_or_measured(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, given: int | None, expected: set[int]
) -> None:
    """A number that a role gives is used; else one of those that were tried."""
    monkeypatch.setattr(machine, "cores", lambda: 3)

    async def go(backend: Embedded) -> set[int]:
        cast = ModelConfig(TINY, options={} if given is None else {"threads": given})
        await backend.preflight([ModelConfig(TINY), cast], 60)
        return {model.engine.threads for model in backend._models.values() if model.engine}

    assert with_engine(embedded(tiny.parent), go) <= expected


@needs_engine
def test_no_process_is_left_when_the_parent_dies(tiny: Path, tmp_path: Path) -> None:
    """Killed in the middle of a reply, a program leaves no engine behind."""
    script = """if True:
        import asyncio, sys
        from pathlib import Path
        from tests.backends.embedded.asking import *
        from tests.backends.embedded.test_reply import ENDLESS
        async def go():
            backend = embedded(Path(sys.argv[1]))
            await backend.preflight([casting()], 30)
            print(processes(backend)[0], flush=True)
            while True:
                await backend.reply(question(format=ENDLESS, options={"num_predict": 3500}))
        asyncio.run(go())
    """
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tiny.parent)], stdout=subprocess.PIPE, env=environ(), text=True
    ) as program:
        assert program.stdout is not None
        number = int(program.stdout.readline())
        program.kill()
    for _ in range(200):
        if not is_alive(number):
            break
        time.sleep(0.05)
    assert not is_alive(number)


def is_alive(number: int) -> bool:
    """Return whether a process runs; one that has ended may wait for its parent to look."""
    try:
        os.kill(number, 0)
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc").exists() is False


def test_errors_are_ours(tmp_path: Path) -> None:
    """A folder in the place of a model is no traceback."""
    (tmp_path / "folder.gguf").mkdir()
    with pytest.raises(LlmGcError):
        facts(embedded(tmp_path), [casting("folder.gguf")])


@needs_engine
def test_one_engine_for_many_conversations(tiny: Path) -> None:
    """A model that is loaded for as much as is needed is not loaded again; where it is not enough, it is."""

    async def go(backend: Embedded) -> list[int]:
        found = []
        for window in (512, 512, 256, 1024, 1024):
            await backend.preflight([casting(options={"num_ctx": window})], 30)
            await backend.reply(question())
            found += processes(backend)
        return found

    first, second, smaller, larger, last = with_engine(embedded(tiny.parent), go)
    assert first == second == smaller != larger == last
    assert not is_alive(first)


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("end", ["close", "exit", "leave", "cancel"])
@pytest.mark.parametrize("attempt", range(5))
def test_a_program_that_ends_right_after_a_load_ends(tiny: Path, end: str, attempt: int) -> None:
    """However it does: nothing hangs, and it is no crash."""
    script = """if True:
        import asyncio, os, sys
        from pathlib import Path
        from tests.backends.embedded.asking import *
        async def go(folder, end, attempt):
            backend = embedded(Path(folder))
            task = asyncio.create_task(backend.preflight([casting()], 30))
            if end == "cancel":
                await asyncio.sleep(int(attempt) * 0.03)
                task.cancel()
            await asyncio.wait([task])
            {"close": lambda: None, "exit": sys.exit, "leave": lambda: os._exit(0), "cancel": lambda: None}[end]()
            await backend.aclose()
        asyncio.run(go(*sys.argv[1:]))
    """
    words = [sys.executable, "-c", script, str(tiny.parent), end, str(attempt)]
    done = subprocess.run(words, env=environ(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
