"""People in a run: asked at the terminal, or answering from the file of ``--answers``."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from llm_gc.backends.dispatch import ByPlayer
from llm_gc.backends.human import SKIP, Answers, Asker, Blank, Human, people, word
from llm_gc.backends.interface import Backend
from llm_gc.cli import input_output
from llm_gc.cli.input_output import is_keyboard
from llm_gc.cli.output import err, out
from llm_gc.cli.renderers import Wrap
from llm_gc.cli.screen import Screen
from llm_gc.core import Outcome
from llm_gc.core.ask_builder import GO_ON
from llm_gc.errors import Unanswered, UsageError
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, Part
from llm_gc.reports import figures
from llm_gc.values.safe_text import clean, one_line

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyPressEvent

    from llm_gc.cli.screen import Notes


_BETWEEN = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


def read(name: str) -> Answers:
    """Read the answers, all of them before the first is needed.

    Raises:
        UsageError: where they cannot be read, or one of them is empty.
        PipelineError: where they are no YAML.

    """
    source = "standard input" if name == "-" else name
    answers = _listed(name) if name.endswith((".yaml", ".yml", ".json")) else _separated(name)
    if "" in answers:
        number = answers.index("") + 1
        raise UsageError(f"answer {number} in {source} is empty; write {SKIP} where a person says nothing")
    return Answers(answers, source)


def _separated(name: str) -> list[str]:
    """Read a text; a line of --- before the first answer or after the last one separates nothing."""
    from llm_gc.files.locations import read_text

    answers = [part.strip() for part in _BETWEEN.split(_standard_input() if name == "-" else read_text(name))]
    while answers and not answers[-1]:
        answers.pop()
    return answers[1:] if answers and not answers[0] else answers


def _listed(name: str) -> list[str]:
    """Read a list; what is no text in it is meant as JSON: a number, or the data of a structured reply."""
    from llm_gc import source
    from llm_gc.files.locations import read_text

    data: Any = source.load(read_text(name), name).data
    if not isinstance(data, list):
        raise UsageError(f"{name} is no list; write the answers as one, such as [yes, no]")
    return [word(answer).strip() for answer in data]


def _standard_input() -> str:
    try:
        return input_output.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not text in UTF-8: {error.reason} at byte {error.start}") from error


KEYS = f" Enter sends · Alt-Enter or Ctrl-J: new line · {SKIP}: no answer · Ctrl-D: end "
PICK = "Who speaks next?"


class TerminalHuman:
    """The asker for whoever sits at the terminal; the library that reads the keys is loaded at the first question."""

    at_once = False

    def __init__(self, screen: Screen, about: Mapping[str, str], *, hears: bool) -> None:
        """Ask below what ``screen`` shows; ``hears`` says whether the conversation is among that.

        ``about`` is what is known of those who can be chosen, by name.
        """
        self._screen, self._about, self._hears = screen, about, hears
        self._sent: dict[tuple[str, str], tuple[Part, ...]] = {}
        self._open = ("", "")
        self._sessions: dict[bool, PromptSession[str]] = {}

    async def answer(self, ask: Ask, blank: Blank) -> str:
        async with self._screen.floor(ask):
            if self._open != (ask.id, blank.name):  # else it is asked again
                self._open = (ask.id, blank.name)
                self._tell(ask, blank)
            return await self._read(ask, blank)

    def refuse(self, ask: Ask, why: str) -> None:
        _show(f"{why[:1].upper()}{why[1:]}.")

    def _tell(self, ask: Ask, blank: Blank) -> None:
        """Show what is new to the person, and what there is to choose from."""
        parts = ask.request.parts
        role, seen = ask.speaker.role, {key: sent for key, sent in self._sent.items() if key[0] == ask.speaker.role}
        new = min(
            (
                news(sent, parts, hears=self._hears)
                for (_, other), sent in seen.items()
                if not _apart(other, ask.branch)
            ),
            key=len,
            default=news((), parts, hears=self._hears),
        )
        if not seen:
            new = [part.text for part in parts if part.kind == "system"] + new
        self._sent[role, ask.branch] = parts
        if ask.is_pick and new:
            new[-1] = PICK
        _show("\n\n".join(text for text in (*new, blank.about) if text and text != GO_ON))
        width = max((len(word(choice)) for choice in blank.choices), default=0)
        for number, choice in enumerate(blank.choices, 1):
            about = self._about.get(word(choice), "")
            _show(f"{number:3}. {word(choice):{width}}  {about}".rstrip())

    async def _read(self, ask: Ask, blank: Blank) -> str:
        from prompt_toolkit.application import create_app_session
        from prompt_toolkit.output import create_output

        asked = ", ".join(filter(None, [ask.label, figures.place(ask.turn, ask.branch) if ask.branch else ""]))
        asked = asked if ask.is_pick or not blank.name else f"{asked}, {blank.name}"
        hint = f" ({blank.hint})" if blank.hint else ""
        try:
            with create_app_session(output=create_output(stdout=err.passage())):  # standard output is the conversation
                session = self._session(is_line=bool(blank.hint))
                return await session.prompt_async(
                    one_line(f"{asked}{hint}> "), completer=_completer(blank), handle_sigint=False
                )
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)  # here Ctrl-C is only a key: let it stop the run as it does elsewhere
            return str(await asyncio.get_running_loop().create_future())
        except EOFError:
            raise Unanswered(f"{ask.label} answers no more") from None

    def _session(self, *, is_line: bool) -> PromptSession[str]:
        """Return the prompt for a line, or that for a text: each is made once, so that its history lasts."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.shortcuts import CompleteStyle

        if is_line not in self._sessions:
            self._sessions[is_line] = PromptSession(
                multiline=not is_line,
                complete_style=CompleteStyle.READLINE_LIKE,
                key_bindings=None if is_line else _keys(),
                bottom_toolbar=KEYS if not is_line else None,
                complete_while_typing=False,
                erase_when_done=True,
            )
        return self._sessions[is_line]


def news(sent: tuple[Part, ...], parts: tuple[Part, ...], *, hears: bool) -> list[str]:
    """Return what a request tells beyond the one ``sent`` before it, the system prompt aside.

    Who hears the conversation anyway is not told the turns of it again.
    """
    known, now = (tuple(part for part in request if part.kind != "system") for request in (sent, parts))
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(known, now, strict=False))))
    return [part.text for part in now[same:] if part.kind == "user" and not (hears and part.of)]


def _apart(branch: str, other: str) -> bool:
    """Return whether two places are in different branches of one block."""
    before = ""
    for one, two in zip(branch.split("."), other.split("."), strict=False):
        if one != two:
            return before.startswith("parallel") or (one.startswith("parallel") and two.startswith("parallel"))
        before = one
    return False


def _keys() -> Any:
    """Return the keys of a text that are other than usual: Enter sends it, and a new line has keys of its own."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _completer(blank: Blank) -> Any:
    from prompt_toolkit.completion import WordCompleter

    words = [word(choice) for choice in blank.choices]
    return WordCompleter(words, sentence=True, display_dict={choice: one_line(choice) for choice in words})


def _show(text: str) -> None:
    if text:
        wrap = Wrap(err.width)
        err.text(wrap.feed(clean(text)) + wrap.flush())


class HumanPlayers:
    """The roles of a pipeline that are people, and their answers where these are in a file."""

    def __init__(self, loaded: Loaded, answers: str | None) -> None:
        """Look who is a person, and read the file that ``answers`` names.

        Raises:
            UsageError: where nobody could be asked, or the file cannot be read.

        """
        self._loaded, self._roles = loaded, list(dict.fromkeys(people(loaded.pipeline, loaded.files)))
        self._answers = _read(answers)
        if self._roles and self._answers is None and not (is_keyboard() and err.is_terminal):
            who = f"the role {self._roles[0]!r} is a person" if len(self._roles) == 1 else _several(self._roles)
            raise UsageError(
                f"{who}, and there is no terminal to ask at; "
                "give the answers with --answers FILE: a text with a line of --- between one and the next"
            )

    def beside(self, backend: Backend, screen: Screen, *, hears: bool) -> Backend:
        """Route the roles of people to them, and the others to ``backend``.

        ``hears`` says whether the screen shows what is said.
        """
        if not self._roles:
            return backend
        return ByPlayer(backend, Human(self._answers or self._terminal(screen, hears=hears)))

    def warn_of_unused(self, notes: Notes, outcome: Outcome | None) -> None:
        """Warn of answers for which nobody asked, unless the run was cut short."""
        if self._answers is not None and outcome is not None and outcome.status != "interrupted" and self._answers.left:
            notes.warn(f"warning: {self._answers.left}")

    def _terminal(self, screen: Screen, *, hears: bool) -> Asker:

        about = {name: role.description or "" for name, role in self._loaded.pipeline.roles.items()}
        return TerminalHuman(screen, about, hears=hears and out.is_terminal)


def _several(roles: list[str]) -> str:
    return f"the roles {', '.join(roles[:-1])} and {roles[-1]} are people"


def _read(answers: str | None) -> Answers | None:
    if answers is None:
        return None

    return read(answers)
