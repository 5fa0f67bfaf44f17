"""The slow twin: the whole machine again in plain Python, written from the description and not from the compiled code.

It shares no helper with the packages it is held against. Lists, small records and straight loops: read it to see what a
rule means, run it to see whether the compiled engine does the same.
"""

from tests.twin.simulate import simulate

__all__ = ["simulate"]
