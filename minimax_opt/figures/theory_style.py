"""One colour, marker and name for each method in all figures of the theory."""

from __future__ import annotations

# Okabe and Ito (2008); markers tell the methods apart in grayscale
COLOURS = {"softmax-gd": "#D55E00", "accelerated": "#0072B2", "descent-ascent": "#CC79A7", "mirror-prox": "#009E73"}
MARKERS = {"softmax-gd": "o", "accelerated": "s", "descent-ascent": "^", "mirror-prox": "D"}
TITLES = {
    "softmax-gd": "softmax-gd (A4)",
    "accelerated": "accelerated (A5)",
    "descent-ascent": "descent-ascent (M1')",
    "mirror-prox": "mirror-prox (M3)",
}

__all__ = ["COLOURS", "MARKERS", "TITLES"]
