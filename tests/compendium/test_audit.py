"""The audit's three answers: an advisory, none, and no answer."""

import pytest

from brew.compendium.audit import judge
from brew.errors import BrewError

SOUND = {"name": "affine", "version": "3.0.1", "vulns": []}
STRUCK = {"name": "pillow", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
UNKNOWN = {"name": "zarr", "skip_reason": "Dependency not found on PyPI and could not be audited: zarr (3.1)"}


def test_an_advisory_names_package_and_remedy() -> None:
    assert judge({"dependencies": [SOUND]}) == []
    assert judge({"dependencies": [SOUND, STRUCK]}) == ["pillow 1.0: PYSEC-1, mended in 1.1, 2.0"]


def test_no_answer_is_no_good_news() -> None:
    with pytest.raises(BrewError, match=r"1 of 3 packages could not .*zarr.*\nfound beside: pillow 1.0: PYSEC-1"):
        judge({"dependencies": [SOUND, UNKNOWN, STRUCK]})
