"""docs/json.md and the schema files beside it, made from the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from backtest.json_schema.check import check_schema
from backtest.json_schema.parts import Schema
from backtest.json_schema.summary import comparison_schema, summary_schema

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENT = DOCS / "json.md"
SCHEMAS = {
    DOCS / "schemas" / "summary.schema.json": summary_schema,
    DOCS / "schemas" / "comparison.schema.json": comparison_schema,
    DOCS / "schemas" / "check.schema.json": check_schema,
}
INTRODUCTION = """# JSON for machines

Made from the schemas in `backtest/json_schema/` by `python -m backtest.parameter_reference`; tests hold outputs to them.

`main.py --json` prints what summary.json in the run's folder has. `main.py --compare RUN RUN --json` and
`python -m backtest.data check --json` print documents of their own. The first key of each is `schema`, with its `name` and `version`:

```json
{"schema": {"name": "gridcore.summary", "version": 1}}
```

Rules: a version stays while keys are only added, so a reader must pass over keys that it does not know. It counts up when a key goes, or
when the name, type, unit or meaning of one changes; CHANGELOG.md says what changed. Keys stand in a stable order, and the same
command gives the same bytes. JSON knows neither NaN nor infinity: a number without a meaning is `null`, and where a number may be
infinite it is the text `inf` or `-inf`. A fraction of 0.15 is 15 %. Times are UTC. The parts named after studies have a `schema` number of
their own with the same rules.

The files are JSON Schema, draft 2020-12: [summary](schemas/summary.schema.json), [comparison](schemas/comparison.schema.json),
[check](schemas/check.schema.json). They name exactly the keys of this version.
"""


def _kind(schema: Schema) -> str:
    kinds = schema.get("type", [])
    if "anyOf" in schema:
        kinds = [*([schema["anyOf"][0]["type"]] if isinstance(schema["anyOf"][0]["type"], str) else schema["anyOf"][0]["type"]), "inf"]
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    words = ["list" if kind == "array" else kind for kind in kinds if kind != "null"]
    if "const" in schema:
        words = [f"`{schema['const']}`"]
    return " or ".join(words)


def _has_null(schema: Schema) -> bool:
    kinds = schema["anyOf"][0]["type"] if "anyOf" in schema else schema.get("type", [])
    return "null" in kinds


def _rows(schema: Schema, prefix: str = "") -> Iterator[str]:
    """A row for each key, those of inner objects behind it. Metrics stand in docs/metrics.md."""
    for name, one in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        null = (one.get("null") or "not known") if _has_null(one) else ""
        yield f"| `{path}` | {_kind(one)} | {one.get('unit', '')} | {one.get('description', '')} | {null} |"
        if path in ("metrics", "attribution"):
            continue
        if "items" in one:
            yield from _rows(one["items"], f"{path}[].")
        elif isinstance(one.get("additionalProperties"), dict):
            if path != "coins":
                yield from _rows(one["additionalProperties"], f"{path}.*.")
        else:
            yield from _rows(one, f"{path}.")


def json_document() -> str:
    """The text of docs/json.md."""
    lines = [INTRODUCTION]
    for make in SCHEMAS.values():
        schema = make()
        lines += [f"## {schema['title']}", "", schema["description"], "", "| key | type | unit | meaning | null |", "|---|---|---|---|---|"]
        lines += [*_rows(schema), ""]
        if "metrics" in schema["properties"]:
            lines += ["The keys of `metrics` are the names in [Metrics](metrics.md), with their units.", ""]
    return "\n".join(lines).rstrip() + "\n"


def schema_text(path: Path) -> str:
    """The text of one schema file."""
    return json.dumps(SCHEMAS[path](), indent=1, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the document and the schema files."""
    DOCUMENT.write_text(json_document(), encoding="utf-8")
    for path in SCHEMAS:
        path.parent.mkdir(exist_ok=True)
        path.write_text(schema_text(path), encoding="utf-8")
