"""A person at the terminal: told what is expected, asked with a prompt or a menu."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from llm_gc.backends.form import Blank, word
from llm_gc.backends.human import SKIP
from llm_gc.cli import figures
from llm_gc.cli.output import err
from llm_gc.cli.screen import Screen
from llm_gc.cli.wrap import Wrap
from llm_gc.conversation.request import GO_ON
from llm_gc.errors import Unanswered
from llm_gc.printable import clean, one_line
from llm_gc.protocol import Ask, Part

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyPressEvent

KEYS = f" Enter sends · Alt-Enter or Ctrl-J: new line · {SKIP}: no answer · Ctrl-D: end "
PICK = "Who speaks next?"


class Person:
    """The asker for whoever sits at the terminal; the library that reads the keys is loaded at the first question."""

    at_once = False

    def __init__(self, screen: Screen, about: Mapping[str, str], *, hears: bool) -> None:
        """Ask below what ``screen`` shows; ``hears`` tells whether the conversation is among that.

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
        """Give the prompt for a line, or that for a text: each is made once, so that its history lasts."""
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
    """Give what a request tells beyond the one ``sent`` before it, the system prompt aside.

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
    """Give the keys of a text that are other than usual: Enter sends it, and a new line has keys of its own."""
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
