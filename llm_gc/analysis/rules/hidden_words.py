"""hidden-words: a text that others are sent takes in words that a step's `result` hides from them.

Bad:   [{say: judge, result: ""}, {say: author, instruction: "Improve it: {{ last.content }}"}]
Good:  [{say: judge, result: ""}, {say: author, instruction: "Improve it: {{ last.data.wish }}"}]
Good:  [{say: judge, result: "{{ last.data.wish }}"}, {say: author, instruction: "{{ last.heard }}"}]

`content` is all that somebody said, and so is a message that is printed as a whole: `{{ last }}`, `{{ said.judge }}`,
`{{ messages | join }}`. What the others were sent of it is its `heard`, and what a structured reply says its `data`.
Prompts, instructions, posts, openings, and what another pipeline is given are looked at. To the role that said it,
nothing of it is hidden.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.texts import Text
from llm_gc.protocol import Path
from llm_gc.templates import Compiled, Use

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("unknown-role", "unknown-attribute", "never-runs", "bare-result")

_SENT = ("prompt", "instruction", "post", "opening")
"""The keys of the texts that somebody is sent."""


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the uses that take in what was hidden."""
    for text, compiled in subject.texts:
        if text.kind == "template" and (text.path[-1] in _SENT or text.path[-2:-1] == ("with",)):
            yield from _problems(subject, text, compiled)


def _problems(subject: RuleContext, text: Text, compiled: Compiled | None) -> Iterator[Problem]:
    reader = _reader(subject, text.path)
    for use in compiled.uses if compiled else ():
        hidden = sorted(_hidden(subject, text, use) - {reader}) if _is_whole(use) else []
        if hidden:
            word = use.words[0]
            who = " and ".join(map(repr, hidden))
            message = f"this takes in words of {who} that a step's 'result' hides from the others"
            hint = "What the others were sent of a message is its 'heard'."
            yield Problem(text.path, message, hint, file=word.file, line=word.line, column=word.column)


def _is_whole(use: Use) -> bool:
    """Return whether all that a message says comes out."""
    rest = [word.word for word in use.words[2 if use.name == "said" else 1 :] if word.word]
    return use.whole and (not rest or rest[-1] == "content")


def _hidden(subject: RuleContext, text: Text, use: Use) -> frozenset[str]:
    """Return the roles of which a use may take in hidden words."""
    if use.name == "messages":
        scene = _scene(text.path)
        turns = ((path, model) for path, model in subject.models if isinstance(model, SpeakingStep))
        return frozenset(
            role
            for path, turn in turns
            if _scene(path) == scene or text.path[0] == "roles"
            for role in subject.flow.roles.hides(turn)
        )
    sight = subject.flow.sights.get((text.path, use))
    value = sight.value if sight is not None else None
    while value is not None and value.kind == "list":
        value = value.item
    return value.hidden if value is not None else frozenset()


def _scene(path: Path) -> Path:
    """Return the path of the innermost scene around a step."""
    return next((path[: index + 1] for index in range(len(path) - 2, -1, -1) if path[index] == "scene"), ())


def _reader(subject: RuleContext, path: Path) -> str | None:
    """Return the role that a text is for; None where it is for several."""
    if path[0] == "roles":
        return str(path[1])
    step = dict(subject.models).get(path[:-1])
    return step.say if isinstance(step, Say) else None
