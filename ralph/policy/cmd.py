"""cmd.exe: one plain command, and what is dangerous there. For users on Windows.

Only `"` quotes; `&`, `|`, `<`, `>`, `^`, brackets and `%` (also inside quotes) are refused in a plain command, as are
`!` (delayed expansion) and anything that is not printable ASCII.
"""

from __future__ import annotations

import re

from ralph.policy.reader import Simple
from ralph.policy.scan import LONGEST, Word

_REFUSED = {"&": "a command separator", "|": "a pipe", "<": "a redirection", ">": "a redirection", "^": "an escape",
            "(": "a group", ")": "a group"}  # fmt: skip
_ALWAYS = {
    "format": "erases a disk", "diskpart": "changes partitions", "bcdedit": "changes how the machine starts",
    "powershell": "runs another shell", "pwsh": "runs another shell", "shutdown": "stops the machine",
    "vssadmin": "deletes backups", "wbadmin": "deletes backups", "takeown": "takes rights",
    "cipher": "overwrites a disk", "wmic": "reaches into the system", "mshta": "runs a script from elsewhere",
    "certutil": "fetches and decodes files",
    "bitsadmin": "fetches files", "regsvr32": "loads a library", "rundll32": "loads a library",
    "wevtutil": "deletes logs", "fsutil": "changes a disk", "icacls": "changes rights", "runas": "becomes another user",
}  # fmt: skip
_WITH = {
    "del": ("/s", "/q", "/f"), "erase": ("/s", "/q", "/f"), "rd": ("/s",), "rmdir": ("/s",),
    "reg": ("delete", "import"),
    "net": ("user", "localgroup", "stop"),
    "sc": ("delete", "stop", "config"), "schtasks": ("/delete", "/create"),
    "taskkill": ("/f",),
    "robocopy": ("/mir", "/purge", "/move"), "attrib": ("/s",), "wsl": ("--unregister",),
}  # fmt: skip

_OWN = frozenset(
    {"assoc", "cd", "cls", "copy", "date", "del", "dir", "echo", "erase", "fc", "find", "findstr", "md", "mkdir",
     "more", "move", "path", "rd", "ren", "rename", "rmdir", "set", "sort", "time", "title", "tree", "type", "ver",
     "vol", "where"}
)  # fmt: skip
_RUNS = frozenset({"call", "cmd", "cscript", "for", "forfiles", "if", "msiexec", "start", "wscript", "wsl"})


def trouble_with(name: str) -> str:
    """Why a command of this name is never plain, or ""."""
    return f"{name} runs another program" if name in _RUNS else ""


def is_own(name: str) -> bool:
    """A command of Windows itself: not the program of the same name elsewhere."""
    return name in _OWN


def scan(text: str) -> tuple[tuple[Word, ...], str]:
    """The words of a plain command and "", or no words and why it is not one."""
    if len(text) > LONGEST:
        return (), f"longer than {LONGEST:,} characters"
    if odd := re.search(r"[^ -~]", text):
        return (), f"holds the character U+{ord(odd[0]):04X}"
    if odd := re.search("[%!]", text):
        return (), f"holds an expansion ({odd[0]})"
    if text.count('"') % 2:
        return (), "a quote is not closed"
    outside = re.sub(r'"[^"]*"', "", text)
    if odd := re.search(r"[&|<>^()]", outside):
        return (), f"holds {_REFUSED[odd[0]]} ({odd[0]})"
    words = re.findall(r'(?:"[^"]*"|[^ "])+', text)
    if re.match(r"\w+/", text):
        return (), "has an option written onto its name"
    plain = tuple(Word(word.replace('"', ""), True, "", word) for word in words)
    return (plain, "") if plain and plain[0].text else ((), "empty")


def read(text: str) -> list[Simple]:
    """Every command in the text, `cmd /c` opened."""
    found: list[Simple] = []
    for part in re.split(r'[&|\n()]+(?=(?:[^"]*"[^"]*")*[^"]*$)', text[:LONGEST].replace("^", "")):
        spaced = re.sub(r"^\s*(@?[A-Za-z]+)(/)", r"\1 \2", part)  # `del/q` is `del /q`
        words = [word.replace('"', "") for word in re.findall(r'(?:"[^"]*"|[^ \t\r"])+', spaced)]
        if not words:
            continue
        found.append(Simple(tuple(Word(word.lstrip("@"), "%" not in word) for word in words)))
        lowered = [word.lower() for word in words]
        for start in ("/c", "/k"):
            if name_of(words[0]) in ("cmd", "start", "for") and start in lowered:
                found += read(" ".join(words[lowered.index(start) + 1 :]))
    return found


def name_of(word: str) -> str:
    """`C:\\Windows\\System32\\Format.COM` is `format`."""
    return re.sub(r"\.(exe|com|cmd|bat)$", "", re.split(r"[\\/]", word.lower())[-1]).lstrip("@")


def danger(simples: tuple[Simple, ...]) -> str:
    """Why one of the commands is dangerous, or ""."""
    for simple in simples:
        name, *rest = (name_of(simple.argv[0]), *(word.lower() for word in simple.argv[1:]))
        if name in _ALWAYS:
            return f"{name}: {_ALWAYS[name]}"
        joined = [part for word in rest for part in re.findall(r"/?[^/]+", word)]
        if found := next((option for option in _WITH.get(name, ()) if option in (*rest, *joined)), ""):
            return f"{name} {found}: deletes or changes more than one can see"
    return ""
