"""The rules beyond the schema: one file each, one line each here; a rule's name is its code."""

from collections.abc import Iterator
from typing import Protocol

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.rules import (
    bad_format,
    bad_input,
    bad_option,
    bad_stop,
    bad_with,
    bare_result,
    changing_prompt,
    cloud_model,
    context_overflow,
    cut_text,
    echoed_stop_token,
    endless_loop,
    failing_template,
    format_without_json,
    hidden_words,
    idle_key,
    lowered_max_tokens,
    maybe_unset_name,
    model_reload,
    never_equal,
    never_runs,
    nothing_to_answer,
    path_as_text,
    role_without_model,
    similar_labels,
    small_context,
    speaks_twice,
    stray_choice,
    taken_name,
    template_comment,
    timeout_is_silence,
    unexpanded_variable,
    unguarded_order,
    unheard_role,
    unknown_attribute,
    unknown_name,
    unknown_role,
    unreachable_stop,
    unreadable_template,
    unset_name,
    unspoken_stop_token,
    unused_input,
    unused_prompt,
    unused_role,
    unused_variable,
)


class Rule(Protocol):
    """A rule is a module: its name is its code, its docstring its manual page.

    Its problems are errors but for ``SEVERITY = "warning"``, and for a problem that is itself a warning. It may also
    say when it is not run, since what it found would only follow from something else:
    ``WHOLE = True``: where broken parts of the pipeline were cut away, but for leaves on which nothing else hangs.
    ``READS = {"num_ctx", …}``: where one of these leaves was. ``ALONE = True``: where a scene plays the pipeline.
    ``AFTER = ("unknown-role", …)``: where one of these rules, which are before it, has found something.
    """

    def check(self, subject: RuleContext) -> Iterator[Problem]:
        """Return what it finds."""


RULES: dict[str, Rule] = {
    "unknown-role": unknown_role,
    "unreadable-template": unreadable_template,
    "path-as-text": path_as_text,
    "failing-template": failing_template,
    "unknown-name": unknown_name,
    "taken-name": taken_name,
    "unset-name": unset_name,
    "maybe-unset-name": maybe_unset_name,
    "unknown-attribute": unknown_attribute,
    "bad-input": bad_input,
    "bad-format": bad_format,
    "bad-option": bad_option,
    "bad-stop": bad_stop,
    "bad-with": bad_with,
    "idle-key": idle_key,
    "role-without-model": role_without_model,
    "similar-labels": similar_labels,
    "nothing-to-answer": nothing_to_answer,
    "speaks-twice": speaks_twice,
    "never-equal": never_equal,
    "unguarded-order": unguarded_order,
    "never-runs": never_runs,
    "endless-loop": endless_loop,
    "unreachable-stop": unreachable_stop,
    "unheard-role": unheard_role,
    "stray-choice": stray_choice,
    "unspoken-stop-token": unspoken_stop_token,
    "echoed-stop-token": echoed_stop_token,
    "small-context": small_context,
    "context-overflow": context_overflow,
    "model-reload": model_reload,
    "lowered-max-tokens": lowered_max_tokens,
    "timeout-is-silence": timeout_is_silence,
    "changing-prompt": changing_prompt,
    "format-without-json": format_without_json,
    "cloud-model": cloud_model,
    "cut-text": cut_text,
    "template-comment": template_comment,
    "unexpanded-variable": unexpanded_variable,
    "bare-result": bare_result,
    "hidden-words": hidden_words,
    "unused-role": unused_role,
    "unused-input": unused_input,
    "unused-variable": unused_variable,
    "unused-prompt": unused_prompt,
}
