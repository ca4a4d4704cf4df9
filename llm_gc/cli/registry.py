"""The registry of commands."""

COMMANDS = {
    "run": "Run a conversation, and leave its transcript.",
    "demo": "Hold a conversation with whatever model can be had.",
    "resume": "Go on with a conversation that was interrupted.",
    "replay": "Prove that a pipeline still makes the requests of a transcript, without a model.",
    "diff": "Say where two conversations part, and why.",
    "validate": "Check pipelines, without a model.",
    "doctor": "Examine the servers and models that a pipeline is to run on.",
    "plan": "Say turn by turn what a conversation will do, without a model.",
    "graph": "Draw a pipeline as a flowchart.",
    "rehearse": "Try every kind of reply, without a model.",
    "test": "Play scripted conversations, and compare.",
    "show": "Show a session: here, as a page, or as Markdown.",
    "ls": "List the sessions, newest first.",
    "schema": "Print the JSON Schema of pipelines or transcripts.",
}
"""Each command's module in this folder, with its line in --help (kept here so that --help loads no command)."""
