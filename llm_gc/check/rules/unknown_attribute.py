"""unknown-attribute: a template asks a message, or the map of roles, for something that it does not have.

Bad:   {{ last.contnet }}     {{ said.revewer }}     {{ roles.anna.modle }}
Good:  {{ last.content }}     {{ said.reviewer }}    {{ roles.anna.model }}
"""

from collections.abc import Iterator, Mapping, Sequence

from llm_gc.check.names import given
from llm_gc.check.problem import Problem
from llm_gc.errors import TemplateError
from llm_gc.near import near
from llm_gc.pipeline import Pipeline
from llm_gc.protocol import Message
from llm_gc.steps.say import Turn
from llm_gc.steps.scene import Scene
from llm_gc.templates import Spotted, Templates, Use
from llm_gc.texts import models, texts

MESSAGE = tuple(Message.__dataclass_fields__)
ROLE = ("name", "label", "description", "model")


def check(pipeline: Pipeline, prompts: Mapping[str, str]) -> Iterator[Problem]:
    templates, messages = Templates.over(prompts), {"last", *_message_names(pipeline)}
    for text in texts(pipeline):
        try:
            compiled = templates.expression(text.text) if text.kind == "expression" else templates.template(text.text)
        except TemplateError:
            continue  # another rule speaks of it
        for use in compiled.uses:
            for word, thing, known in _unknown(use, messages, list(pipeline.roles)):
                hint = near(word.word, known) or f"There are {', '.join(known)}."
                message = f"{thing} has no {word.word!r}"
                yield Problem(text.path, message, hint, file=word.file, line=word.line, column=word.column)


def _message_names(pipeline: Pipeline) -> set[str]:
    """Give the names that hold a message wherever they are set."""
    held = {name for _, model in models(pipeline) if isinstance(model, (Turn, Scene)) if (name := model.as_)}
    return held - _other_names(pipeline, held)


def _other_names(pipeline: Pipeline, held: set[str]) -> set[str]:
    """Give those of the names that hold something else too: a variable, a block's list, an input."""
    ends = {(*path, "as") for path, model in models(pipeline) if isinstance(model, (Turn, Scene))}
    return {one.name for one in given(pipeline) if one.name in held and one.path not in ends}


def _unknown(use: Use, messages: set[str], roles: Sequence[str]) -> Iterator[tuple[Spotted, str, Sequence[str]]]:
    """Give the first word of a use that is not there, what it is not there in, and what is."""
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
        case own if own in messages:
            levels = [("a message", MESSAGE)]
    for word, (thing, known) in zip(rest, levels, strict=False):
        if not word.word and known:
            return  # an item that is worked out: nothing can be said of what follows
        if known and word.word not in known and not _is_method(word, thing):
            yield word, thing, known
            return


def _is_method(word: Spotted, thing: str) -> bool:
    return thing in ("'said'", "'roles'", "a role") and word.word in ("get", "items", "keys", "values")
