"""idle-key: a key that does nothing where it stands, because the key that it belongs to is not there.

Bad:   {do: [anna], else: [ben]}               {repeat: [anna], for: question}       {match: regex, when: turn > 3}
       anna: {raw: true}
Good:  {do: [anna], when: …, else: [ben]}      {repeat: [anna], for: question, in: questions}
"""

from collections.abc import Iterator

from pydantic import BaseModel

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.language.fields import Stop
from llm_gc.language.pipeline import Role
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.scene import Scene


def check(subject: RuleContext) -> Iterator[Problem]:
    for path, model in subject.models:
        for key, message in _idle(model):
            yield Problem((*path, key), message, key=True)


def _idle(model: BaseModel) -> Iterator[tuple[str, str]]:
    match model:
        case Do(when=None, else_=[*_]):
            yield "else", "'else' is never run: this step has no 'when' that could be false"
        case Repeat() | Parallel():
            if model.for_ is not None and model.in_ is None:
                yield "for", "'for' names an item, and there is no list: 'in' is missing beside it"
            elif model.for_ is None and model.in_ is not None:
                yield "in", "'in' gives the items, and they have no name: 'for' is missing beside it"
            elif model.for_ is not None and model.times is not None:
                yield "times", "the list says how often already: give 'times', or 'for' and 'in'"
        case Scene(scene=[*_], with_=dict()):
            yield "with", "'with' gives the inputs of another pipeline, and this scene is no file"
        case Role(raw=True, api="chat"):
            yield "raw", "'raw' leaves the model's template out of a text to continue: 'api: generate' is missing"
        case Stop(token=None) if model.when is not None and "match" in model.model_fields_set:
            yield "match", "'match' says how the token is found, and there is no 'token'"
