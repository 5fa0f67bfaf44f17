"""What every command line here shares: a parser that raises one sentence, exit codes, and errors that end in them."""

from __future__ import annotations

import argparse
import difflib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from engine.errors import InputError, SourceError

if TYPE_CHECKING:
    from rich.console import Console

# Columns of a table that goes into a file or a pipe.
_WIDTH_OF_FILES = 180
EXIT_DONE, EXIT_BROKEN_DATA, EXIT_BAD_INPUT, EXIT_SOURCE, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


class Parser(argparse.ArgumentParser):
    """A parser that raises InputError in place of printing its usage and leaving."""

    _commands: Any = None

    def error(self, message: str) -> NoReturn:
        """Called by argparse for options that cannot be used."""
        raise InputError(message)

    def add_subparsers(self, **options: Any) -> Any:
        """As argparse has it; remembered, so that a mistyped option is compared with those of the command given."""
        self._commands = super().add_subparsers(**options)
        return self._commands

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The options given. Raises InputError, one sentence, for what is not an option."""
        options, unknown = self.parse_known_args(argv)
        if unknown:
            close = difflib.get_close_matches(unknown[0].partition("=")[0], self.option_names(argv), n=1)
            raise InputError(f"{unknown[0]} is not an option" + (f"; did you mean {close[0]}?" if close else "; --help lists the options"))
        return options

    def option_names(self, argv: Sequence[str]) -> list[str]:
        """Options of this parser and of the command named in `argv`."""
        names = [name for action in self._actions for name in action.option_strings]
        for command, parser in (self._commands.choices if self._commands else {}).items():
            if command in argv:
                names += parser.option_names(argv)
        return names


def plain_console() -> Console:
    """Stdout as wide as the terminal is, and wide enough for tables where there is none."""
    from rich.console import Console

    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDTH_OF_FILES, color_system=None)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for garbage in cycles a hundred times less often than Python does.

    Imports make half a million objects that stay, and looking through them again and again takes a tenth of a start.
    """
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def run_command(command: Callable[[list[str]], int | None], argv: list[str] | None = None) -> int:
    """Run a command line on its arguments and return its exit code; errors become one sentence on stderr."""
    try:
        with collecting_seldom():
            code = command(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_SOURCE
    except KeyboardInterrupt as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`| head`); Python must not complain about it when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    return EXIT_DONE if code is None else code
