from __future__ import annotations

import numpy as np
import pytest

import minimax_opt as mo
from minimax_opt.comparison.adversaries import parse_adversary
from minimax_opt.demo.cases import CASES, Case, find_cases, with_adversary


@pytest.mark.parametrize(
    ("text", "kind"),
    [("simplex", mo.Simplex), ("cvar:0.5", mo.CVaR), ("kl:0.1", mo.KLBall), ("chi-square:0.1", mo.ChiSquareBall)],
)
def test_each_name_gives_its_set(text, kind):
    assert isinstance(parse_adversary(text).ambiguity(np.full(4, 0.25)), kind)


def test_balls_are_centred_and_sized():
    centre = np.array([0.7, 0.2, 0.1])
    losses = np.array([0.0, 1.0, 2.0])
    tiny = float(mo.worst_case(losses, parse_adversary("kl:1e-12").ambiguity(centre)))
    assert tiny == pytest.approx(centre @ losses, abs=1e-5)
    assert float(mo.worst_case(losses, parse_adversary("kl:5").ambiguity(centre))) == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["", "max", "simplex:1", "cvar", "cvar:", "cvar:half", "cvar:0", "cvar:1.5", "kl:-1", "kl:nan", "chi-square"]
)
def test_bad_names_raise(text):
    with pytest.raises(ValueError, match=r"ambiguity set is|must be"):
        parse_adversary(text)


def test_words_follow_the_set():
    assert parse_adversary("simplex").worst("state", "states") == "worst state"
    assert parse_adversary("cvar:0.2").worst("state", "states") == "worst 20 % of states"
    assert "5 times an even share" in parse_adversary("cvar:0.2").sentence("state", "states")
    assert "KL divergence of 0.5 nats" in parse_adversary("kl:0.5").sentence("state", "states")


def test_names_find_cases_in_order_without_repeats():
    assert find_cases([]) == CASES
    assert [case.name for case in find_cases(["houses", "wages", "houses"])] == ["houses", "wages"]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"no demo problem 'diggits'\. Did you mean 'digits'\?.*wages"):
        find_cases(["diggits"])
    with pytest.raises(ValueError, match=r"'zzz'\. The problems are"):
        find_cases(["zzz"])


@pytest.mark.parametrize("text", ["kl:inf", "chi-square:inf"])
def test_a_ball_without_a_limit_is_the_simplex(text):
    assert parse_adversary(text).worst("state", "states") == "worst state"
    assert str(parse_adversary(text)) == "simplex"


@pytest.mark.parametrize("text", ["simplex", "cvar:0.1", "kl:0.5", "chi-square:0.25"])
def test_the_name_of_an_adversary_is_what_is_parsed(text):
    assert str(parse_adversary(text)) == text


@pytest.mark.parametrize("text", ["cvar:0.1", "kl:0.1", "chi-square:0"])
def test_a_mixture_of_signed_errors_is_refused_for_absolute_ones(text):
    (houses,) = find_cases(["houses"])
    with pytest.raises(ValueError, match="'houses' is about the largest absolute error, so its ambiguity set must be simplex"):
        Case(houses.name, houses.title, houses.load, houses.loss, parse_adversary(text))
    with pytest.raises(ValueError, match="must be simplex"):
        with_adversary([houses], parse_adversary(text))


def test_another_set_leaves_out_repeats_and_what_it_does_not_fit():
    kept, left_out = with_adversary(CASES, parse_adversary("kl:0.1"), skip=True)
    assert len({(case.load, case.loss) for case in kept}) == len(kept) == 4
    assert all(str(case.adversary) == "kl:0.1" for case in kept)
    assert len(left_out) == 2
    assert "'wages-tail'" in left_out[0]
    assert "same problem as 'wages'" in left_out[0]
    assert "'houses'" in left_out[1]
    kept, _ = with_adversary(CASES, parse_adversary("simplex"))
    assert [case.name for case in kept] == ["wages", "digits", "contraception", "mortgages", "houses"]


def test_no_title_names_a_set_that_can_be_replaced():
    by_data = {}
    for case in CASES:
        assert by_data.setdefault((case.load, case.loss), case.title) == case.title
