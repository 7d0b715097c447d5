from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.memory.drafts import drafts_of
from ralph.memory.evaluate import SAMPLE, load, load_file, measure
from ralph.memory.ranking import TURN

MAY = time.mktime((2023, 5, 8, 13, 56, 0, 0, 0, -1))


def test_who_speaks_is_kept_beside_the_text():
    given = drafts_of([("D1:1", "I swim", {"speaker": "Ann"}), ("D1:2", "Me too", {"speaker": "Bob"})] * 2)
    written = drafts_of([("D1:1", "Ann: I swim", {}), ("D1:2", "Bob: Me too", {})] * 2)
    for drafts in (given, written):
        assert [(draft.text, draft.about) for draft in drafts[:2]] == [("I swim", "Ann"), ("Me too", "Bob")]
        assert drafts[0].metadata["people"] == ["Ann", "Bob"]
        assert {(draft.type, draft.session) for draft in drafts} == {(TURN, "D1")}
    [plain] = drafts_of([("7", "I swim", {"session": 3})])
    [bare] = drafts_of([("7", "I swim", {})])
    assert (plain.session, bare.session) == ("3", "all")


def test_facts_are_known_by_whom_they_are_about():
    facts = ["Ann swims.", "Ann has a dog.", "Bob cooks.", "Ann sings.", "Bob bikes.", "Bob hums."]
    drafts = drafts_of([(str(number), fact, {}) for number, fact in enumerate(facts)])
    assert [draft.about for draft in drafts] == ["Ann", "Ann", "Bob", "Ann", "Bob", "Bob"]
    assert {draft.type for draft in drafts} == {"fact"}


def test_facts_about_many_people_are_facts_still():
    names = ["Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gina", "Hal", "Ida", "Jo", "Kim", "Lou"]
    facts = drafts_of([(f"{name}{n}", f"{name} likes tea {n}", {}) for n in range(4) for name in names])
    assert {draft.type for draft in facts} == {"fact"}
    assert facts[0].metadata["speaker"] == "Ann"
    assert set(facts[0].metadata["people"]) == set(names)


def test_words_that_begin_some_turns_are_nobody():
    heads = ("Wow", "Hey", "Thanks")
    turns = [(str(n), f"{heads[n % 3]} that is {n}" if n % 4 == 0 else f"i saw {n} of them", {}) for n in range(48)]
    drafts = drafts_of(turns)
    assert {draft.type for draft in drafts} == {TURN}
    assert {draft.metadata["speaker"] for draft in drafts} == {""}


SPELLINGS = [
    lambda who, session, text: (text, {"speaker": who, "session": session, "date": "2023-05-08T13:56"}),
    lambda who, session, text: (text, {"Speaker Name": who, "sessionId": int(session), "timestamp": MAY}),
    lambda who, session, text: (f"{who}: {text}", {"session_1_date_time": "1:56 pm on 8 May, 2023"}),
    lambda who, session, text: (
        f"{who}: {text}", {"speaker": who, "session": session, "session_date_time": "1:56 pm on 8 May, 2023", "turn": 3}
    ),
    lambda who, session, text: (f"[1:56 pm on 8 May, 2023] {who}: {text}", {}),
    lambda who, session, text: (f"(8 May 2023, 13:56) {who}: {text}", {"session": session}),
    lambda who, session, text: (f'{who} said, "{text}"', {"date_time": "1:56 pm on 8 May, 2023"}),
]  # fmt: skip
SAID = ["I swim on Mondays", "Me too", "Where is your pool?", "Next to the mill", "I broke my arm", "Oh dear"]


@pytest.mark.parametrize("spelt", range(len(SPELLINGS)))
@pytest.mark.parametrize("head", ["D", "conv-26/D", "conv_26-D"])
def test_the_same_is_stored_however_it_is_spelt(spelt, head):
    memories = []
    for number, text in enumerate(SAID):
        session = str(1 + number // 3)
        memories.append((f"{head}{session}:{number}", *SPELLINGS[spelt](("Ann", "Bob")[number % 2], session, text)))
    drafts = drafts_of(memories)
    assert [draft.text.strip('"') for draft in drafts] == SAID
    assert [draft.about for draft in drafts] == ["Ann", "Bob"] * 3
    assert {draft.type for draft in drafts} == {TURN}
    assert drafts[0].metadata["people"] == ["Ann", "Bob"]
    assert {round(MAY - draft.created) for draft in drafts} == {0}
    sessions = [draft.session for draft in drafts]
    assert sessions[0] == sessions[1] == sessions[2] != sessions[3] == sessions[4] == sessions[5]


def test_sessions_of_several_conversations_are_apart():
    rows = [(f"{n}", "I swim", {"sample_id": f"conv-{n // 4}", "session": n // 2 % 2}) for n in range(8)]
    assert len({draft.session for draft in drafts_of(rows)}) == 4
    rows = [(f"D{n // 2 % 2}:{n}", "I swim", {"conversation": n // 4}) for n in range(8)]
    assert len({draft.session for draft in drafts_of(rows)}) == 4


def test_ids_that_name_nothing_part_nothing():
    for ids in (["a-1", "b-2", "c-3"], ["1", "2", "3"], ["F1", "F2", "F3"], ["x", "y", "z"]):
        assert {draft.session for draft in drafts_of([(id_, "I swim", {}) for id_ in ids])} == {"all"}


def test_people_who_are_addressed_are_known_where_nobody_is_named_as_speaker():
    turns = ["Ann! I found Postgres slow.", "Well, Bob, what did you expect?", "Hi Ann, fewer locks.", "No, Ann."]
    turns += ["Thanks Bob!", "Postgres is fine", "That was great, Bob!", "Well, Postgres it is", "Lunch? Great, Ann!"]
    [*drafts] = drafts_of([(str(number), turn, {}) for number, turn in enumerate(turns)])
    people = set(drafts[0].metadata["people"])
    assert {"Ann", "Bob"} <= people
    assert people.isdisjoint({"Postgres", "Lunch", "Great", "No"})
    assert {draft.about for draft in drafts} == {""}
    drafts = drafts_of([(str(number), turn, {"speaker": "Cleo"}) for number, turn in enumerate(turns)])
    assert drafts[0].metadata["people"] == ["Cleo"]


def test_a_caption_is_found_and_a_web_address_is_no_caption():
    [draft] = drafts_of([("1", "Look!", {"blip_caption": "a red kayak", "img_url": "http://x/y.png"})])
    assert draft.about == "a red kayak"


def test_brackets_that_hold_no_time_are_text():
    [draft] = drafts_of([("1", "[laughs] I swim", {})])
    assert (draft.text, draft.created) == ("[laughs] I swim", None)


def test_the_set_that_ships_finds_the_same_however_it_is_spelt(tmp_path):
    plain = load_file(SAMPLE)
    spelt = [{"id": id_, "text": text, "meta": meta} for id_, text, meta in plain.memories]
    for row in spelt:
        if "turn" in row["meta"]:
            who, when = row["meta"]["speaker"], row["meta"]["date"]
            row |= {"text": f"{who}: {row['text']}", "meta": {"Session_Date_Time": when}}
    assert sum(row["text"] != text for row, (_, text, _) in zip(spelt, plain.memories, strict=True)) > 100
    asked = [{"query": query, "relevant": sorted(ids)} for query, ids in plain.questions]
    reports = (measure(plain, tmp_path / "1"), measure(load(map(json.dumps, spelt + asked)), tmp_path / "2"))
    first, second = ((report.recall, report.mrr) for report in reports)
    assert first == second


@given(st.lists(st.tuples(
    st.text(max_size=8), st.text(max_size=40), st.dictionaries(
        st.sampled_from(["speaker", "session", "date", "turn", "conv_id", "caption", "Name", "x"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.lists(st.integers(), max_size=2),
    ),
), max_size=12))  # fmt: skip
def test_any_memory_becomes_a_draft(memories):
    drafts = drafts_of(memories)
    assert [draft.metadata["id"] for draft in drafts] == [id_ for id_, _, _ in memories]
    assert all(text.endswith(draft.text) for draft, (_, text, _) in zip(drafts, memories, strict=True))
