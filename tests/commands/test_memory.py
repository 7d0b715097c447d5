"""`ralph memory ...` and `/memory ...`."""

import io
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import typer

from ralph.commands import memory as commands
from ralph.commands.memory_files import Bar
from ralph.commands.plain import read
from ralph.errors import ConfigError, RalphError, StoreError
from ralph.memory.memory import Memory
from ralph.memory.rows import DOCUMENTS, LONG_TERM, Draft, Embedder, IndexSpec
from ralph.place import Place
from tests.ingest.pdfs import encrypted, make_pdf
from tests.memory.words_embedder import Words


class Desk:
    """`run(*words)` is `ralph memory WORDS`: what is shown, with `.data` for --json."""

    def __init__(self, folder):
        self.work, self.home = folder / "work", folder / "home"
        self.work.mkdir()
        self.place = Place(self.work, self.home, {"HOME": str(folder)})

    def run(self, *words):
        shown = []
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.callback()(lambda: None)
        commands.add(app, self.place, shown.append)
        typer.main.get_command(app).main(["memory", *map(str, words)], standalone_mode=False)
        [only] = shown
        json.dumps(only.data)
        return only

    def fill(self, *texts):
        memory = Memory(self.home)
        ids = [memory.remember(text, keep_both=True).document.id for text in texts]
        memory.close()
        return ids


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Desk(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")
    return made


def test_help_names_every_command(desk):
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.add(app, desk.place, lambda _shown: None)
    group = typer.main.get_command(app).commands["memory"]
    assert {name.split()[0] for name, _ in commands.USAGE} == set(group.commands) - {"help"}
    assert all(line in desk.run("help").text for line in ("search WORDS...", "embedder status|install"))


def test_list_pages(desk):
    desk.fill(*(f"fact number {n}" for n in range(45)))
    first = desk.run("list")
    assert first.text.splitlines()[-1] == "page 1 of 3 (45 in all); --page 2 goes on"
    assert first.data["items"][0]["content"] == "fact number 44"
    assert max(map(len, first.text.splitlines())) <= 90
    last = desk.run("list", LONG_TERM, "--page", 3)
    assert len(last.data["items"]) == 5
    assert last.text.splitlines()[-1] == "page 3 of 3 (45 in all)"
    assert desk.run("list", "--page", 9).text == "page 9 of 3: nothing here"
    assert desk.run("list", "documents").text == "nothing here"
    with pytest.raises(StoreError, match="there is no index 'nope'"):
        desk.run("list", "nope")


def test_a_long_wide_text_fits_the_terminal(desk):
    desk.fill("日本語" * 200 + "\x1b[31m\n" + "x" * 300)
    for line in desk.run("list").text.splitlines():
        assert "\x1b" not in line
        assert len(line) <= 90


def test_search_names_where_from(desk):
    [port, _] = desk.fill("the staging port is 8443", "Alice likes tea")
    (desk.work / "birds.pdf").write_bytes(make_pdf(["herons wait", "the port of Hamburg is large"]))
    desk.run("ingest", desk.work / "birds.pdf")
    found = desk.run("search", "which", "port", "does", "staging", "use", "-k", 3)
    assert found.data["hits"][0]["id"] == port
    assert {"score", "parts", "content", "source"} <= set(found.data["hits"][0])
    assert "birds.pdf, p. 2" in found.text
    assert found.text.splitlines()[-1] == "keyword only: no embedding model"
    assert desk.run("search", "qqqq").text.splitlines()[0] == "nothing relevant"
    assert "port (not prot)" in desk.run("search", "staging", "prot", "--keyword").text
    assert [hit["index"] for hit in desk.run("search", "port", "--index", "documents").data["hits"]] == [DOCUMENTS]


@pytest.mark.parametrize("words", [("",), (" ", "\t")])
def test_searching_for_nothing_is_a_mistake(desk, words):
    with pytest.raises(ConfigError, match="nothing to search for"):
        desk.run("search", *words)


def test_pages_no_database_could_count_are_refused(desk):
    desk.fill("tea")
    assert desk.run("list", "--page", 10**9, "--limit", 10**9).data["items"] == []
    assert read(commands.COMMANDS[0], ["--page", str(10**30)]) is None
    assert read(commands.COMMANDS[0], ["--limit", str(10**30)]) is None


@pytest.mark.parametrize("width", [60, 100])
def test_indices_and_help_are_whole_on_narrow_terminals(desk, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for shown in (desk.run("indices").text, desk.run("help").text):
        assert "\u2026" not in shown
        assert max(map(len, shown.splitlines())) <= width
    assert all(word in desk.run("indices").text for word in (LONG_TERM, "cosine", "entries", "waiting"))


def test_show_edit_forget(desk):
    [one, two] = desk.fill("Alice likes tea", "Bob likes rain")
    assert "Alice likes tea" in desk.run("show", one).text
    assert desk.run("show", one).data["content"] == "Alice likes tea"
    desk.run("edit", one, "content", "Alice", "likes", "coffee")
    assert desk.run("edit", one, "importance", "high").data["importance"] == "high"
    assert desk.run("search", "coffee").data["hits"][0]["id"] == one
    assert desk.run("forget", one, two).data["deleted"][0]["content"] == "Alice likes coffee"
    assert desk.run("list").data["total"] == 0
    assert b"Alice" not in b"".join(path.read_bytes() for path in desk.home.glob("ralph.db*"))
    for words in (("show", one), ("forget", one), ("edit", one, "type", "x")):
        with pytest.raises(StoreError, match=f"there is no memory {one}"):
            desk.run(*words)


def test_forgetting_several_is_all_or_nothing(desk):
    [one] = desk.fill("Alice likes tea")
    with pytest.raises(StoreError):
        desk.run("forget", one, 999)
    assert desk.run("list").data["total"] == 1


def test_wrong_edits(desk):
    [one] = desk.fill("Alice likes tea")
    for field, value, says in (("mood", "x", "no field 'mood'"), ("importance", "huge", "cannot be 'huge'"),
                               ("content", "my key is ghp_" + "a1B2" * 9, "secrets are not remembered")):  # fmt: skip
        with pytest.raises(RalphError, match=says):
            desk.run("edit", one, field, value)
    assert desk.run("show", one).data["content"] == "Alice likes tea"


def test_indices_and_stats(desk):
    desk.fill("Alice likes tea")
    rows = {row["index"]: row for row in desk.run("indices").data}
    assert rows[LONG_TERM].items() >= {"documents": 1, "vectors": 0, "pending": 1, "metric": "cosine"}.items()
    stats = desk.run("stats")
    assert stats.data["mode"] == "keyword only: no embedding model"
    assert "ralph memory embedder install" in stats.text
    assert stats.data["bytes"] > 0
    assert [row["index"] for row in desk.run("stats", DOCUMENTS).data["indices"]] == [DOCUMENTS]
    with pytest.raises(StoreError, match="no index"):
        desk.run("stats", "nope")
    assert desk.run("embedder", "status").data == {"embedder": "", "dimension": 0}


def test_why(desk):
    assert desk.run("why").text == "nothing was put before the model yet"
    [one] = desk.fill("the staging port is 8443")
    memory = Memory(desk.home)
    memory.session = "s-1"
    memory.before("which port does staging use?", threshold=0.3, conversations=True)
    memory.close()
    why = desk.run("why")
    assert why.data["items"][0]["id"] == one
    assert "session s-1" in why.text
    assert "text " in why.text.splitlines()[2]


def test_ingest_a_file_again_and_changed(desk):
    path = desk.work / "guide.md"
    path.write_text("# Guide\n\n" + "\n\n".join(f"## Part {n}\n\n{f'Words of part {n}. ' * 40}" for n in range(6)))
    first = desk.run("ingest", "guide.md")
    [row] = first.data["files"]
    assert (row["kind"], row["added"], row["source"]) == ("markdown", row["pieces"], str(path))
    assert desk.run("ingest", path).data["files"][0]["unchanged"]
    path.write_text(path.read_text().replace("Words of part 3", "Sentences of part 3"))
    changed = desk.run("ingest", path)
    assert 0 < changed.data["files"][0]["changed"] < row["pieces"]
    assert "kept" in changed.text


def test_ingest_a_folder(desk):
    folder = desk.work / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name, data in (
        ("a.md", b"# A\n\nwords of a"), ("sub/b.pdf", make_pdf(["words of b"])), ("c.png", b"\x89PNG"),
        ("empty.txt", b""), ("locked.pdf", encrypted(make_pdf(["x"]))), (".env", b"KEY=1"), (".hidden/d.md", b"hidden"),
        (".gitignore", b"e.md"), ("e.md", b"ignored"), ("id_rsa", b"PRIVATE"),
    ):  # fmt: skip
        (folder / name).write_bytes(data)
    done = desk.run("ingest", "docs")
    assert sorted(os.path.basename(row["source"]) for row in done.data["files"]) == ["a.md", "b.pdf"]
    [failed] = done.data["failed"]
    assert failed["source"].endswith("locked.pdf")
    assert "encrypted" in failed["error"]
    assert done.exit_code == 1
    assert "not stored: " in done.text


@pytest.mark.parametrize(("name", "data", "says"), [
    ("gone.pdf", None, "there is no file gone.pdf"), ("scan.pdf", make_pdf([None]), "no text layer"),
    ("cut.pdf", make_pdf(["x"])[:60], "damaged|could not be read"),
    ("locked.pdf", encrypted(make_pdf(["x"])), "encrypted"), (".env", b"KEY=1", "not taken in"),
    ("a.bin", b"\0\1", "is not text"), ("empty.txt", b"", "no text"),
])  # fmt: skip
def test_what_cannot_be_ingested(desk, name, data, says):
    if data is not None:
        (desk.work / name).write_bytes(data)
    with pytest.raises(RalphError, match=says):
        desk.run("ingest", name)
    (desk.work / "none").mkdir()
    with pytest.raises(RalphError, match="holds no documents"):
        desk.run("ingest", "none")


def test_a_large_folder_is_told_in_short(desk):
    (desk.work / "notes").mkdir()
    for number in range(53):
        (desk.work / "notes" / f"{number}.md").write_text(f"note {number}")
    first = desk.run("ingest", "notes")
    assert len(first.text.splitlines()) == 52
    assert first.text.endswith("\nand 3 more like these")
    (desk.work / "notes" / "7.md").write_text("another note 7")
    again = desk.run("ingest", "notes")
    assert [line.split()[0] for line in again.text.splitlines()] == ["document", "7.md", "52"]
    assert again.text.endswith("52 are stored already")
    assert len(again.data["files"]) == 53


def test_what_is_no_file_is_not_waited_for(desk):
    os.mkfifo(desk.work / "pipe")
    with pytest.raises(ConfigError, match="pipe is no file"):
        desk.run("ingest", "pipe")
    (desk.work / "note.md").write_text("not to be taken in by mistake")
    with pytest.raises(ConfigError, match="nothing to take in"):
        desk.run("ingest", "")
    assert desk.run("list", DOCUMENTS).data["total"] == 0


PAGES = {
    "/a.html": ("text/html", b"<html><body><h1>Birds</h1><p>Herons wait.</p></body></html>"),
    "/p.pdf": ("application/pdf", make_pdf(["gulls follow the plough"])),
}


class Web(BaseHTTPRequestHandler):
    def do_GET(self):
        kind, body = PAGES.get(self.path, ("text/plain", b""))
        self.send_response(302 if self.path == "/away" else 200 if body else 404)
        if self.path == "/away":
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_ingest_from_the_web(desk, web):
    [page] = desk.run("ingest", f"{web}/a.html").data["files"]
    assert (page["kind"], page["source"]) == ("html", f"{web}/a.html")
    [pdf] = desk.run("ingest", f"{web}/p.pdf").data["files"]
    assert (pdf["kind"], pdf["pages"]) == ("pdf", 1)
    sources = {hit["source"] for hit in desk.run("search", "herons", "gulls").data["hits"]}
    assert sources == {f"{web}/a.html", f"{web}/p.pdf"}
    for path, says in (("/none", "HTTP 404"), ("/away", "credentials of a cloud machine")):
        with pytest.raises(RalphError, match=says):
            desk.run("ingest", web + path)
    with pytest.raises(RalphError, match="user name or password"):
        desk.run("ingest", web.replace("http://", "http://me:pw@"))


def test_export_and_import(desk, tmp_path):
    desk.fill("Alice likes tea", "Bob likes rain")
    assert desk.run("export", tmp_path / "all.jsonl").data["entries"] == 2
    assert desk.run("export", tmp_path / "folder", "--files").data["entries"] == 2
    assert desk.run("import", tmp_path / "all.jsonl").data == {"added": 0, "skipped": 2}
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    assert other.run("import", tmp_path / "folder").data == {"added": 2, "skipped": 0}
    assert other.run("import", tmp_path / "all.jsonl").data["added"] in (0, 2)
    with pytest.raises(RalphError, match="exists already"):
        desk.run("export", tmp_path / "all.jsonl")


def test_what_the_older_layout_cannot_hold_is_told(desk):
    desk.fill("a text")
    memory = Memory(desk.home)
    memory.store.definitions.create(IndexSpec("own", embedder=Embedder("", 2)))
    memory.store.add("own", [Draft("", vector=[1.0, 2.0])])
    memory.close()
    done = desk.run("export", desk.work / "folder", "--files")
    assert done.data["entries"] == 1
    assert done.text.endswith("; 1 without a text do not fit into this layout")


def test_compact(desk):
    ids = desk.fill(*(f"fact {n} {'words ' * 500}" for n in range(100)))
    desk.run("forget", *ids[:90])
    assert desk.run("compact").data["bytes"] > 0
    assert desk.run("list").data["total"] == 10


def test_eval(desk, tmp_path):
    rows = [{"id": f"m{n}", "text": f"Person{n} plays instrument{n}"} for n in range(20)]
    questions = [{"query": f"what does Person{n} play?", "relevant": [f"m{n}"]} for n in range(20)]
    file = tmp_path / "set.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows + questions))
    report = desk.run("eval", file, "--index", "other")
    perfect = {"memories": 20, "questions": 20, "recall@1": 1.0, "recall@20": 1.0, "mrr": 1.0}
    assert report.data.items() >= perfect.items()
    assert {"recall@5", "recall@10", "ms_per_query", "tokens_per_query"} <= set(report.data)
    assert not (desk.home / "ralph.db").exists()  # it is measured in a home of its own
    assert desk.run("eval", "--keyword", "--missed").data["questions"] > 20
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(RalphError, match="line 1"):
        desk.run("eval", tmp_path / "bad.jsonl")
    with pytest.raises(RalphError, match="cannot read"):
        desk.run("eval", tmp_path / "gone.jsonl")


def test_eval_of_what_is_stored(desk, tmp_path):
    [one, _] = desk.fill("the staging port is 8443", "Alice likes tea")
    file = tmp_path / "set.jsonl"
    file.write_text(json.dumps({"query": "which port does staging use?", "relevant": [str(one)]}))
    assert desk.run("eval", file).data["recall@1"] == 1.0


class TestInAConversation:
    @pytest.fixture
    def memory(self, desk):
        opened = Memory(desk.home, embedder=Words(), scope=str(desk.work))
        yield opened
        opened.close()

    def test_it_is_the_same(self, desk, memory):
        memory.remember("the staging port is 8443")
        memory.settled(5)

        def ask(line):
            return commands.memory_command(memory, line.split(), desk.place)

        assert "search WORDS..." in ask("")
        assert "staging port" in ask("list")
        found = ask("search staging port")
        assert "staging port" in found
        assert "keyword only" not in found
        (desk.work / "a.md").write_text("# A\n\nherons wait")
        assert "1 new" in ask("ingest a.md")
        assert memory.settled(5)
        assert memory.store.vectors.count(DOCUMENTS) == 1
        assert "changed type" in ask("edit 1 type fact")
        assert "staging port" in ask("forget 1")

    @pytest.mark.parametrize("line", [
        "frobnicate", "show", "show x", "show 77", "edit 1", "list --page x", "list --help", "forget 99", "ingest gone",
        "search", "embedder",
    ])  # fmt: skip
    def test_what_is_wrong_is_one_line_for_the_person(self, desk, memory, line):
        with pytest.raises(RalphError) as caught:
            commands.memory_command(memory, line.split(), desk.place)
        assert "\n" not in str(caught.value).strip()


def test_looking_up_loads_neither_numpy_nor_asyncio(desk):
    [one] = desk.fill("the staging port is 8443")
    Memory(desk.home).store.add(DOCUMENTS, [Draft("page one")])
    code = """
import sys, typer
from pathlib import Path
from ralph.commands import memory
from ralph.place import Place
home, *words = sys.argv[1:]
app = typer.Typer(rich_markup_mode=None); app.callback()(lambda: None)
memory.add(app, Place(Path(home), Path(home), {}), lambda shown: None)
typer.main.get_command(app).main(['memory', *words], standalone_mode=False)
assert not {'numpy', 'asyncio', 'hnswlib', 'httpx', 'pypdf', 'rich'} & set(sys.modules), sys.modules.keys()
"""
    for words in (["list"], ["stats"], ["show", str(one)], ["search", "staging", "--keyword"], ["indices"], ["why"]):
        done = subprocess.run([sys.executable, "-c", code, str(desk.home), *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_bar_is_for_terminals_only():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen, pipe = Terminal(), io.StringIO()
    for stream in (screen, pipe):
        bar = Bar(stream)
        bar("reading", 1, 2)
        bar("reading", 2, 2)
        bar.clear()
    assert screen.getvalue().endswith("reading [####################] 2 of 2\r\x1b[K")
    assert pipe.getvalue() == ""
