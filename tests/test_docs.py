"""Documents cannot lie: the commands of the README run, its tables match the program."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ralph.options import COMMANDS, EXIT_CODES, FLAGS, parse
from tests.e2e.program import Program

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)(?: (\w+))?\n(.*?)```", README, re.DOTALL)


def block(label):
    return [text for _, name, text in BLOCKS if name == label]


def commands(label):
    return [line for text in block(label) for line in text.splitlines() if line.strip()]


@pytest.fixture
def checkout(tmp_path):
    """The program, run in a copy of this repository's tracked and new files."""
    program = Program(tmp_path)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        source = ROOT / name
        if source.is_file() and not name.startswith("tests/"):
            (program.cwd / name).parent.mkdir(parents=True, exist_ok=True)
            (program.cwd / name).write_bytes(source.read_bytes())
    subprocess.run(["git", "init", "-q"], cwd=program.cwd, check=True)
    return program


@pytest.mark.parametrize("line", commands("first") + commands("config") + commands("sessions"))
def test_readme_commands_run(checkout, line):
    words = shlex.split(line, comments=True)
    assert words[0] == "ralph"
    done = checkout.run(*words[1:])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("line", commands("cases"))
def test_readme_cases_come_out_as_shown(tmp_path, line):
    command, _, shown = line.partition("#")
    program = Program(tmp_path)
    program.cwd = ROOT
    done = program.run(*shlex.split(command)[1:], timeout=60)
    assert done.stdout.splitlines()[-1] == shown.strip()
    assert done.returncode == int(not shown.strip().endswith(" 0 failed"))


@pytest.mark.parametrize("label", ["memory", "audit"])
def test_readme_commands_that_follow_one_another(checkout, label):
    for line in commands(label):
        words = shlex.split(line, comments=True)
        assert words[0] == "ralph"
        done = checkout.run(*words[1:], timeout=60)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout.strip()
        if line.endswith('port?"'):
            assert "8443" in done.stdout


def test_the_first_command_does_what_it_says(checkout):
    [line] = commands("run")
    install, job = line.rsplit(" && ", 1)
    assert install == "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e ."
    words = shlex.split(job)
    assert words[0] == ".venv/bin/ralph"
    done = checkout.run(*words[1:])
    assert done.returncode == 0, done.stderr
    assert "ralph/cli.py" in done.stdout


def test_ci_runs_the_readme_test_command():
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert ci.split("# --- tests\n")[1].split("# ---")[0].strip().splitlines()[0] == commands("tests")[0]


def test_other_shown_commands_parse():
    for kind, name, text in BLOCKS:
        if kind != "sh" or name:
            continue
        for line in text.splitlines():
            words = shlex.split(line.split("|")[-1].strip(), comments=True)
            if words and words[0] == "ralph":
                parse(words[1:])


def test_the_tool_of_the_readme_works(tmp_path):
    program = Program(tmp_path)
    tools = program.home / ".local/ralph/tools"
    tools.mkdir(parents=True)
    [source] = block("tool")
    (tools / "count_lines.py").write_text(source)
    (program.cwd / "a.txt").write_text("1\n2\n")
    script = program.script({"calls": [{"name": "count_lines", "args": {"path": "a.txt"}}]}, {"text": "ok"})
    lines, done = program.lines(*script, "go")
    assert done.returncode == 0
    assert lines[2]["message"]["content"][0]["content"] == '{"lines": 2}'


def test_exit_codes_are_documented():
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", README, re.MULTILINE))
    codes = set(re.findall(r"(\d+) \w", EXIT_CODES))
    assert codes <= set(table)


def test_help_knows_every_flag_and_command():
    shown = subprocess.run([sys.executable, "-m", "ralph", "--help"], capture_output=True, text=True, cwd=ROOT).stdout
    for names, _, about in FLAGS:
        assert all(name in shown for name in names.split())
        assert about in shown
    assert all(name in shown for name in COMMANDS)


def test_every_command_in_help_exists(tmp_path):
    program = Program(tmp_path)
    for name in COMMANDS:
        done = program.run(name, "--help")
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_dependencies_are_explained():
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    declared = re.findall(r'^  "([\w-]+)[><=;]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert len(declared) > 8
    for name in declared:
        assert name in text, name


@pytest.mark.parametrize("flags", [["--keyword"], ["--keyword", "--typos"]])
def test_readme_says_how_well_memory_finds_by_words(tmp_path, flags):
    """The rows of the tables that need no embedding model."""
    program = Program(tmp_path)
    program.cwd = ROOT
    label = "keyword only, with the typos" if "--typos" in flags else "keyword only"
    shown = [re.findall(r"[.]\d{3}", row) for row in re.findall(rf"^\| {label} \|(.*)$", README, re.MULTILINE)]
    found = []
    for line in commands("eval"):
        done = program.run(*shlex.split(line)[1:], *flags, "--json", timeout=60)
        found.append(json.loads(done.stdout))
    sample, *conversations = found
    as_shown = [[f"{row[key]:.3f}"[1:] for key in ("recall@10", "mrr")] for row in conversations]
    assert shown[0] == [*as_shown[0], *as_shown[1]]
    assert shown[1] == [f"{sample[key]:.3f}"[1:] for key in (*(f"recall@{n}" for n in (1, 5, 10, 20)), "mrr")]
