"""BACKBONES: what our students are compared with, one entry each.

Adding a backbone is one entry and at most one file; one contract test runs over all of them. Weights are never replaced
by random ones. If they are absent, `needs` says in one line how to obtain them, and the backbone's row says so too.
Left out: students, the scale's own teacher and a random trunk, which each scale has its own of
(`brew.compendium.stages`).
"""

from brew.evaluation.zoo.entry import BackboneEntry
from brew.evaluation.zoo.table import BACKBONES, backbone
from brew.evaluation.zoo.weights import BackboneUnavailable

__all__ = ["BACKBONES", "BackboneEntry", "BackboneUnavailable", "backbone"]
