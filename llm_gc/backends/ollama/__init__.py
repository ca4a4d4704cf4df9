"""The Ollama backend: conversations with the models of a local Ollama server."""

from llm_gc.backends.ollama.backend import Ollama
from llm_gc.backends.wire.hosts import base_url

__all__ = ["Ollama", "base_url"]
