"""`ralph audit show` and `ralph audit verify`."""

import pytest
import typer

from ralph.audit.log import AuditLog
from ralph.commands import audit
from ralph.core.gate import Answer, Judgement, Rule
from ralph.place import Place
from tests.audit.test_log import decide, same


@pytest.fixture
def run(tmp_path):
    log = AuditLog(tmp_path, "20250101-s1", redact=same, clock=lambda: 1.0)
    decide(log, 1, args={"path": "a.txt", "note": "\x1b[31mred"})
    decide(log, 2, Judgement("deny", Rule("protected", ".env is protected")), Answer(False, by="protected"))
    log.close()

    def command(*words):
        shown = []
        app = typer.Typer()
        audit.add(app, Place(tmp_path, tmp_path, {}), shown.append)
        app.command("other")(lambda: None)
        app(list(words), standalone_mode=False)
        return shown[-1]

    return command


def test_show_lists_what_was_decided_and_done(run):
    shown = run("audit", "show")
    assert [row["event"] for row in shown.data] == ["opened", "decided", "performed", "decided", "performed", "closed"]
    assert "refused" in shown.text
    assert "protected" in shown.text
    assert "\x1b" not in shown.text


def test_only_what_was_refused(run):
    shown = run("audit", "show", "--session", "2025", "--denied")
    assert [(row["call"], row["by"]) for row in shown.data] == [("c2", "protected")]


def test_verify_says_whole_or_what_is_broken(run, tmp_path):
    good = run("audit", "verify")
    assert (good.exit_code, good.data["whole"]) == (0, True)
    path = tmp_path / "audit" / "20250101-s1.jsonl"
    path.write_bytes(path.read_bytes().replace(b"a.txt", b"b.txt", 1))
    bad = run("audit", "verify")
    assert (bad.exit_code, bad.data["whole"]) == (1, False)
    assert "20250101-s1.jsonl:2 was changed" in bad.text
