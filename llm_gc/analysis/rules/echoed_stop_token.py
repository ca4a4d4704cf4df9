"""echoed-stop-token: the opening itself would be taken for the stop, so a reply that repeats its task ends everything.

Bad:   opening: "Do it, and say DONE at the end."      with stop: [{token: DONE, match: contains}]
Good:  opening: "Do it, and say DONE at the end."      with stop: [DONE], which must be a line of its own

Only replies are looked at for tokens. But models like to begin with their task in its own words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity, TemplateError
from llm_gc.language.fields import Stop
from llm_gc.language.steps.scene import Scene
from llm_gc.language.stop_tokens import says
from llm_gc.protocol import Path
from llm_gc.values import regex
from llm_gc.values.frozen import as_text

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("bad-stop",)


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every opening in which a stop of its conversation or scene is said."""
    pipeline = subject.pipeline
    yield from _echoes(subject, ("opening",), pipeline.opening, pipeline.stop)
    for path, model in subject.models:
        if isinstance(model, Scene):
            yield from _echoes(subject, (*path, "opening"), model.opening, model.stop or ())


def _echoes(subject: RuleContext, path: Path, opening: str | None, stops: Sequence[Stop]) -> Iterator[Problem]:
    text = _text(subject, opening)
    for stop in stops:
        if text.strip() and _says(stop, text):
            is_line = stop.match == "line"
            what = "a line of this is" if is_line else "this contains"
            message = f"{what} the stop {stop.token!r}: a reply that repeats it would end everything"
            hint = "" if is_line else ", or let the token be a line of its own"
            yield replace(_at(subject, path, opening, stop), message=message, hint=f"Say it in a role's prompt{hint}.")


def _at(subject: RuleContext, path: Path, opening: str | None, stop: Stop) -> Problem:
    """Return the place of the token in an opening; all of it, where the token is not written there."""
    file = opening if opening is not None and opening in subject.templates else ""
    written = subject.templates[file] if file else opening or ""
    for number, line in enumerate(written.splitlines(), 1):
        if _says(stop, line):
            token = stop.token or ""
            found = regex.compile(token).search(line) if stop.match == "regex" else None
            start = found.start if found else line.find(token)
            return Problem(path, "", file=file, line=number, column=start + 1 if start >= 0 else None)
    return Problem(path, "")


def _text(subject: RuleContext, opening: str | None) -> str:
    """Return an opening as far as it can be told: with the defaults of the inputs, else as it is written."""
    try:
        return as_text(subject.worked_out(opening or ""))
    except ValueError:
        return subject.source(opening)


def _says(stop: Stop, text: str) -> bool:
    try:
        return says(stop, text)
    except TemplateError:
        return False  # no regular expression: another rule speaks of it
