"""The words that other tools use for a key or a step of ours, each with what to write here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PIPELINE = {
    **dict.fromkeys(("agents", "participants", "actors", "characters", "speakers", "members"), "roles"),
    **dict.fromkeys(("steps", "flow", "stages", "tasks", "script", "conversation"), "turns"),
    **dict.fromkeys(("parameters", "params", "args", "arguments", "variables", "vars"), "inputs"),
    **dict.fromkeys(("start", "initial_message", "first_message", "user", "question"), "opening"),
    **dict.fromkeys(("output", "outputs", "return"), "result"),
    **dict.fromkeys(("termination", "stop_words", "until", "terminate"), "stop"),
    **dict.fromkeys(("import", "include", "base", "inherit"), "extends"),
    **dict.fromkeys(("title", "id"), "name"),
    "max_iterations": "limits: {max_turns: …}",
    "max_rounds": "limits: {max_turns: …}",
}

ROLE = {
    **dict.fromkeys(("system", "system_prompt", "system_message", "instructions", "instruction", "persona"), "prompt"),
    **dict.fromkeys(("llm", "model_name", "engine"), "model"),
    **dict.fromkeys(("name", "title", "display_name"), "label"),
    **dict.fromkeys(("goal", "backstory", "summary"), "description"),
    **dict.fromkeys(("max_new_tokens", "num_predict", "max_output_tokens", "max_completion_tokens"), "max_tokens"),
    **dict.fromkeys(("context", "context_window", "context_length", "n_ctx", "max_context"), "num_ctx"),
    **dict.fromkeys(("response_format", "schema", "output_schema", "json_schema", "output"), "format"),
    **dict.fromkeys(("reasoning", "thinking", "reasoning_effort"), "think"),
    **dict.fromkeys(("base_url", "url", "endpoint", "api_base"), "host"),
    **dict.fromkeys(("hears", "listens_to"), "sees"),
    "provider": "backend",
    "temp": "temperature",
}

LIMITS = {
    **dict.fromkeys(("max_rounds", "max_iterations", "max_round", "rounds", "max_messages"), "max_turns"),
    **dict.fromkeys(("max_seconds", "max_duration", "total_timeout"), "max_time"),
    **dict.fromkeys(("token_budget", "max_total"), "max_total_tokens"),
    **dict.fromkeys(("max_retries", "retry"), "retries"),
}

STEPS = {
    **dict.fromkeys(("role", "agent", "speak", "speaker", "ask", "turn"), "say: {value}"),
    **dict.fromkeys(("if", "condition"), "the step with the key when: {value}"),
    **dict.fromkeys(("loop", "while", "foreach", "rounds", "cycle"), "repeat: [steps], with times or until"),
    "for": "repeat: [steps], with for: {value} and in",
    **dict.fromkeys(("switch", "select", "route", "pick", "next"), "choose: [roles], with by"),
    **dict.fromkeys(("concurrent", "fork", "async", "gather"), "parallel: [steps]"),
    **dict.fromkeys(("call", "include", "pipeline", "chat", "subflow"), "scene: [steps] or a pipeline's file"),
    **dict.fromkeys(("assign", "let", "var"), "set: {{name: value}}"),
    **dict.fromkeys(("message", "print", "note", "announce", "user"), "post: {value}"),
    **dict.fromkeys(("stop", "break", "exit", "return", "finish"), "end: {value}"),
}
"""What to write for a step; ``{value}`` is a short text that was given."""


def key_for(key: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return what to write for a key that other tools have, where these keys are known; else an empty text."""
    tables = (("roles", PIPELINE), ("model", ROLE), ("max_turns", LIMITS))
    return next((table[key.lower()] for mark, table in tables if mark in known and key.lower() in table), "")


def step_for(step: Mapping[str, Any]) -> tuple[str, str]:
    """Return the key of a step that other tools have for its kind, and what to write for it; empty where none is."""
    for key in sorted(step, key=lambda one: list(STEPS).index(one) if one in STEPS else len(STEPS)):
        if key in STEPS:
            value = step[key]
            is_short = isinstance(value, str) and len(value) <= 30 and "\n" not in value
            return key, STEPS[key].format(value=value if is_short else "…")
    return "", ""
