"""What the model is shown: parts of the system prompt, references, recall, the budget."""

import asyncio
import threading

import pytest

from ralph.core.events import Notice
from ralph.core.messages import Message, Text
from ralph.core.tools import Toolbox
from ralph.errors import LimitReached
from ralph.session.prepare import Budget, Prepare, environment_text, project_instructions


def user(text):
    return Message("user", (Text(text),))


def test_recall_is_looked_up_once_and_stays_with_its_message():
    asked = []

    def recall(prompt):
        asked.append(prompt)
        return f"<memory>{prompt}</memory>", Notice("used 1 memory")

    prepare = Prepare(("s",), Toolbox(), budget=Budget(), recall=recall)
    history = [user("one")]
    first = asyncio.run(prepare(history))
    assert first.notices == (Notice("used 1 memory"),)
    history += [Message("assistant", (Text("ok"),)), user("two")]
    second = asyncio.run(prepare(history))
    again = asyncio.run(prepare([*history, Message("assistant", (Text("ok"),))]))
    assert asked == ["one", "two"]
    assert second.messages[0].text == "<memory>one</memory>one"
    assert again.messages[2].text == "<memory>two</memory>two"
    assert again.notices == ()
    assert history[0] == user("one")  # the record is never edited


def test_nothing_recalled_adds_nothing():
    prepare = Prepare(("s",), Toolbox(), budget=Budget(), recall=lambda prompt: ("", None))
    assert asyncio.run(prepare([user("one")])).messages == (user("one"),)


@pytest.mark.parametrize(
    ("limit", "costs", "stops"),
    [
        (None, [None, 5.0], False),
        (1.0, [0.4, 0.5], False),
        (1.0, [0.5, 0.5], True),
        (1.0, [None], True),
        (0.0, [], True),
    ],
)
def test_budget(limit, costs, stops):
    budget = Budget(limit)
    for cost in costs:
        budget.spend(cost)
    prepare = Prepare(("s",), Toolbox(), budget=budget)
    if stops:
        with pytest.raises(LimitReached) as caught:
            asyncio.run(prepare([user("x")]))
        assert (caught.value.exit_code, caught.value.code) == (3, "max_cost")
    else:
        asyncio.run(prepare([user("x")]))


def test_instructions_from_the_root_down(tmp_path):
    repo = tmp_path / "repo"
    inner = repo / "pkg"
    inner.mkdir(parents=True)
    (repo / ".git").mkdir()
    (tmp_path / "AGENTS.md").write_text("outside the repository")
    (repo / "AGENTS.md").write_text("root rules")
    (inner / "AGENTS.md").write_text("inner rules")
    text = project_instructions(inner)
    assert text.index("root rules") < text.index("inner rules")
    assert "outside" not in text


def test_without_a_repository_only_this_directory_counts(tmp_path):
    (tmp_path / "AGENTS.md").write_text("parent")
    (tmp_path / "sub").mkdir()
    assert project_instructions(tmp_path / "sub") == ""
    assert "parent" in project_instructions(tmp_path)


def test_git_status_is_bounded(tmp_path):
    text = environment_text(tmp_path, "## main\n" + "?? file\n" * 1000, now=0)
    assert len(text.encode()) < 2400
    assert "the rest of the status is cut" in text
    assert str(tmp_path) in text


def test_the_loop_goes_on_while_something_is_recalled():
    asked, go = threading.Event(), threading.Event()

    def recall(prompt):
        asked.set()
        assert go.wait(5)
        return "found", None

    async def both():
        waiting = asyncio.create_task(Prepare(("s",), Toolbox(), budget=Budget(), recall=recall)([user("one")]))
        while not asked.is_set():
            await asyncio.sleep(0)
        go.set()  # which it could not if it were waited for here
        return await waiting

    assert asyncio.run(both()).messages[0].text == "foundone"
