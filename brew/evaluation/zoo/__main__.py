"""`python -m brew.evaluation.zoo`: write the tables of docs/backbones.md anew."""

from brew.evaluation.zoo.backbone_tables import PAGE, renewed

PAGE.write_text(renewed(PAGE.read_text()))
