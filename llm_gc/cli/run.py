"""run: run a conversation, from its beginning or from a turn of an earlier one, and leave its transcript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.options import InputsCommand, by_name, load_pipeline, pipeline_and_inputs
from llm_gc.cli.output import err
from llm_gc.cli.run_options import go, going, screens, under

if TYPE_CHECKING:
    from llm_gc.project import Loaded


@click.command(cls=InputsCommand, context_settings={"auto_envvar_prefix": None})
@pipeline_and_inputs
@click.option("--seed", type=click.IntRange(min=0), help="What all sampling is derived from.")
@click.option("--from", "session", metavar="SESSION", help="Take the first turns over from an earlier conversation.")
@click.option("--turn", type=click.IntRange(min=1), metavar="N",
              help="With --from: the first turn that is run again; the one after the last where absent.")  # fmt: skip
@going("what each role says, ollama where it says nothing; with --from: who did before")
def command(file: str | None, inputs: dict[str, Any], **options: Any) -> int:
    """Run the conversation in FILE, and leave its transcript in sessions/.

    With --from SESSION (a file, an id, how it begins, or last) the turns before --turn are those of that conversation,
    as they were, and the rest is had again: with its own pipeline and inputs, or with those that are given here.
    """
    if options["session"] is not None:
        return _fork(file, inputs, options)
    if options["turn"] is not None:
        raise click.UsageError("--turn needs --from SESSION, the conversation whose turns are counted.")
    if file is None:
        raise click.UsageError('Give the pipeline to run, for example: llm-gc run m1 --task "…"')
    from llm_gc.language.inputs import resolve
    from llm_gc.runtime.server_override import placed

    loaded = placed(_load(file, options), options["host"], options["backend"])
    values = resolve(loaded.pipeline.inputs, inputs, texts=True, by_name=by_name())
    return go(loaded, values, options)


def _fork(file: str | None, inputs: Mapping[str, Any], options: dict[str, Any]) -> int:
    from llm_gc.language.inputs import coerce, resolve
    from llm_gc.runtime.restore import varied
    from llm_gc.runtime.resume_point import forked
    from llm_gc.runtime.server_override import placed
    from llm_gc.sessions import find_session, load_session

    transcript = load_session(find_session(options["session"], options["sessions"]))
    past = forked(transcript, options["turn"])
    loaded = _load(file, options) if file else varied(transcript, options["overrides"], options["models"])
    loaded = placed(loaded, options["host"], options["backend"])
    schemas = loaded.pipeline.inputs
    values = {name: value for name, value in transcript.inputs.items() if name in schemas}
    values |= {name: coerce(text, schemas.get(name, {})) for name, text in inputs.items()}
    seed = transcript.seed if options["seed"] is None else options["seed"]
    shown = screens(options)
    count = past.parent.turn - 1 if past.parent else 0
    shown[1].say(f"forked from {transcript.id}: {count} turns are taken over{under(transcript)}", "")
    return go(loaded, resolve(schemas, values), {**options, "seed": seed}, past, shown)


def _load(file: str, options: dict[str, Any]) -> Loaded:

    loaded = load_pipeline(file, options["overrides"], options["models"])
    for warning in loaded.warnings:
        err.line(str(warning), fit=False)
    return loaded
