"""The end of a machine: deleting or overwriting all of it, or never letting it breathe again."""

from __future__ import annotations

import os
import posixpath
import re

from ralph.policy.reader import Simple
from ralph.policy.wrappers import name_of

DEVICE = re.compile(
    r"/dev/((s|h|v|xv)d[a-z*?\[]|(nvme|mmcblk|loop|dm-|md|r?disk|nbd|ram|sr|st)[\d*?\[]|(disk|mapper|zvol)/|(k?mem|port)$)"
)
_EVERYTHING = re.compile(
    r"(/[.*]*|/(home|root|etc|usr|bin|sbin|boot|lib\d*|var|opt|srv|sys|proc|dev|run|Users|System|Library|Applications|"
    r"mnt|media|usr/(bin|lib|share|local|sbin)|var/lib)|/(home|Users)/[^/]+|~[\w-]*|\$\{?HOME\}?|/[a-zA-Z]:|C:)(/[.*]*)*",
)
_FORK_BOMB = re.compile(
    r"(?<![\w.:])([\w.:]{1,64})\s{0,9}\(\s{0,9}\)\s{0,9}[{(]"
    r"[^}]{0,99}?(?<![\w.:])\1\s{0,9}\|\s{0,9}\1(?![\w.])[^}]{0,99}?&"
)


def ruin(text: str, simple: Simple | None = None) -> str:
    """Why the text (for a fork bomb) or the command would destroy the machine, or ""."""
    if simple is None:
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "''", text)
        return "starts itself over and over until the machine stops" if _FORK_BOMB.search(unquoted) else ""
    argv = simple.argv
    for redirect in simple.redirects:
        if redirect.target and ">" in redirect.op and DEVICE.match(redirect.target.text):
            return f"overwrites the device {redirect.target.text}"
    if not argv:
        return ""
    name = name_of(argv[0])
    if name in ("rm", "find", "gfind", "chmod", "chown", "chgrp", "mv", "shred", "srm"):
        return _tree(name, argv)
    return _device(name, argv)


def _tree(name: str, argv: tuple[str, ...]) -> str:
    targets = [word for word in operands(argv) if is_everything(word)]
    devices = [word for word in operands(argv) if DEVICE.match(word)]
    if name == "shred" and devices:
        return f"overwrites the device {devices[0]}"
    if name == "rm" and "--no-preserve-root" in argv:
        return "deletes the whole machine"
    if not targets:
        return ""
    if name in ("rm", "srm") and (option_in(argv, "-r", "-R", "--recursive") or targets[0].endswith("*")):
        return f"deletes {targets[0]} and everything in it"
    if name in ("find", "gfind") and argv[1:2] and targets[0] in argv[1:4] and _unfiltered(argv):
        return f"deletes {targets[0]} and everything in it"
    if name in ("chmod", "chown", "chgrp") and option_in(argv, "-R", "--recursive"):
        return f"changes the rights of {targets[0]} and everything in it"
    if name == "mv" and targets[0] in operands(argv)[:-1]:
        return f"moves {targets[0]} away"
    return ""


def _unfiltered(argv: tuple[str, ...]) -> bool:
    """find deletes without choosing by name, age or size."""
    chosen = {"-name", "-iname", "-path", "-mtime", "-size", "-empty", "-newer", "-regex", "-mmin", "-user"} & {*argv}
    return not chosen and ("-delete" in argv or any(name_of(word) in ("rm", "shred") for word in argv))


def _device(name: str, argv: tuple[str, ...]) -> str:
    words = [word.removeprefix("of=") for word in argv[1:] if not word.startswith("if=")]
    devices = [word for word in words if DEVICE.match(word)]
    if not devices:
        return ""
    if name.startswith("mkfs") or name in ("mke2fs", "mkswap", "newfs", "mkdosfs", "blkdiscard", "wipefs", "tee", "dd"):
        return f"overwrites the device {devices[0]}" if name != "wipefs" or option_in(argv, "-a", "--all") else ""
    if name in ("cp", "mv", "install", "pv", "dcfldd", "ddrescue", "badblocks") and words[-1] == devices[-1]:
        return f"overwrites the device {devices[0]}"
    return ""


def is_everything(word: str) -> bool:
    """The root, a system directory, a home directory, or all that is in one."""
    home = os.environ.get("HOME", "")
    plain = re.sub(r"/{2,}", "/", word)
    if plain.startswith("/") and "*" not in plain:
        plain = posixpath.normpath(plain)
    if home not in ("", "/") and (plain == home or plain.rstrip("/*") == home):
        return True
    return bool(_EVERYTHING.fullmatch(plain)) and not plain.startswith(("/dev/null", "/proc/self"))


def operands(argv: tuple[str, ...]) -> list[str]:
    """The words that are not options."""
    cut = argv.index("--") if "--" in argv else len(argv)
    return [word for word in argv[1:cut] if word[:1] != "-"] + list(argv[cut + 1 :])


def option_in(argv: tuple[str, ...], *wanted: str) -> bool:
    """Whether one of the options is given: short ones also in a bundle, long ones also abbreviated or with a value."""
    given = argv[1 : argv.index("--") if "--" in argv else len(argv)]
    for option in wanted:
        for word in given:
            name = word.partition("=")[0]
            if option in (word, name):
                return True
            if option[:2] == "--" and len(name) > 4 and option.startswith(name):
                return True
            if len(option) == 2 and re.fullmatch(r"-[A-Za-z0-9]+", word) and option[1] in word[1:]:
                return True
    return False
