"""The OpenAI backend: conversations with the models of any server that speaks OpenAI's API."""

from llm_gc.backends.openai.backend import OpenAI

__all__ = ["OpenAI"]
