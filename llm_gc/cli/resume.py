"""resume: continue a conversation that was interrupted, from the turns that it had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.output import err
from llm_gc.cli.run_options import go, going, print_asked, screens, under
from llm_gc.errors import LlmGcError, PipelineError, UsageError

if TYPE_CHECKING:
    from llm_gc.cli.screen import Notes
    from llm_gc.runtime.resume_point import ResumePoint
    from llm_gc.sessions import LockedSession
    from llm_gc.transcript.records import Transcript


MAX_LINES = 40
"""So many lines of what has changed are shown."""


@click.command()
@click.argument("session")
@click.option("--anyway", is_flag=True, help="Go on with the recorded pipeline, though its file has changed since.")
@going("who did before")
def command(session: str, anyway: bool, **options: Any) -> int:
    """Resume SESSION (a file, an id, a prefix of one, or last) after an interruption.

    What is recorded is not asked again, but for turns at its end that failed. It stays the same conversation in the
    same file. --answers gives the answers that are still needed.
    """
    from llm_gc.runtime.restore import restored
    from llm_gc.runtime.resume_point import interrupted, nothing_left
    from llm_gc.sessions import lock_session

    with lock_session(session, options["sessions"]) as taken:
        found = taken.read()
        transcript = found.transcript
        if nothing_left(transcript):
            return _refuse(transcript, options)
        shown = screens(options)
        if found.is_torn:
            shown[1].warn(f"the last line of {taken.path} was torn, and is dropped")
        if found.is_garbled:
            shown[1].warn(f"the last whole line of {taken.path} is no line of a journal, and is dropped")
        if not anyway:
            _stop_if_changed(transcript, taken, shown[1])
        past = interrupted(transcript, taken)
        shown[1].say(_told(past), "")
        return go(restored(transcript), transcript.inputs, options, past, shown)


def _refuse(transcript: Transcript, options: dict[str, Any]) -> int:
    """Report that nothing is left to do: that is no mistake, unless the conversation failed."""
    ended = transcript.ended_by
    print_asked(transcript, options)
    if transcript.status == "failed":
        fork = f"fix it, and fork it: llm-gc run --from {transcript.id} --turn N --set …"
        err.line(f"llm-gc: {transcript.id} failed, and would fail again: {ended.detail}; {fork}")
        return 1
    err.line(f"nothing to do: {transcript.id} has ended ({ended.reason}: {ended.detail})")
    return 0


def _told(past: ResumePoint) -> str:
    """Return where it continues."""
    turns = [turn for turn in past.turns if not turn.is_pick]
    again = sum(not turn.is_pick for turn in past.transcript.turns) - len(turns)
    where = f"after {len(turns)} recorded turn{'' if len(turns) == 1 else 's'}"
    failed = f"; {again} that failed at the end {'is' if again == 1 else 'are'} asked again" if again else ""
    return f"{past.transcript.id} continues {where}{failed}{under(past.transcript)}"


def _stop_if_changed(transcript: Transcript, taken: LockedSession, notes: Notes) -> None:
    """Stop where the pipeline is another one by now, and show in what."""
    from llm_gc.runtime.restore import current

    file = transcript.pipeline.file
    try:
        now = current(transcript, taken.path)
    except (PipelineError, UsageError) as error:
        notes.warn(*error.lines)
        raise _changed(file, transcript.id, "cannot be loaded any more") from error
    if now is None:
        notes.warn(f"warning: {file} no longer exists; the recorded pipeline is used")
        return
    lines = list(_changes(transcript, now))
    if lines:
        notes.warn(*lines[:MAX_LINES])
        if len(lines) > MAX_LINES:
            notes.warn(f"… and {len(lines) - MAX_LINES} lines more")
        raise _changed(file, transcript.id, "has changed")


def _changes(transcript: Transcript, now: Any) -> Iterator[str]:
    from llm_gc.runtime.resolution import resolve_again
    from llm_gc.transcript.differences import pipeline_changes

    try:
        resolved, _ = resolve_again(transcript, now)
    except LlmGcError as error:
        yield from error.lines
        return
    for change in pipeline_changes(transcript.pipeline, resolved.record):
        yield from change.lines()


def _changed(file: str, id_: str, how: str) -> UsageError:
    return UsageError(
        f"{file} {how} since {id_} began; --anyway continues with the pipeline as it was then, "
        f"and llm-gc run {file} --from {id_} begins another conversation from there, with the pipeline as it is now"
    )
