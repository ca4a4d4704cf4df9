"""behaviour: what a script is made of, and what a behaviour may know of the request it answers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter_ns
from typing import Any

from .acts import Act
from .call import Call
from .model import Model
from .prompt import Prompt
from .records import Request
from .shapes import Shape
from .speech import Limits


@dataclass
class Job:
    """One request that generates.

    Times are nanoseconds of `perf_counter_ns`: it came, had a loaded model, had one of its slots.
    """

    request: Request
    call: Call
    model: Model
    options: Mapping[str, Any]
    num_ctx: int
    prompt: Prompt
    shape: Shape
    started: int
    loaded: int = 0
    begun: int = 0

    @property
    def native(self) -> bool:
        """Whether the engine, not Ollama, made the prompt."""
        return self.model.path == "native" and self.call.kind != "generate"

    @cached_property
    def limits(self) -> Limits:
        """What ends a reply to this request."""
        most = 10 * self.num_ctx
        tokens: int = self.options.get("num_predict", -1)
        if tokens == 0:
            tokens = 1 if self.native else most
        tokens = most if tokens < 0 else min(tokens, most)
        if not self.call.shift:
            tokens = min(tokens, max(1, self.prompt.window - self.prompt.tokens))
        return Limits(tokens, tuple(self.options.get("stop", ())), guard=not self.native)

    def counters(self, sampled: int, speaking_since: int) -> dict[str, Any]:
        """The figures of the final chunk."""
        now = perf_counter_ns()
        figures: dict[str, Any] = {}
        if self.call.kind == "generate" and not self.call.raw:
            figures["context"] = list(range(self.prompt.tokens - self.model.bos + sampled - 1))
        return figures | {
            "total_duration": now - self.started,
            "load_duration": max(1000, self.loaded - self.started),
            "prompt_eval_count": self.prompt.tokens,
            "prompt_eval_duration": max(1000, speaking_since - self.begun),
            "eval_count": sampled,
            "eval_duration": max(1000, now - speaking_since),
        }


class Behaviour(ABC):
    """One way to answer a request."""

    @property
    def occupies(self) -> bool:
        """Whether the answer takes a loaded model and one of its slots."""
        return True

    @abstractmethod
    def acts(self, job: Job) -> Iterator[Act]:
        """The answer, act by act."""
