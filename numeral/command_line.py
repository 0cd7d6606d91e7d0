"""The command `numeral`. Each verb imports what it needs when it is called: help must come at once."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from numeral.errors import RunError, UsageError

ABOUT = """Reads handwritten digits: from files, through a server, as a server.

Examples:

  numeral read digit.png

  numeral read scans/ --out digits.csv

  numeral read 'scans/**/*.png' --url http://localhost:3000 --jsonl

  numeral serve --port 8080
"""

READ = """Reads one digit in each picture, on all cores of this machine or through a server.

A line for each file is printed, in the order of the input: its name, the digit, how sure that is; '?' behind a digit
that is not accepted, and why; '!' where the file cannot be read, which ends nothing. --csv, --json and --jsonl are for
programs.

With --out the rows go into a file. A run that was ended, in whatever way, goes on when the same command is given again.

Exit codes: 0 all files were read; 1 some cannot be, their rows say why; 2 the command makes no sense, nothing was
read; 3 the run ended before its last file (the server is gone, the disk is full); 130 Ctrl-C. 1 to 3 say why in a line.
"""

app = typer.Typer(
    name="numeral", help=ABOUT, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"numeral {version('numeral')}")
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    pass


@app.command(help=READ, short_help="Read digits in files and folders.", no_args_is_help=True)
def read(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|FOLDER|PATTERN|-...",
            help="Pictures; folders are read with all below them; - is one picture from stdin.",
        ),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from", metavar="FILE", help="A list of paths, one a line or ended by zero bytes; - is stdin."
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="A table, without the probabilities.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One array of objects.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="An object a line.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write there; .csv, .json and .jsonl choose the format."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin --out anew.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Of `numeral models`; googlenet, or the server's default."),
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or int8; not with --url.")] = "auto",
    models_dir: Annotated[Path | None, typer.Option(help="A folder for each model; the shipped ones.")] = None,
    processes: Annotated[int, typer.Option(min=0, max=1024, help="That read side by side; 0: one a core.")] = 0,
    engine: Annotated[str, typer.Option(help="local, or ray: on a Ray cluster, Parquet tables too.")] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", metavar="HOST:PORT", help="Of the cluster; RAY_ADDRESS, or this machine alone."),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Read through this server.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=256, help="To the server.")] = 4,
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", metavar="KEY", envvar="NUMERAL_API_KEY", help="Where the server asks for one."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what was assumed of each digit; with --json and --jsonl.")
    ] = False,
) -> None:
    from numeral.read_command import BROKEN_PIPE, INTERRUPTED, Asked
    from numeral.read_command import read as read_all

    chosen = [name for name, wanted in (("csv", csv), ("json", json), ("jsonl", jsonl)) if wanted]
    asked = Asked(
        sources=sources or [],
        files_from=files_from,
        formats=chosen,
        out=out,
        overwrite=overwrite,
        model=model,
        precision=precision,
        models_dir=models_dir,
        processes=processes,
        engine=engine,
        ray_address=ray_address,
        url=url,
        connections=connections,
        api_key=api_key,
        explain=explain,
    )
    code = read_all(asked)
    if code in (INTERRUPTED, BROKEN_PIPE):
        leave(code)
    raise typer.Exit(code)


@app.command(
    help="Answers POST /classify until Ctrl-C or SIGTERM. Settings are NUMERAL_ variables.",
    short_help="Serve over HTTP.",
)
def serve(
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other machines in; NUMERAL_API_KEY_FILE asks them for keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
) -> None:
    from numeral.serve import serve as serve_at

    serve_at(host, port)


@app.command(
    help="Lists the models: network, precision, accuracy on so many test images, threshold, hash.",
    short_help="List the models.",
)
def models(
    models_dir: Annotated[Path | None, typer.Option(help="A folder for each model; the shipped ones.")] = None,
    json: Annotated[bool, typer.Option("--json", help="An array of objects.")] = False,
) -> None:
    from numeral.models import as_json, as_text, found

    typer.echo((as_json if json else as_text)(found(models_dir)))


@app.command(
    help="Answers a file anew and says whether the answer is the one given. Exit codes: 0 equal; 1 different, each "
    "difference is named; 2 they cannot be compared.",
    short_help="Check an answer by its receipt.",
)
def replay(
    answer: Annotated[Path, typer.Argument(metavar="ANSWER.json", help="What /classify answered, or its receipt.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What was sent.")],
) -> None:
    from service import replay as replayed

    replayed.main([str(answer), str(file)])


def delegated(verb: str, about: str) -> None:
    """A verb of `training`, which takes all arguments as they are, --help too."""

    @app.command(
        verb,
        help=about,
        add_help_option=False,
        context_settings={
            "ignore_unknown_options": True,
            "allow_extra_args": True,
            "allow_interspersed_args": False,
            "help_option_names": [],
        },
    )
    def run(context: typer.Context) -> None:
        from numeral.training_verbs import run as run_verb

        run_verb(verb, context.args)


delegated("train", "Train a network by a recipe.")
delegated("evaluate", "Judge a run, or a running service on labelled pictures.")
delegated("export", "Export a run for the service.")
delegated("describe", "Say what a network is made of.")


def main() -> None:
    """Exits with a code of its own for what a user can put right, and one line on stderr."""
    try:
        app()
    except UsageError as error:
        print(f"numeral: {error}", file=sys.stderr)
        sys.exit(2)
    except RunError as error:
        print(f"numeral: {error}", file=sys.stderr)
        leave(3)


def leave(code: int) -> NoReturn:
    """At once: Python would wait for threads that wait for a server, and try again to write what nobody takes."""
    os._exit(code)
