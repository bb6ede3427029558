"""Scales: one set of parameters at several sizes.

`params.yaml` holds every parameter at the scale `miniature`; `scales/<scale>.yaml` holds what another scale changes.
From both, `python -m brew.compendium.scales sync` writes what DVC reads for that scale into `scales/<scale>/`: the
merged `params.yaml` and a link to the root's `dvc.yaml`, beside which DVC keeps the scale's own `dvc.lock`. The
generated files are in git, so that a clone is complete; a test holds them against their sources.

Left out: what the parameters mean and which values they may take (`brew.compendium.schema`).
"""

import argparse
import re
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from brew.errors import BrewError, nearest, unknown
from brew.files import ROOT

#: The scale of the root's own params.yaml, dvc.yaml and dvc.lock.
MINIATURE = "miniature"
_PARAMETERS, _PIPELINE, _SCALES = "params.yaml", "dvc.yaml", "scales"


@dataclass(frozen=True)
class Scale:
    """The section `scale` of a parameter file, which `sync` writes: where the scale's pipeline stands in the tree.

    root: from the folder of its `dvc.yaml` to the root of the tree. parameters, report: from the root to its parameter
    file and to its page.
    """

    name: str
    root: str
    parameters: str
    report: str


class _Loader(yaml.SafeLoader):
    """YAML in which a doubled key is an error, `5e-4` is a number, and `!replace` stops the merging of a mapping."""


class _Replace(dict[str, Any]):
    """A mapping of a scale that stands instead of the root's, not on top of it."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise BrewError(f"{node.start_mark.name}: key {key!r} stands twice in one mapping; keep one of them")
    return loader.construct_mapping(node, deep=True)


def _replacement(loader: Any, node: Any) -> _Replace:
    return _Replace({str(key): value for key, value in _mapping(loader, node).items()})


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("!replace", _replacement)
# YAML 1.1, which PyYAML reads, takes 5e-4 for text; DVC reads YAML 1.2, where it is a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str) -> Any:
    """A value written in YAML; yaml.YAMLError where it is none."""
    return yaml.load(text, _Loader)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; BrewError naming the file where it is missing, broken or holds something else."""
    try:
        with path.open(encoding="utf-8") as stream:
            content = yaml.load(stream, _Loader)
    except FileNotFoundError:
        raise BrewError(f"{path} does not exist; expected a file of parameters there") from None
    except yaml.YAMLError as error:
        raise BrewError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise BrewError(f"{path} holds {type(content).__name__}; expected a mapping of names to values")
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
    return (MINIATURE, *sorted(path.stem for path in (root / _SCALES).glob("*.yaml")))


def parameter_file(scale: str, root: Path = ROOT) -> Path:
    """The file with all parameters of a scale: the root's for `miniature`, the generated one for any other.

    Raises BrewError with the nearest known scale where there is none of that name.
    """
    known = scales(root)
    if scale not in known:
        raise unknown("scale", scale, known)
    return root / _PARAMETERS if scale == MINIATURE else root / _SCALES / scale / _PARAMETERS


def parameters(scale: str, root: Path = ROOT) -> dict[str, Any]:
    """All parameters of a scale, merged from their sources (not read from the generated file).

    Raises BrewError for an unknown scale, and for a section that the root's params.yaml does not have.
    """
    generated = parameter_file(scale, root)
    base = read_yaml(root / _PARAMETERS)
    if scale == MINIATURE:
        return base
    source = root / _SCALES / f"{scale}.yaml"
    changes = read_yaml(source)
    for section in changes:
        if section not in base or section == "scale":
            sections = tuple(name for name in base if name != "scale")
            raise BrewError(
                f"{source}: section {section!r} is not one that a scale may change; {nearest(section, sections)}"
            )
    place = {"name": scale, "root": "../..", "parameters": generated.relative_to(root).as_posix(),
             "report": f"reports/{scale}/index.html"}  # fmt: skip
    merged = merge(base, {**changes, "scale": place})
    return merged | {"changes": _changes_per_run(merged["arms"], merged["changes"])}


def arm_and_seed(run: str) -> tuple[str, int]:
    """What an entry of `arms` asks for: "deo" is that arm, "deo-seed2" its repetition with two added to the seed."""
    arm, marked, seed = run.rpartition("-seed")
    return (arm, int(seed)) if marked and seed.isdecimal() else (run, 0)


def _changes_per_run(runs: Sequence[str], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every run's changes: DVC follows a run's own key alone, and what its arm changes holds for every repetition."""
    return {run: merge(changes.get(arm_and_seed(run)[0], {}), changes.get(run, {})) for run in runs}


def _generated(scale: str, root: Path) -> str:
    head = f"# Generated by `make sync` from params.yaml and scales/{scale}.yaml: edit those.\n"
    return head + yaml.safe_dump(parameters(scale, root), sort_keys=False, allow_unicode=True, width=120)


def _is_current(scale: str, root: Path) -> bool:
    file = parameter_file(scale, root)
    link = file.with_name(_PIPELINE)
    same_pipeline = link.is_symlink() and link.readlink() == Path("../..", _PIPELINE)
    return same_pipeline and file.is_file() and file.read_text(encoding="utf-8") == _generated(scale, root)


def stale(root: Path = ROOT) -> tuple[str, ...]:
    """The scales whose generated files differ from their sources."""
    return tuple(scale for scale in scales(root)[1:] if not _is_current(scale, root))


def sync(root: Path = ROOT) -> tuple[str, ...]:
    """Write the generated files of every scale that needs it (DVC reads all pipelines of the tree at once).

    Returns the scales that changed; those that are current are not touched.
    """
    changed = stale(root)
    for scale in changed:
        file = parameter_file(scale, root)
        file.parent.mkdir(exist_ok=True)
        file.write_text(_generated(scale, root), encoding="utf-8")
        link = file.with_name(_PIPELINE)
        link.unlink(missing_ok=True)
        link.symlink_to(Path("../..", _PIPELINE))
    return changed


def main(arguments: list[str] | None = None) -> int:
    """`python -m brew.compendium.scales list|sync|check [scale]`."""
    parser = argparse.ArgumentParser(prog="python -m brew.compendium.scales", description="parameters at several sizes")
    parser.add_argument("action", choices=("list", "sync", "check"))
    parser.add_argument("scale", nargs="?", default=MINIATURE, help="a scale that has to exist")
    chosen = parser.parse_args(arguments)
    try:
        parameter_file(chosen.scale)
        if chosen.action == "list":
            print("\n".join(scales()))
        elif chosen.action == "sync":
            for scale in sync():
                print(f"scales/{scale}/ written")
        elif chosen.action == "check" and (found := stale()):
            raise BrewError(
                f"scales/ is older than its sources for {', '.join(found)}; run `python -m brew.compendium.scales sync`"
            )
    except BrewError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
