from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.messages import ToolCall
from ralph.policy.allowlist import read_entry
from ralph.policy.categories import stand_in
from ralph.policy.patterns import path_pattern, prefix
from ralph.policy.rules import Rules


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("./test/test_gates.c", r"^\./test/test_.*\.c$"),
        ("src/a.js", r"^src/.*\.js$"),
        ("README.md", r"^README\.md$"),
        ("./README.md", r"^\./README\.md$"),
        ("/tmp/test[1].txt", r"^/tmp/test\[1\]\.txt$"),
        ("src/Makefile", r"^src/Makefile$"),
        ("src/.hidden", r"^src/\.hidden$"),
        ("src/../x/a.py", r"^src/\.\./x/a\.py$"),
        ("~/notes/a.md", r"^\~/notes/a\.md$"),
        ("src/_private.py", r"^src/.*\.py$"),
    ],
)
def test_path_patterns(path: str, pattern: str) -> None:
    assert path_pattern(path) == pattern


@given(st.text(alphabet="ab_./[]*+()$^\\- ", min_size=1, max_size=20))
def test_a_path_always_fits_its_own_pattern(path: str) -> None:
    assert re.search(path_pattern(path), path)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("git status -s", ["git", "status"]),
        ("git stash list", ["git", "stash", "list"]),
        ("git remote -v", ["git", "remote", "-v"]),
        ("git -C x status", ["git", "-C", "x", "status"]),
        ("npm run build -- --watch", ["npm", "run", "build"]),
        ("npm test", ["npm", "test"]),
        ("cargo build --release", ["cargo", "build"]),
        ("make check", ["make", "check"]),
        ("pytest -q tests", ["pytest"]),
        ("frobnicate alpha beta", ["frobnicate", "alpha"]),
        ("ls", ["ls"]),
    ],
)
def test_shell_prefixes(command: str, words: list[str]) -> None:
    assert prefix(tuple(command.split())) == tuple(words)


@pytest.mark.parametrize(
    "command",
    ["python x.py", "python3.11 -c 1", "/usr/bin/python3 x", "bash x.sh", "sudo ls", "env ls", "xargs ls",
     "timeout 5 ls", "rm x", "chmod +x a", "curl https://x.io", "ssh host", "node x.js", "docker ps", "sed s/a/b/ x"],
)  # fmt: skip
def test_never_always(command: str) -> None:
    assert prefix(tuple(command.split())) == ()


@pytest.mark.parametrize(
    ("url", "other", "covered"),
    [
        ("https://example.com/a", "https://example.com/b?c", True),
        ("https://example.com", "https://example.com?x=1", True),
        ("https://example.com/a", "https://example.com.evil.io/", False),
        ("https://example.com/a", "https://example.com:8443/", False),
        ("https://example.com:8443/a", "https://example.com:8443/b", True),
        ("https://example.com:8443/a", "https://example.com/b", False),
        ("https://example.com/a", "http://example.com/a", False),
        ("https://example.com/a", "https://example.com@evil.io/", False),
    ],
)
def test_a_host_rule_is_closed_on_both_sides(tmp_path: Path, url: str, other: str, *, covered: bool) -> None:
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"))
    spec = stand_in("web_fetch")
    remember = policy.judge(ToolCall("1", "web_fetch", {"url": url}), spec).remember
    assert remember is not None
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"), allowlist=[read_entry(remember)])
    assert policy.judge(ToolCall("1", "web_fetch", {"url": url}), spec).verdict == "allow"
    assert (policy.judge(ToolCall("1", "web_fetch", {"url": other}), spec).verdict == "allow") is covered


def test_other_tools_are_remembered_with_their_exact_arguments(tmp_path: Path) -> None:
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"))
    call = ToolCall("1", "mcp_db_query", {"sql": "select 1"})
    remember = policy.judge(call, stand_in("mcp_db_query")).remember
    assert remember == {"tool": "mcp_db_query", "arguments": {"sql": "select 1"}}
    assert read_entry(remember).arguments == '{"sql":"select 1"}'


def test_a_diff_of_several_files_is_remembered_exactly(tmp_path: Path) -> None:
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"))
    diff = "".join(f"--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-a\n+b\n" for name in ("src/a.py", "lib/b.py"))
    args = {"path": ".", "diff": diff}
    remember = policy.judge(ToolCall("1", "apply_delta", args), stand_in("apply_delta")).remember
    assert remember == {"tool": "apply_delta", "arguments": args}


@pytest.mark.parametrize("command", ["cp a {}", "mv a {}", "cp a {}/b", "cp -t {} a"])
def test_no_rule_is_offered_for_what_leaves_through_a_link(tmp_path: Path, command: str) -> None:
    work = tmp_path / "work"
    for made in (work / "near", tmp_path / "elsewhere"):
        made.mkdir(parents=True)
    (work / "a").touch()
    (work / "link").symlink_to(tmp_path / "elsewhere")
    policy = Rules(cwd=str(work), home=str(tmp_path / "h"))

    def remembered(target: str) -> object:
        call = ToolCall("1", "shell", {"command": command.format(target)})
        return policy.judge(call, stand_in("shell")).remember

    assert remembered("near") is not None
    assert remembered("link") is None


@pytest.mark.parametrize(
    ("command", "words"),
    [("make -j4 lint docs", ["make", "-j4", "lint", "docs"]), ("make lint V=1 docs", ["make", "lint", "V=1", "docs"]),
     ("make lint V=1", ["make", "lint"]), ("gradle test", ["gradle", "test"])],
)  # fmt: skip
def test_every_target_of_a_build_is_in_the_rule(tmp_path: Path, command: str, words: list[str]) -> None:
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"))
    call = ToolCall("1", "shell", {"command": command})
    assert policy.judge(call, stand_in("shell")).remember == {"tool": "shell", "command": words, "shell": "posix"}
