"""The people of a run: who they are, and who asks them, a file or the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_gc.backends.base import Backend
from llm_gc.backends.human import Answers, Asker, Human, people
from llm_gc.backends.router import Router
from llm_gc.cli.output import err, out
from llm_gc.cli.standard_input import is_keyboard
from llm_gc.conversation import Outcome
from llm_gc.errors import UsageError
from llm_gc.project import Loaded

if TYPE_CHECKING:
    from llm_gc.cli.screen import Notes, Screen


class People:
    """The roles of a pipeline that are people, and their answers where these stand in a file."""

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
        """Let people answer for their roles, and ``backend`` for the others.

        ``hears`` tells whether the screen shows what is said.
        """
        if not self._roles:
            return backend
        return Router(backend, Human(self._answers or self._terminal(screen, hears=hears)))

    def warn_of_unused(self, notes: Notes, outcome: Outcome | None) -> None:
        """Warn of answers for which nobody asked, unless the run was cut short."""
        if self._answers is not None and outcome is not None and outcome.status != "interrupted" and self._answers.left:
            notes.warn(f"warning: {self._answers.left}")

    def _terminal(self, screen: Screen, *, hears: bool) -> Asker:
        from llm_gc.cli.person import Person

        about = {name: role.description or "" for name, role in self._loaded.pipeline.roles.items()}
        return Person(screen, about, hears=hears and out.is_terminal)


def _several(roles: list[str]) -> str:
    return f"the roles {', '.join(roles[:-1])} and {roles[-1]} are people"


def _read(answers: str | None) -> Answers | None:
    if answers is None:
        return None
    from llm_gc.cli.answers import read

    return read(answers)
