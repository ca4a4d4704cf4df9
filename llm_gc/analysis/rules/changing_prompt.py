"""changing-prompt: a system prompt uses what changes from turn to turn, so the model reads everything anew each time.

Bad:   prompt: "You are Anna. This is turn {{ turn }}. The last word was: {{ last }}"
Good:  prompt: You are Anna.        with the step {say: anna, instruction: "This is turn {{ turn }}."}

A model server keeps what it has read, as long as a request begins as the one before did. The system prompt is the
beginning: where it changes, nothing can be kept. Roles that speak once have nothing to lose, and a prompt that is all
that is sent (`raw`) has to change.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence

from llm_gc.analysis.declared_names import DeclaredName
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say
from llm_gc.protocol import Path

WHOLE = True
SEVERITY: Severity = "warning"

CHANGING = ("last", "messages", "said", "turn")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the changing names in the system prompts of roles that speak again and again."""
    variables = [one for one in subject.given if one.kind in ("variable", "loop")]
    suspects = {*CHANGING, "round", *(one.name for one in variables)}
    loops = {path for path, model in subject.models if isinstance(model, Repeat)}
    for name, role in subject.pipeline.roles.items():
        is_all = role.human or role.raw
        compiled = subject.compiled(role.prompt) if role.prompt and not is_all else None
        if compiled is None or compiled.names.isdisjoint(suspects):
            continue
        spoken = [path for path, speaker in _turns(subject) if speaker in (name, None)]
        around = {loop for path in spoken for loop in _around(path, loops)}
        if len(spoken) < 2 and not around:
            continue
        changing = {*CHANGING, *_set_again(variables, around)} | ({"round"} if around else set())
        for use in compiled.uses:
            if use.name in changing:
                word = use.words[0]
                message = f"{use.name!r} changes between the turns of {name!r}, whose requests all begin with this"
                hint = "Put it into the step's instruction: a prompt that stays the same need not be read again."
                at = ("roles", name, "prompt")
                yield Problem(at, message, hint, file=word.file, line=word.line, column=word.column)


def _around(path: Path, loops: Container[Path]) -> Iterator[Path]:
    return (path[:end] for end in range(2, len(path)) if path[:end] in loops)


def _turns(subject: RuleContext) -> Iterator[tuple[Path, str | None]]:
    """Yield every place at which somebody speaks; without a name where it may be one of several."""
    for path, model in subject.models:
        if isinstance(model, Say):
            yield path, model.say
        elif isinstance(model, Choose):
            names = model.choose if isinstance(model.choose, (list, dict)) else [None]
            yield from ((path, name) for name in names)


def _set_again(variables: Sequence[DeclaredName], loops: Container[Path]) -> Iterator[str]:
    """Yield the variables that are set in several places, or in a loop in which the role speaks."""
    count = Counter(one.name for one in variables)
    for one in variables:
        if count[one.name] > 1 or any(True for _ in _around(one.path, loops)):
            yield one.name
