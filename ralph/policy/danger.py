"""Commands that always ask, whatever an entry, a category or a grant says; and those nobody but a person may type.

The line: *dangerous* is what cannot be undone from the working directory itself (trees and work deleted, disks and
databases overwritten, history rewritten, things published or taken from others), what stops the machine or opens it to
others, what becomes another user or leaves a foothold (start-up files, system files, accounts), and text from elsewhere
run as a program. Deleting one named file, changing one file's mode, or stopping one process is not. *Ruinous* is the
part that takes the machine or all of a person's files: it is refused even when no question would be asked.

Decided on the words of every simple command, wrappers opened, whatever the order and spelling of options (long ones
also abbreviated); never on the text, so a quoted `rm -rf /` that is only printed or searched for is nothing. Programs
that are dangerous by name, sub-command and option stand under "dangerous" in programs.json (`OPTIONS | REASON`, any one
of the options, none: always); what needs a look at operands is here, in `ralph.policy.ruin`
and in `ralph.policy.elsewhere`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ralph.policy.elsewhere import embedded, pipes, runs_fetched, sends
from ralph.policy.kinds import absolute
from ralph.policy.programs import judge
from ralph.policy.reader import MOST_COMMANDS, Simple
from ralph.policy.ruin import DEVICE, is_everything, operands, option_in, ruin
from ralph.policy.sensitive import runs_later
from ralph.policy.shell import parse
from ralph.policy.tables import table
from ralph.policy.wrappers import inside, name_of

_SYSTEM = re.compile(r"/(etc|usr(?!/local)|bin|sbin|lib\d*|boot|proc|sys|System|Library)(/|$)")
_SQL = re.compile(
    r"\b(drop\s+(table|database|schema|user|role|view|index|keyspace|collection)|truncate\s+(table\s+)?\w|"
    r"delete\s+from\s+[\w.\"`]+\s*(;|$)|dropDatabase|\.drop\(|deleteMany\(\s*\{\s*\})", re.IGNORECASE
)  # fmt: skip
_TYPED = re.compile(
    r"/(\.[a-z_]+_?hist(ory|file)|fish_history|ConsoleHost_history\.txt|zsh_sessions/.*)$|\$\{?HISTFILE\}?$"
)
_LITERAL = re.compile(r"'[^']*'")
_DATABASES = ("psql", "mysql", "mariadb", "sqlite3", "sqlcmd", "mongo", "mongosh", "cqlsh", "clickhouse-client",
              "cockroach", "redis-cli", "duckdb", "sqlplus", "usql", "pgcli", "mycli", "litecli", "bq")  # fmt: skip
_GIVES = re.compile(r"(/|/etc|/root|/home|/var/run/docker\.sock|~|\$HOME):|(.*,)?(source|src)=/,")  # as a volume
_CLOUDS = ("aws", "gcloud", "az", "doctl", "linode-cli", "hcloud", "oci", "ibmcloud", "aliyun", "openstack", "scw")
_DEEPEST = 4


def danger(text: str, simples: Iterable[Simple], depth: int = 0) -> tuple[str, str]:
    """(why it is dangerous or "", why it would destroy the machine or "")."""
    found = tuple(simples)
    ruinous = next((why for why in (ruin(text), *(ruin("", simple) for simple in found)) if why), "")
    if ruinous:
        return ruinous, ruinous
    if len(found) > MOST_COMMANDS:
        return "holds more commands than anybody can check", ""
    fetched: set[str] = set()
    for simple in found:
        for look in (_listed, _removes, _changes_rights, _git, _ends, _contained, pipes, _leaves, _data, sends):
            if why := look(simple):
                return why, ""
        if why := runs_fetched(simple, fetched):
            return why, ""
        if depth < _DEEPEST:
            for inner in embedded(simple):
                why, ruinous = danger(inner, parse(inner).simples, depth + 1)
                if why:
                    return why, ruinous
    return "", ""


def _listed(simple: Simple) -> str:
    """Dangerous by name, sub-command and option."""
    argv = simple.argv
    if not argv:
        return ""
    name, listed = name_of(argv[0]), table()["dangerous"]
    words = [name, *(word for word in argv[1:] if word[:1] not in ("-", "+") and not word.startswith("manage:"))]
    starts = (0, 1, 2) if len(argv) > 1 and argv[1][:1] == "-" else (0,)  # options with values before the sub-command
    for skipped in starts:
        for length in (4, 3, 2, 1):
            key = " ".join((name, *words[1 + skipped : length + skipped]))
            line = listed.get(key)
            if line is not None and (length == 1 or len(words) >= length + skipped):
                options, _, reason = line.partition("|")
                wanted = options.split()
                if not _harmless(name, argv) and (not wanted or option_in(argv, *wanted)):
                    return f"{key}: {reason.strip()}"
    if name.startswith("mkfs") and not _harmless(name, argv):
        return f"{name}: makes a file system over what is there"
    return ""


def _harmless(name: str, argv: tuple[str, ...]) -> bool:
    """Only asks what the program is, or lists."""
    if "--help" in argv or "--version" in argv:
        return True
    if argv[1:] and all(word in ("--version", "--help", "-V", "-l", "--list", "--dry-run") for word in argv[1:]):
        return name != "su"
    return _rehearsed(name, argv)


def _rehearsed(name: str, argv: tuple[str, ...]) -> bool:
    """An option says that nothing is to happen ("rehearsals" in programs.json), and no other takes that back.

    `-n/eo`: in a bundle of short options, what follows `e` or `o` is their value.
    """
    given = argv[1 : argv.index("--") if "--" in argv else len(argv)]
    listed, words = table()["rehearsals"], [word for word in given if word[:1] != "-"]
    options = str(listed.get(f"{name} {words[0] if words else ''}") or listed.get(name) or "").split()
    if any(re.match(r"--no-(dry-?run|n$|simulate)|--dry-?run=(none|false|no|0)$", word) for word in given):
        return False
    for option in options:
        letter, _, valued = option[1:].partition("/")
        short = rf"-[^\W_{valued}]*{letter}[^\W_]*" if len(letter) == 1 else rf"{option}(=.*)?"
        if any(re.fullmatch(short, word) for word in given):
            return True
    return False


def _removes(simple: Simple) -> str:
    argv = simple.argv
    name = name_of(argv[0]) if argv else ""
    if name == "rm":
        if option_in(argv, "-r", "-R", "--recursive"):
            return "rm: deletes whole directories"
        if any(word in ("*", ".*", "./*", "*.*") for word in operands(argv)):
            return "rm: deletes everything here"
    if name in ("find", "gfind") and "-delete" in argv:
        return "find -delete: deletes whatever it finds"
    if name in ("find", "gfind", "fd", "fdfind", "xargs", "gxargs", "parallel"):
        ran = [name_of(inner[0].text) for inner in inside(simple.words) if inner and not isinstance(inner, str)]
        ran += [name_of(inner.split()[0]) for inner in inside(simple.words) if isinstance(inner, str) and inner.split()]
        if any(word in ("rm", "shred", "unlink", "srm") for word in ran):
            return f"{name} with rm: deletes whatever it finds"
    if name == "truncate" and re.search(r"(^| )(-s ?|--size[= ])0( |$)", " ".join(argv)):
        return "truncate: empties files"
    if name == "history" and "/dev/null" in argv:
        return "history: wipes what was typed"
    packs_away = "--remove-files" in argv if name in ("tar", "gtar", "bsdtar") else option_in(argv, "-m", "--move")
    trees = option_in(argv, "-r") or any(not re.search(r"\w\.\w+$", word) for word in operands(argv))
    if name in ("tar", "gtar", "bsdtar", "zip") and packs_away and trees:
        return f"{name}: deletes the directories it packs"
    if name == "mv" and "/dev/null" in operands(argv)[-1:]:
        return "mv: throws files away"
    lists = "print" in argv or option_in(argv, "-l", "--list", "-d", "--dump", "-p", "--print", "-V", "--version")
    return f"{name}: changes partitions" if name in ("fdisk", "sfdisk", "sgdisk", "parted") and not lists else ""


def _changes_rights(simple: Simple) -> str:
    argv = simple.argv
    name = name_of(argv[0]) if argv else ""
    if name in ("chmod", "chown", "chgrp") and option_in(argv, "-R", "--recursive"):
        return f"{name}: changes the rights of a whole tree"
    if name != "chmod":
        return ""
    for word in ",".join(argv[1:]).split(","):
        if re.fullmatch(r"[0-7]?[0-7]{2}[2367]|([ugo]*[ao][ugo]*[+=]|=)[rx]*w[rx]*(,.*)?", word):
            return f"chmod {word}: lets everybody write"
        if re.fullmatch(r"[246][0-7]{3}|[ugoa]*\+[rwx]*s[rwx]*", word) and not re.fullmatch(r"2[0-7]{3}", word):
            return f"chmod {word}: lets everybody run it as its owner"
    return ""


def _git(simple: Simple) -> str:
    argv = simple.argv
    if not argv or name_of(argv[0]) != "git" or _rehearsed("git", argv):
        return ""
    words = [word for word in argv[1:] if word[:1] != "-"]
    if "push" in words[:2] and any(re.match(r"\+\w|:\w", word) for word in words):
        return "git push: rewrites published history"
    if "clean" in words[:2] and option_in(argv, "-f", "--force"):
        return "git clean: deletes files git does not know"
    paths = "--" in argv[:-1] or any(word in (".", "./", ":/", "*") for word in words)
    if "checkout" in words[:2] and (paths or option_in(argv, "-f", "--force")):
        return "git checkout: throws away work that is not committed"
    staged = option_in(argv, "-S", "--staged") and not option_in(argv, "-W", "--worktree")
    if "restore" in words[:2] and not staged and words[-1:] != ["restore"]:
        return "git restore: throws away work that is not committed"
    return ""


def _ends(simple: Simple) -> str:
    """Processes, services and run levels."""
    argv = simple.argv
    name = name_of(argv[0]) if argv else ""
    if name == "kill":
        targets = argv[2:] if len(argv) > 2 and argv[1][:1] == "-" and argv[1] != "--" else argv[1:]
        if any(word in ("-1", "1", "0") for word in targets if word != "-l") and len(argv) > 2:
            return "kill: ends every program"
        if argv[1:] in (("1",), ("-1",)):
            return "kill: ends every program"
    if name in ("service", "rc-service") and argv[2:3] in (("stop",), ("disable",)):
        return f"{name}: stops the machine or its services"
    if name == "init" and argv[1:2] and argv[1] in ("0", "1", "6", "s", "S"):
        return "init: stops the machine or its services"
    if name in _CLOUDS:
        for word in argv[1:]:
            if re.match(r"(delete|terminate|destroy|remove|purge|deregister)\b", word):
                return f"{name} {word}: destroys what runs elsewhere"
    return ""


def _contained(simple: Simple) -> str:
    """Containers that are given the machine."""
    argv = simple.argv
    engine = bool(argv) and name_of(argv[0]) in ("docker", "podman", "nerdctl")
    if not engine or not {"run", "create", "exec"} & {*argv[1:4]}:
        return ""
    for word in argv:
        value = word if "type=" in word else word.partition("=")[2] or word
        if word in ("--privileged", "--pid=host", "--cap-add=ALL") or _GIVES.match(value):
            return f"{argv[0]}: gives a container the machine ({word})"
    return ""


def _leaves(simple: Simple) -> str:
    """Changes of devices, system files and files that run later."""
    argv = simple.argv
    targets = [r.target.text for r in simple.redirects if r.target and ">" in r.op]
    added = {r.target.text for r in simple.redirects if r.target and ">>" in r.op}
    if any(word.startswith(("/dev/tcp/", "/dev/udp/")) for word in (*targets, *argv)):
        return "connects a shell to the network"
    if argv and name_of(argv[0]) == "socat" and re.search(r"\b(EXEC|SYSTEM):", " ".join(argv), re.IGNORECASE):
        return "gives a shell to the network"
    if argv:
        findings = judge((name_of(argv[0]), *argv[1:])).findings
        targets += [finding.target for finding in findings if finding.kind in ("writes", "deletes") and finding.target]
        if name_of(argv[0]) in ("sed", "gsed", "perl", "ruby") and option_in(argv, "-i", "--in-place"):
            targets += operands(argv)
        targets += [word[3:] for word in argv if name_of(argv[0]) == "dd" and word.startswith("of=")]
    for target in targets:
        path = absolute(target)
        if DEVICE.match(path):
            return f"writes to the device {target}"
        if _TYPED.search(path) and target not in added:
            return f"changes {target}, which holds what was typed"
        if _SYSTEM.match(path) or is_everything(target):
            return f"changes {target}, a part of the system"
        if target[:1] in "/~$" and name_of(argv[0] if argv else "") != "chmod" and (why := runs_later(path)):
            return f"changes {why}"
    return ""


def _data(simple: Simple) -> str:
    argv = simple.argv
    said = _LITERAL.sub("", " ".join((*argv[1:], simple.stdin)))
    if argv and name_of(argv[0]) in _DATABASES and (found := _SQL.search(said)):
        return f"{argv[0]}: {found[0]} destroys data"
    if argv and name_of(argv[0]) in _DATABASES and simple.upstream:
        said = " ".join(word for words in simple.upstream if words[:1] in (("echo",), ("printf",)) for word in words)
        return f"{argv[0]}: {found[0]} destroys data" if (found := _SQL.search(said)) else ""
    return ""


