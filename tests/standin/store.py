"""store: the models that are there, and those that could be pulled."""

from collections.abc import Iterable, Iterator

from .acts import NDJSON, Act, Head, answer
from .call import Kind
from .errors import Refusal
from .gojson import encode
from .model import Model
from .names import Name, parse


class Store:
    """Models by name; case, defaults and outer blanks do not matter."""

    def __init__(self, models: Iterable[Model], library: Iterable[Model]) -> None:
        """Create some local models, and others in the library."""
        self._here = {model.named.key: model for model in models}
        self._library = {model.named.key: model for model in library}

    def __iter__(self) -> Iterator[Model]:
        """The models that are here."""
        return iter(self._here.values())

    def find(self, name: str, kind: Kind | None = None) -> Model:
        """The model of a name, or the refusal that this endpoint has for it."""
        if not name and kind == "generate":
            raise Refusal(404, "model '' not found")
        if not name:
            raise Refusal(400, "model is required")
        parsed = _parsed(name)
        if model := self._here.get(parsed.key):
            return model
        raise Refusal(404, f"model '{name if kind else parsed.short}' not found")

    def pull(self, name: str, stream: bool) -> Iterator[Act]:
        """Get a model from the library, and tell how it goes."""
        key = _parsed(name).key
        model = self._here.get(key) or self._library.get(key)
        failure = {"error": "pull model manifest: file does not exist"}
        if model:
            self._here[key] = model
        if not stream:
            return answer(encode({"status": "success"} if model else failure), 200 if model else 500)
        told = _progress(model) if model else [failure]
        return _lines([{"status": "pulling manifest"}, *told])


def _parsed(name: str) -> Name:
    parsed = parse(name)
    if parsed is None:
        raise Refusal(400, "invalid model name")
    return parsed


def _progress(model: Model) -> list[dict[str, object]]:
    """The lines of a download: what is there of each blob, then what is done with it."""
    blob = {"status": f"pulling {model.digest[:12]}", "digest": f"sha256:{model.digest}", "total": model.size}
    steps: list[dict[str, object]] = [{**blob, "completed": done} for done in (model.size // 2, model.size)]
    steps += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    return [{**blob}, *steps]


def _lines(objects: Iterable[dict[str, object]]) -> Iterator[Act]:
    yield Head(content_type=NDJSON)
    for told in objects:
        yield encode(told) + b"\n"
