"""unknown-name: a template uses a name that nothing declares, or one that is not known where it is rendered.

Bad:   opening: "Task: {{ taks }}"   with inputs: {task: …}        opening: "{{ last }}"
Good:  opening: "Task: {{ task }}"

`{{ x is defined }}` or `{{ x | default(…) }}` anywhere in a text says that its author knows.
"""

from collections.abc import Iterator

from llm_gc.analysis.declared_names import INSIDE, NAMES
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.language.steps.repeat import Repeat
from llm_gc.protocol import Path
from llm_gc.values.did_you_mean import near

SETTLED = ("model", "temperature", "max_tokens", "num_ctx", "seed")
"""The fields of a role that are rendered once, before the first turn."""


def check(subject: RuleContext) -> Iterator[Problem]:
    pipeline, everywhere = subject.pipeline, subject.templates.everywhere
    named = {one.name for one in subject.given if one.kind in ("variable", "loop")}
    loops = any(isinstance(model, Repeat) for _, model in subject.models)
    always = everywhere | {*pipeline.inputs}
    mostly = always | named | {"last", "said", "messages", "roles"}
    for text, compiled in subject.texts:
        if compiled is None or compiled.names <= (always if is_settled(text.path) else mostly):
            continue
        here = {*pipeline.inputs} | (set() if is_settled(text.path) else named | _given_by_us(text.path, loops))
        for use in compiled.uses:
            if use.name in here or use.guarded or use.name in everywhere:
                continue
            word, known = use.words[0], sorted(here)
            hint = near(use.name, known) or (f"The names here are {', '.join(known)}." if known else "")
            there = "is not known here" if use.name in {*NAMES, *named, *INSIDE} else "is not declared anywhere"
            message = f"{use.name!r} {there}{_why(use.name, text.path)}"
            yield Problem(text.path, message, hint, file=word.file, line=word.line, column=word.column)


def is_settled(path: Path) -> bool:
    """Return whether what is at a path is rendered over the inputs alone, before anybody speaks."""
    match path:
        case ("opening",) | ("limits", _):
            return True
        case ("roles", _, key) | ("defaults", key):
            return key in SETTLED
    return False


def _given_by_us(path: Path, loops: bool) -> set[str]:
    """Return the names that llm-gc gives to what is rendered at a path."""
    names = {"last", "said", "messages", "roles"}
    key, spoken = path[-1], path[0] in ("roles", "defaults")
    if spoken or key == "instruction" or (key == "result" and len(path) > 1) or "stop" in path:
        names.add("role")
    if "parallel" not in path:
        names.add("turn")
    if (loops and (spoken or "stop" in path)) or "repeat" in path[:-1] or key == "until":
        names.add("round")
    return names


def _why(name: str, path: Path) -> str:
    if is_settled(path):
        return ": this is rendered once, over the inputs alone" if name in NAMES else ""
    reasons = {
        "role": ": no single role speaks here",
        "turn": ": side by side there is no order of turns",
        "round": ": this is not inside a 'repeat'",
        "loop": ": this is not inside a {% for %}",
    }
    return reasons.get(name, "")
