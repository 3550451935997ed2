"""One look for all figures: a quiet frame, colours that survive colour blindness and grayscale."""

from __future__ import annotations

import io
from typing import Any

# Okabe and Ito (2008). Orange and blue differ in lightness too, and every figure also tells them apart by marker or line style.
AVERAGE = "#E69F00"
WORST_CASE = "#0072B2"
ADVERSARY = "#6F6F6F"
INK = "#333333"
FAINT = "#C8C8C8"

STYLE: Any = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "text.color": INK,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text: searchable and editable
}


def render(figure: Any, form: str, dpi: int = 200) -> bytes:
    """The figure as the bytes of a file, the same bytes for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    form : {"png", "pdf"}
    dpi : int
        Pixels an inch, for PNG.
    """
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(
            stream, format=form, dpi=dpi, metadata={"CreationDate": None} if form == "pdf" else None, facecolor="white"
        )
    return stream.getvalue()
