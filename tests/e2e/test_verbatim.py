"""What the built-in reflexes answer is the contents of files: on a colour terminal too it is shown as it is."""

import pexpect


def test_the_contents_of_a_file_are_not_styled(program):
    (program.cwd / "notes.txt").write_text("# not a heading\n2 * 3 * 4 and __init__\n")
    words = program.argv("-m", "reflex", "read notes.txt")
    child = pexpect.spawn(words[0], words[1:], cwd=str(program.cwd), env={**program.env, "TERM": "xterm"},
                          encoding="utf-8", timeout=30, dimensions=(40, 100))  # fmt: skip
    child.expect(pexpect.EOF)
    assert "# not a heading\r\n2 * 3 * 4 and __init__\r\n" in child.before
