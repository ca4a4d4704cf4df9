"""The options that commands on a pipeline share, and those that it adds: one for each of its inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

INPUT_HELP = "An input by name, also one whose name an option here already has. @PATH as a value reads a file."

Decorated = Callable[..., Any]


def laid_over(command: Decorated) -> Decorated:
    """Let a command take what is laid over the pipeline's document: ``overrides`` and ``models``."""
    model = click.option("--model", "models", multiple=True, metavar="[ROLE=]NAME",
                         help="Another model, for a role or for all.")  # fmt: skip
    override = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                            help="Lay a value over the pipeline's.")  # fmt: skip
    return override(model(command))


def pipeline_and_inputs(command: Decorated) -> Decorated:
    """Let an ``InputsCommand`` take a pipeline's ``file``, inputs by name, and what is laid over its document."""
    given = click.option("--input", "given", multiple=True, metavar="NAME=VALUE", help=INPUT_HELP)
    return click.argument("file", required=False)(given(laid_over(command)))


_BY_NAME = "llm_gc.by_name"
"""Where a command's context keeps the inputs whose names its own options have."""


class InputsCommand(click.Command):
    """A command that reads the pipeline's file first, and then has an option for each of its inputs.

    Only the YAML is read for that: ``run FILE --help`` builds no models and asks no server.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the file among the arguments, add its inputs, and parse."""
        file = self._file(ctx, args)
        inputs = _inputs(file) if file is not None else {}
        taken = {option for param in self.params for option in param.opts}
        added = [_option(name, schema) for name, schema in inputs.items() if _word(name) not in taken]
        ctx.meta[_BY_NAME] = {name: schema for name, schema in inputs.items() if _word(name) in taken}
        original, self.params = self.params, [*self.params, *added]
        try:
            rest = super().parse_args(ctx, args)
        finally:
            self.params = original
        ctx.params["inputs"] = _gathered(ctx.params, added, ctx.params.pop("given", ()))
        return rest

    def _file(self, ctx: click.Context, args: list[str]) -> str | None:
        """Give the first argument that is no option and no option's value."""
        flags = {o for p in self.params if isinstance(p, click.Option) and p.is_flag for o in p.opts} | {"--help", "-h"}
        values = iter(args)
        for word in values:
            if word == "--":
                return next(values, None)
            if not word.startswith("-") or word == "-":
                return word
            if word not in flags and "=" not in word:
                next(values, None)
        return None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Put the inputs in a section of their own, before the options."""
        inputs: list[tuple[str, str]] = []
        options: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                (inputs if isinstance(param, _InputOption) else options).append(record)
        by_name: dict[str, Any] = ctx.meta.get(_BY_NAME, {})
        inputs += [(f"--input {name}={_type(schema)}", _about(schema)) for name, schema in by_name.items()]
        for title, records in (("Inputs of this pipeline", inputs), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class _InputOption(click.Option):
    """An option that an input made."""


def _inputs(file: str) -> dict[str, Any]:
    from llm_gc.project import read_inputs

    return read_inputs(file)


def by_name() -> frozenset[str]:
    """Give the inputs of the command that runs now that are given as ``--input name=value`` alone."""
    return frozenset(click.get_current_context().meta.get(_BY_NAME, ()))


def _word(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _option(name: str, schema: Any) -> _InputOption:
    return _InputOption([_word(name), f"input_{name}"], metavar=_type(schema), help=_about(schema))


def _type(schema: Any) -> str:
    """Give what an input expects: its choices where there are any, else its types."""
    about = schema if isinstance(schema, dict) else {}
    if isinstance(about.get("enum"), list):
        return f"[{'|'.join(map(_shown, about['enum']))}]"
    types = about.get("type", "text")
    return "|".join(map(str, types if isinstance(types, list) else [types])).upper()


def _about(schema: Any) -> str:
    about = schema if isinstance(schema, dict) else {}
    default = f"[default: {_shown(about['default'])}]" if "default" in about else "[required]"
    return f"{str(about.get('description', '')).rstrip()}  {default}".strip()


def _shown(value: Any) -> str:
    """Write a value as it is written on a command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _gathered(params: dict[str, Any], added: list[_InputOption], given: tuple[str, ...]) -> dict[str, str]:
    """Take the inputs' values out of the parsed options; ``--input`` comes last and wins."""
    inputs = {}
    for option in added:
        value = params.pop(option.name or "", None)
        if value is not None:
            inputs[(option.name or "").removeprefix("input_")] = _from_file(value)
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--input {pair!r} is not NAME=VALUE")
        inputs[name] = _from_file(value)
    return inputs


def _from_file(value: str) -> str:
    """Give what stands in the file that a value names by ``@path``; ``@@`` is a plain ``@`` at the front."""
    if not value.startswith("@") or value.startswith("@@"):
        return value.removeprefix("@") if value.startswith("@@") else value
    from llm_gc.files import read_text

    return read_text(value[1:])
