"""What the doctor reports: one problem, or one thing unknown, with its remedy; and sizes in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from llm_gc.backends.interface import Examination
from llm_gc.backends.ollama.model_names import normalise
from llm_gc.doctor.needs import Want


def size(count: int) -> str:
    """Return bytes as people say them: ``986 MB``, ``4.7 GB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            value = count / unit
            return f"{value:.1f} {name}" if value < 10 and unit == 10**9 else f"{value:.0f} {name}"
    return f"{count} bytes"


def share(part: int, whole: int) -> str:
    """Return a part in percent, neither 0 nor 100 unless it is."""
    percent = round(100 * part / whole) if whole else 0
    return f"{min(max(percent, 1), 99) if 0 < part < whole else percent} %"


About = Literal["server", "models", "pipeline"]
Severity = Literal["error", "warning", "note"]

FATAL = frozenset(("no-server", "server-trouble", "missing-model"))
"""With one of these no conversation can begin: the exit code is that of a run that cannot."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing, in words for people. ``places`` are where a pipeline asks for it: file, line, column.

    A note tells what the server does not, and is nothing to be fixed.
    """

    code: str
    about: About
    severity: Severity
    message: str
    remedy: str = ""
    places: tuple[str, ...] = ()


class DoctorCase(NamedTuple):
    """What the checks look at: one server, examined, and what the pipeline wants of it."""

    server: Examination
    wants: Sequence[Want] = ()

    @property
    def stayed(self) -> list[str] | None:
        """The probed models that stayed loaded side by side; None where nobody has looked, or can."""
        held, probes = self.server.held, self.server.probes
        if held is None or not probes:
            return None
        loaded = {normalise(one.name) for one in held}
        return [name for name in probes if normalise(name) in loaded]

    def of(self, model: str) -> list[Want]:
        """Return what is wanted of a model."""
        return [want for want in self.wants if want.casting.model == model]


def exit_code(found: Sequence[Diagnosis]) -> int:
    """Return the code to end with: 3 where no conversation can begin, 1 where something is to be fixed, else 0."""
    if any(one.code in FATAL for one in found):
        return 3
    return int(any(one.severity != "note" for one in found))


def places(wants: Sequence[Want], *path: str) -> tuple[str, ...]:
    """Return where these wants are, each place once."""
    return tuple(dict.fromkeys(place for want in wants if (place := want.place(*path))))


def roles(wants: Sequence[Want]) -> str:
    """Name the roles of these wants."""
    names = list(dict.fromkeys(want.role for want in wants))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
