"""One small request to a model, to see what it really does: whether it answers, keeps to a form, and thinks.

The server's word for what a model can do is what somebody wrote into its file. So each model is asked once for a
reply of a given form, without thinking, in a few tokens, and loaded as the pipeline will have it loaded.
"""

from __future__ import annotations

from llm_gc.backends.interface import Backend, Probe
from llm_gc.core.structured import parse
from llm_gc.language.pipeline import LOAD_OPTIONS
from llm_gc.protocol import Ask, ModelConfig, Part, Request, Speaker
from llm_gc.values.frozen import FrozenDict, freeze

QUESTION = 'Is snow white? Answer with JSON: {"answer": "yes"} or {"answer": "no"}.'

FORM = freeze({
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
})  # fmt: skip

MOST_TOKENS, SILENCE, WHOLE, LOAD = 64, 60.0, 120.0, 300.0
"""Tokens of the reply, and the seconds for silence, for the whole reply, and for loading the model first."""


async def probe(backend: Backend, casting: ModelConfig) -> Probe:
    """Ask the model of a casting once, and tell what it did."""
    reply = await backend.reply(_ask(casting))
    if reply.failure is not None:
        return Probe(failure=reply.failure.message, seconds=reply.seconds)
    answered = bool(reply.content.strip())
    _, wrong = parse(reply.content, FORM) if answered else (None, "")
    return Probe(
        answered=answered,
        wrong=wrong or "",
        thought=bool(reply.thinking),
        cut=reply.cut,
        seconds=reply.seconds,
        load=reply.latency.load,
    )


def _ask(casting: ModelConfig) -> Ask:
    options = {name: value for name, value in casting.options.items() if name in LOAD_OPTIONS or name == "num_ctx"}
    return Ask(
        id="probe",
        step=(),
        speaker=Speaker("probe"),
        label="Probe",
        casting=ModelConfig(
            casting.model, casting.host, options, False, backend=casting.backend, api=casting.api, raw=casting.raw
        ),
        options=FrozenDict({**options, "num_predict": MOST_TOKENS, "temperature": 0, "seed": 1}),
        timeout=SILENCE,
        load_timeout=LOAD,
        retries=0,
        render=lambda: Request((Part("user", QUESTION),)),
        format=FORM,
        reply_time=WHOLE,
    )
