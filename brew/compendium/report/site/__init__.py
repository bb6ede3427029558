"""The report as a site: static pages that need no network and no script, made from tidy tables, pictures and pages.

`reports/index.html` is the home, `reports/SCALE/` holds a scale: its first screen, a page per chapter, a page per
benchmark on which every number has its card, and the tables and pictures as files. Scripts add to what stands in the
HTML already: charts that hover, tables that sort and filter, a panel for the card of a number. They lie once in
`reports/assets/`.
"""

#: The file in which the tables say in words what DEO gains; it stands at the head of the report.
ANSWER = "answer.txt"
