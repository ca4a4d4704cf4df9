"""The options that commands on a pipeline share, and those that it adds: one for each of its inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc.errors import UsageError
from llm_gc.values.safe_text import one_line

if TYPE_CHECKING:
    from llm_gc.project import Loaded


INPUT_HELP = "An input by name, also one whose name is an option here. A value @PATH reads a file, @- standard input."

Decorated = Callable[..., Any]


def laid_over(command: Decorated) -> Decorated:
    """Add the options that override parts of the document: ``overrides`` and ``models``."""
    model = click.option("--model", "models", multiple=True, metavar="[ROLE=]NAME",
                         callback=lambda _, __, models: whole_paths(models),
                         help="Another model, for a role or for all; a .gguf file runs in llm-gc itself.")  # fmt: skip
    override = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                            help="Lay a value over the pipeline's.")  # fmt: skip
    return override(model(command))


def whole_paths(models: Sequence[str]) -> tuple[str, ...]:
    """Return the models with the whole paths of those that are files: a record of them is read from anywhere."""
    if not models:
        return ()
    from llm_gc.backends.embedded.model_store import is_path

    found = []
    for text in models:
        role, equals, name = text.rpartition("=")
        found.append(f"{role}{equals}{os.path.abspath(Path(name).expanduser())}" if is_path(name) else text)  # noqa: PTH100  # links are left as they are named
    return tuple(found)


def pipeline_and_inputs(command: Decorated) -> Decorated:
    """Add to an ``InputsCommand`` a pipeline's ``file``, its inputs by name, and the overriding options."""
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
        inputs = _inputs(ctx, file) if file is not None else self._inputs_of_session(args)
        taken = {option for param in self.params for option in param.opts}
        options = {name: schema for name, schema in inputs.items() if _word(name) not in taken and name.isidentifier()}
        added = [_option(name, schema, {*taken, *map(_word, inputs)}) for name, schema in options.items()]
        ctx.meta[_BY_NAME] = {name: schema for name, schema in inputs.items() if _word(name) in taken}
        original, self.params = self.params, [*self.params, *added]
        flags = {_word(name): name for name, schema in options.items() if _is_flag(schema)}
        try:
            rest = super().parse_args(ctx, _with_values(args, flags))
        finally:
            self.params = original
        values = _Values(has_read=_STDIN in ctx.meta)
        ctx.params["inputs"] = _gathered(ctx.params, added, ctx.params.pop("given", ()), values)
        return rest

    def _file(self, ctx: click.Context, args: list[str]) -> str | None:
        """Return the first argument that is no option and no option's value.

        Whether an input is a flag is known only when the file has been read. So where nothing else is left, the word
        behind an option that the command does not have is taken, if it is a pipeline.
        """
        options = [param for param in self.params if isinstance(param, click.Option)]
        flags = {name for option in options if option.is_flag for name in option.opts} | {"--help", "-h"}
        own = {name for option in options for name in option.opts}
        left, perhaps = [*args], list[str]()
        while left:
            word = left.pop(0)
            if word == "--":
                return left[0] if left else None
            if not word.startswith("-") or word == "-":
                return word
            is_alone = word in flags or "=" in word or (word not in own and left[:1] and left[0].startswith("--"))
            if not is_alone and left:
                value = left.pop(0)
                perhaps += [] if word in own else [value]
        return next((word for word in perhaps if _is_pipeline(word)), None)

    def _inputs_of_session(self, args: list[str]) -> dict[str, Any]:
        """Return the inputs of the session that ``--from`` names; None where there is no such session."""
        session, folder = _value_of("--from", args), _value_of("--sessions", args)
        if session is None or not any("--from" in param.opts for param in self.params):
            return {}
        from llm_gc.sessions import find_session, load_session

        try:
            transcript = load_session(find_session(session, Path(folder or "sessions")))
        except UsageError:
            return {}  # the command says it
        return dict(transcript.pipeline.document.get("inputs", {}))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Put the inputs in a section of their own, before the options."""
        inputs: list[tuple[str, str]] = []
        options: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                (inputs if isinstance(param, _InputOption) else options).append(record)
        by_name: dict[str, Any] = ctx.meta.get(_BY_NAME, {})
        inputs += [(one_line(f"--input {name}={_type(schema)}"), _about(schema)) for name, schema in by_name.items()]
        for title, records in (("Inputs of this pipeline", inputs), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class _InputOption(click.Option):
    """An option that an input made."""


def _inputs(ctx: click.Context, file: str) -> dict[str, Any]:
    from llm_gc.project import read_inputs

    return read_inputs(file, _content(ctx, file))


def load_pipeline(file: str, overrides: Sequence[str], models: Sequence[str]) -> Loaded:
    """Read and check the pipeline that a command is given; ``-`` is standard input.

    Raises:
        UsageError: where the file cannot be read, or an override leads nowhere.
        PipelineError: with everything that is wrong in it.

    """
    from llm_gc import project

    return project.load(file, overrides, models, content=_content(click.get_current_context(), file))


def _content(ctx: click.Context, file: str) -> bytes | None:
    """Return standard input, read once for a command, where that is the file; None for any other."""
    if file != "-":
        return None
    from llm_gc.cli.input_output import read

    if _STDIN not in ctx.meta:
        ctx.meta[_STDIN] = read()
    content: bytes = ctx.meta[_STDIN]
    return content


_STDIN = "llm_gc.standard_input"
"""Where a command's context keeps the pipeline that it read from standard input."""


def by_name() -> frozenset[str]:
    """Return the inputs of the command that runs now that are given as ``--input name=value`` alone."""
    return frozenset(click.get_current_context().meta.get(_BY_NAME, ()))


def _word(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_flag(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "boolean"


def _is_list(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "array"


def _option(name: str, schema: Any, taken: Container[str]) -> _InputOption:
    """Return the option of an input: a flag for a truth value, one that may be repeated for a list."""
    word, opposite = _word(name), f"--no-{_word(name)[2:]}"
    if _is_flag(schema):
        words = word if opposite in taken else f"{word}/{opposite}"
        return _InputOption([words, f"input_{name}"], is_flag=True, default=None, help=_about(schema))
    is_list = _is_list(schema)
    return _InputOption([word, f"input_{name}"], metavar=_type(schema), multiple=is_list, help=_about(schema))


def _with_values(args: list[str], flags: Mapping[str, str]) -> list[str]:
    """Return the arguments with the values that flags were given, ``--polite=false``, as inputs by name."""
    found: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*found, word, *words]
        option, equals, value = word.partition("=")
        if option in flags and equals:
            found += ["--input", f"{flags[option]}={value}"]
        elif found and found[-1] in flags and word.lower() in _TRUTH:
            found[-1:] = ["--input", f"{flags[found[-1]]}={word}"]
        else:
            found.append(word)
    return found


_TRUTH = ("true", "false", "yes", "no")


def _value_of(option: str, args: list[str]) -> str | None:
    for index, word in enumerate(args):
        if word == option:
            return args[index + 1] if index + 1 < len(args) else None
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def _is_pipeline(word: str) -> bool:
    from llm_gc.files.locations import find

    try:
        return bool(find(word))
    except UsageError:
        return False


def _type(schema: Any) -> str:
    """Return what an input expects: its choices where there are any, else its types."""
    about = schema if isinstance(schema, dict) else {}
    if isinstance(about.get("enum"), list):
        return one_line(f"[{'|'.join(map(_shown, about['enum']))}]")
    types = about.get("type", "text")
    return one_line("|".join(map(str, types if isinstance(types, list) else [types])).upper())


def _about(schema: Any) -> str:
    about = schema if isinstance(schema, dict) else {}
    default = f"[default: {_shown(about['default'])}]" if "default" in about else "[required]"
    return one_line(f"{' '.join(str(about.get('description', '')).split())}  {default}".strip())


def _shown(value: Any) -> str:
    """Write a value as it is written on a command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _gathered(
    params: dict[str, Any], added: list[_InputOption], given: tuple[str, ...], read: _Values
) -> dict[str, Any]:
    """Take the inputs' words out of the parsed options; ``--input`` comes last and wins.

    A list that was given by several options is a list of words.
    """
    inputs: dict[str, Any] = {}
    for option in added:
        value, name = params.pop(option.name or "", None), (option.name or "").removeprefix("input_")
        if isinstance(value, bool):
            inputs[name] = "true" if value else "false"
        elif isinstance(value, tuple):
            words = [read.value(word) for word in value]
            inputs |= {name: words[0] if len(words) == 1 else words} if words else {}
        elif value is not None:
            inputs[name] = read.value(value)
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--input {pair!r} is not NAME=VALUE")
        inputs[name] = read.value(value)
    return inputs


class _Values:
    """The values of inputs: as they are, from files (``@path``) and, once, from standard input (``@-``)."""

    def __init__(self, *, has_read: bool) -> None:
        self._has_read = has_read

    def value(self, word: str) -> str:
        """Return a value; ``@@`` is a plain ``@`` at the front."""
        if not word.startswith("@") or word.startswith("@@"):
            return word.removeprefix("@") if word.startswith("@@") else word
        if word != "@-":
            from llm_gc.files.locations import read_text

            return read_text(word[1:])
        if self._has_read:
            raise click.UsageError("standard input can be read once, and was: give this value by @PATH")
        self._has_read = True
        from llm_gc.cli.input_output import read

        try:
            return read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"standard input is not text in UTF-8: {error.reason} at byte {error.start}") from error
