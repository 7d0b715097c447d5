"""PowerShell: one plain command, and what is dangerous there. For users on Windows.

Both quotes; `$` and the backtick (also inside `"`), `;`, `&`, `|`, brackets, braces, redirections, `@`, `#` and a
leading `.` are refused in a plain command, as is anything that is not printable ASCII. Names and parameters know no
case, and a parameter may be shortened to what is unique.
"""

from __future__ import annotations

import re

from ralph.policy.cmd import name_of
from ralph.policy.reader import Simple
from ralph.policy.scan import LONGEST, Word

_QUOTED = r"'(?:[^']|'')*'|\"[^\"]*\""
_ALWAYS = (
    "invoke-expression iex invoke-command icm start-process saps start invoke-webrequest iwr invoke-restmethod irm "
    "invoke-item ii format-volume clear-disk initialize-disk remove-partition clear-content clc stop-computer "
    "restart-computer stop-service set-service remove-service set-executionpolicy new-localuser remove-localuser "
    "add-localgroupmember remove-itemproperty set-itemproperty new-service register-scheduledtask add-type "
    "set-mppreference disable-netadapter stop-process spps clear-eventlog clear-recyclebin "
    "powershell pwsh cmd diskpart bcdedit format vssadmin shutdown reg schtasks wmic mshta certutil bitsadmin rundll32 "
    "regsvr32 takeown icacls cipher"
)
_NAMES = frozenset(_ALWAYS.split())
_REMOVES = frozenset({"remove-item", "ri", "rm", "del", "erase", "rd", "rmdir"})
_ANYWHERE = re.compile(
    r"downloadstring|downloadfile|frombase64string|\[system\.|\[io\.|\[net\.|invoke\(|\biex\b", re.IGNORECASE
)


def scan(text: str) -> tuple[tuple[Word, ...], str]:
    """The words of a plain command and "", or no words and why it is not one."""
    if len(text) > LONGEST:
        return (), f"longer than {LONGEST:,} characters"
    if odd := re.search(r"[^ -~]", text):
        return (), f"holds the character U+{ord(odd[0]):04X}"
    outside = re.sub(r"'(?:[^']|'')*'", "q", text)
    if odd := re.search(r"[$`]", outside):
        return (), f"holds an expansion ({odd[0]})"
    outside = re.sub(r'"[^"]*"', "q", outside)
    if odd := re.search(r"[;&|<>(){}@#'\"\[\],]", outside):
        return (), f"holds {odd[0]}"
    words = re.findall(rf"(?:{_QUOTED}|[^ '\"])+", text)
    plain = tuple(Word(_unquoted(word), True, "", word) for word in words)
    if not plain or plain[0].text in ("", ".") or any(word.text == "--%" for word in plain):
        return (), "is not the name of one command"
    return plain, ""


def _unquoted(word: str) -> str:
    return re.sub(_QUOTED, lambda found: found[0][1:-1].replace("''", "'"), word)


def read(text: str) -> list[Simple]:
    """Every command in the text, as far as separators outside quotes tell."""
    hidden: list[str] = []

    def hide(found: re.Match[str]) -> str:
        hidden.append(found[0])
        return f"\x00{len(hidden) - 1}\x00"

    found: list[Simple] = []
    for part in re.split(r"[;&|\n(){}]+", re.sub(_QUOTED, hide, text[:LONGEST].replace("`", ""))):
        whole = re.sub(r"\x00(\d+)\x00", lambda mark: _unquoted(hidden[int(mark[1])]).replace(" ", "\x01"), part)
        words = tuple(Word(word.replace("\x01", " "), "$" not in word) for word in whole.split())
        if words:
            found.append(Simple(words))
    return found


def danger(text: str, simples: tuple[Simple, ...]) -> str:
    """Why one of the commands is dangerous, or ""."""
    outside = re.sub(r"'(?:[^']|'')*'", "q", text)
    for simple in simples:
        name, rest = name_of(simple.argv[0]), [word.lower() for word in simple.argv[1:]]
        if name in _NAMES:
            return f"{name}: runs, fetches or changes what is not written here"
        short = [word.partition(":")[0] for word in rest if re.match("-.", word)]
        if name in _REMOVES and any(full.startswith(word) for full in ("-recurse", "-force") for word in short):
            return f"{name}: deletes whole directories"
    if _ANYWHERE.search(outside) and not all(name_of(simple.argv[0]) in ("echo", "write-output") for simple in simples):
        return "reaches into .NET to run or fetch what is not written here"
    return ""
