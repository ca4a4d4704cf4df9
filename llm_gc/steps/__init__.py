"""The step kinds: one file each, one line each here."""

from llm_gc.steps.base import KINDS, AnyStep, Name, Step, Strict
from llm_gc.steps.repeat import Repeat
from llm_gc.steps.say import Say

KINDS.update({kind.kind: kind for kind in (Say, Repeat)})

__all__ = ["KINDS", "AnyStep", "Name", "Step", "Strict"]
