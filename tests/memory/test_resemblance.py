from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from ralph.errors import ProviderError
from ralph.memory.embed import Embedded
from ralph.memory.memory import Memory
from ralph.memory.minilm import MiniLM
from ralph.memory.model import folder_of
from ralph.memory.resemblance import at_odds, compare, similar
from ralph.memory.rows import LONG_TERM, Draft
from tests.memory.words_embedder import Words


@pytest.mark.parametrize(("new", "old", "relation"), [
    ("Alice prefers tabs", "Alice prefers tabs.", "duplicate"),
    ("Alice prefers the tabs", "alice PREFERS tabs", "duplicate"),
    ("Alice's birthday is 5 May", "Alice's birthday is 7 May", "contradiction"),
    ("Alice lives in Berlin", "Alice lives in Paris", "contradiction"),
    ("The deploy script does not need sudo", "The deploy script needs sudo", "contradiction"),
    ("Alice never eats fish on Fridays", "Alice eats fish on Fridays", "contradiction"),
    ("Alice prefers tabs in Makefiles", "Alice prefers tabs", "refinement"),
    ("Alice prefers tabs", "Alice prefers tabs in Makefiles", "overlap"),
    ("Alice deploys the payments service to production every second Friday at noon",
     "Bob deploys the payments service to production every second Friday at noon", "overlap"),
    ("Alice prefers tabs", "Bob owns a blue car", None),
    ("The tests run with pytest", "The tests of the web app live in web/tests", None),
    ("Alice manages Bob", "Bob manages Alice", "overlap"),
    ("Alice likes tea", "Alice has a cat named Tea", None),
    ("", "x", None),
    ("日本語のメモ", "日本語のメモ", "duplicate"),
])  # fmt: skip
def test_relations(new, old, relation):
    assert compare(new, old) == relation


def test_it_is_found_among_many(tmp_path):
    memory = Memory(tmp_path)
    memory.store.add(LONG_TERM, [Draft(f"Person{n} lives in town{n} and likes to read") for n in range(2000)])
    [found] = similar(memory.store, "Person77 lives in town12 and likes to read", ("global",))[:1]
    assert (found.relation, found.document.text) == ("contradiction", "Person77 lives in town77 and likes to read")
    memory.store.add(LONG_TERM, [Draft("The deploy key of town77 is rotated on Mondays")])
    [found] = similar(memory.store, "The deploy key of town77 is rotated on town12", ("global",))
    assert found.relation == "contradiction"
    assert similar(memory.store, "Something else entirely about rockets", ("global",)) == []
    memory.close()


@pytest.mark.parametrize(("new", "old", "odd"), [
    ("The staging server listens on port 8443", "Staging is reachable at port 9443", True),
    ("We ship version 2 of the release on 7 May", "The release of version 2 is planned for 5 May", True),
    ("The weekly meeting with Bob is on Tuesday", "Bob's weekly meeting takes place on Thursdays", True),
    ("The user doesn't want semicolons", "The user prefers semicolons in JavaScript code", True),
    ("Invoices are sent to accounting@example.com", "Send invoices to billing@example.com", True),
    ("Backups run at 02:00", "The backup job starts at 03:30 each night", True),
    ("The staging database is PostgreSQL", "Staging uses MySQL as its database", True),
    ("The meeting is on Mondays", "They meet each Monday", False),
    ("Release 2.1 was shipped on 3 May", "Release 2.2 was shipped on 9 June", False),
    ("Alice was born in Berlin", "Bob was born in Paris", False),
    ("Tomas ran 10 km in April", "Tomas ran a marathon", False),
    ("", "Staging uses MySQL", False), ("The port is 8443", "", False),
])  # fmt: skip
def test_at_odds(new, old, odd):
    assert at_odds(new, old) is odd
    assert at_odds(old, new) is odd


class Same(Words):
    """Everything is near everything."""

    def embed(self, texts):
        self.made += texts
        rows = np.ones((len(texts), self.dimension), np.float32)
        return rows / np.sqrt(self.dimension)


def test_what_says_otherwise_in_other_words_is_stored_and_reported(tmp_path):
    memory = Memory(tmp_path, embedder=Same(), scope="/project")
    old = memory.remember("Staging is reachable at port 9443").document
    memory.remember("The lamp in the hall costs 77 euros", scope="project", keep_both=True)
    assert memory.settled(10)
    done = memory.remember("The server for tests listens on port 8443")
    assert done.stored
    assert [(item.document.id, item.relation) for item in done.similar] == [(old.id, "contradiction")]
    assert memory.remember("Deploys take ten minutes or so").similar == ()
    made = len(memory.embedder.made)
    assert memory.settled(10)
    assert len(memory.embedder.made) == made  # each was embedded once
    assert memory.store.vectors.count(LONG_TERM) == 4
    memory.close()


def test_an_embedder_that_fails_keeps_nothing_from_being_remembered(tmp_path):
    words = Words()
    memory = Memory(tmp_path, embedder=words)
    words.error = ProviderError("away", kind="network")
    assert memory.remember("Staging is reachable at port 9443").stored
    assert memory.settled(10)
    assert memory.trouble == "away"
    words.error = None
    memory.wake()
    assert memory.settled(10)
    assert memory.store.vectors.count(LONG_TERM) == 1
    memory.close()


def test_nobody_waits_for_a_slow_embedder(tmp_path):
    class Slow(Words):
        go = threading.Event()

        def embed(self, texts):
            assert self.go.wait(10)
            return super().embed(texts)

    memory = Memory(tmp_path, embedder=Slow())
    began = time.monotonic()
    assert memory.remember("Staging is reachable at port 9443").stored
    assert time.monotonic() - began < 3
    Slow.go.set()
    assert memory.settled(10)
    assert memory.store.vectors.count(LONG_TERM) == 1
    memory.close()


def test_paraphrases_by_the_real_model(model_home, tmp_path):
    embedder = Embedded(lambda: MiniLM(folder_of(model_home)))
    embedder.embed(["ready"])
    memory = Memory(tmp_path, embedder=embedder)
    pairs = (("The project uses Python 3.11", "Python 3.12 is what the project runs on"),
             ("Backups run at 02:00", "The backup job starts at 03:30 each night"),
             ("Invoices are sent to accounting@example.com", "Send invoices to billing@example.com"))  # fmt: skip
    for old, _ in pairs:
        assert memory.remember(old).similar == ()
    assert memory.settled(20)
    for old, new in pairs:
        assert [item.document.text for item in memory.remember(new).similar] == [old]
    assert memory.remember("The docs site uses Node 20").similar == ()
    memory.close()
