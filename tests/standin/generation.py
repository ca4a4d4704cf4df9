"""generation: the way of a request that wants a model, from its bytes to the acts that answer it."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from . import options, schema
from .acts import answer
from .behaviour import Behaviour, Job
from .call import Call, Kind, check_format, read_chat, read_generate
from .engine import Engine
from .errors import EngineRefusal, Refusal
from .model import Model
from .openai import CompletionShape, OpenAIShape, read_completion, read_openai
from .options import LoadOptions
from .performance import Performance
from .prompt import Prompt, build
from .records import Journal, Request
from .shapes import Done, GenerateShape, Part, Shape
from .store import Store

READERS: dict[Kind, Callable[[bytes], Call]] = {
    "chat": read_chat,
    "generate": read_generate,
    "openai": read_openai,
    "completion": read_completion,
}


class Script:
    """What the next requests that generate are answered with: one model's own part goes first."""

    def __init__(self) -> None:
        """Nothing is planned."""
        self._plans: dict[str | None, deque[Behaviour]] = {None: deque()}

    def add(self, behaviours: Iterable[Behaviour], key: str | None) -> None:
        """Plan more."""
        self._plans.setdefault(key, deque()).extend(behaviours)

    def next(self, key: str) -> Behaviour | None:
        """Take the next behaviour for a model."""
        plans = [plan for plan in (self._plans.get(key), self._plans[None]) if plan]
        return plans[0].popleft() if plans else None

    def __len__(self) -> int:
        """How much of it has not been taken."""
        return sum(len(plan) for plan in self._plans.values())


@dataclass
class Generation:
    """Answers chat and generate requests."""

    store: Store
    engine: Engine
    journal: Journal
    script: Script
    improvise: Callable[[Job], Behaviour]
    automatic: int
    clock: Callable[[], int]

    async def answer(self, kind: Kind, request: Request, performance: Performance) -> None:
        """Answer one request, or refuse it."""
        started = perf_counter_ns()
        call = READERS[kind](request.raw)
        model = self.store.find(call.model, kind)
        shape = self._shape(call)
        if not call.messages and call.keep_alive == 0:
            self.engine.unload(model)
            await performance.perform(answer(shape.whole(Part(done=Done("unload", {})))))
            return
        check_capabilities(model, call)
        wanted = options.read(model.parameters) | options.read(call.options)
        num_ctx = model.window(wanted, self.automatic)
        load = options.load_options(wanted, num_ctx, call.shift)
        if not call.messages:
            async with self.engine.loaded(model, load, call.keep_alive):
                await performance.perform(answer(shape.whole(Part(done=Done("load", {})))))
            return
        prompt = await self._prompt(model, call, wanted, load)
        job = Job(request, call, model, wanted, num_ctx, prompt, shape, started)
        await self._generate(job, load, performance)

    async def _prompt(self, model: Model, call: Call, wanted: dict[str, Any], load: LoadOptions) -> Prompt:
        """The prompt; a refusal of it comes only after the model was loaded."""
        try:
            check_format(call.format)
            schema.check(call.format if isinstance(call.format, dict) else {})
            options.check_ranges(wanted)
            return build(model, call, wanted, load.num_ctx)
        except Refusal as refusal:
            if isinstance(refusal, EngineRefusal):
                refusal.streamed = call.stream and (model.path == "rendered" or call.kind == "generate")
            async with self.engine.loaded(model, load, call.keep_alive):
                raise

    async def _generate(self, job: Job, load: LoadOptions, performance: Performance) -> None:
        """Play the next behaviour, with a model and one of its slots if it needs them."""
        behaviour = self.script.next(job.model.named.key) or self.improvise(job)
        job.request.prompt, job.request.prompt_tokens = job.prompt.text, job.prompt.tokens
        self.journal.chats.append(job.request)
        self.journal.changed()
        if not behaviour.occupies:
            await performance.perform(behaviour.acts(job))
            return
        async with self.engine.loaded(job.model, load, job.call.keep_alive) as runner:
            job.loaded = perf_counter_ns()
            async with runner.slots:
                job.begun = perf_counter_ns()
                await performance.perform(behaviour.acts(job))

    def bystander(self, request: Request) -> Job:
        """What a behaviour may know of a request that has no model."""
        call, model = Call("chat", ""), Model("none")
        return Job(request, call, model, {}, 4096, Prompt("", 0, 4096), self._shape(call), perf_counter_ns())

    def _shape(self, call: Call) -> Shape:
        if call.kind in ("openai", "completion"):
            shape = OpenAIShape if call.kind == "openai" else CompletionShape
            return shape(call.model, self.clock, call.usage)
        return (GenerateShape if call.kind == "generate" else Shape)(call.model, self.clock)


def check_capabilities(model: Model, call: Call) -> None:
    """Refuse what the model cannot do."""
    if not model.can("completion"):
        wanted = "generate" if call.kind == "generate" else "chat"
        raise Refusal(400, f'"{call.model}" does not support {wanted}')
    if call.think not in (None, False) and not model.can("thinking"):
        raise Refusal(400, f'"{call.model}" does not support thinking')
    if isinstance(call.think, str) and call.messages and not model.takes_levels and model.family != "gptoss":
        raise Refusal(400, f'think value "{call.think}" is not supported for this model')
    needed = {"tools": call.tools, "insert": call.suffix}
    missing = [name for name, wanted in needed.items() if wanted and not model.can(name)]
    if missing:
        raise Refusal(400, "\n".join(f"{model.named.full} does not support {name}" for name in missing))
