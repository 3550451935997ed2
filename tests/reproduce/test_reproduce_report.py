from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import reproduce_fakes as fakes

from minimax_opt.reproduce.report import headline, report_text
from minimax_opt.reproduce.run import Outcome, perform
from minimax_opt.reproduce.store import origin

VOID = {"meta", "img", "br", "hr", "link"}


class Checker(HTMLParser):
    """Every element is closed by its own end tag; collects text and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.seen = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    return checker


@pytest.fixture
def outcomes(job):
    chosen = (fakes.SQUARES, fakes.NASTY_TEXT, fakes.WRONG, fakes.RAISES)
    return [perform(experiment, replace(job, figures=True)) for experiment in chosen]


@pytest.fixture
def report(outcomes, tmp_path):
    return report_text(outcomes, tmp_path, "minimax-opt reproduce --quick 'a & b'", origin(True, 0), 1.5)


def test_the_report_is_whole_html(report):
    checker = check(report)
    text = " ".join(checker.text)
    for part in ("3 of 4 claims hold.", "DOES NOT HOLD: wrong.", "FAILED with an error: raises.", "--quick 'a & b'", "numpy"):
        assert part in text
    identifiers = [attributes["id"] for _, attributes in checker.seen if "id" in attributes]
    links = [attributes["href"] for tag, attributes in checker.seen if tag == "a"]
    assert links == [f"#{name}" for name in identifiers] == ["#squares", "#nasty", "#wrong", "#raises"]


def test_every_claim_stands_in_the_report_with_its_verdict(report, outcomes):
    rows = re.findall(r"<tr><td>(?!<a)(.*?)</td><td>(.*?)</td><td>(.*?)</td><td class=\"(good|bad)\">(.*?)</td></tr>", report)
    claims = [claim for outcome in outcomes for claim in outcome.claims]
    assert len(rows) == len(claims) == 4
    for (*_, mark, verdict), claim in zip(rows, claims, strict=True):
        assert (mark, verdict) == (("good", "✓ holds") if claim.holds else ("bad", "✗ does not hold"))


def test_text_is_escaped(report):
    assert "<script" not in report
    assert " ".join(check(report).text).count(fakes.NASTY) == 3 + 2  # a claim's three texts; the title in the summary and above
    assert "the sum of &lt;weights&gt; is 0.9" in report


def test_the_figures_are_inside_and_nothing_is_fetched(report, tmp_path):
    checker = check(report)
    images = [attributes for tag, attributes in checker.seen if tag == "img"]
    assert len(images) == 1
    kind, data = images[0]["src"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data, validate=True) == (tmp_path / "squares-drawn.png").read_bytes()
    assert images[0]["alt"] == "Mean of squares: figure squares-drawn"
    assert not {tag for tag, _ in checker.seen} & {"link", "script", "iframe"}
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import""", report)


def test_the_report_says_what_made_it(outcomes, tmp_path):
    outcomes[0].reused = True
    made = origin(False, 7)
    text = report_text(outcomes, tmp_path, "minimax-opt reproduce --seed 7", made, 1.5)
    for part in (
        "minimax-opt reproduce --seed 7",
        "minimax-opt reproduce squares --seed 7",
        f"numpy {made['versions']['numpy']}",
    ):
        assert part in text
    assert made["source"][:16] in text
    assert "1 of 4 results were saved before" in text


def test_the_headline():
    good, none = Outcome("a", "A", claims=fakes.two_claims({})[:1]), Outcome("b", "B")
    assert headline([good, good, none]) == "All 2 claims hold."
    assert headline([]) == headline([none]) == "0 of 0 claims hold."
    assert headline([good, Outcome("c", "C", error="x")]) == "1 of 1 claims hold. FAILED with an error: c."
