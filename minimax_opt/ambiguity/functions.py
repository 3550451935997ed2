"""respond() and worst_case() as functions."""

from __future__ import annotations

from minimax_opt.ambiguity.base import AmbiguitySet, Geometry
from minimax_opt.ambiguity.simplex import Simplex
from minimax_opt.arrays import Array


def respond(
    losses: Array,
    ambiguity: AmbiguitySet = Simplex(),  # noqa: B008 - immutable
    *,
    smoothing: float = 0.0,
    geometry: Geometry = "entropic",
    anchor: Array | None = None,
) -> Array:
    r"""The adversary's regularised best response to the losses.

    .. math:: b = \arg\max_{w \in W_0} \langle w, f \rangle - smoothing \cdot D(w, anchor), \qquad w = (1 - e) \, b + e \, q

    with the base set W_0, the floor e and the prior q of `ambiguity`. D is the Kullback-Leibler divergence KL(w || anchor)
    ("entropic") or :math:`\|w - anchor\|^2 / 2` ("euclidean").

    Parameters
    ----------
    losses : array, shape (..., K)
        Torch tensor of any device or NumPy array; all but the last dimension are batches. Losses of -inf get weight 0 (before
        the floor); where the set does not allow that, the weights on them are those for losses 0 and, in place of -inf, -1.
        NumPy input with nan or +inf raises; a tensor is not checked, since that would wait for the device: its row becomes nan.
    ambiguity : AmbiguitySet
    smoothing : float
        At least 0, in the unit of the losses. 0 is the unregularised best response, where `geometry` and `anchor` play no part:
        ties share in proportion to the prior, evenly if it is uniform: the limit of smoothing -> 0 in the entropic geometry with
        the prior as the anchor.
    geometry : {"entropic", "euclidean"}
    anchor : array, shape (..., K), optional
        Weights that add up to 1; default the prior. With the previous weights and smoothing = 1/step_size this is mirror ascent
        (entropic) and projected ascent (euclidean). It is used as it is, for b, before the floor is mixed in: fed with mixed
        weights, mirror ascent with a floor is the fixed-share update of Herbster and Warmuth (1998). In the entropic geometry,
        an anchor weight of 0 stays 0 (before the floor), as if the loss were -inf.

    Returns
    -------
    array, shape (..., K)
        The weights, of the kind, dtype and device of `losses`; float16 and bfloat16 are computed in float32. They are
        differentiable in losses and anchor, to second order, except where they jump: for smoothing = 0, the gradient is 0 or
        undefined on simplex and CVaR, while on the balls it is that of a smooth function as long as the constraint is tight.

    Raises
    ------
    ValueError
        For an option out of range; a prior or an anchor of another length; and for a pair of set and geometry without exact
        response: KLBall with "euclidean", ChiSquareBall with "entropic", for smoothing > 0.

    Notes
    -----
    Everything is computed from losses - max(losses), exact to rounding under a common offset. The difference of the largest
    and the smallest loss must not overflow.

    Examples
    --------
    >>> import torch
    >>> respond(torch.tensor([1.0, 3.0, 3.0]))
    tensor([0.0000, 0.5000, 0.5000])
    >>> respond(torch.tensor([0.0, 1.0]), smoothing=1.0)
    tensor([0.2689, 0.7311])
    >>> respond(torch.tensor([0.0, 1.0]), smoothing=2.0, geometry="euclidean", anchor=torch.tensor([0.9, 0.1]))
    tensor([0.6500, 0.3500])
    """
    return ambiguity.respond(losses, smoothing=smoothing, geometry=geometry, anchor=anchor)


def worst_case(
    losses: Array,
    ambiguity: AmbiguitySet = Simplex(),  # noqa: B008 - immutable
    *,
    smoothing: float = 0.0,
    geometry: Geometry = "entropic",
    anchor: Array | None = None,
) -> Array:
    r"""The value of the adversary's regularised best response.

    .. math:: (1 - e) \max_{w \in W_0} \{ \langle w, f \rangle - smoothing \cdot D(w, anchor) \} + e \, \langle q, f \rangle

    with the symbols of :func:`respond`. For smoothing 0 it is the support function of the set. On the simplex with the prior
    as the anchor it is :math:`smoothing \cdot \log \sum_k q_k \exp(f_k / smoothing)` in the entropic geometry.

    Parameters
    ----------
    losses, ambiguity, smoothing, geometry, anchor
        As for :func:`respond`. A loss of -inf makes the value -inf where its weight cannot be 0.

    Returns
    -------
    array, shape (...)
        Of the kind, dtype and device of `losses`. Its gradient in the losses is respond(losses, ...), exactly, also at ties (a
        subgradient there), and differentiable again. The anchor counts as a constant.

    Examples
    --------
    >>> import numpy as np
    >>> float(worst_case(np.array([1.0, 3.0, 2.0])))
    3.0
    >>> f = np.array([1.0, 3.0, 2.0])
    >>> bool(np.isclose(worst_case(f, smoothing=0.5), 0.5 * np.log(np.exp(f / 0.5).mean())))
    True
    """
    return ambiguity.worst_case(losses, smoothing=smoothing, geometry=geometry, anchor=anchor)


__all__ = ["respond", "worst_case"]
