from __future__ import annotations

import pytest

from ralph.memory.memory import Memory
from ralph.memory.resemblance import compare, similar
from ralph.memory.rows import LONG_TERM, Draft


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
