"""Programs that come from elsewhere: piped into a shell, downloaded, hidden in arguments; and secrets sent away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ralph.policy.kinds import secret_path
from ralph.policy.programs import judge
from ralph.policy.reader import Simple
from ralph.policy.ruin import option_in
from ralph.policy.wrappers import SHELLS, name_of

_DOWNLOADS = ("curl", "wget", "fetch", "aria2c", "http", "https", "xh", "lynx", "nc", "ncat", "netcat", "scp", "ftp")
_DECODES = ("base64", "base32", "xxd", "openssl", "gunzip", "zcat", "uudecode", "rev", "tr", "gpg")
_INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|nodejs|php|lua|deno|bun|osascript|Rscript|julia)[\d.]*$")
_OPENS = re.compile(r"\$\(|<\(|`")
_FETCHED = re.compile(r"\b(?:curl|wget|fetch|nc|base64|xxd)\b")
_CODE_DELETES = re.compile(
    r"\b(rmtree|rm_rf|rm_r|remove_tree|rmSync|rmdirSync|removeSync|remove_dir_all|deltree|unlink glob)\b|"
    r"fs\.rm\(|fork\s+while\s+fork|while.{0,20}\bfork\b|socket.{0,400}(dup2|/bin/(ba)?sh|pty\.spawn)", re.DOTALL
)  # fmt: skip
_CODE_RUNS = re.compile(
    r"(?:system|popen\w*|exec\w*|run|call|check_output|check_call|spawn\w*|passthru|Popen|qx|getoutput)\s*[({\s]\s*\[?"
    r"(?P<text>(?:\"[^\"]*\"|'[^']*'|`[^`]*`|[\w/])(?:\s*,\s*(?:\"[^\"]*\"|'[^']*'))*)|`(?P<tick>[^`]+)`", re.IGNORECASE
)  # fmt: skip
_BANG = re.compile(r"(?:^|=|:|\+)!+(.+)")  # git aliases, editors, pagers
_SETS = re.compile(r"(?:exec|[Cc]ommand|program|pager|editor)=(.+)")


def pipes(simple: Simple) -> str:
    """Text from elsewhere run as a program."""
    argv = simple.argv
    name = name_of(argv[0]) if argv else ""
    if any((opens := _OPENS.search(word)) and _FETCHED.search(word, opens.end()) for word in argv) and (
        name in SHELLS or name in ("eval", "source", ".", "exec") or _INTERPRETERS.match(name) or argv[0][:1] in "$<"
    ):
        return "runs text from elsewhere as a program"
    if not simple.upstream or not (name in SHELLS or name in ("source", ".") or _INTERPRETERS.match(name)):
        return ""
    sources = [name_of(words[0]) for words in simple.upstream if words]
    far = any(source in (*_DOWNLOADS, *_DECODES) for source in sources)
    if name in SHELLS or name in ("source", "."):
        script = [word for word in argv[1:] if word[:1] not in ("-", "+")]
        if argv[-1] == "-c" or (argv[-2:-1] == ("-c",) and argv[-1] in ("{}", "$0", "$1", "$@", "$*")):
            return "pipes text into a shell"  # through xargs, which completes it
        if option_in(argv, "-c") or (script and script[0] != "/dev/stdin" and not option_in(argv, "-s")):
            return ""
        return "" if sources[-1:] in (["echo"], ["printf"]) and not far else "pipes text into a shell"
    reads = [word for word in argv[1:] if word != "-" and not re.fullmatch(r"-[uBEIsq]", word)]
    return "pipes text from elsewhere into an interpreter" if far and not reads else ""


def runs_fetched(simple: Simple, fetched: set[str]) -> str:
    """Downloads a file and then runs it."""
    argv = simple.argv
    if not argv:
        return ""
    name = name_of(argv[0])
    if name in ("curl", "wget", "fetch", "aria2c"):
        fetched |= {word.rstrip("/").rsplit("/", 1)[-1] for word in argv[1:] if not word.startswith("-")}
        fetched |= {r.target.text.rsplit("/", 1)[-1] for r in simple.redirects if r.target}
        return ""
    runs = argv[1:] if name in SHELLS or name in ("source", ".", "sudo") or _INTERPRETERS.match(name) else argv[:1]
    if any(word.rsplit("/", 1)[-1] in fetched for word in runs if "/" in word or name != word):
        return "runs what it has just downloaded"
    return ""


def sends(simple: Simple) -> str:
    """Secrets given to the network."""
    argv = simple.argv
    if not argv or name_of(argv[0]) not in (*_DOWNLOADS, "ssh", "rsync", "sftp", "telnet", "mail", "sendmail"):
        return ""
    read = [*argv[1:], *(word for words in simple.upstream for word in words[1:])]
    read += [redirect.target.text for redirect in simple.redirects if redirect.target]
    for word in read:
        for part in {word, word.partition("@")[2], word.partition("=")[2]}:
            if part and "://" not in part and secret_path(part) and not word.endswith(".pub") and "-i" not in argv:
                return f"sends {part} over the network"
    if any(words[:1] in (("env",), ("printenv",), ("set",)) and len(words) == 1 for words in simple.upstream):
        return "sends the environment over the network"
    return ""


def embedded(simple: Simple) -> Iterator[str]:
    """Shell text inside arguments: what a little program, an alias or an option would run."""
    argv = simple.argv
    if not argv:
        return
    name = name_of(argv[0])
    if _INTERPRETERS.match(name) or name in ("awk", "gawk", "mawk", "nawk"):
        yield from _code(name, simple)
    for word in argv[1:]:
        for shape in (_BANG, _SETS):
            if found := shape.search(word):
                yield found[1]
    if name in ("sed", "gsed", "git", "tar", "sort", "rsync", "less"):
        for finding in judge((name, *argv[1:])).findings:
            if finding.kind == "executes" and finding.target:
                yield finding.target.partition("=")[2] or finding.target
    if simple.upstream and name in SHELLS and (said := simple.upstream[-1])[:1] in (("echo",), ("printf",)):
        yield " ".join(said[1:])


def _code(name: str, simple: Simple) -> Iterator[str]:
    """The commands that the code of an interpreter would run, as far as they are written out."""
    options = ("-c", "-e", "-E", "-r", "--eval", "-p", "-ne", "-pe")
    if not (simple.stdin or "awk" in name or option_in(simple.argv, *options)):
        return
    code = " ".join((*simple.argv[1:], simple.stdin))
    if _CODE_DELETES.search(code):
        yield "rm -r code"
    for found in _CODE_RUNS.finditer(code):
        yield re.sub(r"[\"'`,]+", " ", found["text"] or found["tick"] or "")
