"""A whole run: what is fixed before the first turn, what is on the disk at each moment, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llm_gc import project, sessions
from llm_gc.backends.auto import Auto
from llm_gc.backends.interface import Facts, Loading, Notify, ignore
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.core import Conversation, Files
from llm_gc.errors import (
    LlmGcError,
    ModelMissing,
    ServerError,
    ServerUnreachable,
    SessionError,
    TemplateError,
    Unanswered,
)
from llm_gc.language.pipeline import Pipeline
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, ModelConfig, Reply
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.live import Live
from llm_gc.runtime.run import INTERRUPTED, Run
from llm_gc.sessions import Journal, load_session
from llm_gc.transcript.encode import digest, dumps, messages_of
from llm_gc.transcript.records import PipelineRecord, Transcript
from tests.runtime.acting import WINDOW, Actor, Noted, Stuck
from tests.sessions.test_journal import full, lines, names
from tests.talks import failed, said

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ALTERNATE = [{"repeat": ["anna", "ben"], "times": 2}]


def loaded(folder: Path, turns: Sequence[Any] = ALTERNATE, **keys: Any) -> Loaded:
    """Return a pipeline, loaded from a file with its prompt."""
    roles = keys.pop("roles", {"anna": {"prompt": "a.j2"}, "ben": {}})
    cast = {name: {"model": "m", **role} for name, role in roles.items()}
    inputs = {"task": {"type": "string", "default": "do it"}}
    document = {"name": "m1", "inputs": inputs, "roles": cast, "opening": "Task: {{ task }}", "turns": turns, **keys}
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / "a.j2").write_text("You are {{ role.label }}.", encoding="utf-8")
    (folder / "m1.yaml").write_text(json.dumps(document), encoding="utf-8")
    return project.load(str(folder / "m1.yaml"))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """Make a run in the test's own folder."""

    def made(backend: Any = None, *watchers: Noted, run: dict[str, Any] | None = None, **keys: Any) -> Run:
        given = keys.pop("inputs", {"task": "plan"})
        mine: dict[str, Any] = {"sessions": tmp_path / "sessions", "now": lambda: NOW, **(run or {})}
        return Run(loaded(tmp_path, **keys), given, backend or Actor(), watchers, **mine)

    return made


@pytest.fixture
def journals(monkeypatch: pytest.MonkeyPatch) -> list[Journal]:
    """Return every journal that is reserved."""
    made: list[Journal] = []
    real = sessions.reserve

    def reserve(folder: Path, name: str, now: datetime) -> Journal:
        made.append(real(folder, name, now))
        return made[-1]

    monkeypatch.setattr(sessions, "reserve", reserve)
    return made


def go(run: Run) -> Transcript:
    """Run it."""
    return asyncio.run(run.go())


def files(run: Run) -> list[str]:
    """Return what is in its sessions folder."""
    return names(run.sessions) if run.sessions.exists() else []


Make = Callable[..., Run]


# --- A run that goes well


def test_it_leaves_one_file(make: Make) -> None:
    """The transcript that is given is the one on the disk; the journal is gone, the backend is closed."""
    run = make(actor := Actor())
    transcript = go(run)
    assert files(run) == ["20260102T030405Z-m1.json"]
    assert run.path == run.sessions / "20260102T030405Z-m1.json"
    assert load_session(run.path) == transcript == run.transcript
    assert (transcript.status, transcript.id) == ("completed", "20260102T030405Z-m1")
    assert (actor.preflights, actor.closed) == (1, 1)


def test_every_finished_turn_is_on_the_disk_before_the_next_ask(make: Make) -> None:
    """Whoever is asked, the journal holds the start and all turns until then, in order."""
    seen: list[list[str]] = []

    def look(ask: Ask) -> Reply:
        start, *turns = lines(run.sessions / "20260102T030405Z-m1.jsonl")
        assert start["start"]["id"] == "20260102T030405Z-m1"
        seen.append([line["turn"]["id"] for line in turns])
        return said(ask.id)

    run = make(Actor(look))
    ids = [turn.id for turn in go(run).turns]
    assert seen == [ids[:number] for number in range(4)]


def test_who_watches_sees_what_is_on_the_disk(make: Make) -> None:
    """A turn is in the journal before anybody else is notified of it."""

    class Looking(Noted):
        def settled(self, turn: Any) -> None:
            super().settled(turn)
            assert lines(next(run.sessions.glob("*.jsonl")))[-1]["turn"]["id"] == turn.exchange.ask.id

    run = make(None, looking := Looking())
    go(run)
    assert len([note for note in looking.notes if "settled" in note]) == 4


def test_who_watches_is_told_of_the_end(make: Make) -> None:
    """With the transcript, the outcome and the path; and of the preparations before."""

    class Loads(Actor):
        async def preflight(
            self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore
        ) -> Facts:
            notify(Loading("m"))
            return await super().preflight(castings, load_timeout, notify)

    run = make(Loads(), noted := Noted())
    transcript = go(run)
    assert noted.notes[0] == "preparing"
    assert noted.ends == [(transcript, run.outcome, run.path)]
    assert noted.troubles == []


def test_control_tokens_in_an_input_are_reported(make: Make) -> None:
    """Once, before the first turn; the record keeps what was given, and what is sent is broken."""
    run = make(Actor(), noted := Noted(), inputs={"task": "Read [INST] and <s>."})
    transcript = go(run)
    assert noted.troubles == ["control tokens in the input 'task' are broken wherever it is sent: [INST], <s>"]
    assert transcript.inputs == {"task": "Read [INST] and <s>."}
    assert messages_of(transcript, transcript.turns[0])[-1]["content"] == "Task: Read [ INST] and < s>."


def test_times_are_of_the_wall(make: Make) -> None:
    """In UTC, to the millisecond."""
    transcript = go(make())
    assert (transcript.started_at, transcript.ended_at) == ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z")


# --- What is fixed before the first turn


def test_a_seed_is_drawn_and_recorded(make: Make) -> None:
    """Where nobody gives one; each run has its own."""
    seeds = {go(make()).seed for _ in range(4)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(("given", "own", "seed"), [(7, 42, 7), (None, 42, 42), (0, 42, 0), (None, 0, 0), (5, None, 5)])
def test_the_given_seed_goes_before_the_pipeline_s(make: Make, given: int | None, own: int | None, seed: int) -> None:
    """It is in the transcript and in the resolved document, and it is what the requests' seeds are made of."""
    keys = {} if own is None else {"seed": own}
    transcript = go(make(run={"seed": given}, **keys))
    assert transcript.seed == transcript.pipeline.document["seed"] == seed
    again = go(make(run={"seed": seed}))
    assert [turn.request.options["seed"] for turn in again.turns] == [
        turn.request.options["seed"] for turn in transcript.turns
    ]


def test_the_server_s_facts_become_part_of_the_document(make: Make) -> None:
    """The context window that a model will be given, where the role leaves it open; versions and digests."""
    roles = {"anna": {"prompt": "a.j2"}, "ben": {"num_ctx": 2048}, "cleo": {"model": "other"}}
    transcript = go(
        make(Actor(facts=WINDOW), roles={"anna": roles["anna"], "cleo": roles["cleo"]}, turns=["anna", "cleo"])
    )
    document = transcript.pipeline.document
    assert document["roles"]["anna"]["num_ctx"] == 4096
    assert "num_ctx" not in document["roles"]["cleo"]
    assert transcript.turns[0].request.options["num_ctx"] == 4096
    assert (transcript.versions.backend, transcript.versions.server) == ("acting", "1.2.3")
    assert transcript.versions.models == {"m": "sha256:abc"}
    declared = go(make(Actor(facts=WINDOW), roles={"anna": roles["anna"], "ben": roles["ben"]}, turns=["anna"]))
    assert [role["num_ctx"] for role in declared.pipeline.document["roles"].values()] == [2048, 2048]


def test_the_document_is_known_by_its_digest(make: Make) -> None:
    """That of the resolved document, the prompt files and the scenes' pipelines."""
    record = go(make(seed=1)).pipeline
    assert (record.name, record.prompts) == ("m1", {"a.j2": "You are {{ role.label }}."})
    assert record.file.endswith("m1.yaml")
    assert record.sha256 == digest({"document": record.document, "prompts": record.prompts, "scenes": record.scenes})


def _read(record: PipelineRecord) -> tuple[Pipeline, Files]:
    """Return the pipeline and its files as they were run."""
    scenes = {name: _read(scene) for name, scene in record.scenes.items()}
    return Pipeline.model_validate(record.document), Files(record.prompts, scenes)


PARALLEL = [{"parallel": ["anna", {"say": "ben", "instruction": "Alone."}], "times": 2}, *ALTERNATE]


@pytest.mark.parametrize("turns", [ALTERNATE, PARALLEL], ids=["in turn", "side by side"])
def test_the_record_runs_again(make: Make, tmp_path: Path, turns: Sequence[Any]) -> None:
    """The recorded document with its seed and inputs gives the same turns, from memory and from a file."""
    first = go(make(Rehearsal(), turns=turns, run={"gates": Gates(3)}, stop=[{"token": "DONE", "role": "ben"}]))
    assert first.turns[-1].model == "rehearsal"
    record = load_session(tmp_path / "sessions" / f"{first.id}.json").pipeline
    pipeline, files_ = _read(record)
    conversation = Conversation(pipeline, first.inputs, files_)
    asyncio.run(Live(conversation, Rehearsal()).run())
    assert [turn.message.content for turn in conversation.turns] == [turn.content for turn in first.turns]
    (tmp_path / "again.yaml").write_text(json.dumps(record.document), encoding="utf-8")
    again = go(Run(project.load(str(tmp_path / "again.yaml")), first.inputs, Rehearsal(), sessions=tmp_path / "s"))
    assert dumps(again.turns) == dumps(first.turns)
    assert again.pipeline.sha256 == first.pipeline.sha256
    assert again.result == first.result


def test_the_record_holds_the_pipelines_of_scenes(make: Make, tmp_path: Path) -> None:
    """With their prompts and the context windows of their models: nothing but the record is needed to run it again."""
    inner = {
        "name": "inner",
        "roles": {"zoe": {"model": "m", "prompt": "a.j2"}},
        "turns": ["zoe", "zoe"],
        "opening": "In.",
    }
    (tmp_path / "inner.yaml").write_text(json.dumps(inner), encoding="utf-8")
    first = go(make(Facing(), turns=["anna", {"scene": "inner.yaml"}, "ben"]))
    pipeline, files_ = _read(first.pipeline)
    ((scene, _),) = files_.scenes.values()
    assert scene.roles["zoe"].num_ctx == 4096
    conversation = Conversation(pipeline, first.inputs, files_)
    asyncio.run(Live(conversation, Rehearsal()).run())
    assert [turn.message.content for turn in conversation.turns] == [turn.content for turn in first.turns]
    assert [turn.role for turn in first.turns] == ["anna", "zoe", "zoe", "ben"]
    assert all(messages_of(first, turn) for turn in first.turns)


class Facing(Rehearsal):
    """The stand-in, with the facts of a server."""

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        return WINDOW


def test_what_is_sent_can_be_rebuilt(make: Make) -> None:
    """For every turn, also where branches went side by side."""
    sent: dict[str, Any] = {}

    def keep(ask: Ask) -> Reply:
        sent[ask.id] = ask.request.messages
        return said(f"words of {ask.id}")

    transcript = go(make(Actor(keep), turns=PARALLEL, run={"gates": Gates(2)}))
    assert {turn.id: messages_of(transcript, turn) for turn in transcript.turns} == sent
    assert [turn.turn for turn in transcript.turns] == list(range(1, 9))


# --- What cannot begin


class Refusing(Actor):
    """A backend whose preflight raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        self.preflights += 1
        raise self.error


@pytest.mark.parametrize(
    "error",
    [ServerUnreachable("no"), ModelMissing("no"), ServerError("no"), asyncio.CancelledError(), ZeroDivisionError()],
    ids=lambda error: type(error).__name__,
)
def test_a_preflight_that_fails_leaves_no_file(make: Make, error: BaseException, journals: list[Journal]) -> None:
    """The error comes out as it is; the backend is closed, and nobody is asked."""
    run = make(refusing := Refusing(error), noted := Noted())
    with pytest.raises(type(error)):
        go(run)
    assert files(run) == []
    assert (refusing.closed, refusing.asked, noted.ends) == (1, [], [])
    assert (run.transcript, run.outcome, run.path) == (None, None, None)
    assert [journal._descriptor for journal in journals] == [None]


def test_a_template_over_the_inputs_that_fails_leaves_no_file(make: Make) -> None:
    """Before anybody is asked for anything."""
    run = make(actor := Actor(), limits={"max_turns": "{{ 1 // (task | length) }}"}, inputs={"task": ""})
    with pytest.raises(TemplateError, match=r"limits\.max_turns"):
        go(run)
    assert (files(run), actor.preflights, actor.closed) == ([], 0, 1)


def test_no_place_for_the_transcript(make: Make, tmp_path: Path) -> None:
    """It is told before a model is loaded; the backend is closed all the same."""
    (tmp_path / "file").write_text("")
    run = make(actor := Actor(), run={"sessions": tmp_path / "file"})
    with pytest.raises(SessionError, match="that is no folder"):
        go(run)
    assert (actor.preflights, actor.closed) == (0, 1)


def test_a_disk_that_is_full_from_the_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line cannot be written: nothing begins, and nothing is left."""
    run = make(actor := Actor())
    with full(monkeypatch, 20), pytest.raises(SessionError, match="the disk is full"):
        go(run)
    assert (files(run), actor.asked, actor.closed) == ([], [], 1)


# --- What goes wrong on the way


def test_a_cancelled_run_is_closed_as_interrupted(make: Make, journals: list[Journal]) -> None:
    """In the middle of a reply: it is cancelled and gone, and the transcript holds the finished turns."""
    at = "turns.0.repeat:2.0"

    async def cancelled() -> None:
        task = asyncio.create_task(run.go())
        await actor.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run = make(actor := Stuck(at), noted := Noted())
    asyncio.run(cancelled())
    assert (actor.cancelled, actor.closed) == ([at], 1)
    assert files(run) == ["20260102T030405Z-m1.json"]
    assert run.path is not None
    transcript = load_session(run.path)
    assert (transcript.status, transcript.ended_by.reason) == ("interrupted", "interrupted")
    assert transcript.ended_by.detail == INTERRUPTED
    assert [turn.id for turn in transcript.turns] == ["turns.0.repeat:1.0", "turns.0.repeat:1.1"]
    assert transcript.result == "turns.0.repeat:1.1!"
    assert noted.ends == [(run.transcript, run.outcome, run.path)]
    assert journals[0]._descriptor is None


def test_an_interrupted_block_keeps_what_its_branches_said(make: Make) -> None:
    """Turns of a block that was not finished are in the transcript, without numbers."""

    async def cancelled() -> None:
        task = asyncio.create_task(run.go())
        await actor.reached.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run = make(actor := Stuck("turns.0.parallel:1.0"), turns=PARALLEL, run={"gates": Gates(4)})
    asyncio.run(cancelled())
    assert run.transcript is not None
    assert len(run.transcript.turns) == 3
    assert {turn.turn for turn in run.transcript.turns} == {None}
    assert load_session(run.path or "") == run.transcript


def test_a_mistake_in_a_backend_loses_nothing(make: Make, journals: list[Journal]) -> None:
    """The journal stays with all finished turns, and who watches is told where; connections and files are closed."""

    def fail(ask: Ask) -> Reply:
        if ask.id == "turns.0.repeat:2.1":
            raise ZeroDivisionError
        return said(ask.id)

    run = make(actor := Actor(fail), noted := Noted())
    with pytest.raises(ZeroDivisionError):
        go(run)
    assert files(run) == ["20260102T030405Z-m1.jsonl"]
    assert actor.closed == 1
    assert journals[0]._descriptor is None
    assert noted.troubles == [f"the finished turns are in {journals[0].path}"]
    assert noted.ends == []
    left = load_session(journals[0].path)
    assert [turn.turn for turn in left.turns] == [1, 2, 3]
    assert [messages_of(left, turn)[-1]["role"] for turn in left.turns] == ["user"] * 3


def test_a_person_who_leaves_can_come_back(make: Make, journals: list[Journal]) -> None:
    """The error says where the finished turns are; the journal stays."""

    def leave(ask: Ask) -> Reply:
        if ask.turn == 3:
            raise Unanswered("Anna answers no more")
        return said(ask.id)

    run = make(actor := Actor(leave))
    with pytest.raises(Unanswered, match=r"^Anna answers no more; .*m1\.jsonl"):
        go(run)
    assert len(load_session(journals[0].path).turns) == 2
    assert actor.closed == 1


def test_a_watcher_that_breaks_at_the_end_loses_nothing(make: Make, journals: list[Journal]) -> None:
    """The transcript is there, and the backend is closed."""

    class Breaking(Noted):
        def ended(self, *_: Any) -> None:
            raise BrokenPipeError

    run = make(actor := Actor(), Breaking())
    with pytest.raises(BrokenPipeError):
        go(run)
    assert files(run) == ["20260102T030405Z-m1.json"]
    assert actor.closed == 1
    assert journals[0]._descriptor is None


@contextmanager
def _filling(monkeypatch: pytest.MonkeyPatch, at: int, until: int | None = None) -> Iterator[Callable[[Ask], Reply]]:
    """Simulate a full disk from reply number ``at`` on, until another one, or until the end."""
    number = 0
    with ExitStack() as stack:

        def answer(ask: Ask) -> Reply:
            nonlocal number
            number += 1
            if number == at:
                stack.enter_context(full(monkeypatch, 30))
            if number == until:
                stack.close()
            return said(ask.id)

        yield answer


def test_a_disk_that_fills_up_on_the_way(make: Make, monkeypatch: pytest.MonkeyPatch, journals: list[Journal]) -> None:
    """It is told once, the conversation continues; at the end it is tried again, and told that this failed too."""
    with _filling(monkeypatch, at=2) as fill:
        run = make(actor := Actor(fill), noted := Noted())
        transcript = go(run)
    assert len(transcript.turns) == 4
    assert run.path is None
    assert noted.ends == [(transcript, run.outcome, None)]
    first, second = noted.troubles
    assert "m1.jsonl: the disk is full" in first
    assert first.endswith("(the conversation continues, and is kept in memory)")
    assert "m1.json: the disk is full" in second
    assert [line["turn"]["turn"] for line in lines(journals[0].path)[1:]] == [1]
    assert journals[0]._descriptor is None
    assert actor.closed == 1


def test_a_disk_that_has_space_again(make: Make, monkeypatch: pytest.MonkeyPatch, journals: list[Journal]) -> None:
    """The turns that were owed are written first, so that the journal has no gap; in the end all is well."""
    seen: list[list[int]] = []
    with _filling(monkeypatch, at=2, until=4) as fill:

        def answer(ask: Ask) -> Reply:
            seen.append([line["turn"]["turn"] for line in lines(journals[0].path)[1:]])
            return fill(ask)

        run = make(Actor(answer), noted := Noted(), turns=[{"repeat": ["anna", "ben"], "times": 3}])
        transcript = go(run)
    assert seen == [[], [1], [1], [1], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert len(noted.troubles) == 1
    assert load_session(run.path or "") == transcript


def test_failed_turns_are_turns(make: Make) -> None:
    """They are in the journal and in the transcript, with their error, and the next speaker continues."""
    run = make(Actor(lambda ask: failed("timeout", "Late.") if ask.speaker.role == "ben" else said("ok")))
    transcript = go(run)
    assert [turn.error.kind if turn.error else None for turn in transcript.turns] == [None, "timeout"] * 2
    assert (transcript.totals.turns, transcript.totals.failed, transcript.status) == (4, 2, "completed")


def test_a_run_without_an_ask_is_a_run(make: Make) -> None:
    """It has a transcript without turns."""
    run = make(turns=[{"say": "anna", "when": "false"}])
    assert go(run).turns == ()
    assert files(run) == ["20260102T030405Z-m1.json"]


# --- auto


@pytest.mark.parametrize("error", [ServerUnreachable("nobody there"), ModelMissing("m"), ServerError("500")])
def test_auto_falls_back_and_says_why(make: Make, error: LlmGcError) -> None:
    """The stand-in speaks, under its own name; the one that could not is closed once."""
    told: list[LlmGcError] = []
    first = Refusing(error)
    transcript = go(make(Auto(first, told.append)))
    assert told == [error]
    assert transcript.versions.backend == "rehearsal"
    assert {turn.model for turn in transcript.turns} == {"rehearsal"}
    assert (first.preflights, first.closed, first.asked) == (1, 1, [])


def test_auto_keeps_to_what_is_there(make: Make) -> None:
    """Nobody is told anything; it is closed once."""
    told: list[LlmGcError] = []
    transcript = go(make(Auto(first := Actor(), told.append)))
    assert (told, transcript.versions.backend, first.closed) == ([], "acting", 1)


def test_auto_does_not_hide_a_mistake(make: Make) -> None:
    """Only what says that the server or a model is not there is a reason to take the stand-in."""
    run = make(Auto(first := Refusing(ZeroDivisionError()), lambda _: None))
    with pytest.raises(ZeroDivisionError):
        go(run)
    assert first.closed == 1


@pytest.fixture(autouse=True)
def _no_file_in_the_folder_of_the_tests() -> Iterator[None]:
    before = names(Path())
    yield
    assert names(Path()) == before
