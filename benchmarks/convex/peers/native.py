"""Solvers called through their own interfaces on the standard form: no modelling layer, no compilation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.convex.data import Data
from benchmarks.convex.peers.base import Answer, Solve, answer
from benchmarks.convex.peers.standard import Form, standard_form

BUDGET = 60.0  # seconds; for solvers that take a limit


def ecos(data: Data, norm: bool = False) -> Solve:
    import ecos as library

    form = standard_form(data, quadratic=False, norm=norm)
    dims = {"l": form.linear, "q": form.cones, "e": 0}

    def solve(tolerance: float) -> Answer:
        out = library.solve(
            form.c, form.G, form.h, dims, verbose=False, abstol=tolerance, reltol=tolerance, feastol=tolerance, max_iters=200
        )
        return answer(data, out["x"], nit=out["info"]["iter"], factorisations=out["info"]["iter"] + 1)

    return solve


def clarabel(data: Data, norm: bool = False) -> Solve:
    import clarabel as library

    form = standard_form(data, norm=norm)
    P = sparse.diags(form.P, format="csc")
    cones = ([library.NonnegativeConeT(form.linear)] if form.linear else []) + [library.SecondOrderConeT(m) for m in form.cones]

    def solve(tolerance: float) -> Answer:
        settings = library.DefaultSettings()
        settings.verbose, settings.max_threads, settings.time_limit = False, 1, BUDGET
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
        out = library.DefaultSolver(P, form.c, form.G, form.h, cones, settings).solve()
        return answer(data, out.x, nit=out.iterations, factorisations=out.iterations)

    return solve


def piqp(data: Data, dense: bool) -> Solve:
    """PIQP's dense or sparse solver, for the cases without cones; on quantile losses as equalities it is the fastest."""
    import piqp as library

    form = _polyhedral(data, equalities=True)
    if dense and len(form.e):
        raise ValueError("equalities are stated for the sparse solver only")
    if dense:
        P, G = np.asfortranarray(np.diag(form.P)), np.asfortranarray(form.G.toarray())
    else:
        P, G = sparse.diags(form.P, format="csc"), form.G

    def solve(tolerance: float) -> Answer:
        solver = library.DenseSolver() if dense else library.SparseSolver()
        solver.settings.verbose = False
        solver.settings.eps_abs = solver.settings.eps_rel = tolerance
        solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = tolerance
        solver.settings.max_iter = 500
        named: dict[str, Any] = {"A": form.E, "b": form.e} if len(form.e) else {}
        named |= {"x_l": form.lower} if np.isfinite(form.lower).any() else {}
        solver.setup(P=P, c=form.c, G=G, h_l=np.full_like(form.h, -np.inf), h_u=form.h, **named)
        solver.solve()
        return answer(data, solver.result.x, nit=solver.result.info.iter, factorisations=solver.result.info.iter)

    return solve


def highs(data: Data, algorithm: str) -> Solve:
    """HiGHS's simplex ("simplex") or interior point ("ipm"), for linear programs."""
    import highspy

    form = _polyhedral(data)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(form.c), len(form.h)
    model.col_cost_, model.row_upper_ = form.c, form.h
    model.col_lower_, model.col_upper_ = form.lower, np.full(len(form.c), highspy.kHighsInf)
    model.row_lower_ = np.full(len(form.h), -highspy.kHighsInf)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = form.G.indptr, form.G.indices, form.G.data

    def solve(tolerance: float) -> Answer:
        solver = highspy.Highs()
        for name, setting in _highs_options(tolerance, algorithm).items():
            solver.setOptionValue(name, setting)
        solver.passModel(model)
        solver.run()
        info = solver.getInfo()
        return answer(
            data,
            solver.getSolution().col_value or None,
            nit=max(info.simplex_iteration_count, 0) + max(info.ipm_iteration_count, 0),
        )

    return solve


def _highs_options(tolerance: float, algorithm: str) -> dict[str, Any]:
    bounded = max(tolerance, 1e-10)  # the least that HiGHS takes
    return {
        "log_to_console": False,
        "output_flag": False,
        "solver": algorithm,
        "threads": 1,
        "time_limit": BUDGET,
        "primal_feasibility_tolerance": bounded,
        "dual_feasibility_tolerance": bounded,
        "ipm_optimality_tolerance": max(tolerance, 1e-12),
    }


def linprog(data: Data) -> Solve:
    """scipy.optimize.linprog, which calls HiGHS."""
    from scipy import optimize

    form = _polyhedral(data)
    bounds = np.column_stack([form.lower, np.full_like(form.lower, np.inf)])

    def solve(tolerance: float) -> Answer:
        bounded = max(tolerance, 1e-10)
        options = {"primal_feasibility_tolerance": bounded, "dual_feasibility_tolerance": bounded, "time_limit": BUDGET}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = optimize.linprog(form.c, A_ub=form.G, b_ub=form.h, bounds=bounds, method="highs", options=options)
        return answer(data, out.x, nit=out.nit)

    return solve


def _polyhedral(data: Data, equalities: bool = False) -> Form:
    form = standard_form(data, bounds=True, equalities=equalities)
    if form.cones:
        raise ValueError("this solver takes linear constraints only")
    return form
