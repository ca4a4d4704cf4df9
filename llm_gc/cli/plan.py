"""plan: what a conversation will do, turn by turn, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.options import InputsCommand, load_pipeline, pipeline_and_inputs
from llm_gc.cli.output import out

if TYPE_CHECKING:
    from llm_gc.model_checker.default_inputs import DefaultInputs
    from llm_gc.planning.plan import Plan
    from llm_gc.project import Loaded


@click.command(cls=InputsCommand, context_settings={"auto_envvar_prefix": None})
@pipeline_and_inputs
@click.option("--seed", type=click.IntRange(min=0), help="What chance draws from; unknown where nobody says it.")
@click.option("--requests", is_flag=True, help="Print what each turn is sent.")
@click.option("--turn", type=click.IntRange(min=1), metavar="N", help="Print one turn alone, with what it is sent.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(file: str | None, inputs: dict[str, Any], **options: Any) -> int:
    """Say turn by turn what the conversation in FILE will do: who speaks, on which model, sent what.

    What nobody has said yet is in marks: ⟨Reviewer, turn 2: up to 400 tokens⟩. Whatever depends on it is assumed, and
    every assumption is told with its place.
    """
    if file is None:
        raise click.UsageError("Give the pipeline to plan, for example: llm-gc plan m1")
    from llm_gc.errors import PipelineError, TemplateError
    from llm_gc.planning.plan import plan
    from llm_gc.planning.plan_text import supplied

    loaded = _seeded(load_pipeline(file, options["overrides"], options["models"]), options["seed"])
    values, unknown = supplied(loaded.pipeline, inputs)
    try:
        planned = plan(
            loaded, {name: one.value for name, one in values.items()}, is_seeded=loaded.pipeline.seed is not None
        )
    except TemplateError as error:
        raise PipelineError([loaded.locate(error)]) from error
    if options["turn"] is not None and options["turn"] > planned.spoken:
        raise click.UsageError(f"There is no turn {options['turn']}: the plan has {planned.spoken}.")
    _print(planned, values, unknown, options)
    return 0


def _seeded(loaded: Loaded, seed: int | None) -> Loaded:
    from dataclasses import replace

    return loaded if seed is None else replace(loaded, pipeline=loaded.pipeline.model_copy(update={"seed": seed}))


def _print(plan: Plan, inputs: dict[str, DefaultInputs], unknown: set[str], options: dict[str, Any]) -> None:
    from llm_gc.planning.plan_text import as_data, block, summary

    number = options["turn"]
    if options["as_json"]:
        import json

        data = as_data(plan, inputs, unknown)
        data["turns"] = [turn for turn in data["turns"] if number in (None, turn["number"])]
        out.escaped(json.dumps(data, indent=1, ensure_ascii=False, default=dict))
        return
    for turn in plan.turns:
        if number in (None, turn.number):
            for line in block(turn, with_request=options["requests"] or number is not None):
                out.line(line)
    if number is None:
        out.line()
        for line in summary(plan, inputs, unknown):
            out.line(line)
