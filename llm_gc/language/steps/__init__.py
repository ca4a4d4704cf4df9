"""The step kinds: one file each, one line each here."""

from llm_gc.language.base import KINDS, AnyStep, Name, Step, Strict
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.end import End
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.post import Post
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set

KINDS.update({kind.kind: kind for kind in (Say, Do, Repeat, Parallel, Choose, Scene, Set, Post, End)})

__all__ = ["KINDS", "AnyStep", "Name", "Step", "Strict"]
