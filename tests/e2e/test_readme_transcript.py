"""The transcript in the README is what the program shows, to the letter."""

import re
import subprocess
from pathlib import Path

import pexpect

from tests.e2e.program import calls

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
FOOTER = """from datetime import date

OWNER = "The Bakery"


def footer() -> str:
    return f"(c) 2023 {OWNER}"
"""


def test_the_transcript_is_a_real_one(program):
    shown = re.search(r"## A transcript\n\n```\n\$ (?P<command>.*)\n(?P<screen>(?:.*\n)*?)```", README)
    assert shown is not None
    (program.cwd / "site").mkdir()
    (program.cwd / "site" / "footer.py").write_text(FOOTER)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=program.cwd, env=program.env, check=True)
    fixed = '    return f"(c) {date.today().year} {OWNER}"'
    edit = {"type": "replace", "start_line": 7, "end_line": 7, "content": [fixed]}
    script = program.script(
        calls("search_files", path=".", regex_pattern="footer"),
        calls("read_file", path="site/footer.py"),
        calls("apply_delta", path="site/footer.py", operations=[edit]),
        calls("shell", command="git diff --stat"),
        {"text": "The footer now takes the year from the clock (`site/footer.py:7`)."},
    )
    name, prompt = re.fullmatch(r'(ralph) "(.*)"', shown["command"]).groups()
    assert name == "ralph"
    words = program.argv(*script, prompt)
    env = {**program.env, "TERM": "xterm", "NO_COLOR": "1"}
    child = pexpect.spawn(words[0], words[1:], cwd=str(program.cwd), env=env, encoding="utf-8", timeout=30,
                          dimensions=(50, 110))  # fmt: skip
    child.expect("details ")
    seen = child.before + child.after
    child.delaybeforesend = 0.3
    child.send("y")
    child.expect(pexpect.EOF)
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", seen + child.before)
    seen = re.sub(r"[\d.]+ s$", "0.5 s", seen.rstrip())
    assert [line.rstrip() for line in seen.splitlines()] == shown["screen"].splitlines()
