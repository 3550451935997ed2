"""The peers: what a researcher would otherwise call on the same problem, each in its best formulation that we know."""

from __future__ import annotations

import importlib.util
from functools import partial

import minimax_opt as mo
from benchmarks.convex.data import Data
from benchmarks.convex.peers import dro, epigraph, modelled, native, standard
from benchmarks.convex.peers.base import CONIC_TOLERANCES, Answer, Peer, Solve
from benchmarks.convex.peers.modelled import reduce

__all__ = ["Answer", "Peer", "Solve", "peers_of", "reduce"]

EXPONENTIAL = ("logistic", "poisson", "multinomial")
MODELLED_ENTRIES = 2e6  # numbers in the constraints, above which the modelling layer and the cone solvers take minutes
CONIC_ENTRIES = 6e5  # the same where the constraints are cones
MODELLED_ROWS = 12_000
EXPONENTIAL_ROWS, EXPONENTIAL_ROWS_SPARSE = 4_000, 20_000  # a cone of its own for each row
HIGHS_TOLERANCES = (1e-7, 1e-10)
SLSQP_TOLERANCES = (1e-4, 1e-8, 1e-10, 1e-13)
GRAM_ENTRIES = 5e7  # numbers in the Gram matrices of all tasks
SECOND_ORDER_VARIABLES = 300  # trust-constr factorises (n + K) x (n + K) systems in Python


def peers_of(data: Data) -> list[Peer]:
    """The peers that can state the case in reasonable time; what a limit of size leaves out is below the fastest by an order of magnitude."""
    return [peer for peer in (*_scipy(data), *_native(data), *_modelled(data), *_libraries(data)) if _installed(peer)]


def _scipy(data: Data) -> list[Peer]:
    smooth = data.loss != "quantile"
    stated = (
        isinstance(data.ambiguity, mo.Simplex | mo.CVaR)
        and data.n_tasks <= 5000
        and not (data.sparse and data.n_variables > 1000)
    )
    peers = []
    if smooth and stated:
        peers.append(Peer("SLSQP", partial(epigraph.slsqp, data), SLSQP_TOLERANCES))
        if data.loss == "least squares" and data.n_tasks * data.n_variables**2 <= GRAM_ENTRIES:
            peers.append(Peer("SLSQP (Gram)", partial(epigraph.slsqp, data, True), SLSQP_TOLERANCES))
        if data.loss != "multinomial" and data.n_variables + data.n_tasks <= SECOND_ORDER_VARIABLES:
            peers.append(Peer("trust-constr", partial(epigraph.trust_constr, data), (1e-4, 1e-8, 1e-11)))
    return peers


def _native(data: Data) -> list[Peer]:
    if not standard.statable(data) or _entries(data) > _most(data):
        return []
    reduced = data.loss == "least squares"
    peers = [
        Peer("ECOS native", partial(native.ecos, data), reduced=reduced),
        Peer("Clarabel native", partial(native.clarabel, data), reduced=reduced),
    ]
    if standard.normable(data):
        peers.append(Peer("ECOS native, norms", partial(native.ecos, data, True), CONIC_TOLERANCES, reduced=True))
        peers.append(Peer("Clarabel native, norms", partial(native.clarabel, data, True), CONIC_TOLERANCES, reduced=True))
    if data.loss != "least squares" and not isinstance(data.ambiguity, mo.ChiSquareBall):
        if data.loss == "affine":
            peers.append(Peer("PIQP dense", partial(native.piqp, data, True)))
        peers.append(Peer("PIQP sparse", partial(native.piqp, data, False)))
        if not data.ridge:
            peers.append(Peer("HiGHS simplex", partial(native.highs, data, "simplex"), HIGHS_TOLERANCES))
            peers.append(Peer("HiGHS ipm", partial(native.highs, data, "ipm"), HIGHS_TOLERANCES))
            peers.append(Peer("linprog", partial(native.linprog, data), HIGHS_TOLERANCES))
    return peers


def _modelled(data: Data) -> list[Peer]:
    exponential = data.loss in EXPONENTIAL or isinstance(data.ambiguity, mo.KLBall)
    rows = data.n_rows * data.n_classes
    if data.loss in EXPONENTIAL and rows > (EXPONENTIAL_ROWS_SPARSE if data.sparse else EXPONENTIAL_ROWS):
        return []
    if _entries(data) > _most(data) or (data.loss != "affine" and data.n_tasks > 1000):
        return []
    if data.loss in ("huber", "quantile") and rows > MODELLED_ROWS:
        return []
    solvers = ["CLARABEL", "SCS"] if data.loss == "multinomial" else ["CLARABEL"] if exponential else ["CLARABEL", "ECOS"]
    if not exponential and data.loss in ("affine", "quantile") and not isinstance(data.ambiguity, mo.ChiSquareBall):
        solvers += ["PIQP"] if data.ridge else ["PIQP", "HIGHS"]
    return [
        Peer(
            f"cvxpy {solver}",
            partial(modelled.conic, data, solver),
            HIGHS_TOLERANCES if solver == "HIGHS" else CONIC_TOLERANCES,
            modelled=True,
            reduced=data.loss == "least squares",
        )
        for solver in solvers
    ]


def _libraries(data: Data) -> list[Peer]:
    small = data.n_rows <= EXPONENTIAL_ROWS and data.n_rows * data.n_variables <= 4e5
    return [Peer("dro", partial(dro.dro, data), (1e-8,), whole=True)] if dro.statable(data) and small else []


def _entries(data: Data) -> float:
    """Numbers in the constraints of the cone form: after QR, n + 1 rows a task for least squares."""
    if data.sparse:
        return float(data.A.nnz)
    rows = data.n_tasks * min(data.n_variables + 1, int(data.sizes.max())) if data.loss == "least squares" else data.n_rows
    return float(rows) * data.A.shape[1]


def _most(data: Data) -> float:
    return MODELLED_ENTRIES if data.loss in ("affine", "quantile") else CONIC_ENTRIES


def _installed(peer: Peer) -> bool:
    modules = {
        "dro": "dro",
        "ecos": "ecos",
        "piqp": "piqp",
        "highs": "highspy",
        "clarabel": "clarabel",
        "scs": "scs",
        "cvxpy": "cvxpy",
    }
    return all(importlib.util.find_spec(modules[word]) for word in peer.name.lower().split() if word in modules)
