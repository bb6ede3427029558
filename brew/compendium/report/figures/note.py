"""A line of text in a figure's place."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def note(text: str) -> Figure:
    """A figure that says why there is none."""
    figure, axis = plt.subplots(figsize=(6, 1))
    axis.text(0, 0.5, text, wrap=True)
    axis.axis("off")
    return figure
