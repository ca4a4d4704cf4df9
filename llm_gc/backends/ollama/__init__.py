"""The Ollama backend: conversations with the models of a local Ollama server."""

from llm_gc.backends.http.hosts import base_url
from llm_gc.backends.ollama.backend import Ollama

__all__ = ["Ollama", "base_url"]
