"""ripgrep and Python must agree on every tree, every .gitignore and every pattern."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ralph.tools.search import Search
from ralph.tools.walk import walk

RG = shutil.which("rg")
pytestmark = pytest.mark.skipif(RG is None, reason="ripgrep (rg) is not installed")

NAMES = st.sampled_from(["a", "b", "ab.py", "c.log", ".hid", "build", "x y", "a.py"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
LINES = st.sampled_from([
    "foo", "Foo bar", "foo_1", "  x = 1", "", "a.b", "naïve café", "\x1cfoo", "end\t", "foo\r", "a\rb", "\udcff foo",
    "\u2028foo", "K\u212a", "\u017f", "a[0]{1}", "日本", "x\x00y",
])  # fmt: skip
TEXTS = st.lists(LINES, max_size=5).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogateescape"))
TREES = st.dictionaries(PATHS, TEXTS, max_size=8)
RULES = st.lists(st.sampled_from([
    "a", "b/", "/a", "*.py", "!a.py", "a/*", "!a/b", "a/**", "**/b", "b/**/a", "x*", "[ab]", "!c.log", "*.log", "# no",
    "", "a/b/", "!a/", "/*", "?", "!*/", "*", "x\\ y", "ab.p[xy]", "**", "/**/a.py",
]), max_size=5)  # fmt: skip
PATTERNS = st.sampled_from([
    "foo", "^foo", "foo$", r"\bfoo\b", r"\w+\s=", "(?i)foo", "^$", "^", ".", r"a\.b", "[a-z]+_[0-9]", "[^a-z ]", "k",
    r"\s", r"a\[0\]\{1\}", "foo|bar$", "(?:a|b){1,2}", r"\Bo", "a.b", r"f(?=oo)", "x.y", r"\d", "é", "$", r"[\w.]+$",
    "o*?b", "s",
])  # fmt: skip


def plant(root: Path, tree: dict[str, bytes]) -> None:
    for name, data in tree.items():
        path = root / name
        if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, RULES, RULES, PATTERNS, st.booleans(), st.booleans(), st.sampled_from([1, 3, 100]))
def test_the_same_results_with_and_without_ripgrep(tree, rules, inner, pattern, ignore_case, repository, most):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plant(root, {**tree, ".gitignore": "\n".join(rules).encode(), "a/.gitignore": "\n".join(inner).encode()})
        if repository:
            (root / ".git").mkdir()
        search = Search(root.resolve(), pattern, ignore_case=ignore_case, most=most)
        assert asyncio.run(search.run(rg=RG)) == asyncio.run(search.run(rg=None))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, RULES, RULES)
def test_gitignore_means_what_git_says(tree, rules, inner):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        git = ["git", "-c", "core.excludesFile=/dev/null", "-C", folder]
        subprocess.run([*git, "init", "-q"], check=True)
        plant(root, {**tree, ".gitignore": "\n".join(rules).encode(), "a/.gitignore": "\n".join(inner).encode()})
        listed = subprocess.run([*git, "ls-files", "-z", "-o", "--exclude-standard"], check=True, capture_output=True)
        wanted = {name for name in listed.stdout.decode().split("\0")[:-1] if "build" not in name.split("/")[:-1]}
        assert {path for path, entry in walk(folder) if entry.is_file()} == wanted
