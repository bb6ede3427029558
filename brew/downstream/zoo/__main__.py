"""`python -m brew.downstream.zoo`: write the tables of docs/backbones.md anew."""

from brew.downstream.zoo.catalogue import PAGE, renewed

PAGE.write_text(renewed(PAGE.read_text()))
