"""demo: hold the conversation M1 with whatever model can be had, and say loudly which it is."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.output import err
from llm_gc.cli.process import run_async

if TYPE_CHECKING:
    from llm_gc.backends.embedded.fetching import Download, Fetched
    from llm_gc.backends.interface import Examination
    from llm_gc.cli.screen import Notes

PIPELINE = "m1"
TASK = "Write a function that parses durations such as 90s, 2m and 1h."

SHORT = ("roles.implementer.max_tokens=200", "roles.reviewer.max_tokens=200")
"""What is laid over M1 for a model that does not know when to stop: as many tokens as it is asked for in words."""

_NO_CHAT = re.compile(r"embed|\bbge|minilm|rerank", re.IGNORECASE)
"""Names of models of another trade."""

BEAT = 4.0
"""Seconds between two lines about a download, where they are not drawn over each other."""


@dataclass(frozen=True)
class DemoSpeaker:
    """Who speaks: the backend, the model of all roles where it is not the pipeline's own, and what is laid over it."""

    backend: str
    model: str = ""
    over: Sequence[str] = ()


STAND_IN = DemoSpeaker("rehearsal")


@click.command()
@click.option("--task", default=TASK, show_default=True, help="What is planned.")
@click.option("--model", metavar="NAME", help="The model that speaks: one of Ollama's, one that another program has "
              "here, or a .gguf file.")  # fmt: skip
@click.option("--host", metavar="URL", help="The Ollama server, before OLLAMA_HOST.")
@click.option("--offline", is_flag=True, help="Fetch nothing: where no model is here, the stand-in speaks.")
@click.option("--sessions", type=click.Path(path_type=Path), default="sessions", show_default=True,
              metavar="DIR", help="Where the transcript goes.")  # fmt: skip
def command(**options: Any) -> int:
    """Hold the conversation M1 with a real model if one can be had.

    That is Ollama's where it answers and has models. Else the engine (34 MB) and a very small model (93 MB) are fetched
    once, and run without a server. Where they cannot be had either, a stand-in makes the words up.
    """
    from llm_gc.cli.run_options import screens
    from llm_gc.errors import ServerError, ServerUnreachable

    _, notes = screens(_run_options(options, STAND_IN))
    speaker = run_async(_choose(options, notes))
    try:
        return _run(options, speaker)
    except (ServerError, ServerUnreachable) as error:
        if options["model"] or speaker.backend != "embedded":
            raise
        _fall_back(notes, error.lines)  # for instance a processor that lacks what the engine was built for
        return _run(options, STAND_IN)


def _run(options: Mapping[str, Any], speaker: DemoSpeaker) -> int:
    from llm_gc.cli.options import load_pipeline, whole_paths
    from llm_gc.cli.run_options import go
    from llm_gc.language.inputs import resolve
    from llm_gc.runtime.server_override import placed

    loaded = load_pipeline(PIPELINE, speaker.over, whole_paths([speaker.model] if speaker.model else []))
    loaded = placed(loaded, options["host"], speaker.backend)
    values = resolve(loaded.pipeline.inputs, {"task": options["task"]}, texts=True)
    return go(loaded, values, _run_options(options, speaker))


def _run_options(options: Mapping[str, Any], speaker: DemoSpeaker) -> dict[str, Any]:
    """Return the options of ``run`` that mean the same."""
    quiet: dict[str, Any] = dict.fromkeys(("quiet", "thinking", "as_json"), False)
    return {
        **quiet, "backend": speaker.backend, "host": options["host"] if speaker.backend == "ollama" else None,
        "answers": None, "parallel": 1, "sessions": options["sessions"], "seed": None,
    }  # fmt: skip


async def _choose(options: Mapping[str, Any], notes: Notes) -> DemoSpeaker:
    """Find out who can speak."""
    from llm_gc.backends.embedded.model_store import is_path

    model = options["model"]
    if model and is_path(model):
        await _have_engine(options, notes)
        return DemoSpeaker("embedded", model)
    notes.say("looking for Ollama …")
    server = await _ollama(options["host"])
    if model:
        return await _chosen(model, server, options, notes)
    usable = _usable(server)
    if usable:
        return _of_ollama(server, usable, notes)
    why = server.trouble or f"{server.url} has no model that can chat"
    return await _small_model(why, options, notes)


async def _chosen(model: str, server: Examination, options: Mapping[str, Any], notes: Notes) -> DemoSpeaker:
    """Return who speaks by a name: Ollama where it has it, else the file that another program has here.

    Raises:
        ModelMissing: where nobody has it.

    """
    from llm_gc.backends.embedded.model_store import ModelStore
    from llm_gc.backends.ollama.model_names import normalise
    from llm_gc.errors import ModelMissing

    if normalise(model) in {normalise(listed.name) for listed in server.listed or ()}:
        return DemoSpeaker("ollama", model)
    try:
        ModelStore(Path.cwd(), environ=os.environ).find(model)
    except LookupError as error:
        raise ModelMissing(f"{server.trouble or f'{server.url} does not have {model}.'} {error}") from error
    await _have_engine(options, notes)
    return DemoSpeaker("embedded", model)


def _of_ollama(server: Examination, usable: Mapping[str, int], notes: Notes) -> DemoSpeaker:
    """Return who speaks of Ollama's: the pipeline's own models where they are there, else the nearest, told loudly."""
    from llm_gc.backends.ollama.model_names import normalise
    from llm_gc.project import load
    from llm_gc.values.did_you_mean import nearest

    wanted = list(dict.fromkeys(role.model or "" for role in load(PIPELINE).pipeline.roles.values()))
    there = {normalise(name) for name in usable}
    missing = [name for name in wanted if normalise(name) not in there]
    if not missing:
        notes.say(f"Ollama at {server.url} speaks: {', '.join(wanted)}.", "")
        return DemoSpeaker("ollama")
    found = next((near for name in missing if (near := nearest(name, usable))), "")
    model = found or min(usable, key=lambda name: usable[name])
    others = ", ".join(name for name in usable if name != model)
    notes.warn(
        f"Ollama at {server.url} does not have {' and '.join(missing)}: {model} speaks for all roles.",
        *([f"Others that it has: {others}. Take one by --model NAME (make demo MODEL=NAME)."] if others else []),
        f"M1's own are got by: {'; '.join(f'ollama pull {name}' for name in missing)}",
        "",
    )
    return DemoSpeaker("ollama", model)


async def _small_model(why: str, options: Mapping[str, Any], notes: Notes) -> DemoSpeaker:
    """Return the very small model, fetched where it is not here yet; the stand-in where it cannot be had."""
    from llm_gc.backends.embedded import fetching
    from llm_gc.files.opening import is_file

    file = fetching.model_file(os.environ)
    needed = [*([] if fetching.has_engine() else [fetching.ENGINE]), *([] if is_file(file) else [fetching.MODEL])]
    if needed and options["offline"]:
        _fall_back(notes, (why, f"Nothing is fetched (--offline), and {_titles(needed)} would be needed."))
        return STAND_IN
    notes.say(why, style="")
    if needed:
        notes.say(f"So this is fetched, once: {_titles(needed)}.", style="")
    for download in needed:
        try:
            with _progress() as fetched:
                if download is fetching.ENGINE:
                    await fetching.get_engine(fetched)
                else:
                    await fetching.get_model(os.environ, fetched)
        except fetching.NotFetched as error:
            _fall_back(notes, (why, f"{_titles([download])} cannot be had: {error}."))
            return STAND_IN
    notes.warn(
        f"A REAL MODEL SPEAKS: {file.stem}, without any server. It is a very small one: expect plausible nonsense.",
        "For more sense: ollama pull qwen2.5-coder:1.5b, or --model FILE.gguf (make demo MODEL=FILE.gguf).",
        "",
    )
    return DemoSpeaker("embedded", file.stem, SHORT)


async def _have_engine(options: Mapping[str, Any], notes: Notes) -> None:
    """Get the engine where it is not installed.

    Raises:
        ServerUnreachable: where it cannot be had.

    """
    from llm_gc.backends.embedded import fetching
    from llm_gc.backends.embedded.engine import EXTRA
    from llm_gc.errors import ServerUnreachable

    if fetching.has_engine():
        return
    if options["offline"]:
        raise ServerUnreachable(f"The embedded engine is not installed; the extra has it: {EXTRA}.")
    notes.say(f"So this is fetched, once: {_titles([fetching.ENGINE])}.", style="")
    try:
        with _progress() as fetched:
            await fetching.get_engine(fetched)
    except fetching.NotFetched as error:
        raise ServerUnreachable(f"The embedded engine cannot be installed: {error}; {EXTRA} may say more.") from error


async def _ollama(host: str | None) -> Examination:
    from llm_gc.doctor.examination import DoctorExamination

    visit = DoctorExamination([], host, os.environ)
    try:
        [case] = await visit.examine()
    finally:
        await visit.aclose()
    return case.server


def _usable(server: Examination) -> dict[str, int]:
    """Return the models of a server that can chat on this machine, as far as their names tell, and their sizes."""
    from llm_gc.backends.ollama.model_names import is_cloud

    listed = server.listed or ()
    return {one.name: one.bytes or 0 for one in listed if not _NO_CHAT.search(one.name) and not is_cloud(one.name)}


def _fall_back(notes: Notes, why: Sequence[str]) -> None:
    what = "NO MODEL SPEAKS HERE: the stand-in makes the replies up, to show how the conversation runs."
    notes.warn(what, "", *why, "")


def _titles(downloads: Sequence[Download]) -> str:
    return " and ".join(f"{one.title}, {one.size / 1e6:.0f} MB" for one in downloads)


class _progress:  # noqa: N801  # a context manager, used as a function is
    """Shows how far a download is: a bar in a terminal, else a line now and then."""

    def __enter__(self) -> Fetched:
        self._bars = err.bars() if err.is_live else None
        self._shown = self._bars.__enter__() if self._bars is not None else None
        self._began = self._told = time.monotonic()
        return self._fetched

    def __exit__(self, *error: Any) -> None:
        if self._bars is not None:
            self._bars.__exit__(*error)

    def _fetched(self, what: Download, count: int) -> None:
        if self._shown is not None:
            self._shown.show(what.title, "", status="fetching", total=what.size, done=min(count, what.size))
            return
        now = time.monotonic()
        if now - self._told >= BEAT:
            self._told = now
            megabytes = f"{min(count, what.size) / 1e6:.0f} of {what.size / 1e6:.0f} MB"
            err.line(f"fetching {what.title}: {megabytes} after {now - self._began:.0f} s")
