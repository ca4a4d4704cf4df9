"""unset-name: a template uses a name that no step before it can have set.

Bad:   turns: [{post: "{{ draft }}"}, {say: anna, as: draft}]
Good:  turns: [{say: anna, as: draft}, {post: "{{ draft }}"}]

What `as` and `set` name in a branch or a scene stays inside: only the `as` of the `parallel` or the `scene` itself is
known outside. `{{ x is defined }}` or `{{ x | default(…) }}` anywhere in a text says that its author knows.
"""

from collections.abc import Container, Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.language.steps.parallel import Parallel
from llm_gc.protocol import Path

WHOLE = True
AFTER = ("taken-name",)

HINT = "Set it before, or give it a fallback: {name} | default('…')."


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the names that are not set at some moment at which they are surely needed, or at none."""
    for (path, use), sight in subject.flow.sights.items():
        if not use.guarded and sight.never and (use.sure or sight.never == sight.times):
            word = use.words[0]
            message = f"{use.name!r} {_why(subject, use.name, path)}"
            hint = HINT.format(name=use.name)
            yield Problem(path, message, hint, file=word.file, line=word.line, column=word.column)


def _why(subject: RuleContext, name: str, path: Path) -> str:
    blocks = {at for at, model in subject.models if isinstance(model, Parallel)}
    rooms = [_room(one.path, blocks) for one in subject.given if one.name == name]
    if rooms and all(room and path[: len(room)] != room for room in rooms):
        return "is known only inside the branch or scene that sets it"
    return "is used before any step can have set it"


def _room(path: Path, blocks: Container[Path]) -> Path:
    """Return the path of the innermost branch or scene in which a name stays; empty where it stays in none."""
    if path[-1] == "for" and path[:-1] in blocks:
        return path[:-1]
    for end in range(len(path) - 2, 0, -1):
        if path[end - 1] in ("parallel", "scene") and isinstance(path[end], int):
            return path[: end + 1] if path[end - 1] == "parallel" else path[:end]
    return ()
