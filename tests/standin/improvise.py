"""improvise: the reply that a model gives when no script says what it is to say.

It depends on nothing but the prompt, the format and the seed, so the same request gets the same reply.
"""

import hashlib
import json
import random

from . import schema
from .behaviour import Job
from .say import Say

_OPENINGS = ("First,", "In short,", "I would say:", "Looking closely,", "To begin with,", "As a start,")
_SUBJECTS = ("the plan", "the reader", "each step", "a small test", "the next change", "one risk")
_VERBS = ("needs", "shows", "keeps", "covers", "explains", "removes", "depends on", "comes before")
_OBJECTS = ("a clear name", "the edge cases", "what was agreed", "the simplest way", "the data")


def improvise(job: Job, before: float = 0.0, gap: float = 0.0) -> Say:
    """A plausible reply: a few sentences, or the JSON that was asked for.

    Told not to think, gpt-oss does all the same, and then says nothing where a format is asked for.
    """
    chance = _chance(job)
    stubborn = job.model.family == "gptoss" and job.call.think is False
    thinks = job.model.can("thinking") and (job.call.think is not False or stubborn)
    thinking = f"Let me see. {_sentence(chance)}" if thinks else ""
    content = "" if stubborn and job.call.format is not None else _content(job, chance)
    return Say(content, thinking, before=before, gap=gap)


def _content(job: Job, chance: random.Random) -> str:
    wanted = job.call.format
    if isinstance(wanted, dict) and wanted:
        return json.dumps(schema.example(wanted, chance), ensure_ascii=False)
    if wanted is not None and not job.native:
        return json.dumps({"answer": _sentence(chance)})
    return " ".join(_sentence(chance) for _ in range(chance.randint(1, 4)))


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choice(choices) for choices in (_OPENINGS, _SUBJECTS, _VERBS, _OBJECTS)) + "."


def _chance(job: Job) -> random.Random:
    """The same chance for the same request; a greedy reply does not depend on the seed."""
    greedy = job.options.get("temperature") == 0 or job.options.get("top_k") == 1
    seed = None if greedy else job.options.get("seed")
    key = repr((job.model.name, job.prompt.text, job.call.format, seed))
    return random.Random(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest())
