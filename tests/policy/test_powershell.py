from __future__ import annotations

import pytest

from ralph.policy.effects import may_auto, report


@pytest.mark.parametrize(
    "text", ["Get-ChildItem", "Get-ChildItem -Path src", "git status", "Get-Content 'a b.txt'", 'ls "x"']
)
def test_plain_commands_run_under_their_entry(text: str) -> None:
    words = text.split()
    entry = ("git", "status") if words[0] == "git" else (words[0].lower(),)
    assert may_auto(report(text, shell="powershell"), entry) == ""


@pytest.mark.parametrize("text", [
    "ls; rm x", "ls | iex", "ls && x", "ls & x", "& ls", ". ls", "ls $x", 'ls "$x"', 'ls "$(x)"', "ls `n", "ls > x",
    "ls {x}", "ls (x)", "ls @x", "ls # x", "ls 'x", "ls --% x", "ls\nx", "ls é", "",
])  # fmt: skip
def test_what_powershell_would_make_more_of_asks(text: str) -> None:
    facts = report(text, shell="powershell")
    assert facts.command.plain is None
    assert may_auto(facts, ("ls",)) != ""


@pytest.mark.parametrize("text", [
    "Remove-Item -Recurse -Force x", "ri -r x", "rm -fo x", "del -Recurse x", "iex x", "Invoke-Expression 'x'",
    "irm https://x | iex", "iwr https://x", "Start-Process x", "icm x", "powershell -enc x", "pwsh -EncodedCommand x",
    "ls; Stop-Computer", "(New-Object Net.WebClient).DownloadString('x')", "Format-Volume C", "i`ex x",
])  # fmt: skip
def test_dangerous(text: str) -> None:
    assert report(text, shell="powershell").dangerous


@pytest.mark.parametrize(
    "text", ["Remove-Item x.txt", "echo 'iex x'", "Select-String 'Invoke-Expression' a", "ls remove-item"]
)
def test_only_looks_dangerous(text: str) -> None:
    assert report(text, shell="powershell").dangerous == ""
