"""Places that hold other people's trust: secrets of other programs, files that run later or grant rights, and homes."""

from __future__ import annotations

import os
import re
from functools import lru_cache

from ralph.policy.paths import inside
from ralph.policy.protected import fold_path

_SECRET = (
    (r"/\.(ssh|aws|gnupg|azure|kube|docker|gcloud|password-store|oci)(/|$)", "holds keys or credentials"),
    (r"/\.config/(gh|gcloud|hub|op|rclone|doctl|heroku|stripe|sops)(/|$)", "holds keys or credentials"),
    (r"/\.(netrc|pgpass|my\.cnf|npmrc|pypirc|git-credentials|vault-token|boto|s3cfg)$", "holds credentials"),
    (r"/\.(terraform\.d/credentials|cargo/credentials|gem/credentials|m2/settings)[^/]*$", "holds credentials"),
    (r"/\.[a-z_]*(bash|zsh|sh|python|psql|mysql|sqlite|node_repl)_?history$", "holds what was typed"),
    (r"/\.(mozilla|thunderbird)(/|$)|/\.config/(google-chrome|chromium)(/|$)|/\.local/share/keyrings(/|$)", "holds "
     "passwords and cookies"),
    (r"^/etc/(g?shadow-?|sudoers|sudoers\.d/.*|krb5\.keytab|ssl/private(/.*)?|ssh/ssh_host_[^/]*key)$", "holds "
     "credentials of the machine"),
    (r"^/proc/[^/]+/(task/\d+/)?(environ|mem|maps|auxv)$|^/dev/(k?mem|port)$", "shows the memory of a process"),
    (r"^/(var/)?run/secrets(/|$)|/id_(rsa|dsa|ecdsa|ed25519)$", "holds keys or credentials"),
)  # fmt: skip

_RUNS_LATER = (
    (r"/\.git/(config|config\.worktree|hooks(/.*)?|info/attributes|modules/.*)$|/\.gitmodules$", "git obeys it"),
    (r"/\.(bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|zlogout|kshrc|"
     r"cshrc|tcshrc|login|inputrc|xinitrc|xprofile|xsessionrc)$|/\.config/fish/", "a shell runs it at start"),
    (r"^/etc/(profile|bash\.bashrc|environment|zsh/.*|profile\.d/.*|ld\.so\.preload|rc\.local|init\.d/.*)$", "it runs "
     "for every user"),
    (r"/\.envrc$|/mise\.toml$|/\.mise\.toml$|/\.tool-versions$", "it runs on entering the directory"),
    (r"/\.github/(workflows|actions)/|/\.(gitlab-ci|travis|drone|woodpecker|appveyor)\.ya?ml$|/\.(circleci|buildkite|"
     r"woodpecker|ci)/|/(azure-pipelines|bitbucket-pipelines)\.ya?ml$|/jenkinsfile$", "continuous integration runs it"),
    (r"/\.(vscode|idea|zed|fleet|devcontainer)/|/\.(nvim\.lua|nvimrc|exrc|vimrc|dir-locals\.el|emacs)$|"
     r"/\.(vim|emacs\.d)/|/\.config/(nvim|zed|code)/", "an editor runs or obeys it"),
    (r"/\.(claude|cursor|codex|gemini|continue|windsurf|kiro|ralph)/|/\.mcp\.json$|/\.aider\.conf\.yml$|/prompt\.md$|"
     r"/agents\.md$", "it instructs or grants rights to an agent"),
    (r"/\.pre-commit-config\.yaml$|/\.husky/|/lefthook\.yml$", "it runs at every commit"),
    (r"/\.ssh/|/\.gnupg/|/\.gitconfig$|/\.config/git/|/\.(npmrc|yarnrc|yarnrc\.yml|pypirc|condarc)$|/pip\.conf$", "it "
     "decides what other programs run or trust"),
    (r"^/etc/(cron[^/]*|systemd|sudoers\.d|apt|pam\.d|ssh)(/|$)|^/etc/(sudoers|hosts|passwd|shadow|group|crontab)$|"
     r"^/var/spool/cron/", "it governs the machine"),
    (r"/\.config/(systemd|autostart|environment\.d)/|/library/launchagents/", "it runs when you log in"),
    (r"/(sitecustomize|usercustomize)\.py$|/site-packages/[^/]*\.pth$", "python runs it at start"),
)  # fmt: skip

_SYSTEM = re.compile(
    r"/(etc|usr|opt|var|proc|sys|tmp|s?bin|lib\w*|boot|dev|run|nix|snap|private/(etc|var|tmp)|System|Library|Applications)"
    r"(/|$)"
)
_PERSONAL = re.compile(r"/(home/[^/]+|root|Users/[^/]+|var/(spool/)?(mail|cron)|run/(user|media)|var/backups)(/|$)")
_TOOLCHAINS = re.compile(
    r"/((site|dist)-packages|\.pyenv/versions|\.local/share/uv/python|\.rustup/toolchains|\.cargo/registry|go/pkg/mod|"
    r"\.nvm/versions|\.asdf/installs|\.local/share/mise/installs|\.rbenv/versions|\.sdkman/candidates|\.m2/repository|"
    r"\.nuget/packages)/"
)


def apart(path: str, home: str) -> bool:
    """Whether reading this resolved path, which is outside the workspace, is a matter for a person.

    What belongs to the machine and to toolchains may be read; what is in a person's home directory (`home` is this
    person's), on mounted media, or in a place nobody knows may not.
    """
    if _TOOLCHAINS.search(path):
        return False
    own = any(inside(path, place) for place in _real(home)) or _PERSONAL.match(path) is not None
    return own or not _SYSTEM.match(path)


@lru_cache(maxsize=8)
def _real(home: str) -> tuple[str, ...]:
    return (home, os.path.realpath(home)) if home.strip("/") else ()


def secret(path: str) -> str:
    """Why reading this absolute path is a matter for a person, or ""."""
    return _first(_SECRET, path)


def runs_later(path: str) -> str:
    """Why a change of this absolute path has effects beyond its text, or ""."""
    return _first(_RUNS_LATER, path)


def _first(table: tuple[tuple[str, str], ...], path: str) -> str:
    folded = fold_path(path)
    for pattern, reason in table:
        if re.search(pattern, folded):
            return f"{path}: {reason}"
    return ""
