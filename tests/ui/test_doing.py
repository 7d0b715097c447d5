from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ralph.core.gate import Effect
from ralph.ui.doing import SHOWN, deeds


@pytest.fixture
def work(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def said(work, *effects, programs=(), **more):
    found = deeds([Effect(*effect) for effect in effects], work, work, programs, **more)
    return [deed.text for deed in found]


def test_each_kind_has_a_line_of_its_own_and_nothing_is_said_twice(work):
    assert said(
        work, ("reads", "a.txt"), ("writes", "b.txt"), ("executes", "pytest"), ("writes", "b.txt"),
        ("writes", "c d.txt"), ("contacts", "example.org"), ("deletes", "x"), ("history", "git commit"),
    ) == [
        "runs pytest", "deletes x", "writes b.txt, c d.txt", "contacts example.org",
        "changes the git history: git commit", "reads a.txt",
    ]  # fmt: skip


def test_what_leaves_the_workspace_is_set_apart(work):
    os.symlink("/etc", work / "link")
    assert said(work, ("writes", "../b"), ("writes", "a"), ("writes", "/etc/hosts"), ("writes", "link/x")) == [
        "writes a", "writes outside the workspace: ../b, /etc/hosts, link/x → /etc/x"
    ]  # fmt: skip
    assert said(work, ("writes", str(work / "sub/a"))) == ["writes sub/a"]
    assert said(work, ("deletes", f"{work}-other/a")) == [f"deletes outside the workspace: {work}-other/a"]


def test_another_working_directory(work):
    found = deeds([Effect("writes", "a"), Effect("writes", "../b")], work / "sub", work)
    assert [deed.text for deed in found] == ["writes a, ../b"]
    found = deeds([Effect("writes", "a")], work.parent, work)
    assert [deed.text for deed in found] == ["writes outside the workspace: a"]


def test_secrets_are_marked_and_named_once(work):
    (deed,) = deeds([Effect("reads", "~/.netrc"), Effect("secret", "~/.netrc")], work, work)
    assert (deed.text, deed.colour) == ("reads a secret: ~/.netrc", "31")


def test_a_program_that_does_it_is_told_from_what_it_is_done_to(work):
    assert said(work, ("writes", "git add"), programs={"git", "git add"}) == ["changes files (git add)"]
    assert said(work, ("contacts", "git push"), programs={"git push"}) == ["uses the network (git push)"]
    assert said(work, ("deletes", "rm"), ("deletes", "build"), programs={"rm", "rm build"}) == ["deletes build"]
    assert said(work, ("writes", "tar"), ("writes", "log"), programs={"tar"}) == ["writes log", "changes files (tar)"]


def test_the_directory_itself_is_named_only_alone(work):
    assert said(work, ("reads", ".")) == ["reads ."]
    assert said(work, ("reads", "."), ("executes", "make")) == ["runs make"]


def test_many_are_counted(work):
    many = [("writes", f"f{number}") for number in range(SHOWN + 4)]
    assert said(work, *many) == [f"writes {', '.join(f'f{n}' for n in range(SHOWN))} and 4 more (? names them)"]
    assert "f9" in said(work, *many, most=99)[0]


def test_nothing_known_is_no_promise(work):
    assert said(work) == ["may do what cannot be told from here"]


def test_what_is_odd_is_spelled_out(work):
    assert said(work, ("writes", "a\x1b[2J\u202etxt\nb")) == ["writes a\\u{1b}[2J\\u{202e}txt b"]


KINDS = st.sampled_from(["executes", "writes", "deletes", "contacts", "secret", "history", "unknown", "reads", "new"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text drawn on a machine takes seconds
@given(st.lists(st.tuples(KINDS, st.text(max_size=12)), max_size=8))
def test_anything_can_be_said_on_plain_lines(effects):
    for deed in deeds([Effect(*effect) for effect in effects], "/tmp", "/tmp"):
        assert deed.text.isprintable()
