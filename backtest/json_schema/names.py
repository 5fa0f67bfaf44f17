"""Names and versions of the documents. docs/json.md says when a version changes."""

from __future__ import annotations

from typing import Any

SUMMARY, COMPARISON, CHECK = "gridcore.summary", "gridcore.comparison", "gridcore.check"
VERSIONS = {SUMMARY: 1, COMPARISON: 1, CHECK: 1}


def stamp(name: str) -> dict[str, dict[str, Any]]:
    """The first key of a document: `schema`, with its name and version."""
    return {"schema": {"name": name, "version": VERSIONS[name]}}
