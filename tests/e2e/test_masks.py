"""Protected files and the person's keys are out of reach of what runs unasked, wherever they lie."""

import json
import os
import shutil

import pytest

READ = """
import os
for name in ("vne./bus"[::-1], "eman-rehto"[::-1], os.environ["HOME"] + "asr_di/hss./"[::-1]):
    try:
        print(open(name).read())
    except OSError as error:
        print("held", error.errno)
try:
    open("lmy.x/buhtig."[::-1], "w")
    print("made")
except OSError as error:
    print("held", error.errno)
"""


def test_nested_linked_and_private_files_are_hidden(program):
    if not shutil.which("bwrap"):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("bubblewrap is not installed")
    (program.cwd / "sub").mkdir()
    (program.cwd / ".github").mkdir()
    (program.cwd / "sub/.env").write_text("TOKEN=hunter2hunter2\n")
    os.link(program.cwd / "sub/.env", program.cwd / "other-name")
    (program.home / ".ssh").mkdir()
    (program.home / ".ssh/id_rsa").write_text("hunter2hunter2\n")
    (program.cwd / "plain.txt").write_text("TOKEN=harmless\n")
    script = program.script(
        {"calls": [{"name": "shell", "args": {"command": "grep -r TOKEN ."}}]},
        {"calls": [{"name": "python", "args": {"code": READ}}]}, {"text": "done"},
    )  # fmt: skip
    lines, done = program.lines(*script, "go")
    assert done.returncode == 0, lines[-1]
    results = [json.loads(line["message"]["content"][0]["content"]) for line in lines if line["type"] == "user"]
    assert "harmless" in results[0]["stdout"]
    assert "hunter2" not in json.dumps(results)
    assert results[1]["stdout"].count("held") == 4
    assert (program.cwd / "sub/.env").read_text() == "TOKEN=hunter2hunter2\n"


@pytest.mark.parametrize("name", [".envrc", ".env", "ralph.config.json"])
def test_variables_stay_and_the_person_is_told_what_was_moved(program, name):
    if not shutil.which("bwrap"):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("bubblewrap is not installed")
    codes = (f"x = 5; open('{name[::-1]}'[::-1], 'w').close()", "import os; print(x, os.listdir())")
    script = program.script(
        *({"calls": [{"name": "python", "args": {"code": code}}]} for code in codes), {"text": "done"}
    )
    lines, _ = program.lines(*script, "go")
    results = [json.loads(line["message"]["content"][0]["content"]) for line in lines if line["type"] == "user"]
    assert [result["stdout"] for result in results] == ["", "5 []\n"]
    assert "note" not in results[1]
    (notice,) = (line["message"] for line in lines if line.get("topic") == "held_back")
    assert notice.startswith(f"moved out of the workspace: {name} (now ")
    assert os.listdir(program.cwd) == []
