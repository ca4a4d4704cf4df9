"""Every error a user can meet, each with its exit code and with whose fault it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from llm_gc.values.safe_text import mask_all

Fault = Literal["author", "user", "model", "server", "machine"]
Severity = Literal["error", "warning"]

COMPLETED, FAILED, USAGE, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES = {
    COMPLETED: "Completed or stopped, or nothing is wrong.",
    FAILED: "The conversation failed, something was found, or what was to be printed or written could not be.",
    USAGE: "Called in a wrong way, or a pipeline or session cannot be loaded.",
    UNAVAILABLE: "The model server cannot be reached, or a model is missing.",
    INTERRUPTED: "Interrupted, as by Ctrl-C.",
}
"""What the command line ends with, and what each of them means."""


class LlmGcError(Exception):
    """An error with a message for people: what is wrong, where, and what to do. Each argument is a line of it.

    ``exit_code`` is what the command line ends with; ``fault`` says whose turn it is to fix it.
    """

    exit_code: ClassVar[int] = FAILED
    fault: ClassVar[Fault] = "user"

    def __str__(self) -> str:
        """Return the message."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the message, without logins: what is in one of them cannot begin another."""
        return tuple(mask_all(str(line)) for line in self.args)


class UsageError(LlmGcError):
    """The command was called in a way it cannot be: a missing input, a value that does not fit."""

    exit_code = USAGE


class Unanswered(UsageError):
    """A person who plays a role was asked, and there is no answer that will do; the conversation can be resumed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in a file, with the place of the offending word (counted from 1, its end exclusive).

    Where nobody knows the end, the place is one character.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    severity: Severity = "error"
    path: str = ""
    hint: str = ""
    end_line: int = 0
    end_column: int = 0

    def __post_init__(self) -> None:
        """Fill in an end that nobody gave."""
        if (self.end_line, self.end_column) <= (self.line, self.column):
            object.__setattr__(self, "end_line", self.line)
            object.__setattr__(self, "end_column", self.column + 1)

    @property
    def text(self) -> str:
        """What is wrong and what to do, in one or two sentences."""
        return f"{self.message.removesuffix('.')}. {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        """Return the finding as one line: ``file:line:column: error: message. Hint [code]``."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.text} [{self.code}]"


class PipelineError(LlmGcError):
    """A pipeline that cannot be loaded, with everything that is wrong in it."""

    exit_code = USAGE
    fault = "author"

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Keep ``findings``, in order of place."""
        self.findings = tuple(sorted(findings, key=lambda f: (f.file, f.line, f.column)))
        super().__init__(*map(str, self.findings))


class TemplateError(LlmGcError):
    """A template or an expression that failed while it was compiled or rendered.

    ``file`` is its name under ``prompts/``, empty where it is in the document itself; ``path`` is where it is used
    there; ``line`` and ``column`` are the template's own, from 1, None where nobody knows. ``pipeline`` and ``step``
    say in which pipeline, and at which step of it; they are known while it runs. ``others`` are further mistakes in the
    same text, of those that can be told side by side.
    """

    fault = "author"

    def __init__(
        self,
        message: str,
        file: str = "",
        line: int | None = None,
        path: tuple[str | int, ...] = (),
        column: int | None = None,
    ) -> None:
        """Keep what failed and where."""
        super().__init__(message)
        self.message, self.file, self.line, self.path, self.column = message, file, line, path, column
        self.pipeline, self.step = "", tuple[str | int, ...]()
        self.others: tuple[TemplateError, ...] = ()

    def __str__(self) -> str:
        """Return ``pipeline NAME, STEP, FILE (used at PATH), line N: message``, as far as it is known."""
        used = ".".join(map(str, self.path))
        place = f"{self.file} (used at {used})" if self.file and used else self.file or used
        step = "" if self.path[: len(self.step)] == self.step else ".".join(map(str, self.step))
        line = f"line {self.line}" if self.line else ""
        where = ", ".join(filter(None, (f"pipeline {self.pipeline}" if self.pipeline else "", step, place, line)))
        return f"{where}: {self.message}" if where else self.message

    @property
    def lines(self) -> tuple[str, ...]:
        """The message, in one line."""
        return (str(self),)

    def at(self, path: tuple[str | int, ...]) -> TemplateError:
        """Return the same error, used at ``path``."""
        return self if self.path else TemplateError(self.message, self.file, self.line, path, self.column)

    def within(self, pipeline: str, step: tuple[str | int, ...] = ()) -> TemplateError:
        """Return the same error, raised in a pipeline at a step."""
        error = TemplateError(self.message, self.file, self.line, self.path, self.column)
        error.pipeline, error.step = pipeline, step
        return error


class ServerUnreachable(LlmGcError):
    """No model server answers where we looked."""

    exit_code = UNAVAILABLE
    fault = "server"


class ModelMissing(LlmGcError):
    """The server does not have every model that the pipeline asks for."""

    exit_code = UNAVAILABLE
    fault = "user"


class ServerError(LlmGcError):
    """The server answered before the first turn, but with an error."""

    exit_code = UNAVAILABLE
    fault = "server"


class SessionError(LlmGcError):
    """The transcript cannot be written or read."""

    fault: ClassVar[Fault] = "machine"


class UnreadableSession(SessionError):
    """The session that was named cannot be read, or is none that can be continued from."""

    exit_code = USAGE
    fault = "user"
