from __future__ import annotations

import pytest

from ralph.policy.effects import may_auto, report


@pytest.mark.parametrize(
    "text", ["dir", "dir /b src", 'type "my file.txt"', 'find "x" a.txt', "git status", "npm test", "GIT.EXE status"]
)
def test_plain_commands_run_under_their_entry(text: str) -> None:
    entry = ("git", "status") if "git" in text.lower() else (text.partition(" ")[0],)
    assert may_auto(report(text, shell="cmd"), entry) == ""


@pytest.mark.parametrize("text", [
    "dir & del x", "dir && del x", "dir | more", "dir > x", "dir < x", "dir ^& x", "dir %PATH%", 'dir "%PATH%"',
    "dir !x!", "start x", "call x", "dir/b", "(dir)", 'dir "x', "dir\ndel x", "dir é", "", "echo 50%",
])  # fmt: skip
def test_what_cmd_would_make_more_of_asks(text: str) -> None:
    facts = report(text, shell="cmd")
    assert facts.command.plain is None
    assert may_auto(facts, ("dir",)) != ""


@pytest.mark.parametrize("text", [
    "format c:", "FORMAT.COM d: /q", "del /s /q x", "del /S x", "del/q x", "rd /s x", "rmdir /S /Q x", "diskpart",
    "bcdedit /x", "reg delete HKLM\\x", "powershell -c x", "pwsh x", "dir & del /s x", 'cmd /c "rd /s x"',
    "shutdown /s",
    "C:\\Windows\\System32\\format.com c:",
])  # fmt: skip
def test_dangerous(text: str) -> None:
    assert report(text, shell="cmd").dangerous


@pytest.mark.parametrize(
    "text", ["del x.txt", "echo format c:", "dir format", "rd empty", "reg query HKLM", "type del.txt"]
)
def test_only_looks_dangerous(text: str) -> None:
    assert report(text, shell="cmd").dangerous == ""
