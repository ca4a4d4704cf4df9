"""The Ollama backend: answers asks by a local Ollama server's native API, streaming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from llm_gc.backends.http.accumulator import Accumulator, structured_in, thoughts_of
from llm_gc.backends.http.client import HttpClient
from llm_gc.backends.http.exchange import HttpExchange
from llm_gc.backends.http.hosts import Address, find_address
from llm_gc.backends.http.kinds import OLLAMA
from llm_gc.backends.http.server_errors import Failed
from llm_gc.backends.http.stream import StreamDecoder
from llm_gc.backends.interface import Asked, Examination, Facts, HeldModel, Notify, ignore
from llm_gc.backends.ollama.loaded_models import Models
from llm_gc.backends.ollama.model_names import normalise
from llm_gc.backends.ollama.pulling import Pulling, pull
from llm_gc.backends.ollama.server_info import examine, find_facts, held
from llm_gc.backends.ollama.wire import Lines, reply_request
from llm_gc.errors import ServerError
from llm_gc.protocol import Ask, Latency, ModelConfig, Reply


class Ollama(HttpClient[Models]):
    """Answer asks by Ollama servers."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about the addresses that have been used."""
        found = (models.server.address.warning for models in self._known.values())
        return tuple(warning for warning in found if warning)

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find the servers and the models, and fix each window that nobody has declared.

        Raises:
            ServerUnreachable: where no Ollama answers.
            ModelMissing: naming every model that is not there, with the way to get it.
            ServerError: where a server answers with an error, or a model cannot chat.

        """
        facts = await find_facts([(casting, self._at(casting)) for casting in castings], load_timeout, notify)
        return replace(facts, warnings=(*self.warnings, *facts.warnings))

    async def _answer(self, ask: Ask, notify: Notify, began: float) -> Reply:
        models = self._at(ask.casting)
        try:
            ability = await models.ability(ask.model)
            load = await models.ensure(ask, notify)
        except Failed as failed:
            took = self._clock() - began
            return Reply(failure=failed.failure, seconds=took, latency=Latency(total=took))
        keep_alive = models.keeping.ask(ask)
        path, body = reply_request(ask, ability, keep_alive, models.version)
        notify(Asked(ask.model))
        decoder = StreamDecoder(Lines(), max_reply=self._max_reply)
        hearing = Accumulator(decoder, thoughts_of(ask), notify, self._clock, models.server.redactor)
        with models.asked(ask.model) as activity:
            exchange = HttpExchange(models.server, ask, hearing, activity)
            ended = await exchange.run(path, body, self._clock() - began)
        if ended is None:
            models.shelf.saw(ask.model, ask.options)
            models.keeping.renew(ask.model, keep_alive)
        else:
            models.shelf.forget(ask.model)
        reply = hearing.reply(ask, ended, load, self._clock() - began, _other(hearing, ask.model))
        return structured_in(reply, ask.format, notify)

    async def examine(self, place: ModelConfig, castings: Sequence[ModelConfig]) -> Examination:
        """Examine the server of ``place`` for ``castings``, all of which are played there."""
        return await examine(self._at(place), castings)

    async def held(self, place: ModelConfig) -> tuple[HeldModel, ...] | None:
        """Return the models that the server of ``place`` holds in memory now; None where it does not tell."""
        return await held(self._at(place))

    async def pull(self, place: ModelConfig, notify: Callable[[Pulling], None]) -> None:
        """Make the server of ``place`` pull its model.

        Raises:
            ServerError: where it does not reached a good end.

        """
        try:
            await pull(self._at(place).server, place.model, notify)
        except Failed as failed:
            raise ServerError(failed.failure.message) from failed

    def _find(self, casting: ModelConfig) -> Address:
        return find_address(self._host, casting.host, self._environ)

    def _meet(self, address: Address) -> Models:
        return Models(self._server(address, OLLAMA), self._clock)


def _other(hearing: Accumulator, model: str) -> str | None:
    """Return the name of who spoke, where it is not ``model`` by any of its names."""
    named = hearing.end.model if hearing.end is not None else None
    return named if named and normalise(named) != normalise(model) else None
