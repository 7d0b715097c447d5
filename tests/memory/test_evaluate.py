from __future__ import annotations

import json

import pytest

from ralph.errors import ConfigError
from ralph.memory.embed import choose
from ralph.memory.evaluate import SAMPLE, load, load_file, measure, misspelt

TIMES = ("ms_per_query", "p95_ms", "store_s", "embed_s")


def numbers(report):
    return {name: value for name, value in report.as_json().items() if name not in TIMES}


def test_the_set_that_ships_is_whole():
    questions = load_file(SAMPLE)
    ids = [id_ for id_, _, _ in questions.memories]
    assert len(ids) == len(set(ids)) >= 140
    assert len(questions.questions) >= 80
    assert all(relevant and relevant <= set(ids) for _, relevant in questions.questions)


def test_keyword_recall_on_the_set_that_ships(tmp_path):
    plain = measure(load_file(SAMPLE), tmp_path / "plain")
    assert plain.mode == "keyword only: no embedding model"
    assert plain.recall[10] >= 0.8
    assert plain.recall[1] <= plain.recall[5] <= plain.recall[10] <= plain.recall[20]
    typos = measure(load_file(SAMPLE), tmp_path / "typos", typos=True)
    assert typos.recall[10] >= 0.77


def test_recall_with_the_embedded_model_on_the_set_that_ships(tmp_path, model_home):
    embedder = choose(model_home)
    hybrid = measure(load_file(SAMPLE), tmp_path / "plain", embedder=embedder)
    assert hybrid.mode == "hybrid"
    assert hybrid.recall[10] >= 0.95
    assert hybrid.mrr >= 0.73
    typos = measure(load_file(SAMPLE), tmp_path / "typos", embedder=embedder, typos=True)
    assert typos.recall[10] >= 0.93


def test_the_same_set_gives_the_same_numbers(tmp_path):
    first, second = (numbers(measure(load_file(SAMPLE), tmp_path / name, typos=True)) for name in ("a", "b"))
    assert first == second
    assert json.loads(json.dumps(first)) == first


def test_numbers_are_what_they_say(tmp_path):
    lines = [{"id": n, "text": text} for n, text in enumerate(["red apple", "green apple", "blue plum", "grey stone"])]
    asked = [{"query": "apple", "relevant": [0, 1]}, {"query": "plum", "relevant": ["2"]}]
    asked.append({"query": "sky", "relevant": [3]})
    report = measure(load(map(json.dumps, lines + asked)), tmp_path, index="mine")
    assert (report.memories, report.questions) == (4, 3)
    assert report.recall[1] == pytest.approx((0.5 + 1 + 0) / 3)
    assert report.recall[5] == pytest.approx((1 + 1 + 0) / 3)
    assert report.mrr == pytest.approx(2 / 3)
    assert report.missed == ["sky"]


def test_duplicates_count_one_place_each(tmp_path):
    lines = [{"id": n, "text": "an apple a day", "meta": {"type": "fact"}} for n in range(3)]
    asked = [{"query": "apple", "relevant": [2]}]
    report = measure(load(map(json.dumps, lines + asked)), tmp_path)
    assert (report.recall[1], report.recall[5], report.mrr) == (0, 1, pytest.approx(1 / 3))


@pytest.mark.parametrize(("lines", "says"), [
    (['{"id": 1}', '{"query": "x", "relevant": []}'], "line 1"), (["", "nonsense"], "line 2"), ([], "no questions"),
    (['{"id": 1, "text": "x"}'], "no questions"), (["[]"], "line 1"), (['{"query": "x"}'], "line 1"),
    (['{"query": "x", "relevant": 7}'], "line 1"), (['{"query": "x", "relevant": "12"}'], 'line 1 .*"12" where a list'),
    (['{"id": 1, "text": "x", "meta": "y"}'], "line 1 .*where an object"), (["[1]"], "line 1 .*where an object"),
    (['{"id": 1, "text": "\\ud800"}'], "line 1 .*surrogate"), (['{"id": 1}'], "line 1 has no 'text'"),
])  # fmt: skip
def test_a_set_that_is_none_is_said(lines, says):
    with pytest.raises(ConfigError, match=says):
        load(lines)


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_file(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_file(tmp_path / "binary")


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path):
    row = json.dumps({"id": 1, "text": "one\u2028two"}, ensure_ascii=False)
    (tmp_path / "set").write_text(row + '\n{"query": "x", "relevant": [1]}\n', encoding="utf-8")
    assert load_file(tmp_path / "set").memories[0][1] == "one\u2028two"


def test_a_set_from_windows_is_read(tmp_path):
    rows = ['{"id": 1, "text": "one", "meta": null}', "", '{"query": "x", "relevant": [1]}', ""]
    (tmp_path / "set").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert load_file(tmp_path / "set").memories == [("1", "one", {})]


def test_memories_without_a_text_are_told_and_never_found(tmp_path):
    rows = [{"id": 1, "text": ""}, {"id": 2, "text": None}, {"id": 3, "text": "apple"}]
    report = measure(load(map(json.dumps, [*rows, {"query": "apple", "relevant": [1, 3]}])), tmp_path)
    assert (report.memories, report.empty, report.as_json()["empty_texts"]) == (1, 2, 2)
    assert (report.unknown, report.recall[20]) == (0, 0.5)


def test_slips_are_one_to_each_long_word_and_always_the_same():
    query = "Where did the lighthouse keeper live in 1984?"
    slipped = misspelt(query)
    assert slipped == misspelt(query) != query
    assert slipped.split()[1:3] == ["did", "the"]
    assert slipped.endswith("live in 1984?")


def test_ids_that_no_memory_has_are_told(tmp_path):
    rows = [{"id": "a", "text": "apple"}, {"id": "b", "text": "pear"}]
    asked = [{"query": "apple", "relevant": ["a", "z"]}, {"query": "pear", "relevant": ["y"]}]
    report = measure(load(map(json.dumps, rows + asked)), tmp_path / "some")
    assert (report.unknown, report.as_json()["unknown_ids"], report.recall[20]) == (2, 2, 0.25)
    assert "unknown_ids" not in measure(load(map(json.dumps, [*rows, {"query": "pear", "relevant": ["b"]}])),
                                        tmp_path / "none").as_json()  # fmt: skip
    with pytest.raises(ConfigError, match="'y'"):
        measure(load(map(json.dumps, rows + asked[1:])), tmp_path / "all")
