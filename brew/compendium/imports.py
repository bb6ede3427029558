"""What code imports: the modules of brew that a notebook or a module runs, directly or not, read from its source.

A name inside a package (``from brew.models import student``) is that module if it is one, else the package itself.
Nothing is executed, so a stage's code is known without the seconds that its imports take.
"""

import ast
import json
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from brew.errors import BrewError
from brew.files import ROOT


class Package:
    """The modules of the package `brew` below `root`, and what each one imports; a file is parsed once."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._imported: dict[str, frozenset[str]] = {}

    @cached_property
    def modules(self) -> dict[str, str]:
        """Name -> file, from the root."""
        files = sorted(path.relative_to(self.root) for path in (self.root / "brew").rglob("*.py"))
        return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path.as_posix() for path in files}

    def imported_by(self, module: str) -> frozenset[str]:
        """The modules of brew that a module names in its imports, also in those inside functions."""
        if module not in self._imported:
            if module not in self.modules:
                raise BrewError(
                    f"module {module!r} does not exist; expected one below brew/. Correct the table of stages"
                )
            source = (self.root / self.modules[module]).read_text(encoding="utf-8")
            self._imported[module] = frozenset(self._named(source))
        return self._imported[module]

    def imported_by_notebook(self, notebook: Path) -> frozenset[str]:
        """The modules of brew that a notebook's code cells name in their imports."""
        cells = json.loads((self.root / notebook).read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        return frozenset(name for source in sources for name in self._named(source))

    def closure(self, start: Iterable[str], past: frozenset[str] = frozenset()) -> frozenset[str]:
        """`start` and everything that it imports, directly or not; past: left out, with what they alone import."""
        found, waiting = set[str](), set(start) - past
        while waiting:
            module = waiting.pop()
            found.add(module)
            waiting |= self.imported_by(module) - found - past
        return frozenset(found)

    def libraries(self) -> tuple[str, ...]:
        """The modules of others that brew's modules import as soon as they are imported, in alphabetical order."""
        sources = ((self.root / file).read_text(encoding="utf-8") for file in self.modules.values())
        named = {name for source in sources for name in _imported_at_once(ast.parse(source))}
        return tuple(sorted(name for name in named if name.partition(".")[0] not in {"brew", *sys.stdlib_module_names}))

    def _named(self, source: str) -> Iterable[str]:
        for node in _statements(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self.modules)
            elif isinstance(node, ast.ImportFrom) and node.module in self.modules:
                inner = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                yield from (name if name in self.modules else node.module for name in inner.values())


def _imported_at_once(tree: ast.Module) -> Iterable[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _statements(tree: ast.Module) -> Iterable[ast.AST]:
    """Every statement at any depth; expressions, which hold no import, are most of a tree and are left out."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, block, ())
