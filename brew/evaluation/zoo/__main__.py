"""`python -m brew.evaluation.zoo`: write the tables of docs/backbones.md anew."""

from brew.evaluation.zoo.backbone_tables import PLACE, tables

PLACE.page.write_text(PLACE.renewed(tables()))
