"""The Ollama backend: answers asks by a local Ollama server's native API, streaming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from llm_gc.backends.base import Asked, Facts, Notify, ignore
from llm_gc.backends.examining import Examination, Held
from llm_gc.backends.ollama.bodies import reply_request
from llm_gc.backends.ollama.examining import examine, held
from llm_gc.backends.ollama.lines import Lines
from llm_gc.backends.ollama.models import Models
from llm_gc.backends.ollama.names import normalise
from llm_gc.backends.ollama.preflight import find_facts
from llm_gc.backends.ollama.pulling import Pulling, pull
from llm_gc.backends.wire.asking import Asking
from llm_gc.backends.wire.events import Decoder
from llm_gc.backends.wire.exchange import Exchange
from llm_gc.backends.wire.failures import Failed
from llm_gc.backends.wire.hearing import Hearing, structured_in, thoughts_of
from llm_gc.backends.wire.hosts import Address, find_address
from llm_gc.backends.wire.kinds import OLLAMA
from llm_gc.errors import ServerError
from llm_gc.protocol import Ask, Casting, Latency, Reply


class Ollama(Asking[Models]):
    """Answer asks by Ollama servers."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about the addresses that have been used."""
        found = (models.server.address.warning for models in self._known.values())
        return tuple(warning for warning in found if warning)

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find the servers and the models, and fix each window that nobody has declared.

        Raises:
            ServerUnreachable: where no Ollama answers.
            ModelMissing: naming every model that is not there, with the way to get it.
            ServerError: where a server answers with an error, or a model cannot chat.

        """
        facts = await find_facts([(casting, self._at(casting)) for casting in castings], load_timeout, notify)
        return replace(facts, warnings=(*self.warnings, *facts.warnings))

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer ``ask`` once, within its limits; a cold load has its own."""
        began, models = self._clock(), self._at(ask.casting)
        try:
            ability = await models.ability(ask.model)
            load = await models.ensure(ask, notify)
        except Failed as failed:
            took = self._clock() - began
            return Reply(failure=failed.failure, seconds=took, latency=Latency(total=took))
        keep_alive = models.keeping.ask(ask)
        path, body = reply_request(ask, ability, keep_alive, models.version)
        notify(Asked(ask.model))
        decoder = Decoder(Lines(), max_reply=self._max_reply)
        hearing = Hearing(decoder, thoughts_of(ask), notify, self._clock, models.server.redactor)
        with models.asked(ask.model) as activity:
            exchange = Exchange(models.server, ask, hearing, activity)
            ended = await exchange.run(path, body, self._clock() - began)
        if ended is None:
            models.shelf.saw(ask.model, ask.options)
            models.keeping.renew(ask.model, keep_alive)
        else:
            models.shelf.forget(ask.model)
        reply = hearing.reply(ask, ended, load, self._clock() - began, _other(hearing, ask.model))
        return structured_in(reply, ask.format, notify)

    async def examine(self, place: Casting, castings: Sequence[Casting]) -> Examination:
        """Examine the server of ``place`` for ``castings``, all of which are played there."""
        return await examine(self._at(place), castings)

    async def held(self, place: Casting) -> tuple[Held, ...] | None:
        """Give the models that the server of ``place`` holds in memory now; none where it does not tell."""
        return await held(self._at(place))

    async def pull(self, place: Casting, notify: Callable[[Pulling], None]) -> None:
        """Have the model of ``place`` got by its server.

        Raises:
            ServerError: where it does not come to a good end.

        """
        try:
            await pull(self._at(place).server, place.model, notify)
        except Failed as failed:
            raise ServerError(failed.failure.message) from failed

    def _find(self, casting: Casting) -> Address:
        return find_address(self._host, casting.host, self._environ)

    def _meet(self, address: Address) -> Models:
        return Models(self._server(address, OLLAMA), self._clock)


def _other(hearing: Hearing, model: str) -> str | None:
    """Give the name of who spoke, where it is not ``model`` by any of its names."""
    named = hearing.end.model if hearing.end is not None else None
    return named if named and normalise(named) != normalise(model) else None
