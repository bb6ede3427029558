"""Text files of others as plain data: JSON and YAML by loaders that build numbers, texts and containers alone.

A key that stands twice in one mapping is an error: a loader would keep the last, and nobody would learn of the first.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from brew.errors import BrewError


def read_json(file: Path) -> Any:
    """What a JSON file holds; BrewError if it is absent, damaged, or has a key twice."""
    try:
        return json.loads(_text(file, "JSON"), object_pairs_hook=_once)
    except BrewError as error:
        raise BrewError(f"{file} {error}") from error
    except (ValueError, RecursionError) as error:
        raise BrewError(f"{file} is no JSON ({error}); expected a whole file. Obtain it again") from error


def read_yaml(file: Path) -> Any:
    """What a YAML file holds; BrewError if it is absent, damaged, or has a key twice."""
    try:
        return yaml.load(_text(file, "YAML"), _Loader)
    except BrewError as error:
        raise BrewError(f"{file} {error}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise BrewError(f"{file} is no YAML ({error}); expected a whole file. Obtain it again") from error


def _text(file: Path, kind: str) -> str:
    """A spreadsheet's byte order mark is no part of the text."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BrewError(f"does not exist; expected a {kind} file there. Restore it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BrewError(f"cannot be read ({error}); expected a {kind} file in UTF-8. Obtain it again") from error


def _once(pairs: list[tuple[Any, ...]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise BrewError(f"has the key {doubled!r} twice in one mapping; expected it once. Remove one")
    return found


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, with every key once."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    return _once([tuple(loader.construct_object(each, deep=True) for each in pair) for pair in node.value])


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
