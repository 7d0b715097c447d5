from __future__ import annotations

import json
import re
import resource

import pytest

from ralph.errors import RalphError
from ralph.memory.rows import DOCUMENTS, LONG_TERM, Draft, Embedder, IndexSpec
from ralph.memory.store import Store
from ralph.memory.transfer import export_files, export_lines, import_from

WORDS = 'words "quoted"\n\u2028 größe'


def make(home):
    store = Store(home)
    store.definitions.create(IndexSpec("own", metric="ip", links=24, embedder=Embedder("", 2)))
    store.add(LONG_TERM, [Draft(WORDS, "fact", "me", "high", "/p", "s-1", "about", {"a": [1]}, 1000.5)])
    store.add(DOCUMENTS, [Draft("page one", metadata={"page": 1}), Draft("page one", metadata={"page": 2})])
    store.add("own", [Draft("", "vector", "api", vector=[1.0, 2.0])])
    return store


def everything(store):
    fields = ("text", "type", "source", "importance", "scope", "session", "about", "metadata", "created")
    names = [spec.name for spec in store.definitions.list()]
    return {index: [[getattr(document, name) for name in fields] for document in store.find(index, oldest_first=True)]
            for index in names}  # fmt: skip


def test_lines_there_and_back(tmp_path):
    old, new = make(tmp_path / "old"), Store(tmp_path / "new")
    file = tmp_path / "out" / "memory.jsonl"
    assert export_lines(old, file) == 4
    assert file.stat().st_mode & 0o077 == 0
    done = import_from(new, file)
    assert (done.added, done.skipped) == (4, 0)
    assert everything(new) == everything(old)
    assert [spec for spec in new.definitions.list() if spec.name == "own"] == [old.definitions.get("own").spec]
    [vector] = new.vectors.changes_since("own", 0).added
    assert vector[-1] == old.vectors.changes_since("own", 0).added[0][-1]
    again = import_from(new, file)
    assert (again.added, again.skipped) == (0, 4)
    with pytest.raises(RalphError, match="exists already"):
        export_lines(old, file)
    old.close()
    new.close()


def test_the_older_layout_there_and_back(tmp_path):
    old, new = make(tmp_path / "old"), Store(tmp_path / "new")
    folder = tmp_path / "files"
    assert export_files(old, folder) == 3  # a vector without a text has no place in it
    row = json.loads((folder / "metadata" / LONG_TERM / "chunk_1.json").read_text())
    assert row == {"chunk_id": 1, "content": WORDS, "index_name": LONG_TERM, "type": "fact",
                   "source": "me", "importance": "high", "timestamp": 1000, "custom_metadata": {"a": [1]}}  # fmt: skip
    assert json.loads((folder / "documents" / DOCUMENTS / "doc_2.json").read_text())["content"] == "page one"
    assert import_from(new, folder).added == 3
    assert new.find(LONG_TERM)[0].importance == "high"
    for store in (new, old):  # its times are whole seconds, and it knows no sessions
        done = import_from(store, folder)
        assert (done.added, done.skipped) == (0, 3)
    with pytest.raises(RalphError, match="not an empty folder"):
        export_files(old, folder)
    old.close()
    new.close()


def test_a_vector_that_was_given_to_a_text_comes_along(tmp_path):
    old, new = make(tmp_path / "old"), Store(tmp_path / "new")
    old.add("own", [Draft("a text", "vector", "api", vector=[3.0, 4.0])])
    export_lines(old, tmp_path / "out.jsonl")
    import_from(new, tmp_path / "out.jsonl")
    assert [row[-1] for row in new.vectors.changes_since("own", 0).added] == [
        row[-1] for row in old.vectors.changes_since("own", 0).added
    ]
    old.close()
    new.close()


def test_a_file_from_windows(tmp_path):
    (tmp_path / "set.jsonl").write_bytes(b'\xef\xbb\xbf{"content": "one"}\r\n\r\n{"content": "two"}\r\n')
    store = Store(tmp_path / "home")
    assert import_from(store, tmp_path / "set.jsonl").added == 2
    store.close()


def test_what_older_versions_wrote(tmp_path):
    for index, name, row in (
        (LONG_TERM, "documents/{}/doc_0.json", {"id": 0, "content": "only here", "type": "text", "source": "api",
                                                "timestamp": 1700000000, "metadata": None}),
        (LONG_TERM, "documents/{}/doc_7.json", {"id": 7, "content": "both", "type": "text", "source": "api"}),
        (LONG_TERM, "metadata/{}/chunk_7.json", {
            "chunk_id": 7, "content": "both", "index_name": LONG_TERM, "type": "user", "source": "conversation",
            "importance": "critical", "timestamp": 1, "custom_metadata": None,
        }),
        ("notes", "documents/{}/doc_1.json", {"id": 1, "content": "elsewhere", "type": "chunk", "source": "api"}),
    ):  # fmt: skip
        path = tmp_path / "old" / name.format(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row))
    store = Store(tmp_path / "home")
    assert import_from(store, tmp_path / "old").added == 3
    assert {(d.text, d.importance) for d in store.find(LONG_TERM)} == {("only here", "normal"), ("both", "critical")}
    assert [d.text for d in store.find("notes")] == ["elsewhere"]
    assert store.find(LONG_TERM, oldest_first=True)[-1].created == 1700000000
    store.close()


def test_memories_of_a_question_set(tmp_path):
    file = tmp_path / "set.jsonl"
    file.write_text('{"id": "a", "text": "one", "meta": {"speaker": "Ann"}}\n\n{"id": "b", "text": "two"}\n')
    store = Store(tmp_path / "home")
    assert import_from(store, file).added == 2
    assert store.find(LONG_TERM, oldest_first=True)[0].metadata == {"speaker": "Ann"}
    store.close()


@pytest.mark.parametrize(("line", "says"), [
    (b"{", "set.jsonl:2 is not JSON"), (b"[1]", "not a JSON object"), (b'{"content": " "}', "no content"),
    (b'{"content": 5}', "wrong type"), (b'{"content": "x", "metadata": "y"}', "wrong type"),
    (b'{"content": "x", "created": "now"}', "wrong type"), (b'{"content": "x", "type": 3}', "type has a wrong type"),
    (b"\xff", "is not UTF-8"), (b'{"content": "the key is sk-1"}', "holds a key; nothing was imported"),
])  # fmt: skip
def test_a_wrong_line_stops_it_before_anything_is_stored(tmp_path, line, says):
    file = tmp_path / "set.jsonl"
    file.write_bytes(b'{"content": "fine"}\n' + line + b"\n")
    store = Store(tmp_path / "home")
    with pytest.raises(RalphError, match=says):
        import_from(store, file, secret=lambda text: "a key" if "sk-" in text else "")
    assert store.count(LONG_TERM) == 0
    store.close()


def test_what_is_not_there(tmp_path):
    store = Store(tmp_path / "home")
    with pytest.raises(RalphError, match="cannot read"):
        import_from(store, tmp_path / "gone.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RalphError, match="neither documents/ nor metadata/"):
        import_from(store, tmp_path / "empty")
    store.close()


def test_a_full_disk_leaves_no_half_file(tmp_path):
    store = Store(tmp_path / "home")
    store.add(LONG_TERM, [Draft("words " * 5000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(RalphError, match=r"cannot write .*; nothing was kept of it"):
            export_lines(store, tmp_path / "out.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out.jsonl").exists()
    store.close()


def test_many(tmp_path):
    file = tmp_path / "many.jsonl"
    file.write_text("".join(json.dumps({"content": f"fact {n}"}) + "\n" for n in range(1001)))
    store, seen = Store(tmp_path / "home"), []
    assert import_from(store, file, progress=seen.append).added == 1001
    assert seen == [200, 400, 600, 800, 1000, 1001]
    assert export_lines(store, tmp_path / "out.jsonl", seen.append) == 1001
    store.close()


GOOD = '{"content":"herons wait"}\n'
INDEX = '{"ralph":"index","name":"v","metric":"l2","links":16,"effort":200,"capacity":10,"embedder":"","dimension":3}\n'


@pytest.mark.parametrize(("line", "says"), [
    ('{"content":"lone \\ud800 half"}', "x.jsonl:252: text holds an unpaired surrogate"),
    ('{"content":"x","metadata":{"a":"\\udfff"}}', "metadata holds an unpaired surrogate"),
    ('{"content":"x","created":1e400}', "inf is not a time"),
    ('{"content":"x","index":"a/b"}', "an index cannot be named 'a/b'"),
    ('{"content":"","index":"v","vector":[1,2]}', "the vector has 2 numbers, the index takes 3"),
    ('{"content":"","index":"v","vector":[1,2,"x"]}', "a vector is a list of numbers"),
    ('{"content":"x","vector":[1,2]}', "takes no vectors yet"),
    ('{"ralph":"index"}', "name of an index is missing"),
    ('{"ralph":"index","name":"w","metric":"l2","links":"16","effort":200,"capacity":10}', "links of an index"),
    ('{"ralph":"index","name":"../w","metric":"l2","links":16,"effort":200,"capacity":10}', "cannot be named '../w'"),
    ("[1]", "is not a JSON object"), ("nonsense", "is not JSON"), ('{"content":" "}', "holds no content"),
    ('{"content":7}', "wrong type"),
])  # fmt: skip
def test_what_cannot_be_stored_is_said_before_anything_is(tmp_path, line, says):
    store = Store(tmp_path / "home")
    path = tmp_path / "x.jsonl"
    path.write_text(INDEX + GOOD * 250 + line + "\n")
    with pytest.raises(RalphError, match=re.escape(says)):
        import_from(store, path)
    assert store.count(LONG_TERM) == 0
    assert store.definitions.find("v") is None
    store.close()


def test_a_file_that_is_not_utf_8_is_said(tmp_path):
    store = Store(tmp_path / "home")
    (tmp_path / "x.jsonl").write_bytes(GOOD.encode() + b'{"content":"caf\xe9"}\n')
    with pytest.raises(RalphError, match="is not UTF-8"):
        import_from(store, tmp_path / "x.jsonl")
    store.close()
