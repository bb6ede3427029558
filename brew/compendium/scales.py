"""Scales: one set of parameters at several sizes.

`params.yaml` holds every parameter at the scale `miniature`; `scales/<scale>.yaml` holds what another scale changes.
`brew sync` merges both into `scales/<scale>/params.yaml`, which DVC follows and which the stages read: a number that an
experiment of DVC sets there is the number that is used. The file also says which sources it was made from; edited
sources are an error until they are merged again.

Left out: writing the generated files (`brew.compendium.sync`), what the parameters mean and which values they may take
(`brew.compendium.schema`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode

from brew.errors import BrewError, nearest, unknown
from brew.files import ROOT

#: The scale of the root's own params.yaml, dvc.yaml and dvc.lock.
MINIATURE = "miniature"
PARAMETERS, PIPELINE, SCALES = "params.yaml", "dvc.yaml", "scales"


@dataclass(frozen=True)
class Scale:
    """The section `scale` of a parameter file, which `brew sync` writes.

    sources: the digest of the parameters as the sources have them; empty for `miniature`, whose file is its own source.
    """

    name: str
    sources: str = ""


class _Replace(dict[str, Any]):
    """A mapping of a scale that stands instead of the root's, not on top of it."""


class _Constructor(SafeConstructor):
    """YAML 1.2, as DVC reads it, in which `!replace` stops the merging of a mapping. A doubled key is an error."""


def _replacement(constructor: _Constructor, node: MappingNode) -> _Replace:
    return _Replace(constructor.construct_mapping(node, deep=True))


_Constructor.add_constructor("!replace", _replacement)


def parse_yaml(text: str) -> Any:
    """A value written in YAML; BrewError saying which line is none."""
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Constructor
    try:
        return reader.load(text)
    except DuplicateKeyError as error:
        raise BrewError(f"{_first_line(error.problem)}; keep one of them{_line(error)}") from None
    except (ValueError, TypeError, RecursionError, AttributeError, AssertionError, LookupError) as error:
        # What the loader raises for a date that is none, a key that is a list, or brackets without end.
        raise BrewError(f"not valid YAML: {_first_line(error)}; correct the value") from None
    except YAMLError as error:
        raise BrewError(
            f"not valid YAML: {_first_line(getattr(error, 'problem', None) or error)}{_line(error)}"
        ) from None


def _first_line(problem: object) -> str:
    return str(problem).partition("\n")[0]


def _line(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark else ""


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; BrewError naming a file that is missing, broken or holds something else."""
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrewError(f"{path} does not exist; expected a file of parameters there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BrewError(f"{path} cannot be read ({error}); expected a text in UTF-8. Restore it") from None
    except BrewError as error:
        raise BrewError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise BrewError(f"{path} holds {type(content).__name__}; expected a mapping of names to values")
    if odd := [key for key in content if not isinstance(key, str)]:
        raise BrewError(f"{path} has the key {odd[0]!r}; expected names. Write it in quotation marks")
    return content


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` on top: mappings merge key by key, anything else (lists too) is replaced whole."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping) and not isinstance(value, _Replace)
        merged[key] = merge(old, value) if both else _plain(value)  # type: ignore[arg-type]
    return merged


def _plain(value: Any) -> Any:
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def scales(root: Path = ROOT) -> tuple[str, ...]:
    """Every scale: `miniature` first, then one per file of `scales/`."""
    return (MINIATURE, *sorted(path.stem for path in (root / SCALES).glob("*.yaml")))


def parameter_file(scale: str, root: Path = ROOT) -> Path:
    """The file with all parameters of a scale: the root's for `miniature`, the generated one for any other.

    Raises BrewError with the nearest known scale if there is none of that name.
    """
    known = scales(root)
    if scale not in known:
        raise unknown("scale", scale, known)
    return root / PARAMETERS if scale == MINIATURE else root / SCALES / scale / PARAMETERS


def sources(scale: str) -> tuple[str, ...]:
    """The files, from the root, that a scale's parameters are merged from."""
    return (PARAMETERS,) if scale == MINIATURE else (PARAMETERS, f"{SCALES}/{scale}.yaml")


def parameters(scale: str, root: Path = ROOT) -> dict[str, Any]:
    """All parameters of a scale, from the file that DVC follows.

    Raises BrewError for an unknown scale, and for a generated file that is absent or older than its sources.
    """
    file = parameter_file(scale, root)
    if scale == MINIATURE:
        return read_yaml(file)
    expected = merged(scale, root)["scale"]["sources"]
    found = read_yaml(file) if file.is_file() else {}
    if found.get("scale", {}).get("sources") != expected:
        raise BrewError(
            f"{file.relative_to(root)} was not made from {' and '.join(sources(scale))} as they are now; "
            "run `make sync` (or `python -m brew sync`), which merges them again. An experiment of DVC sets the merged "
            f"file: `dvc exp run -S {SCALES}/{scale}/{PARAMETERS}:KEY=VALUE {SCALES}/{scale}/{PIPELINE}`"
        )
    return found


def is_portable(scale: str, root: Path = ROOT) -> bool:
    """Whether the scale asks for bits that are the same on every processor, for whoever starts its processes."""
    return bool(parameters(scale, root).get("bits") == "portable")


def is_rehearsal(scale: str, root: Path = ROOT) -> bool:
    """Whether the scale rehearses (`brew rehearse`), so that its pages say that they hold no results."""
    return bool(parameters(scale, root).get("rehearsal"))


def merged(scale: str, root: Path = ROOT) -> dict[str, Any]:
    """All parameters of a scale as its sources have them: what `brew sync` writes.

    Raises BrewError for an unknown scale, and for a section that the root's params.yaml does not have.
    """
    parameter_file(scale, root)
    base = read_yaml(root / PARAMETERS)
    if scale == MINIATURE:
        return base
    changes = read_yaml(root / SCALES / f"{scale}.yaml")
    for section in changes:
        if section not in base or section == "scale":
            known = tuple(name for name in base if name != "scale")
            raise BrewError(
                f"{root / SCALES / scale}.yaml: section {section!r} is not one that a scale may change; "
                f"{nearest(str(section), tuple(map(str, known)))}"
            )
    whole = merge(base, changes)
    _check_runs(whole, f"{root / SCALES / scale}.yaml")
    whole["changes"] = _changes_per_run(whole["arms"], whole["changes"])
    whole["scale"] = {"name": scale, "sources": ""}
    whole["scale"]["sources"] = _digest(whole)
    return whole


def _check_runs(whole: Mapping[str, Any], where: str) -> None:
    """BrewError unless `arms` lists names and `changes` maps names to mappings."""
    runs, changes = whole.get("arms"), whole.get("changes")
    if not isinstance(runs, list) or not all(isinstance(run, str) for run in runs):
        raise BrewError(f"{where} and params.yaml: arms is {runs!r}; expected a list of names. Correct it")
    if not isinstance(changes, Mapping) or not all(isinstance(each, Mapping) for each in changes.values()):
        raise BrewError(f"{where} and params.yaml: changes is {changes!r}; expected a mapping per arm. Correct it")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def arm_and_seed(run: str) -> tuple[str, int]:
    """What an entry of `arms` asks for: "deo" is that arm, "deo-seed2" its repetition with two added to the seed."""
    arm, marked, seed = run.rpartition("-seed")
    return (arm, int(seed)) if marked and seed.isdecimal() else (run, 0)


def _changes_per_run(runs: Sequence[str], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every run's changes: DVC follows a run's own key alone, and what its arm changes holds for every repetition."""
    return {run: merge(changes.get(arm_and_seed(run)[0], {}), changes.get(run, {})) for run in runs}
