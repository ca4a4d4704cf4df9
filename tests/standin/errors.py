"""errors: how the server refuses a request, in the exact words that clients match on."""

import json
from typing import Any

QUEUE_FULL = "server busy, please try again.  maximum pending requests exceeded"
ENGINE_GONE = "an error was encountered while running the model: unexpected EOF"
ENGINE_STOPPED = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
    "check ollama server logs for details"
)
NO_IMAGES = "Multimodal data provided, but model does not support multimodal requests."
TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)


class Refusal(Exception):
    """The server's no: a status and the text of `{"error": …}`."""

    def __init__(self, status: int, error: str) -> None:
        """Refuse with this status and these words."""
        super().__init__(error)
        self.status = status
        self.error = error


class EngineRefusal(Refusal):
    """The engine's no; `streamed` says whether it comes where the lines of a stream were to come."""

    streamed = False


def engine_error(message: str, type: str = "invalid_request_error", code: int = 400, **details: Any) -> str:
    """What the engine says when it refuses: JSON, which Ollama passes on as text."""
    error = {"code": code, "message": message, "type": type, **details}
    return json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":"))


def refused(message: str, type: str = "invalid_request_error", **details: Any) -> EngineRefusal:
    """The engine's refusal with JSON inside the text."""
    return EngineRefusal(400, engine_error(message, type, **details))


def exceeds(tokens: int, window: int) -> EngineRefusal:
    """The engine's refusal of a prompt that does not fit its window."""
    sizes = f"request ({tokens} tokens) exceeds the available context size ({window} tokens)"
    details = {"n_prompt_tokens": tokens, "n_ctx": window}
    return refused(f"{sizes}, try increasing it", "exceed_context_size_error", **details)


def error_object(path: str, status: int, error: str) -> dict[str, Any]:
    """The body of an error: flat, or nested where the path speaks OpenAI's language."""
    if not path.startswith("/v1/"):
        return {"error": error}
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    return {"error": {"message": error, "type": kinds.get(status, "api_error"), "param": None, "code": None}}
