"""A long history still fits: old results first, then old turns; calls and results never part; the record is whole."""

import pytest

from ralph.core.messages import Message, Text, ToolCall, ToolResult
from ralph.session.compact import Compactor


def turn(number, size):
    call = ToolCall(f"c{number}", "look", {"n": number})
    return [
        Message("user", (Text(f"prompt {number}"),)),
        Message("assistant", (call,)),
        Message("tool", (ToolResult(f"c{number}", "r" * size),)),
        Message("assistant", (Text(f"answer {number}"),)),
    ]


def history(turns, size=2000):
    return [message for number in range(turns) for message in turn(number, size)]


def tokens(view):
    return sum(len(getattr(block, "text", "")) for message in view for block in message.blocks) / 3.5


def whole(view):
    """Every call is followed by its result, and no result stands alone."""
    for index, message in enumerate(view):
        if message.calls:
            assert [block.call_id for block in view[index + 1].blocks] == [call.id for call in message.calls]
        if message.role == "tool":
            assert view[index - 1].calls
    return True


def test_what_fits_is_left_alone():
    messages = history(3)
    assert Compactor(100_000)(messages) == (tuple(messages), None)


def test_old_results_go_first_and_say_so():
    messages = history(20)
    before = list(messages)
    view, event = Compactor(10_000)(messages)
    assert messages == before
    assert len(view) == len(messages)
    assert "characters left out to save room" in view[2].blocks[0].text
    assert view[-2].blocks[0].text == "r" * 2000
    assert event.tokens_after < event.tokens_before
    assert whole(view)


@pytest.mark.parametrize("turns", [30, 31, 57, 200])
def test_then_whole_turns_go(turns):
    view, _ = Compactor(3_000)(history(turns, size=600))
    assert "earlier messages" in view[0].text
    assert tokens(view) < 3_000
    assert view[-1].text == f"answer {turns - 1}"
    assert whole(view)


def test_the_cut_stays_while_the_history_grows_so_that_caches_hold():
    compactor, messages = Compactor(10_000), history(20)
    first, event = compactor(messages)
    assert event is not None
    grown, event = compactor([*messages, *turn(20, 500)])
    assert event is None
    assert grown[: len(first)] == first
    assert all(one is other for one, other in zip(first, grown, strict=False))


def test_a_new_session_starts_uncut():
    compactor = Compactor(3_000)
    compactor(history(60, size=600))
    assert compactor(history(1))[0] == tuple(history(1))


def test_one_long_turn_keeps_its_newest_messages():
    messages = [Message("user", (Text("go"),))]
    for n in range(60):
        messages += turn(n, 900)[1:3]
    view, _ = Compactor(2_000)(messages)
    assert whole(view)
    assert view[-1] is messages[-1]
