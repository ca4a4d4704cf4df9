"""model-reload: roles share a model but not its load options, so that the server loads it anew at each switch.

Bad:   anna: {model: m, num_ctx: 4096}, ben: {model: m, num_ctx: 8192}
Good:  anna: {model: m, num_ctx: 8192}, ben: {model: m, num_ctx: 8192}
Good:  anna: {model: m}, ben: {model: m, num_ctx: 8192}       a role that says nothing takes what its model has

Load options are `num_ctx`, `num_batch`, `num_gpu`, `main_gpu`, `use_mmap`, `num_thread` and `draft_num_predict`.
"""

from collections.abc import Iterator
from typing import Any

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.pipeline import LOAD_OPTIONS, Role
from llm_gc.protocol import Path

SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every load option that differs from that of an earlier role with the same model."""
    first: dict[tuple[str | None, str, str], tuple[str, Any]] = {}
    for name, role in subject.pipeline.roles.items():
        for option, value, path in _options(role):
            if role.model is None or role.human or role.backend in ("openai", "embedded"):
                continue
            other, before = first.setdefault((role.host, role.model, option), (name, value))
            if before != value:
                message = f"{option} is {value} here and {before} for {other!r}, which has the same model"
                hint = "The server reloads the model at each switch: give both the same."
                yield Problem(("roles", name, *path), message, hint)


def _options(role: Role) -> Iterator[tuple[str, Any, Path]]:
    if role.num_ctx is not None:
        yield "num_ctx", role.num_ctx, ("num_ctx",)
    for option in LOAD_OPTIONS:
        if option in role.options:
            yield option, role.options[option], ("options", option)
