"""The whole program against a real llama.cpp server, in all three wire formats."""

import pytest

from tests.e2e.program import Program

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("kind", ["openai", "responses", "anthropic"])
def test_two_turns_through_the_program(tmp_path, llama_server, kind):
    program = Program(tmp_path)
    (program.cwd / "a.txt").write_text("A")
    lines, done = program.lines("--yolo", "--api-url", llama_server, "-m", f"{kind}:table", "hi", timeout=120)
    assert done.returncode == 0, done.stderr
    assert [line["type"] for line in lines] == ["system", "assistant", "user", "assistant", "result"]
    assert lines[1]["message"]["content"][-1]["type"] == "tool_use"
    assert lines[2]["message"]["content"][0]["is_error"] is False
    assert "done all good tests pass." in lines[-1]["result"]
    assert lines[-1]["usage"]["output_tokens"] > 0


@pytest.mark.parametrize("kind", ["openai", "responses", "anthropic"])
def test_a_prompt_that_is_too_long(tmp_path, llama_server, kind):
    program = Program(tmp_path)
    lines, done = program.lines("--api-url", llama_server, "-m", f"{kind}:table", "-", stdin="x " * 60_000, timeout=120)
    assert done.returncode == 5, done.stdout[-400:]
    assert lines[-1]["error"]["code"] == "provider_too_long"


def test_endless_noise_is_bounded_by_the_timeout(tmp_path, noise_server):
    program = Program(tmp_path)
    lines, done = program.lines("--timeout", "3", "--api-url", noise_server, "-m", "openai:table", "hi", timeout=120)
    assert done.returncode in (0, 3)
    assert lines[-1]["type"] == "result"
