"""The step kinds: one file each, one line each here."""

from llm_gc.steps.base import KINDS, AnyStep, Name, Step, Strict
from llm_gc.steps.choose import Choose
from llm_gc.steps.do import Do
from llm_gc.steps.end import End
from llm_gc.steps.parallel import Parallel
from llm_gc.steps.post import Post
from llm_gc.steps.repeat import Repeat
from llm_gc.steps.say import Say
from llm_gc.steps.scene import Scene
from llm_gc.steps.set import Set

KINDS.update({kind.kind: kind for kind in (Say, Do, Repeat, Parallel, Choose, Scene, Set, Post, End)})

__all__ = ["KINDS", "AnyStep", "Name", "Step", "Strict"]
