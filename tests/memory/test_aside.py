import threading
import time

import pytest

from ralph.errors import StoreError
from ralph.memory.aside import Aside, Late


@pytest.fixture
def aside():
    made = Aside("test")
    yield made
    assert made.close(5)


def test_it_gives_what_the_work_gives(aside):
    assert aside.ask(lambda: threading.current_thread().name, 5) == "test"


def test_what_it_raises_is_raised_here(aside):
    def fail():
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"):
        aside.ask(fail, 5)
    assert aside.ask(lambda: 1, 5) == 1


def test_nobody_waits_too_long_and_only_what_must_be_is_done_later(aside):
    go, done = threading.Event(), []
    with pytest.raises(Late):
        aside.ask(go.wait, 0.01)
    with pytest.raises(Late):
        aside.ask(lambda: done.append("dropped"), 0.01)
    with pytest.raises(Late):
        aside.ask(lambda: done.append("kept"), 0.01, anyway=True)
    aside.begin(lambda: done.append("last"))
    go.set()
    assert aside.ask(lambda: "after", 5) == "after"
    assert done == ["kept", "last"]


def test_closing_waits_for_what_has_begun_but_not_for_ever():
    go = threading.Event()
    made = Aside("slow")
    made.begin(go.wait)
    began = time.monotonic()
    assert not made.close(0.05)
    assert time.monotonic() - began < 2
    go.set()
    assert made.close(5)
    assert Aside("idle").close(0)


def test_a_bug_shows_and_does_not_end_it(aside):
    shown, seen = [], threading.Event()

    def show(args):
        shown.append(args.exc_type)
        seen.set()

    before, threading.excepthook = threading.excepthook, show
    try:
        with pytest.raises(ZeroDivisionError):
            aside.ask(lambda: 1 // 0, 5)
        assert aside.ask(lambda: 2, 5) == 2
        assert seen.wait(5)
    finally:
        threading.excepthook = before
    assert shown == [ZeroDivisionError]
