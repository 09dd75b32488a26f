"""JSON Schemas of the files that people write, generated from the models for editors.

A spec with `extends` or `matrix` may leave out what its bases or points give, in every section; a
complete one has all required keys. A base may always leave keys out. What a schema cannot say
(paths stay inside the repository, metrics exist, …) is checked by `runner validate` alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runner.registry import Registry
from runner.spec.experiment import NAME, Experiment
from runner.spec.load import MAX_BASES
from runner.spec.matrix import Matrix

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME: dict[str, Any] = {"type": "string", "pattern": NAME.pattern}
_EXTENDS: dict[str, Any] = {
    "description": "Files laid below this one, relative to experiments/ and without .yaml; "
    "several in this order.",
    "anyOf": [
        _NAME,
        {"type": "array", "items": _NAME, "minItems": 1, "maxItems": MAX_BASES},
    ],
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by the name of their file."""
    return {
        "experiment.v1.json": _experiment(),
        "base.v1.json": _base(),
        "registry.v1.json": _titled(_schema(Registry), "Rollbook registry"),
    }


def write(folder: Path) -> tuple[Path, ...]:
    """Write all schemas into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _texts().items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in _texts())


def is_current(folder: Path) -> bool:
    """Whether the schemas in `folder` are those that `write` would write."""
    return all(
        (folder / name).is_file() and (folder / name).read_text(encoding="utf-8") == text
        for name, text in _texts().items()
    )


def _texts() -> dict[str, str]:
    return {
        name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }


def _experiment() -> dict[str, Any]:
    schema = _base()
    matrix = _schema(Matrix)
    description = matrix.pop("description")
    schema["properties"]["matrix"] = {**matrix, "description": description}
    schema["if"] = {"not": {"anyOf": [{"required": ["extends"]}, {"required": ["matrix"]}]}}
    schema["then"] = _complete(_schema(Experiment))
    return _titled(schema, "Rollbook experiment")


def _base() -> dict[str, Any]:
    """Return the schema of a file in which every key may be missing."""
    schema = _schema(Experiment)
    for section in (schema, *schema["$defs"].values()):
        section.pop("required", None)
    # Whole sections of an array's entries are never merged, so they stay complete.
    schema["$defs"]["Candidate"]["required"] = ["infra"]
    schema["properties"]["extends"] = _EXTENDS
    return _titled(schema, "Rollbook base of experiments")


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a spec without bases needs: the required keys of it and of its sections."""
    needed: dict[str, Any] = {}
    for key, field in schema["properties"].items():
        inside = _required_inside(field, schema["$defs"])
        if inside:
            needed[key] = inside
    return {"required": schema["required"], "properties": needed}


def _required_inside(field: dict[str, Any], sections: dict[str, Any]) -> dict[str, Any]:
    members = [field, *field.get("anyOf", ())]
    members += [inner for member in members[1:] for inner in member.get("anyOf", ())]
    named = [sections[one["$ref"].rpartition("/")[2]] for one in members if "$ref" in one]
    if not named:
        return {}
    always = set.intersection(*(set(section.get("required", ())) for section in named))
    result: dict[str, Any] = {"required": sorted(always)} if always else {}
    deeper = {
        key: inside
        for section in named
        for key, below in section.get("properties", {}).items()
        if (inside := _required_inside(below, sections))
    }
    return {**result, "properties": deeper} if deeper else result


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    tidy: dict[str, Any] = _tidy(schema)
    sections = tidy.get("$defs", {})
    for section in (tidy, *sections.values()):
        for field in section.get("properties", {}).values():
            # Pydantic leaves a description out where it repeats the section's own.
            if "$ref" in field and "description" not in field:
                field["description"] = sections[field["$ref"].rpartition("/")[2]]["description"]
    return tidy


def _tidy(schema: Any) -> Any:
    """Return `schema` without generated titles; unions by name become plain ones.

    `oneOf` would refuse a section that leaves its name to a base: it could be any algorithm.
    """
    if isinstance(schema, list):
        return [_tidy(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {}
    for key, inner in schema.items():
        if key in ("properties", "$defs"):
            tidy[key] = {name: _tidy(below) for name, below in inner.items()}
        elif key in ("default", "const", "enum"):
            tidy[key] = inner
        elif key not in ("title", "discriminator"):
            tidy["anyOf" if key == "oneOf" else key] = _tidy(inner)
    return tidy


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key not in ("$schema", "title")}
    return {"$schema": DIALECT, "title": title, **rest}
