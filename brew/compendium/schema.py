"""Settings: parameters as small frozen dataclasses, checked where they enter.

Each part of brew declares the dataclass of its own numbers beside the code that uses them; `load` fills one from a
mapping read from a parameter file. An unknown key, a wrong type or a missing value is an error that names the place and
the nearest valid key. Nothing below the notebooks imports this module.

Left out: reading and merging the files (`brew.compendium.scales`).
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from brew.errors import BrewError, nearest

T = TypeVar("T")


def load(kind: type[T], value: Any, where: str) -> T:
    """`value`, as read from YAML, as an instance of `kind`.

    kind: a dataclass, whose fields may be dataclasses again, bool, int, float, str, Path, Literal, a union with None,
        tuple or Mapping/dict with names as keys. A field without a default has to be given.
    where: the place that error messages begin with, such as ``"params.yaml: pretraining"``.
    Raises BrewError for input that does not fit. A BrewError or ValueError of a dataclass's own checks
    (`__post_init__`) is passed on with the place. A field of a kind that is not listed here is a TypeError.
    """
    return typing.cast(T, _convert(kind, value, where))


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin in (Union, types.UnionType):
        return _union(typing.get_args(kind), value, where)
    if origin is Literal:
        return _literal(typing.get_args(kind), value, where)
    if origin is tuple:
        return _tuple(typing.get_args(kind), value, where)
    if origin in (dict, Mapping):
        return _mapping(typing.get_args(kind), value, where)
    if kind in _SCALARS:
        return _scalar(kind, value, where)
    raise TypeError(f"{where}: settings cannot hold {kind!r}; declare one of the kinds that `load` lists")


#: What each kind of value is called in messages, and the types that YAML gives for it.
_SCALARS: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("text", (str,)),
    Path: ("a path", (str,)),
    type(None): ("null", (type(None),)),
}


def _scalar(kind: type, value: Any, where: str) -> Any:
    name, accepted = _SCALARS[kind]
    # bool is an int to Python; `epochs: true` is a mistake all the same.
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise BrewError(f"{where}: found {_found(value)}; expected {name}")
    if kind is float and not _finite(value):
        raise BrewError(f"{where}: found {_found(value)}; expected a finite number")
    return value if value is None else kind(value)


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no floating-point number is near
        return False


def _found(value: Any) -> str:
    for kind, found in ((Mapping, "a mapping"), (list, "a list")):
        if isinstance(value, kind):
            return f"{found} {value!r}"
    return "nothing" if value is None else f"{type(value).__name__} {value!r}"


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise BrewError(f"{where}: found {_found(value)}; expected a mapping with the keys of {kind.__name__}")
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for key in value:
        if key not in fields:
            raise BrewError(f"{where}: key {key!r} is unknown; {nearest(str(key), tuple(fields))}")
    for field in fields.values():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if no_default and field.name not in value:
            raise BrewError(f"{where}: key {field.name!r} is missing; it has no default, so set it")
    hints = typing.get_type_hints(kind)
    given = {name: _convert(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return kind(**given)
    except ValueError as error:
        raise BrewError(f"{where}: {error}") from error


def _union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if len(kinds) == 1:
        return _convert(kinds[0], value, where)
    problems = []
    for kind in kinds:
        try:
            return _convert(kind, value, where)
        except BrewError as error:
            problems.append(str(error).removeprefix(f"{where}: "))
    raise BrewError(f"{where}: fits none of its kinds: {'; or '.join(problems)}")


def _literal(known: tuple[Any, ...], value: Any, where: str) -> Any:
    # 1 == True to Python; the type has to agree too.
    if not any(value == one and type(value) is type(one) for one in known):
        raise BrewError(f"{where}: found {_found(value)}; {nearest(str(value), tuple(str(one) for one in known))}")
    return value


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise BrewError(f"{where}: found {_found(value)}; expected a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise BrewError(f"{where}: found {len(value)} entries in {value!r}; expected {len(kinds)}")
    return tuple(_convert(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _mapping(kinds: tuple[Any, ...], value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise BrewError(f"{where}: found {_found(value)}; expected a mapping")
    key_kind, item_kind = kinds
    return {
        _convert(key_kind, key, f"{where}: key {key!r}"): _convert(item_kind, item, f"{where}.{key}")
        for key, item in value.items()
    }
