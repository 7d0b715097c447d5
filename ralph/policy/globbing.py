"""Could a glob or a brace in a shell word stand for a protected file?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from glob import iglob
from itertools import islice
from posixpath import join

from ralph.errors import ToolError
from ralph.policy.facts import Places
from ralph.policy.paths import expand_tilde, follow
from ralph.policy.protected import CONFIG_NAME, Protected, fold, fold_path

_NAMES = (".env", ".env.local", ".env.production", ".env.development", ".env.test", ".env.staging", ".env.prod")
_MOST_BRACES = 256
_MOST_FILES = 2_000
_SPECIAL = re.compile(r"[*?\[{]")


def could_name(word: str, cwd: str, places: Places, protected: Protected) -> str:
    """The reason the word, unquoted, may stand for a protected file, whether or not that file is there yet."""
    if not _SPECIAL.search(word):
        return ""
    for plain in braces(word):
        tail = re.split("[=:@]", plain)[-1]
        if reason := protected.named(join(cwd, tail)):  # `if=.e{n,n}v` becomes `if=.env` before the program sees it
            return reason
        pattern = re.sub(r"\[\[:[a-z]+:\]\]", "?", plain.replace("[^", "[!"))
        if reason := _one(pattern, cwd, places, protected):
            return reason
    return ""


def only_harmless(word: str, cwd: str, places: Places, protected: Protected) -> bool:
    """It is a pattern, and all the files it stands for now may be read: `.env.ex*` beside a .env."""
    if re.search("[{=:@,]", word) or not re.search(r"[*?\[]", word):
        return False
    absolute = join(cwd, expand_tilde(word, places.tilde))
    if any(_fits(absolute.rpartition("/")[2], one) for one in _NAMES):
        return False
    found = list(islice(iglob(absolute), _MOST_FILES))  # noqa: PTH207  # as below
    try:
        return 0 < len(found) < _MOST_FILES and not any(protected.why(follow(path, "/")) for path in found)
    except ToolError:
        return False


def _one(pattern: str, cwd: str, places: Places, protected: Protected) -> str:
    absolute = join(cwd, expand_tilde(pattern, places.tilde))
    if reason := protected.named(absolute):
        return reason
    if not re.search(r"[*?\[]", pattern):
        return ""
    parent, _, name = absolute.rpartition("/")
    if any(_fits(name, one) for one in _NAMES):
        return "the pattern fits .env, and files named .env hold secrets"
    if _fits(name, "config.json") and fold(parent.rpartition("/")[2]) == ".ralph":
        return "the pattern fits Ralph's configuration"
    if _reaches_home(absolute, places.home):
        return "the pattern reaches into Ralph's own home directory"
    return _existing(absolute, name, protected)


def _fits(pattern: str, name: str) -> bool:
    """As a shell matches: a leading dot must be written."""
    if not pattern or (name[0] == "." and pattern[0] in "*?"):
        return False
    return re.compile(translate(fold(pattern))).match(name) is not None


def _reaches_home(absolute: str, home: str) -> bool:
    wanted, parts = fold_path(home).split("/"), absolute.split("/")
    if len(parts) < len(wanted) or (len(parts) > len(wanted) and fold(parts[len(wanted)]) == "scratch"):
        return False
    return all(one == two or _fits(one, two) for one, two in zip(parts, wanted, strict=False))


def _existing(absolute: str, name: str, protected: Protected) -> str:
    """What is there now: links and other names of protected files, and the configuration of this directory."""
    if sum(bool(re.search(r"[*?\[]", part)) for part in absolute.split("/")) > 3:
        return ""  # too wide to look through; the sandbox keeps the files themselves out of reach
    for path in islice(iglob(absolute), _MOST_FILES):  # noqa: PTH207  # pathlib has no lazy absolute glob
        try:
            if reason := protected.why(follow(path, "/")):
                return reason
            parent, _, given = path.rpartition("/")  # a file named `if=.env` makes `dd if=.en[v]` read .env
            if re.search("[=:@]", given) and (reason := protected.named(join(parent, re.split("[=:@]", given)[-1]))):
                return reason
        except ToolError:
            continue
    return "the pattern fits Ralph's configuration" if name and name[0] == "r" and _fits(name, CONFIG_NAME) else ""


def braces(word: str) -> Iterator[str]:
    """The words a brace expansion makes: `a{b,c}` is `ab` and `ac`; more than 256 are cut off."""
    found, work = 0, [word]
    while work and found < _MOST_BRACES:
        text = work.pop()
        text = re.sub(r"\{[^{},]*\.\.[^{},]*\}", "*", text)  # a range such as {a..f}
        inner = re.search(r"\{([^{}]*,[^{}]*)\}", text)
        if inner is None:
            found += 1
            yield text
            continue
        work += [text[: inner.start()] + part + text[inner.end() :] for part in inner[1].split(",")]
