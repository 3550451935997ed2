"""Whatever the README, the docs and the docstrings show is run: Python blocks, doctests; public objects have whole docstrings."""

import doctest
import enum
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import minimax_kernels
import minimax_opt
from minimax_opt import nn, theory

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted(
    module.name
    for package in (minimax_opt, minimax_kernels)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S):
        exec(compile(block, str(page), "exec"), scope)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_hold(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_tests_that_a_page_names_exist(page):
    """A path before the name, or else the last path before it on that page."""
    path = None
    for found in re.finditer(r"`(?:(tests/[\w/]+\.py)(?:::)?)?(?:::)?(test_\w+)?`", page.read_text()):
        path, name = found.group(1) or path, found.group(2)
        if found.group(1):
            assert (ROOT / path).exists(), path
        if name:
            assert path, name
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), flags=re.M), f"{path}::{name}"


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name):
    assert importlib.import_module(name).__doc__


PUBLIC = [(minimax_opt, name) for name in minimax_opt.__all__ if name != "domains"]
PUBLIC += [(nn, name) for name in nn.__all__]
PUBLIC += [(theory, name) for name in theory.__all__ if name != "LIMITS"]


@pytest.mark.parametrize(("home", "name"), PUBLIC, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_public_objects_have_whole_docstrings(home, name):
    thing = getattr(home, name)
    doc = inspect.getdoc(thing) or ""
    assert len(doc) > 40, name
    if isinstance(thing, enum.EnumMeta):  # its members are the documentation
        return
    signature = inspect.signature(thing)
    for parameter in signature.parameters:
        if parameter not in ("args", "kwargs") and not (inspect.isclass(thing) and inspect.isabstract(thing)):
            assert re.search(rf"\b{parameter}\b", doc), f"{name}: `{parameter}` is not documented"


def test_kernels_is_no_package():
    """`kernels/` must stay a plain folder: a top-level module of that name would collide with another project's."""
    assert not (ROOT / "kernels" / "__init__.py").exists()


def test_the_two_commands_stand_in_the_readme():
    section = re.search(r"^## Quick start\n(.*?)^## ", (ROOT / "README.md").read_text(), flags=re.M | re.S)
    assert section
    blocks = re.findall(r"^```bash\n(.*?)^```", section.group(1), flags=re.M | re.S)
    assert len(blocks) == 1
    assert len(blocks[0].strip().splitlines()) == 2


def _rule(text):
    """The numbered lines, without marks."""
    lines = re.findall(r"^\d\. .*?(?=^\d\. |\n\n)", text + "\n\n", flags=re.M | re.S)
    return [re.sub(r"[\s`;.]+", " ", line.replace("*", "x")).strip().lower() for line in lines]


def test_the_rule_of_auto_is_told_as_it_is():
    page = (ROOT / "docs" / "choose.md").read_text()
    rule = _rule(importlib.import_module("minimax_opt.auto").__doc__)
    assert len(rule) > 5
    assert _rule(re.search(r"^## The rule\n(.*?)^## ", page, flags=re.M | re.S).group(1)) == rule
