"""The command `stgcn-lens VERB ...`: flags from dataclasses, one line of result, one line of error.

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 the work failed, 2 bad usage or input,
3 done (`data info`, `data convert`), but clips were left out.
"""

import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr
from importlib import import_module
from types import ModuleType
from typing import Any

import tyro

from stgcn_lens.errors import LensError
from stgcn_lens.runs import plain

# verb -> (module with `Args`, `run` and `EXAMPLE`, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "synthetic people, a trained network, its analysis and the app, from nothing"),
    "train": ("train", "train a network on your recordings into a run folder"),
    "adopt": ("adopt", "a run from weights that are trained already, and clips of yours"),
    "evaluate": ("evaluate", "scores of a run on its own clips or on others"),
    "fuse": ("fuse", "sum the scores of several networks, clip by clip"),
    "embed": ("embed", "windowed features of every clip at every layer"),
    "graph": ("graph", "neighbourhood graphs and label errors of every layer"),
    "explain": ("explain", "saliency of every layer for every clip"),
    "score": ("score", "whether explanations can be trusted, beside two controls"),
    "neighbours": ("neighbours", "which clips stand round one, and what of its prediction they explain"),
    "confusions": ("confusions", "which class is taken for which, and what speaks for the wrong one"),
    "study layers": ("study_layers", "at which depth actions come apart, beside an untrained and a misled network"),
    "study noise": ("study_noise", "what noise does to answers, geometry and maps, in doses"),
    "study transfer": ("study_transfer", "tuned on other classes from every layer upward, and the best cut predicted"),
    "compare": ("compare", "layers of several runs overlaid, as a page, tables and figures"),
    "report": ("report", "one self-contained HTML page, of one run or of several"),
    "analyse": ("analyse", "embed, graph, explain and report in a row"),
    "app": ("app", "open the workbench in a browser"),
    "checkpoint info": ("checkpoint_info", "what a checkpoint is, ours or others'"),
    "checkpoint import": ("checkpoint_import", "weights of the released ST-GCN, of pyskl and mmaction2"),
    "checkpoint export": ("checkpoint_export", "an ST-GCN under the names of the released code"),
    "data info": ("data_info", "what is understood of a file or folder of clips"),
    "data convert": ("data_convert", "write clips of any known format in another one"),
    "data missing": ("data_missing", "NTU files in which no body was tracked"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        status = _answer(words)
        sys.stdout.flush()
        return status
    except SystemExit as stop:  # tyro: 0 after --help, 2 for flags it does not know
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("\nstgcn-lens: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who reads our output has seen enough. What Python flushes at its end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LensError as error:
        if debug:
            traceback.print_exc()
        print(f"stgcn-lens: {_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except (OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        print(f"stgcn-lens: {type(error).__name__}: {_line(str(error))}", file=sys.stderr)
        return 1
    except Exception as error:
        if debug:
            raise
        print(
            f"stgcn-lens: a fault of stgcn-lens itself: {type(error).__name__}: {_line(str(error))}; "
            "run again with --debug and report what it prints",
            file=sys.stderr,
        )
        return 1


def _answer(words: list[str]) -> int:
    """Do what the words say; the exit status."""
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        from stgcn_lens import __version__

        print(f"stgcn-lens {__version__}")
        return 0
    verb, rest = _split(words)
    if verb is None:
        raise LensError(
            f"no command '{words[0]}'", expected=f"one of: {', '.join(COMMANDS)}", fix="see: stgcn-lens --help"
        )
    command = import_module(f"stgcn_lens.commands.{COMMANDS[verb][0]}")
    args = _parse(verb, rest, command)
    if args.dry_run:
        print(json.dumps(plain(args), indent=1))
        return 0
    result = command.run(args)
    print(json.dumps(plain(result.data)) if args.json else result.text)
    return int(result.exit_code)


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    """The verb, of one word or two, and the rest."""
    for count in (2, 1):
        if " ".join(words[:count]) in COMMANDS:
            return " ".join(words[:count]), words[count:]
    return None, words


def _parse(verb: str, words: list[str], command: ModuleType) -> Any:
    """Flags to the command's frozen `Args`; `--help` ends in the example, wrong flags are told in one line.

    A command whose flags depend on one of them has `args_for(words)`: the `Args` for these words, and the words that
    show their help.
    """
    kind, shown = command.args_for(words) if hasattr(command, "args_for") else (command.Args, verb)
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                kind,
                args=words,
                prog=f"stgcn-lens {verb}",
                description=f"{COMMANDS[verb][1][0].upper()}{COMMANDS[verb][1][1:]}.\n\n{command.__doc__ or ''}",
                config=(tyro.conf.FlagCreatePairsOff, *command.FLAGS),
            )
    except SystemExit as stop:
        if not stop.code:
            print(f"example:\n  {command.EXAMPLE}")
            raise
        raise LensError(_boxed(said.getvalue()), fix=f"see: stgcn-lens {shown} --help") from None


def _boxed(text: str) -> str:
    """What tyro says in a box, up to the box's first rule, as one line."""
    drawn = [line for line in text.splitlines() if line.startswith("│")]
    sections: list[list[str]] = [[]]
    for line in (line.strip("│ ") for line in drawn or text.splitlines()):
        if line and not line.strip("─-"):
            sections.append([])
        else:
            sections[-1].append(line)
    # Where the output has no such signs, the box has no frame, and its title is a section of its own.
    said = sections[0] if drawn or len(sections) == 1 else sections[1]
    return _line(" ".join(said)) or _line(text)


def _line(text: str) -> str:
    return " ".join(text.split())


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {verb:<{width}}  {text}" for verb, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: stgcn-lens COMMAND ...",
            "",
            "What did a skeleton network learn, at which layer, and can it be trusted?",
            "",
            *lines,
            "",
            "Every command has --help, --json, --dry-run and --debug.",
            "example:",
            "  stgcn-lens demo",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
