"""options: the sampling and load options of a request, checked as the server checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .errors import Refusal, refused

_NAMES = {
    "integer": "num_keep seed num_predict top_k repeat_last_n "
    "num_ctx num_batch num_gpu main_gpu num_thread draft_num_predict",
    "float32": "temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty",
    "boolean": "use_mmap",
    "array": "stop",
}
_TYPES = {name: kind for kind, names in _NAMES.items() for name in names.split()}

_LARGEST = 2**31 - 1
_RANGES = {"repeat_last_n": ("repeat_last_n", 0), "num_keep": ("n_keep", -1)}


@dataclass(frozen=True)
class LoadOptions:
    """What a model is loaded with: a request that differs in one of these makes it load again."""

    num_ctx: int
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int = 0
    draft_num_predict: int = 0
    shift: bool = True

    def fits(self, wanted: "LoadOptions") -> bool:
        """Whether a model loaded like this serves a request for `wanted`; no wish for GPUs fits any."""
        if wanted.num_gpu < 0 <= self.num_gpu:
            wanted = replace(wanted, num_gpu=self.num_gpu)
        return self == wanted


def read(options: Mapping[str, Any]) -> dict[str, Any]:
    """The known options that have a value, in their right types."""
    known = {name: value for name, value in options.items() if name in _TYPES and value is not None}
    return {name: _converted(name, value) for name, value in known.items()}


def check_ranges(options: Mapping[str, Any]) -> None:
    """The engine's own limits, which it looks at only when a model is loaded."""
    for name, (field, least) in _RANGES.items():
        value = options.get(name, least)
        if not least <= value <= _LARGEST:
            between = f"{least} <= value <= {_LARGEST}"
            raise refused(f"Field '{field}': Value must be between {between}, but got {value}")


def load_options(options: Mapping[str, Any], num_ctx: int, shift: bool) -> LoadOptions:
    """The load options among a request's options."""
    names = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
    given = {name: options[name] for name in names if name in options}
    return LoadOptions(num_ctx=num_ctx, shift=shift, **given)


def _converted(name: str, value: Any) -> Any:
    """A value as its option's type, fractions of integers cut off."""
    expected = _TYPES[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected in ("integer", "float32") and number:
        return int(value) if expected == "integer" else float(value)
    if expected == "boolean" and isinstance(value, bool):
        return value
    if expected == "array" and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        expected = "an array of strings"
    raise Refusal(500, f'option "{name}" must be of type {expected}')
