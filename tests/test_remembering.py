"""Memory in a session: never waited for, never twice the same, and everything said found again."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager

import pytest

from ralph.config import load
from ralph.core.events import Notice, Recalled
from ralph.core.messages import Message, Text, dump
from ralph.memory.memory import Memory
from ralph.memory.rows import CONVERSATIONS, DOCUMENTS
from ralph.memory.store import Store
from ralph.place import Place
from ralph.policy.secrets import Redactor
from ralph.remembering import Remembering, blackened, catch_up
from ralph.tools.documents import drafts_of, read_document
from tests.ingest.pdfs import make_pdf
from tests.memory.words_embedder import Words

KEY = "ghp_" + "a1B2" * 9


class Session:
    """A session in a home; `job()` is a one-shot job, `talk()` a conversation."""

    def __init__(self, folder):
        self.home, self.work = folder / "home", folder / "work"
        self.work.mkdir()
        self.open = []

    def job(self, session="s-1", **settings):
        home = self.home
        home.mkdir(exist_ok=True)
        (home / "ralph.config.json").write_text(json.dumps({"memory": settings}))
        config = load(cwd=self.work, home=home, env={}, flags={}, trusted=True).config
        redact = Redactor((("MY_TOKEN", "q8Zk2vR7pLw4xT"),), b"key")
        made = Remembering(Place(self.work, home, {"HOME": str(home)}), config, redact, patience_s=0.3)
        made.session = session
        self.open.append(made)
        return made

    def talk(self, session="s-1", **settings):
        made = self.job(session, **settings)
        made.lasting = True
        return made

    def keep(self, *texts):
        memory = Memory(self.home)
        for text in texts:
            memory.remember(text, keep_both=True)
        memory.close()

    def write(self, name, *messages):
        """The file of a session that ended before memory heard of it."""
        lines = [{"type": "session", "id": name, "cwd": "/elsewhere"}]
        lines += [{"type": "message", "message": dump(message)} for message in messages]
        path = self.home / "sessions" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def said(self):
        store = Store(self.home)
        try:
            return [(d.session, d.text) for d in store.find(CONVERSATIONS, oldest_first=True)]
        finally:
            store.close()

    def until_said(self, text):
        for _ in range(500):
            if text in [row[1] for row in self.said()]:
                return
            time.sleep(0.01)
        raise AssertionError(f"{text!r} is not among {self.said()}")

    @contextmanager
    def locked(self):
        """Another program holds the database so that nobody can even read it."""
        other = sqlite3.connect(self.home / "ralph.db", isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE indices SET seq = seq")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


@pytest.fixture
def home(tmp_path):
    made = Session(tmp_path)
    yield made
    for one in made.open:
        one.close()


def user(text):
    return Message("user", (Text(text),))


def assistant(text):
    return Message("assistant", (Text(text),))


def test_a_prompt_gets_what_belongs_to_it(home):
    home.keep("the staging port is 8443")
    text, event = home.job().before("which port does staging use?")
    assert "8443" in text
    assert isinstance(event, Recalled)


def test_nothing_stored_nothing_made(home):
    job = home.job()
    assert job.before("which port does staging use?") == ("", None)
    job.record([user("hello"), assistant("hi")])
    assert job.wrong_citations('"words" (birds.pdf, p. 2)') == []
    job.close()
    assert not (home.home / "ralph.db").exists()


def test_a_locked_database_keeps_nobody_waiting_and_is_said_once(home):
    home.keep("the staging port is 8443")
    job = home.job()
    with home.locked():
        began = time.monotonic()
        text, event = job.before("which port does staging use?")
        assert time.monotonic() - began < 2
        assert text == ""
        assert isinstance(event, Notice)
        assert "did not answer within" in event.text
        assert job.before("and now?") == ("", None)  # said already
        began = time.monotonic()
        job.record([user("which port?"), assistant("8443")])
        assert time.monotonic() - began < 2
    home.until_said("which port?")  # as soon as the other program lets go
    for _ in range(100):
        if job.before("which port does staging use?")[0]:
            break
    else:
        raise AssertionError("it does not come back")


def test_opening_for_the_tools_does_not_wait_either(home):
    home.keep("the staging port is 8443")
    with home.locked():
        began = time.monotonic()
        assert home.job().tools()
        assert time.monotonic() - began < 2


def test_a_database_of_a_newer_ralph_is_said_and_stops_nobody(home):
    home.keep("the staging port is 8443")
    with sqlite3.connect(home.home / "ralph.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    job = home.job()
    text, event = job.before("which port does staging use?")
    assert (text, event.topic) == ("", "memory")
    assert "newer Ralph" in event.text
    assert job.before("which port does staging use?") == ("", None)
    job.record([user("which port?")])
    job.record([user("which port?"), assistant("hm")])
    assert len([problem for problem in job.problems if "what was said is not searchable yet" in problem]) == 1


def test_each_turn_of_a_conversation_is_searchable_at_once(home):
    talk = home.talk()
    talk.record([user("the cat is called Miezi"), assistant("noted")])
    assert home.said() == [("s-1", "the cat is called Miezi"), ("s-1", "noted")]
    other = home.job("s-2")
    text, event = other.before("what is the cat called?")
    assert "Miezi" in text
    assert event.items[0]["index"] == CONVERSATIONS


@pytest.mark.parametrize("recall", [True, False])
def test_a_one_shot_job_is_searchable_when_it_ends(home, recall):
    home.keep("the staging port is 8443")
    job = home.job(recall=recall)
    job.before("the cat is called Miezi")
    job.record([user("the cat is called Miezi"), assistant("noted")])
    assert home.said() == [("s-1", "the cat is called Miezi"), ("s-1", "noted")]


def test_earlier_sessions_are_taken_in_once_and_a_bad_one_is_named(home):
    home.write("a", user("herons wait"), assistant("yes"))
    home.write("bad").write_text('{"type":"session"}\n{"type":"message","message":{"role":"user"}}\n')
    home.write("c", user("gulls follow the plough"))
    talk = home.talk("s-9")
    talk.open()
    home.until_said("gulls follow the plough")
    talk.close()
    assert [problem for problem in talk.problems if "session bad" in problem]
    again = home.talk("s-10")
    again.record([user("hello")])
    again.close()
    assert sorted(home.said()) == [
        ("a", "herons wait"), ("a", "yes"), ("c", "gulls follow the plough"), ("s-10", "hello"),
    ]  # fmt: skip
    assert not again.problems


def test_a_session_that_goes_on_is_taken_in_where_it_was_left(home):
    home.write("a", user("herons wait"))
    first = home.talk("s-9")
    first.open()
    home.until_said("herons wait")
    first.close()
    home.write("a", user("herons wait"), assistant("in shallow water"))
    home.talk("s-10").open()
    home.until_said("in shallow water")
    assert [text for _, text in home.said()] == ["herons wait", "in shallow water"]


def test_a_look_up_takes_in_what_no_session_has(home):
    home.write("a", user(f"herons wait, {KEY}"), assistant("yes"))
    job = home.job()
    store = Store(home.home)
    settings = load(cwd=home.work, home=home.home, env={}, flags={}, trusted=True).config
    assert catch_up(job._place, lambda: settings, store) == []
    assert [row[1][:13] for row in home.said()] == ["herons wait, ", "yes"]
    assert KEY not in repr(home.said())
    assert catch_up(job._place, lambda: 1 / 0, store) == []  # nothing to do
    store.close()


def test_the_engine_of_each_index_is_told(tmp_path):
    memory = Memory(tmp_path, embedder=Words())
    memory.remember("the staging port is 8443")
    assert memory.settled(10)
    memory.recall("staging port")
    state = memory.states()["long_term_memory"]
    assert (state.engine, state.matrix, state.note) == ("exact", 1, "")
    memory.close()


def test_conversations_can_be_turned_off(home):
    home.write("a", user("herons wait"))
    talk = home.talk(conversations=False)
    talk.open()
    talk.record([user("hello")])
    talk.close()
    assert home.said() == []


def test_what_is_said_now_does_not_wait_for_hundreds_of_old_sessions(home):
    for number in range(400):
        home.write(f"old{number:03}", *(user(f"words {number} {n}") for n in range(20)))
    talk = home.talk("s-9")
    began = time.monotonic()
    talk.record([user("hello")])
    assert time.monotonic() - began < 2
    assert ("s-9", "hello") in home.said()


def test_secrets_are_in_no_conversation(home):
    talk = home.talk()
    talk.record([user(f"use {KEY} or q8Zk2vR7pLw4xT"), assistant("noted")])
    talk.close()
    stored = b"".join(path.read_bytes() for path in home.home.glob("ralph.db*"))
    assert KEY.encode() not in stored
    assert b"q8Zk2vR7" not in stored
    assert "[secret:my_token:" in home.said()[0][1]


def ingested(home, pages, name="birds.pdf"):
    import asyncio

    from ralph.tools.documents import ingest

    memory = Memory(home.home, blacken=blackened(Redactor((("MY_TOKEN", "q8Zk2vR7pLw4xT"),), b"key")))
    done = asyncio.run(ingest(memory, make_pdf(pages), f"/docs/{name}"))
    found = memory.store.find(DOCUMENTS, oldest_first=True)
    memory.close()
    return done, found


def test_secrets_are_in_no_document_and_pages_stay_true(home):
    done, found = ingested(home, [f"one {KEY} here", "two q8Zk2vR7pLw4xT", "three"])
    assert done.note == "2 secrets blacked out"
    assert [(piece.metadata["page"], piece.text[:3]) for piece in found] == [(1, "one"), (2, "two"), (3, "thr")]
    assert "[secret:" in found[0].text
    stored = b"".join(path.read_bytes() for path in home.home.glob("ralph.db*"))
    assert KEY.encode() not in stored
    assert b"q8Zk2vR7" not in stored


def test_citations_are_checked_in_a_job_that_never_opened_memory(home):
    ingested(home, ["Herons wait in shallow water.", "Gulls follow the plough."])
    job = home.job(recall=False)
    assert job.wrong_citations('He says "herons wait" (birds.pdf, p. 1).') == []
    [wrong] = job.wrong_citations('He says "herons wait" (birds.pdf, p. 2).')
    assert "birds.pdf, p. 2 does not hold" in wrong
    assert job.wrong_citations('a "quote" of nothing') == []
    assert job._memory is None


def test_an_answer_without_quotes_loads_nothing(home):
    home.keep("x y")
    job = home.job(recall=False)
    assert job.wrong_citations("plain words") == []
    assert job._store is None


def test_everything_ends_with_the_session(home):
    before = {thread.name for thread in threading.enumerate()}
    talk = home.talk()
    talk.record([user("hello")])
    talk.before("hello")
    talk.close()
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("memory")} <= before


def test_headings_with_secrets_are_blackened():
    import asyncio

    from ralph.ingest.document import blackened as without

    document = asyncio.run(read_document(f"# Key {KEY}\n\nwords\n\n## Two\n\nmore".encode(), "a.md"))
    clean = without(document, blackened(Redactor((), b"key"))(document.text))
    drafts = drafts_of(clean, "/a.md", "digest")
    assert KEY not in repr(drafts)
    assert clean.text[clean.headings[1].start :].startswith("## Two")
