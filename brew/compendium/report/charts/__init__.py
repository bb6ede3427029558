"""The report's charts, of Altair, each made from tidy tables alone; print has the same as SVG."""
