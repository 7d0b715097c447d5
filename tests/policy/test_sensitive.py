from __future__ import annotations

import pytest

from ralph.policy.sensitive import apart, runs_later, secret


@pytest.mark.parametrize(
    "path",
    ["/h/.ssh/id_rsa", "/h/.ssh", "/h/.SSH/config", "/h/.aws/credentials", "/h/.netrc", "/h/.config/gh/hosts.yml",
     "/etc/shadow", "/proc/self/environ", "/proc/12/task/13/environ", "/h/.bash_history", "/h/.kube/config",
     "/run/secrets/db", "/h/.git-credentials", "/h/.gnupg/private-keys-v1.d/x"],
)  # fmt: skip
def test_secrets(path: str) -> None:
    assert path in secret(path)


@pytest.mark.parametrize(
    "path", ["/w/src/ssh/a.py", "/w/docs/aws.md", "/etc/hostname", "/proc/cpuinfo", "/w/netrc.py", "/w/.github/x.md"]
)
def test_not_secrets(path: str) -> None:
    assert secret(path) == ""


@pytest.mark.parametrize(
    "path",
    ["/w/.git/config", "/w/.git/hooks/pre-commit", "/w/sub/.git/hooks/x/y", "/h/.bashrc", "/h/.zshenv", "/w/.envrc",
     "/w/.github/workflows/a.yml", "/w/.gitlab-ci.yml", "/w/.vscode/tasks.json", "/h/.gitconfig", "/w/.husky/pre-push",
     "/w/.pre-commit-config.yaml", "/h/.config/fish/config.fish", "/etc/cron.d/x", "/w/.mcp.json", "/w/AGENTS.md",
     "/h/.ssh/authorized_keys", "/w/.venv/lib/python3.11/site-packages/x.pth", "/w/Jenkinsfile"],
)  # fmt: skip
def test_files_that_run_later(path: str) -> None:
    assert runs_later(path)


@pytest.mark.parametrize(
    "path", ["/w/package.json", "/w/Makefile", "/w/src/config", "/w/.gitignore", "/w/hooks/a.py", "/w/.github/a.md"]
)
def test_files_that_are_only_files(path: str) -> None:
    assert runs_later(path) == ""


@pytest.mark.parametrize(
    ("path", "asks"),
    [("/etc/hosts", False), ("/usr/lib/x", False), ("/lib64/x", False), ("/private/tmp/x", False),
     ("/etcetera/x", True), ("/h/me/x", True), ("/h/me", True), ("/h/meadow/x", True), ("/home/you", True),
     ("/root/x", True), ("/rooted", True),
     ("/mnt/x", True), ("/", True), ("/home/you/lib/python3.12/site-packages/x.py", False), ("/tmp/h/x", False)],
)  # fmt: skip
def test_what_is_a_persons_own(path: str, *, asks: bool) -> None:
    assert apart(path, "/h/me") is asks


def test_the_home_that_is_given_counts_wherever_it_is() -> None:
    assert apart("/tmp/h/x", "/tmp/h")
    assert not apart("/tmp/x", "/")
    assert not apart("/tmp/x", "")
