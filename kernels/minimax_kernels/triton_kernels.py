"""What the kernels of several families call."""

from __future__ import annotations

import triton
import triton.language as tl

from minimax_kernels import triton_tools

LOG2_E = tl.constexpr(triton_tools.LOG2_E)


@triton.jit
def number(bits):
    """The float64 with the bits of `float_bits`: those of the smallest numbers arrive as an int32."""
    return bits.to(tl.int64).to(tl.float64, bitcast=True)


@triton.jit
def soft_cap(x, CAP: tl.constexpr):
    """CAP tanh(x / CAP): by one exponential that cannot overflow, and near 0, where the difference from 1 would lose digits, by a fraction.

    The fraction is the fifth convergent of the continued fraction of tanh: below 1/8 it is exact to 1e-16.
    """
    t = x / CAP
    square = tl.minimum(t * t, 1.0)  # beyond 1/64 no one reads the fraction
    near = x * ((square + 105.0) * square + 945.0) / ((square * 15.0 + 420.0) * square + 945.0)
    decay = tl.exp2(tl.abs(t) * (-2.0 * LOG2_E))
    far = CAP * (1.0 - decay) / (1.0 + decay)
    return tl.where(square < 1.0 / 64.0, near, tl.where(x < 0, -far, far))


__all__ = ["number", "soft_cap"]
