"""Every exit code and every bad input, from the real program. Each error is one line that says what to do."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest

from ralph import __version__
from tests.e2e.program import Program, calls

SCHEMA = json.loads((Path(__file__).parent.parent.parent / "ralph/ui/events.schema.json").read_text())


def one_line(done):
    lines = [line for line in done.stderr.splitlines() if line.startswith("ralph: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def shell(program, line):
    return subprocess.run(["bash", "-c", line], cwd=program.cwd, env=program.env, capture_output=True, text=True,
                          timeout=30, stdin=subprocess.DEVNULL)  # fmt: skip


def test_version_and_help(program):
    assert program.run("--version").stdout == f"ralph {__version__}\n"
    text = program.run("--help").stdout
    assert "--allow-category" in text
    assert program.run("-h").stdout == text


def test_done(program):
    done = program.run(*program.script({"chunks": ["Hello ", "**you**"]}), "hi")
    assert (done.returncode, done.stdout) == (0, "Hello **you**\n")


def test_no_stream_prints_the_same(program):
    done = program.run(*program.script({"chunks": ["a", "b"]}), "--no-stream", "hi")
    assert done.stdout == "ab\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--bogus", "x"], "unknown flag --bogus; did you mean --debug?"),
        (["--jsn", "x"], "did you mean --json?"),
        (["--max-steps", "many", "x"], "--max-steps must be a number"),
        (["--max-steps"], "--max-steps needs a value"),
        (["--allow", "shell", "x"], "--allow 'shell' is not understood"),
        (["--allow", "shell:git status", "x"], '--allow "shell:git,status"'),
        (["--allow", "Shell:ls", "x"], "did you mean shell?"),
        (["--allow-category", "shel", "x"], "unknown category 'shel'"),
        (["--sandbox", "loose", "x"], "sandbox.mode must be one of"),
        (["-r", "nope", "x"], "no session with an id that begins 'nope'"),
        (["-c", "x"], "there is no session of"),
        (["--output-schema", "nope.json", "x"], "cannot read the schema"),
        (["--system-prompt-file", "nope.md", "x"], "there is no system prompt"),
        (["-m", "scripted:/nope", "x"], "cannot read the script"),
        (["-m", "claude-x", "x"], "ANTHROPIC_API_KEY is not set"),
        (["-m", "openai:gpt-x", "x"], "OPENAI_API_KEY is not set"),
        ([], "there is no prompt"),
        (["sessions", "show", "nope"], "no session"),
    ],
)
def test_usage_errors(program, args, says):
    done = program.run(*args)
    assert done.returncode == 2
    assert says in one_line(done)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"error": {"kind": "auth", "message": "key refused"}}, 5),
        ({"error": {"kind": "bad_request", "message": "no"}}, 5),
        ({"error": {"kind": "overloaded", "message": "busy"}}, 75),
        ({"error": {"kind": "network", "message": "gone"}}, 75),
        ({"text": "half", "cut": True}, 75),
    ],
)
def test_provider_errors(program, step, code):
    done = program.run(*program.script(step), "hi")
    assert done.returncode == code
    assert one_line(done)
    lines, done = program.lines(*program.script(step), "hi")
    assert done.returncode == code
    assert lines[-1]["error"]["code"].startswith("provider_")
    assert (lines[-1]["ok"], lines[-1]["exit_code"]) == (False, code)


def test_a_refused_call_is_exit_4_with_the_answer_printed(program):
    script = program.script(calls("write_file", path="x.txt", content="x"), {"text": "could not"})
    done = program.run(*script, "write x")
    assert (done.returncode, done.stdout) == (4, "could not\n")
    assert "non_interactive_gate" in done.stderr
    assert not (program.cwd / "x.txt").exists()


@pytest.mark.parametrize("flag", [["--yolo"], ["--allow-category=file_write"], ["--allow", "write_file:^x"]])
def test_allowed_calls_run(program, flag):
    script = program.script(calls("write_file", path="x.txt", content="x"), {"text": "written"})
    done = program.run(*flag, *script, "write x")
    assert (done.returncode, (program.cwd / "x.txt").read_text()) == (0, "x")


@pytest.mark.parametrize("name", [".env", "ralph.config.json"])
def test_protected_files_hold_under_yolo(program, name):
    script = program.script(calls("write_file", path=name, content="x"), calls("read_file", path=name), {"text": "no"})
    lines, _ = program.lines("--yolo", *script, "go")
    assert not (program.cwd / name).exists()
    assert [row["error"] for row in lines[-1]["denials"]] == ["protected_file"] * 2


def test_limits(program):
    (program.cwd / "a.txt").write_text("a")
    looks = [calls("read_file", path="a.txt", start_line=n + 1) for n in range(5)]
    assert program.run("--max-steps", "3", *program.script(*looks), "go").returncode == 3
    assert program.run(*program.script(*[calls("read_file", path="a.txt")] * 9), "go").returncode == 3
    dear = program.script({**calls("read_file", path="a.txt"), "cost_usd": 1.0}, {"text": "x"})
    done = program.run("--max-cost", "0.5", *dear, "go")
    assert done.returncode == 3
    assert "the cost limit is reached" in one_line(done)
    done = program.run("--timeout", "0.5", *program.script({"chunks": ["a", "b"], "delay_s": 5}), "go")
    assert done.returncode == 3
    assert "not done within 0.5 s" in one_line(done)


def test_output_schema(program):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    (program.cwd / "s.json").write_text(json.dumps(schema))
    good = program.script({"text": "hm"}, {"text": '{"n": "x"}'}, {"text": '```json\n{"n": 1}\n```'})
    done = program.run("--output-schema", "s.json", *good, "go")
    assert (done.returncode, json.loads(done.stdout.strip("`json\n "))) == (0, {"n": 1})
    bad = program.script(*[{"text": '{"n": "x"}'}] * 3)
    done = program.run("--output-schema", "s.json", *bad, "go")
    assert (done.returncode, done.stdout) == (10, '{"n": "x"}\n')
    assert "$.n: 'x' is not of type 'integer'" in one_line(done)
    (program.cwd / "s.json").write_text('{"type": "nonsense"}')
    assert program.run("--output-schema", "s.json", *good, "go").returncode == 2


def test_json_lines_fit_the_schema_and_frame_the_job(program):
    (program.cwd / "a.txt").write_text("A")
    script = program.script({**calls("read_file", path="a.txt"), "text": "look", "usage": {"input": 5, "output": 2}},
                            {"text": "done", "usage": {"input": 7, "output": 1}})  # fmt: skip
    lines, _ = program.lines(*script, "go")
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    assert (lines[0]["subtype"], lines[0]["schema"]) == ("init", "ralph.events/1")
    assert [line["type"] for line in lines] == ["system", "assistant", "user", "assistant", "result"]
    assert lines[-1]["usage"]["input_tokens"] == sum(li["message"]["usage"]["input_tokens"] for li in lines
                                                     if li["type"] == "assistant") == 12  # fmt: skip
    assert (lines[-1]["result"], lines[-1]["turns"], lines[-1]["exit_code"]) == ("done", 2, 0)


def test_json_after_a_usage_error(program):
    lines, done = program.lines("-r", "nope", "x")
    assert done.returncode == 2
    assert lines[-1]["error"]["code"] == "config"
    jsonschema.validate(lines[-1], SCHEMA)


def wait_for(path, seconds=20):
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("as_json", [False, True])
def test_interrupt_in_a_tool_leaves_no_process_and_a_whole_history(program, number, as_json):
    script = program.script(calls("shell", command="touch started; sleep 77.7 & sleep 77.7", timeout=100))
    flags = ["--json"] if as_json else []
    child = program.start(*flags, "--yolo", *script, "go")
    wait_for(program.cwd / "started")
    time.sleep(0.1)
    child.send_signal(number)
    out, err = child.communicate(timeout=10)
    assert child.returncode == 130, err
    left = subprocess.run(["pgrep", "-f", "sleep 77[.]7"], capture_output=True, text=True).stdout.split()
    ours = [pid for pid in left if os.path.realpath(f"/proc/{pid}/cwd") == str(program.cwd.resolve())]
    assert ours == []
    if as_json:
        assert json.loads(out.splitlines()[-1])["error"]["code"] == "interrupted"
    done = program.run("-c", *program.script({"text": "went on"}), "and now?")
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_interrupt_in_the_stream_keeps_what_was_heard(program):
    child = program.start(*program.script({"chunks": ["first ", "second"], "delay_s": 0.6}), "go")
    assert child.stdout.read(5) == b"first"
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=10)
    assert child.returncode == 130
    [session] = json.loads(program.run("sessions", "list", "--json").stdout)
    messages = json.loads(program.run("sessions", "show", session["id"], "--json").stdout)
    assert messages[-1]["blocks"][0]["text"].startswith("first \n\n[cut off")


def test_a_closed_stdout_ends_quietly(program):
    (program.cwd / "a.txt").write_text("A")
    script = program.script({"chunks": ["line\n"] * 50, "delay_s": 0.02})
    quoted = " ".join(program.argv(*script, "go"))
    done = shell(program, f"{quoted} | head -1; exit ${{PIPESTATUS[0]}}")
    assert done.stdout == "line\n"
    assert done.stderr == ""
    assert done.returncode == 141


def test_piped_input_is_attached(program):
    done = program.run(*program.script({"text": "x"}), "sum this up", stdin="the data\n" * 3)
    assert done.returncode == 0
    [session] = json.loads(program.run("sessions", "list", "--json").stdout)
    blocks = json.loads(program.run("sessions", "show", session["id"], "--json").stdout)[0]["blocks"]
    assert [block["text"] for block in blocks] == [f"<stdin>\n{'the data' + chr(10)}the data\nthe data\n\n</stdin>",
                                                   "sum this up"]  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_crash(program, closed):
    quoted = " ".join(program.argv(*program.script({"text": "x"}), "go"))
    done = shell(program, f"{quoted} {closed}")
    assert done.returncode == (141 if closed.startswith(">&-") else 0)  # 141: nobody can read the answer
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_clear_error(program):
    quoted = " ".join(program.argv(*program.script({"text": "x"}), "go"))
    done = shell(program, f"{quoted} > /dev/full")
    assert done.returncode == 2
    assert "ralph: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_megabyte_of_piped_bytes(program):
    done = program.run(*program.script({"text": "ok"}), "-", stdin=b"\xff\x00" + b"x" * 1_000_000)
    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_piped_input_alone_is_the_prompt(program):
    assert program.run(*program.script({"text": "ok"}), stdin="do it").stdout == "ok\n"


def test_a_command_word_after_dashes_is_a_prompt(program):
    assert program.run(*program.script({"text": "ok"}), "--", "doctor").stdout == "ok\n"


def test_sessions_go_on(program):
    program.run(*program.script({"text": "one"}), "first")
    done = program.run("-c", *program.script({"text": "two"}), "second")
    assert done.stdout == "two\n"
    [session] = json.loads(program.run("sessions", "list", "--json").stdout)
    assert session["messages"] == 4
    assert program.run("-r", session["id"][:17], *program.script({"text": "3"}), "third").stdout == "3\n"


def test_home_that_cannot_be_written(program, tmp_path):
    (tmp_path / "file").write_text("x")
    done = program.run("--home", str(tmp_path / "file" / "sub"), *program.script({"text": "x"}), "go")
    assert done.returncode == 2
    assert "check the home directory" in one_line(done)


def test_home_unset(program):
    done = subprocess.run(program.argv("doctor", "--json"), cwd=program.cwd, capture_output=True, text=True,
                          env={k: v for k, v in program.env.items() if k != "HOME"}, timeout=30)  # fmt: skip
    assert json.loads(done.stdout)["checks"][1]["name"] == "home"


def test_a_deleted_working_directory(program):
    quoted = " ".join(program.argv(*program.script({"text": "x"}), "go"))
    done = shell(program, f"mkdir gone; cd gone; rmdir ../gone; {quoted}")
    assert done.returncode == 2
    assert "no longer exists" in done.stderr


def test_a_bug_shows_and_json_still_ends(program: Program):
    (program.home / ".local/ralph/tools").mkdir(parents=True)
    script = program.script({"calls": [{"name": "shell", "args": {"command": "true"}, "id": "x"}]})
    path = Path(script[1].removeprefix("scripted:"))
    path.write_text('[{"usage": {"nonsense": 1}}]')
    done = subprocess.run(program.argv("--json", *script, "go"), cwd=program.cwd, env=program.env, capture_output=True,
                          text=True, timeout=30, stdin=subprocess.DEVNULL)  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["error"]["message"] == "internal error"
