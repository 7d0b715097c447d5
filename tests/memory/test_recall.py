from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.errors import ProviderError
from ralph.memory.embed import catch_up
from ralph.memory.fuse import Candidate, folded, lend, weighted
from ralph.memory.ranking import TURN
from ralph.memory.recall import Recall
from ralph.memory.rows import CONVERSATIONS, LONG_TERM, Draft
from ralph.memory.spelling import corrected, one_slip_away
from ralph.memory.store import Store
from ralph.memory.when import DAY, asked, dated, moment
from ralph.memory.wording import held_by
from ralph.memory.words import alike, stem, words_of
from tests.memory.words_embedder import Words

NOW = time.mktime((2026, 6, 15, 12, 0, 0, 0, 0, -1))


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path, now=lambda: NOW)
    yield opened
    opened.close()


def recall(store, embedder=None, **options):
    return Recall(store, embedder=embedder, now=lambda: NOW, **options)


def texts(found):
    return [hit.document.text for hit in found.hits]


def add(store, *drafts, index=LONG_TERM):
    return store.add(index, [draft if isinstance(draft, Draft) else Draft(draft) for draft in drafts])


def test_words_that_carry_no_meaning_find_nothing(store):
    add(store, "what is it that you do with the", "the staging port is 8443")
    assert texts(recall(store)("what is the port of staging?")) == ["the staging port is 8443"]


def test_a_verb_is_found_in_its_other_shapes(store):
    add(store, "She bought a piano", "She sold a boat")
    assert texts(recall(store)("Where did she buy things?")) == ["She bought a piano"]


@pytest.mark.parametrize("query", ["lighthouze keeper", "ligthouse keeper", "lighthose keeper", "lighthhouse keeper"])
def test_slips_of_the_fingers_are_put_right_by_the_stores_own_words(store, query):
    add(store, "The lighthouse needs paint", "Lunch is at noon")
    found = recall(store)(query)
    assert texts(found)[0] == "The lighthouse needs paint"
    assert found.meant[query.split()[0]] == "lighthouse"


def test_a_right_word_is_left_alone_whatever_stands_near_it(store):
    add(store, "Adopted cats sleep all day", "They adapted the plan")
    assert recall(store)("adopting").meant == {}  # its stem is known
    assert texts(recall(store)("adopting")) == ["Adopted cats sleep all day"]


def test_a_word_known_in_another_shape_is_right(store):
    add(store, "She drew a heron", "We drank wine in the rain")
    assert recall(store)("did she draw?").meant == {}


def test_without_an_embedder_it_says_so_and_works(store):
    add(store, "tabs are better than spaces")
    found = recall(store)("tabs or spaces?")
    assert found.mode == "keyword only: no embedding model"
    assert found.hits[0].score == 1.0
    assert set(found.hits[0].parts) == {"text"}


def test_text_and_likeness_are_fused_and_explained(store):
    words = Words()
    add(store, "apples and pears", "pears only", "something else")
    catch_up(store, LONG_TERM, words)
    found = recall(store, words)("apples pears")
    assert found.mode == "hybrid"
    assert texts(found)[:2] == ["apples and pears", "pears only"]
    assert set(found.hits[0].parts) == {"text", "vector"}
    assert 1 >= found.hits[0].score > found.hits[1].score > 0


def test_a_text_whose_vector_is_still_wanting_is_found_by_its_words(store):
    embedder = Words()
    add(store, *(f"the keeper of lamp {number}" for number in range(30)))
    catch_up(store, LONG_TERM, embedder)
    add(store, "the zebra keeper of quux")
    found = recall(store, embedder)("zebra keeper quux")
    assert texts(found)[0] == "the zebra keeper of quux"
    assert found.hits[0].parts == {"text": 1.0}


def test_an_embedder_that_fails_or_is_not_ready_leaves_keywords(store):
    words = Words()
    add(store, "apples and pears")
    assert "no vectors" in recall(store, words)("apples").mode
    catch_up(store, LONG_TERM, words)
    words.error = ProviderError("the server is away", kind="network")
    found = recall(store, words)("apples")
    assert (texts(found), found.mode) == (["apples and pears"], "keyword only: the server is away")
    words.available = lambda: False
    assert "not ready" in recall(store, words)("apples", patient=False).mode


def test_names_draw_to_who_speaks_and_not_to_who_is_greeted(store):
    words = Words()
    people = ["Ann", "Bob"]
    add(store, Draft("Hello Ann, Ann, dear Ann", about="Bob", metadata={"speaker": "Bob", "people": people}),
        Draft("I bought a red kayak", about="Ann", metadata={"speaker": "Ann", "people": people}),
        Draft("I bought a red kite", about="Bob", metadata={"speaker": "Bob", "people": people}))  # fmt: skip
    catch_up(store, LONG_TERM, words)
    assert "Hello , , dear" in [text.replace("  ", " ") for text in words.made]
    found = recall(store, words)("What red thing did Ann buy?")
    assert texts(found)[0] == "I bought a red kayak"
    assert "name" in found.hits[0].parts


def test_an_answer_is_found_by_the_question_before_it(store):
    turns = ["Which instrument does your daughter play?", "The cello, since May.", "Lovely weather today."]
    add(store, *(Draft(turn, TURN, session="s") for turn in turns), index=CONVERSATIONS)
    add(store, Draft("Lovely to see you.", TURN, session="other"), index=CONVERSATIONS)
    found = recall(store)("daughter's instrument", index=CONVERSATIONS)
    assert texts(found)[:2] == turns[:2]
    assert set(found.hits[1].parts) == {"context"}
    assert "Lovely to see you." not in texts(found)


def test_a_turn_further_off_lends_less(store):
    turns = ["We met the old cellist.", "Nice.", "In Lisbon.", "Lovely weather today.", "Rent is due."]
    add(store, *(Draft(turn, TURN, session="s") for turn in turns), index=CONVERSATIONS)
    found = recall(store)("who is the cellist?", index=CONVERSATIONS)
    assert texts(found) == turns[:3]
    context = [hit.parts.get("context", 0) for hit in found.hits]
    assert context[1] > context[2] > context[0] == 0


def test_a_turn_that_only_asks_comes_after_one_that_tells(store):
    turns = ["Did the ferry leave Hull at dawn?", "The ferry left Leith at dawn."]
    add(store, *(Draft(turn, TURN, session=turn) for turn in turns))
    assert texts(recall(store)("ferry at dawn")) == turns[::-1]


def test_facts_stored_side_by_side_support_each_other(store):
    facts = ["Ann has a loom", "Ann has a loft", "The loom stands in Ann's loft"]
    add(store, *(Draft(fact, "fact", session="s") for fact in facts[1:]), Draft(facts[0], "fact", session="other"))
    found = recall(store)("where is the loom?")
    assert texts(found)[0] == facts[2]
    assert facts[1] not in texts(found)  # what says nothing itself gets nothing
    assert "context" in recall(store)("Ann's loom").hits[0].parts


def test_a_time_is_found_when_a_time_is_asked_for(store):
    add(store, "Ann moved to Hull in glory", "Ann moved to Hull last spring")
    assert texts(recall(store)("when did Ann move to Hull?"))[0] == "Ann moved to Hull last spring"
    assert "dated" not in recall(store)("did Ann move to Hull?").hits[0].parts


def test_what_only_full_text_knows_is_found_all_the_same(store):
    add(store, "a generalization", "a stone")
    assert texts(recall(store)("generals")) == ["a generalization"]  # one stem to full text, two to us


def test_words_of_a_huge_text_are_found_wherever_they_stand(store):
    add(store, "pebble " * 40_000 + "obelisk", "a stone")
    assert [text[-7:] for text in texts(recall(store)("obelisk"))] == ["obelisk"]


def test_facts_are_no_neighbours(store):
    add(store, Draft("The cat is called Miso", session="s"), Draft("Rent is due on Friday", session="s"))
    assert texts(recall(store)("what is the cat called?")) == ["The cat is called Miso"]


def test_what_is_new_is_preferred_only_when_asked_for(store):
    ages = (("once", 400), ("then", 1))
    old, new = (Draft(f"We met the dentist {word}", created=NOW - age * DAY) for word, age in ages)
    add(store, old, new, Draft("unrelated"))
    assert texts(recall(store)("when did we meet the dentist?"))[0] == old.text  # equal, so the first stored
    assert texts(recall(store)("did we meet the dentist recently?"))[0] == new.text


def test_a_time_in_the_question_points_to_memories_of_that_time(store):
    ages = (("early", 400), ("late", 1))
    add(store, *(Draft(f"Lunch with Eva, {word}", created=NOW - age * DAY) for word, age in ages))
    assert texts(recall(store)("who had lunch with me yesterday?"))[0] == "Lunch with Eva, late"
    assert texts(recall(store)("who had lunch with me in May 2025?"))[0] == "Lunch with Eva, early"


def test_important_memories_come_first_among_equals(store):
    add(store, Draft("deploy on friday a", importance="low"), Draft("deploy on friday b"),
        Draft("deploy on friday c", importance="critical"))  # fmt: skip
    assert [text[-1] for text in texts(recall(store)("deploy friday"))] == ["c", "b", "a"]


def test_other_projects_are_not_searched(store):
    words = Words()
    add(store, Draft("port 1", scope="global"), Draft("port 2", scope="/here"), Draft("port 3", scope="/there"))
    catch_up(store, LONG_TERM, words)
    for embedder in (None, words):
        found = recall(store, embedder)("port", scopes=("global", "/here"))
        assert sorted(texts(found)) == ["port 1", "port 2"]
    assert len(recall(store)("port").hits) == 3


def test_nothing_is_said_when_nothing_is_relevant(store):
    add(store, "the staging port is 8443", "Hana is allergic to walnuts")
    ask = recall(store)
    assert ask("port of staging", threshold=0.35).hits
    assert ask("who painted the ceiling of the chapel?", threshold=0.35).hits == ()
    assert ask("please name a staging of Hamlet worth watching tonight", threshold=0.35).hits == ()
    assert ask("", threshold=0.0).hits == ()


def test_an_empty_store_is_no_trouble(store):
    assert recall(store)("anything").hits == ()
    assert recall(store, Words())("anything").hits == ()


def test_the_same_said_twice_is_one_hit(store):
    first, second, third = add(
        store, "The release is cut on Tuesday", "the release is cut on tuesday!", "The release is not cut on Tuesday"
    )
    hits = recall(store)("when is the release cut?").hits
    assert [(hit.document.id, hit.also) for hit in hits] == [(first, (second,)), (third, ())]


def test_a_deleted_memory_does_not_come_back(store):
    words = Words()
    [gone, _] = add(store, "secret plan", "secret garden")
    catch_up(store, LONG_TERM, words)
    ask = recall(store, words)
    assert len(ask("secret plan").hits) == 2
    store.delete([gone])
    assert texts(ask("secret plan")) == ["secret garden"]


@pytest.mark.parametrize("query", [
    "' OR 1=1 --", '"unbalanced', "a AND (b", "*", "NEAR(x y)", "text: x", "\0", "x" * 50_000, "\ud800",
])  # fmt: skip
def test_no_question_is_a_command(store, query):
    add(store, "plain text", "more text")
    assert isinstance(recall(store)(query).hits, tuple)


@given(st.text(max_size=80))
def test_any_question_is_answered(tmp_path_factory, text):
    store = Store(tmp_path_factory.getbasetemp() / "any-question")
    if not store.count(LONG_TERM):
        add(store, "Ünïcode text with 123 numbers", "another one")
    for hit in recall(store)(text).hits:
        assert 0 <= hit.score <= 1
    store.close()


@given(st.text("abcdefgh", min_size=4, max_size=9), st.data())
def test_every_single_slip_can_be_undone(word, data):
    place = data.draw(st.integers(0, len(word) - 2))
    letter = data.draw(st.sampled_from("abcz"))
    for typed in (word[:place] + word[place + 1] + word[place] + word[place + 2 :], word[:place] + word[place + 1 :],
                  word[:place] + letter + word[place:], word[:place] + letter + word[place + 1 :]):  # fmt: skip
        if typed != word and len(typed) >= 4:
            assert word in one_slip_away(typed)


def test_the_likeliest_word_is_meant():
    counts = {"harbour": 3, "harbours": 1, "barbour": 9}
    found = corrected(["harbuor"], lambda words: {w: counts[w] for w in words if w in counts}, lambda _word: False)
    assert found == {"harbuor": "harbour"}
    assert corrected(["from", "fro", "x1y2z3"], lambda _words: {}, lambda _word: False) == {}


def test_the_first_letter_of_a_short_word_is_right():
    counts = {"face": 3, "rice": 1, "house": 2}
    found = corrected(
        ["race", "mouse"], lambda words: {w: counts[w] for w in words if w in counts}, lambda _word: False
    )
    assert found == {"race": "rice", "mouse": "house"}


def test_scores_are_weighed_against_the_best_of_their_kind():
    fused = weighted({"text": (0.4, {1: 8.0, 2: 4.0}), "vector": (0.6, {2: 0.5, 3: -1.0}), "none": (1.0, {})})
    assert {key: round(c.rank, 3) for key, c in fused.items()} == {1: 0.4, 2: 0.8, 3: 0.0}


def test_neighbours_lend_from_their_own_and_not_from_what_was_lent():
    row = {n: Candidate(n, {"text": value}) for n, value in ((1, 1.0), (2, 0.0), (3, 0.0))}
    lend(row, [(2, 1, 0.5), (1, 2, 0.1), (3, 2, 0.5), (2, 4, 0.5)])
    assert [row[n].rank for n in (1, 2, 3)] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(("one", "other", "same"), [
    ("The port is 5433", "the port is 5433.", True), ("The port is 5433", "The port is 5432", False),
    ("a b c d e f g h i j k l 1", "a b c d e f g h i j k l 2", False), ("It is stable", "It is not stable", False),
    ("a b c d e f g h i j k l m n o p q r s t", "b c d e f g h i j k l m n o p q r s t", True),
])  # fmt: skip
def test_near_duplicates(one, other, same):
    assert folded([(1, one), (2, other)]) == ([(1, (2,))] if same else [(1, ()), (2, ())])


@given(st.lists(st.sampled_from([
    "red", "red red", "red kite", "red kite 5", "red kite 6", "no red kite", "a b c d e f g h i j k", "!", "?", "",
    "a b c d e f g h i j k l", "b c d e f g h i j k l",
]), max_size=12))  # fmt: skip
def test_what_is_folded_is_what_comparing_all_would_fold(texts):
    def same(one, other):
        one, other = (frozenset(words_of(text)) or frozenset({text}) for text in (one, other))
        differ = any(not word.isalpha() or word == "no" for word in one ^ other)
        return len(one & other) >= 0.9 * len(one | other) and not differ

    kept = []
    for number, text in enumerate(texts):
        for first, also in kept:
            if same(text, texts[first]):
                also.append(number)
                break
        else:
            kept.append((number, []))
    assert folded(enumerate(texts)) == [(number, tuple(also)) for number, also in kept]


@pytest.mark.parametrize(("question", "moment"), [
    ("When did Ann leave?", True), ("Since when is it open?", True), ("In which month was that?", True),
    ("On what date?", True), ("What time is it due?", True), ("How long did it take?", True),
    ("Who left when it rained?", False), ("What did Ann say?", False),
])  # fmt: skip
def test_questions_for_a_time(question, moment):
    assert asked(question, NOW).moment is moment


@pytest.mark.parametrize(("text", "tells"), [
    ("See you on Tuesday", True), ("two weeks ago", True), ("built in 1984", True), ("next May", True),
    ("room 12", False), ("a red kayak", False),
])  # fmt: skip
def test_texts_that_tell_a_time(text, tells):
    assert dated(held_by(text)) is tells


@pytest.mark.parametrize(("text", "day"), [
    ("2023-05-08", (2023, 5, 8, 0, 0)), ("2023-05-08T13:56:00Z", (2023, 5, 8, 13, 56)),
    ("1:56 pm on 8 May, 2023", (2023, 5, 8, 13, 56)), ("May 8th, 2023", (2023, 5, 8, 0, 0)),
    ("12:05 am, 1 January 2024", (2024, 1, 1, 0, 5)), ("8 May", None), ("2023-19-08", None), ("soon", None),
    (True, None), (None, None), ([], None),
])  # fmt: skip
def test_moments(text, day):
    found = moment(text)
    assert (found and time.localtime(found)[:5]) == day


@pytest.mark.parametrize(("question", "days"), [
    ("what did I say yesterday?", ((2026, 6, 14), (2026, 6, 15))), ("on 7 May 2023?", ((2023, 5, 7), (2023, 5, 8))),
    ("in December 2023", ((2023, 12, 1), (2024, 1, 1))), ("during 2022", ((2022, 1, 1), (2023, 1, 1))),
    ("who may come?", None), ("port 2022?", None),
])  # fmt: skip
def test_spans(question, days):
    span = asked(question, NOW)
    found = (span.since, span.until)
    assert (tuple(time.localtime(at)[:3] for at in found) if found != (None, None) else None) == days


def test_words():
    assert words_of("Ünïted_States don't 42") == ["united", "states", "don", "t", "42"]
    assert set(alike("went")) == {"go", "goes", "gone"}


def test_numbers_have_no_shapes():
    assert [stem(number) for number in ("2022", "8888", "person11")] == ["2022", "8888", "person11"]
    assert stem("running") == stem("run")


@pytest.mark.parametrize("family", [
    ("play", "plays", "played", "playing"), ("study", "studies", "studied"), ("run", "runs", "running"),
    ("house", "houses"), ("bake", "bakes", "baked", "baking", "baker"), ("box", "boxes"),
])  # fmt: skip
def test_one_stem_for_the_shapes_of_a_word(family):
    assert len({stem(word) for word in family}) == 1
