"""A person at the terminal: what is shown, what is typed, and how a run is left from there."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input

from llm_gc.backends.human import Human
from llm_gc.cli.renderers import SilentRenderer
from llm_gc.cli.screen import Notes, Screen
from llm_gc.cli.terminal_human import PICK, TerminalHuman, news
from llm_gc.core import Conversation
from llm_gc.errors import Unanswered
from llm_gc.protocol import Part, Reply
from llm_gc.sessions import load_session
from tests.cli.terminal import Terminal
from tests.commands import command, environ, transcripts
from tests.talks import talk

MENU = "Chair (number or name)>"
STILL = {"PROMPT_TOOLKIT_NO_CPR": "1"}
"""The terminal is not asked where its cursor is: each prompt is then drawn once, and waiting for it is safe."""

GROUP = """\
name: group
roles:
  anna: {model: m, description: Knows the land.}
  ben: {model: m, description: Knows the sea.}
  chair: {human: true, label: Chair, prompt: You lead., description: To say a word.}
opening: We talk about snow.
turns: [{repeat: [{choose: [anna, ben, chair], by: chair}], times: 3}]
"""
ROLES: dict[str, Any] = {
    "anna": {"human": True, "prompt": "You lead."},
    "ben": {"description": "Knows the sea."},
    "carl": {},
}


class Seat:
    """A person whose keys come from a pipe, at a screen that shows nothing."""

    def __init__(self, keyboard: PipeInput, *, hears: bool = True) -> None:
        self.screen = Screen(SilentRenderer(), Notes())
        self.keyboard, self.human = keyboard, Human(TerminalHuman(self.screen, {"ben": "Knows the sea."}, hears=hears))

    def reply(self, conversation: Conversation, keys: str) -> Reply:
        """Type, and return the reply to the first pending ask; the conversation moves on."""
        ask = conversation.pending[0]
        self.keyboard.send_text(keys)
        self.screen.began(ask)
        reply = asyncio.run(self.human.reply(ask))
        conversation.answer(ask, reply)
        self.screen.settled(conversation.log[-1])
        return reply


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    """A keyboard that is a pipe."""
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        yield pipe


def run_group(folder: Path, *args: str, **more: str) -> Terminal:
    """Run the group at a terminal."""
    (folder / "group.yaml").write_text(GROUP, encoding="utf-8")
    words = command("run", "group.yaml", "--backend", "rehearsal", *args)
    return Terminal(words, folder, environ(**{**STILL, **more}))


def test_a_conversation_led_by_hand(tmp_path: Path) -> None:
    """The menu is shown, a wrong word is refused, a choice by number or name is taken; no spinner runs meanwhile."""
    terminal = run_group(tmp_path)
    terminal.wait_for("You lead.\n\nWe talk about snow.\n\nWho speaks next?\n")
    terminal.wait_for("  1. anna   Knows the land.\n  2. ben    Knows the sea.\n  3. chair  To say a word.\n")
    terminal.answer(MENU, "dora\r")
    terminal.wait_for("'dora' is none of anna, ben, chair.")
    terminal.answer(MENU, "2\r")
    terminal.wait_for("Chair chooses ben\n")
    terminal.wait_for("ben  rehearsal · turn 1\n")
    terminal.wait_for("  1. anna   Knows the land.\n  2. chair  To say a word.\n")
    terminal.answer(MENU, "chair\r")
    terminal.wait_for("Chair chooses chair\n")
    terminal.answer("Chair>", "Well,\x1b\rthen.\r")
    terminal.wait_for("Chair  human · turn 2\nWell,\nthen.\n")
    terminal.answer(MENU, "Anna\r")
    shown = terminal.read()
    assert terminal.code == 0
    assert "waiting for Chair" not in shown
    assert terminal.plain.count("You lead.") == 1
    (transcript,) = transcripts(tmp_path)
    assert [turn["role"] for turn in transcript["turns"]] == ["chair", "ben", "chair", "chair", "chair", "anna"]
    assert transcript["turns"][3]["content"] == "Well,\nthen."


def test_the_toolbar_tells_the_keys(tmp_path: Path) -> None:
    """Where the terminal says where its cursor is, the keys are at its foot."""
    terminal = run_group(tmp_path, PROMPT_TOOLKIT_NO_CPR="0")
    terminal.answer(MENU, "chair\r")
    terminal.wait_for("Enter sends · Alt-Enter or Ctrl-J: new line · /skip: no answer · Ctrl-D: end")
    terminal.answer("", "\x03")
    terminal.read()
    assert terminal.code == 130


@pytest.mark.parametrize("before", [[], [(MENU, "ben\r"), (MENU, "chair\r"), ("Chair>", "half a word")]])
def test_ctrl_c_at_the_prompt(tmp_path: Path, before: list[tuple[str, str]]) -> None:
    """It stops the run as it does elsewhere: exit 130, and the transcript closed as interrupted with what was said."""
    terminal = run_group(tmp_path)
    for prompt, keys in before:
        terminal.answer(prompt, keys)
    terminal.answer("half a word" if before else MENU, "\x03")
    terminal.wait_for("interrupted: stopped by hand")
    terminal.read()
    assert terminal.code == 130
    assert "Traceback" not in terminal.plain
    (transcript,) = transcripts(tmp_path)
    assert transcript["status"] == "interrupted"
    assert [turn["role"] for turn in transcript["turns"]] == (["chair", "ben", "chair"] if before else [])
    assert not list((tmp_path / "sessions").glob("*.jsonl"))


def test_ctrl_d_at_the_prompt(tmp_path: Path) -> None:
    """There are no more answers: exit 2, and the journal stays with the finished turns."""
    terminal = run_group(tmp_path)
    terminal.answer(MENU, "ben\r")
    terminal.wait_for("turn 1")
    terminal.answer(MENU, "\x04")
    terminal.read()
    assert terminal.code == 2
    assert "llm-gc: Chair answers no more; the finished turns are in" in terminal.plain
    (journal,) = (tmp_path / "sessions").iterdir()
    assert journal.suffix == ".jsonl"
    assert [turn.role for turn in load_session(journal).turns] == ["chair", "ben"]


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_what_is_shown_nowhere_else(tmp_path: Path, option: str) -> None:
    """Where the conversation does not stream on the screen, the person is told what was said since."""
    terminal = run_group(tmp_path, option)
    terminal.answer(MENU, "ben\r")
    terminal.wait_for("ben: (Rehearsed words of ben, turn 1.)")
    terminal.wait_for("Who speaks next?")
    terminal.answer(MENU, "\x03")
    terminal.read()
    assert terminal.code == 130


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_ctrl_c_is_what_it_is_elsewhere(keyboard: PipeInput, monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    """At the prompt the terminal sends it as a key; it becomes the signal again, for whoever listens to that."""
    monkeypatch.setenv("TERM", term)
    heard: list[int] = []
    ask = talk(["anna"], roles=ROLES).pending[0]
    seat = Seat(keyboard)
    seat.screen.began(ask)

    async def interrupted() -> None:
        task = asyncio.create_task(seat.human.reply(ask))

        def stop(number: int, _frame: object) -> None:
            heard.append(number)
            task.cancel()

        before = signal.signal(signal.SIGINT, stop)
        keyboard.send_text("half a word\x03")
        try:
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            signal.signal(signal.SIGINT, before)

    asyncio.run(interrupted())
    assert heard == [signal.SIGINT]


def test_a_text_may_have_many_lines(keyboard: PipeInput) -> None:
    """Enter sends; Alt-Enter and Ctrl-J make a new line; a pasted text keeps its own."""
    seat, conversation = Seat(keyboard), talk([{"repeat": ["anna"], "times": 3}], roles=ROLES)
    assert seat.reply(conversation, "one\x1b\rtwo\r").content == "one\ntwo"
    assert seat.reply(conversation, "one\ntwo\r").content == "one\ntwo"
    assert seat.reply(conversation, "\x1b[200~one\r\n\r\ntwo\x1b[201~\r").content == "one\n\ntwo"


def test_the_arrows_lead_through_the_history(keyboard: PipeInput) -> None:
    """What was answered before can be taken up again; what was chosen is not among it."""
    turns = ["anna", {"choose": ["ben", "carl"], "by": "anna"}, "anna"]
    seat, conversation = Seat(keyboard), talk(turns, roles=ROLES)
    seat.reply(conversation, "So be it.\r")
    seat.reply(conversation, "2\r")
    conversation.answer(conversation.pending[0], Reply("yes", done_reason="stop"))
    assert seat.reply(conversation, "\x1b[A And soon.\r").content == "So be it. And soon."


def test_tab_completes_a_name(keyboard: PipeInput) -> None:
    """As far as it can only be one."""
    conversation = talk([{"choose": ["ben", "carl"], "by": "anna"}], roles=ROLES)
    assert Seat(keyboard).reply(conversation, "c\t\r").content == '{"next": "carl"}'


def test_a_form_at_the_terminal(keyboard: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
    """Each blank has its name, how to fill it in, and what its author says of it."""
    form = {"ok": {"type": "boolean", "description": "Whether it can be sent."}, "why": {"type": "string"}}
    conversation = talk([{"say": "anna", "format": form, "instruction": "Judge it."}], roles=ROLES)
    reply = Seat(keyboard).reply(conversation, "perhaps\ryes\rIt is good.\r")
    assert reply.content == '{"ok": true, "why": "It is good."}'
    shown = capsys.readouterr().err
    assert "You lead.\n\nBegin.\n\nJudge it.\n\nWhether it can be sent.\n" in shown
    assert re.search(r"anna, ok \(yes or no\)>.*'perhaps' is not yes or no\..*anna, ok .*anna, why>", shown, re.DOTALL)
    assert shown.count("Judge it.") == 1


def test_the_end_of_the_keyboard_is_the_end_of_the_answers(keyboard: PipeInput) -> None:
    """Nobody waits for a terminal that is gone."""
    conversation = talk(["anna"], roles=ROLES)
    with pytest.raises(Unanswered, match="anna answers no more"):
        Seat(keyboard).reply(conversation, "\x04")


def test_escape_sequences_of_a_model_do_not_reach_the_screen(
    keyboard: PipeInput, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a model wrote may be in an instruction; it is shown with marks in place of control characters."""
    turns: list[Any] = [{"say": "ben", "as": "x"}, {"say": "anna", "instruction": "Answer this: {{ x }}"}]
    conversation = talk(turns, roles=ROLES)
    conversation.answer(conversation.pending[0], Reply("\x1b]0;t\x07", done_reason="stop"))
    Seat(keyboard).reply(conversation, "ok\r")
    assert "Answer this: ␛]0;t␇" in capsys.readouterr().err


SYSTEM, OPENING = Part("system", "You lead."), Part("user", "Begin.")
HEARD, TOLD, OWN = (
    Part("user", "ben: Hello.", "turns.0"),
    Part("user", "Now you."),
    Part("assistant", "Yes.", "turns.1"),
)


@pytest.mark.parametrize(
    ("sent", "parts", "hears", "expected"),
    [
        ((), (SYSTEM, OPENING, HEARD, TOLD), True, ["Begin.", "Now you."]),
        ((), (SYSTEM, OPENING, HEARD, TOLD), False, ["Begin.", "ben: Hello.", "Now you."]),
        ((SYSTEM, OPENING), (SYSTEM, OPENING, OWN, HEARD, TOLD), True, ["Now you."]),
        ((SYSTEM, OPENING), (SYSTEM, OPENING, OWN, HEARD), False, ["ben: Hello."]),
        ((SYSTEM, OPENING, OWN, TOLD), (Part("system", "New."), OPENING, HEARD, TOLD), True, ["Now you."]),
        ((SYSTEM, OPENING), (SYSTEM, OPENING), True, []),
    ],
)
def test_what_is_new_to_a_person(
    sent: tuple[Part, ...], parts: tuple[Part, ...], hears: bool, expected: list[str]
) -> None:
    """What was not sent before; what others said only to those who do not hear it anyway; one's own words never."""
    assert news(sent, parts, hears=hears) == expected


def test_the_system_prompt_is_shown_once(keyboard: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
    """At the role's first turn, whatever becomes of it later; copies of a role are one person."""
    roles = {"anna": {"human": True, "prompt": "You lead, {{ messages | length }} turns in."}}
    turns: list[Any] = ["anna", "anna", {"parallel": [{"say": "anna", "instruction": "Again."}], "times": 2}]
    seat, conversation = Seat(keyboard), talk(turns, roles=roles)
    for _ in range(4):
        seat.reply(conversation, "ok\r")
    shown = capsys.readouterr().err
    assert shown.count("You lead") == 1
    assert shown.count("Again.") == 2
    assert "Go on." not in shown


def test_the_library_is_loaded_when_somebody_is_asked() -> None:
    """Not where the answers are in a file."""
    code = "import sys, llm_gc.api, llm_gc.cli.run, llm_gc.cli.terminal_human; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ())
    assert not {"prompt_toolkit", "jsonschema", "httpx"} & set(done.stdout.split())


def test_the_question_of_a_pick_is_put_for_people(keyboard: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is told to answer in JSON, and the menu is not said twice."""
    conversation = talk([{"choose": ["ben", "carl"], "by": "anna"}], roles=ROLES)
    Seat(keyboard).reply(conversation, "1\r")
    shown = capsys.readouterr().err
    assert f"\n\n{PICK}\n  1. ben   Knows the sea.\n  2. carl\nanna (number or name)>" in shown
    assert "JSON" not in shown


def test_nothing_is_written_into_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    """Branches side by side: a person is asked when all before is shown; what comes meanwhile follows afterwards."""
    screen = Screen(SilentRenderer(), Notes())
    conversation = talk([{"parallel": ["ben", "anna", "carl"]}], roles=ROLES)
    ben, anna, carl = conversation.pending
    for ask in (ben, anna, carl):
        screen.began(ask)

    def settle(ask: Any) -> None:
        conversation.answer(ask, Reply("yes", done_reason="stop"))
        screen.settled(conversation.log[-1])

    async def ask_anna() -> None:
        async with screen.floor(anna):
            assert "ben (m)" in capsys.readouterr().err
            settle(carl)
            screen.trouble("the disk is full")
            await asyncio.sleep(0)
            assert capsys.readouterr().err == ""
        assert "the disk is full" in capsys.readouterr().err

    async def both() -> None:
        asked = asyncio.create_task(ask_anna())
        await asyncio.sleep(0)
        screen.trouble("before")
        assert "before" in capsys.readouterr().err
        settle(ben)
        await asked
        settle(anna)
        assert "carl (m)" in capsys.readouterr().err

    asyncio.run(both())
