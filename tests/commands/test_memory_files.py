"""`ralph memory ingest` and the rest of the long work."""

import io

from ralph.commands.memory_files import Bar


def test_ingesting_keeps_no_secrets(ralph):
    key = "ghp_" + "a1B2" * 9
    (ralph.work / "notes.md").write_text(f"# Notes\n\nThe deploy key is {key} for now.")
    done = ralph("memory", "ingest", "notes.md", "--json")
    assert done.data["files"][0]["note"] == "1 secret blacked out"
    assert key.encode() not in b"".join(path.read_bytes() for path in ralph.home.glob("ralph.db*"))
    assert "[secret:" in ralph("memory", "search", "deploy", "key", "--json").data["hits"][0]["content"]


def test_what_the_bar_says_stays():
    stream = io.StringIO()
    Bar(stream).say("checking its digest")
    assert stream.getvalue() == "checking its digest\n"
