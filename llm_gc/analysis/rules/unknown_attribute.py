"""unknown-attribute: a message, a role or a structured reply has no such attribute, or there is no such role.

Bad:   when: last.contents == 'yes'       instruction: "{{ said.revewer }}"       set: {score: last.data.scroe}
Good:  when: last.content == 'yes'        instruction: "{{ said.reviewer }}"      set: {score: last.data.score}

What the data of a message can have is told by its `format`: the properties of the schema, where it lets no others
stand. A message of several possible speakers has what one of them can give. Data where no reply has a `format` are
always none, which is a warning.
"""

from collections.abc import Iterator, Sequence

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.value_types import Value, properties, step_into
from llm_gc.language.texts import Text
from llm_gc.protocol import Message
from llm_gc.templates import Spotted, Use
from llm_gc.values.did_you_mean import near

MESSAGE = tuple(Message.__dataclass_fields__)
ROLE = ("name", "label", "description", "model")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report words after a name that are not there."""
    roles, sights = list(subject.pipeline.roles), subject.flow.sights if subject.whole else {}
    for text, compiled in subject.texts:
        for use in compiled.uses if compiled else ():
            sight = sights.get((text.path, use))
            found = _misspelt(text, use, roles)
            if found is None and sight is not None:
                after = 2 if use.name == "said" else 1
                found = _beyond(text, use, use.words[after:], sight.value)
            if found is not None:
                yield found


def _misspelt(text: Text, use: Use, roles: Sequence[str]) -> Problem | None:
    """Look at the words after a name of llm-gc's own, which has the same attributes everywhere."""
    name, *rest = use.words
    levels: list[tuple[str, Sequence[str]]] = []
    match name.word:
        case "said":
            levels = [("'said'", roles), ("a message", MESSAGE)]
        case "roles":
            levels = [("'roles'", roles), ("a role", ROLE)]
        case "role":
            levels = [("a role", ROLE)]
        case "messages":
            levels = [("", ()), ("a message", MESSAGE)]
        case "last":
            levels = [("a message", MESSAGE)]
    for word, (thing, known) in zip(rest, levels, strict=False):
        if not word.word and known:
            return None  # an item that is worked out: nothing can be said of what follows
        if known and word.word not in known and not _is_method(word, thing):
            return _problem(text, word, thing, known)
    return None


def _beyond(text: Text, use: Use, words: Sequence[Spotted], value: Value) -> Problem | None:
    """Look at the words after what holds a message, a list of messages or data."""
    for number, word in enumerate(words):
        if value.kind == "message" and word.word not in MESSAGE:
            return _problem(text, word, "a message", MESSAGE)
        if value.kind == "data" and not value.schemas:
            if use.asked:
                return None
            message = f"{words[number - 1].word!r} is always none here: no reply that it can be of has a 'format'"
            hint = "Give the role or the step a 'format'."
            spot = words[number - 1]
            return Problem(text.path, message, hint, False, "warning", spot.file, spot.line, spot.column)
        if value.kind == "data" and word.word:
            known = [properties(schema) for schema in value.schemas]
            names = list(dict.fromkeys(name for one in known for name in one or ()))
            if None not in known and word.word not in names and not _is_method(word, "data"):
                is_last = number == len(words) - 1
                return None if use.asked and is_last else _problem(text, word, "this reply's data", names)
        value = step_into(value, word.word)
    return None


def _problem(text: Text, word: Spotted, thing: str, known: Sequence[str]) -> Problem:
    hint = near(word.word, known) or f"There are {', '.join(known)}."
    return Problem(text.path, f"{thing} has no {word.word!r}", hint, file=word.file, line=word.line, column=word.column)


def _is_method(word: Spotted, thing: str) -> bool:
    return thing != "a message" and word.word in ("get", "items", "keys", "values")
