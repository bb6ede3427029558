"""Keys say what decides a result, and nothing else."""

import compileall
from dataclasses import replace
from pathlib import Path

import pytest

from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.cache_keys import canonical, digest, sources_digest


def test_keys_do_not_depend_on_the_order_of_their_parts():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": (1, 2), "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert canonical({"b": 1, "a": None}) == '{"a":null,"b":1}'


def _package(root: Path) -> Path:
    package = root / "brew"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "top.py").write_text("import numpy\nfrom brew.base import value\n")
    (package / "base.py").write_text('"""Holds a value."""\n\n\ndef value():\n    """One."""\n    return 1\n')
    (package / "other.py").write_text("x = 1\n")
    return package


def test_sources_digest_follows_code_through_imports_alone(tmp_path, monkeypatch):
    package = _package(tmp_path)
    monkeypatch.setattr("brew.files.ROOT", tmp_path)
    before = sources_digest("brew.top")
    (package / "base.py").write_text('"""Gives it."""\ndef value():  # a comment\n    return  1\n')
    (package / "other.py").write_text("x = 2\n")
    assert sources_digest("brew.top") == before
    (package / "base.py").write_text('def value():\n    return "One."\n')
    assert sources_digest("brew.top") != before
    with pytest.raises(BrewError, match=r"brew\.absent"):
        sources_digest("brew.absent")


def test_a_docstring_alone_is_no_body_that_counts(tmp_path, monkeypatch):
    package = _package(tmp_path)
    monkeypatch.setattr("brew.files.ROOT", tmp_path)
    (package / "base.py").write_text('class value:\n    """A class of its own."""\n')
    before = sources_digest("brew.top")
    (package / "base.py").write_text('class value:\n    """Another docstring."""\n')
    assert sources_digest("brew.top") == before


def test_sources_digest_knows_neither_bytecode_nor_its_folder(tmp_path, monkeypatch):
    digests = []
    for root in (tmp_path / "one", tmp_path / "other" / "deeper"):
        package = _package(root)
        monkeypatch.setattr("brew.files.ROOT", root)
        digests.append(sources_digest("brew.top"))
        assert compileall.compile_dir(package, quiet=1) and list(package.rglob("*.pyc"))
        digests.append(sources_digest("brew.top"))
    assert len(set(digests)) == 1


def test_a_benchmark_s_words_decide_nothing():
    one = BENCHMARKS["m-eurosat"]
    other = replace(one, summary="said better", errata="", lives_on="fine texture", protocol=None)
    assert digest(one.decisive()) == digest(other.decisive())
    assert digest(one.decisive()) != digest(replace(one, metric="f1_macro").decisive())
