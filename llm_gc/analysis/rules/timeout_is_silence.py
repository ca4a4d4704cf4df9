"""timeout-is-silence: a `timeout` is how long a server may say nothing, and no longer bounds a whole reply.

Bad:   limits: {timeout: 60s}
Good:  limits: {reply_time: 60s}                     a reply that is not done by then is cut, and heard
Good:  limits: {timeout: 60s, reply_time: 5m}
Good:  limits: {first_token: 60s, gap: 60s}          silence alone, and said in a way that is not mistaken

A `timeout` was once the time of a whole reply, and a reply that took longer failed. Now a reply that keeps coming is
not cut by it, however slow it is. Silence is bounded by 30 seconds where nothing is written.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.limits import Limits
from llm_gc.language.texts import models

SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every `timeout` that is written without a `reply_time`."""
    for path, model in models(subject.pipeline):
        if not isinstance(model, Limits) or "timeout" not in model.model_fields_set or model.reply_time is not None:
            continue
        message = (
            f"a reply that keeps coming is not cut after {model.timeout}: timeout is how long a server may say nothing"
        )
        hint = "To bound the whole reply, give it a reply_time; if silence is meant, write it as first_token and gap."
        yield Problem((*path, "timeout"), message, hint)
