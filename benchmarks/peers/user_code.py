"""How much a user had to write: lines of code between the markers of a module, without blank lines, comments and docstrings."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

BEGIN, END = "# --- user code ---", "# --- end of user code ---"
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_BEFORE_STATEMENT = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT}


def marked_part(text: str) -> str:
    """What stands between the two markers. Raises ValueError when one is missing."""
    lines = text.splitlines()
    begin = [i for i, line in enumerate(lines) if line.startswith(BEGIN)]
    end = [i for i, line in enumerate(lines) if line.startswith(END)]
    if len(begin) != 1 or len(end) != 1 or end[0] < begin[0]:
        raise ValueError(f"a module of a contestant needs {BEGIN!r} once, and {END!r} once after it")
    return "\n".join(lines[begin[0] + 1 : end[0]]) + "\n"


def code_lines(text: str) -> int:
    """Lines that hold code."""
    lines: set[int] = set()
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_docstring = token.type == tokenize.STRING and before in _BEFORE_STATEMENT
        if token.type not in _NO_CODE and not is_docstring:
            lines.update(range(token.start[0], token.end[0] + 1))
        before = token.type
    return len(lines)


def user_lines(modules: tuple[str, ...], root: Path) -> int:
    """Lines of user code of some modules below `root`, together."""
    texts = [(root / f"{module.replace('.', '/')}.py").read_text() for module in modules]
    return sum(code_lines(marked_part(text)) for text in texts)
