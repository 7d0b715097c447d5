from __future__ import annotations

import pytest

from ralph.sandbox.launch import Launched, plain


def test_plain_changes_nothing() -> None:
    assert plain(["a", "b"], {"K": "v"}) == Launched(("a", "b"), {"K": "v"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("touch: cannot touch 'x': Read-only file system", "hint"),
     ("OSError: [Errno 101] Network is unreachable", "hint"),
     ("curl: (6) Could not resolve host: example.org", "hint"), ("AssertionError", ""), ("", "")],
)  # fmt: skip
def test_the_hint_is_given_when_something_was_refused(text: str, wanted: str) -> None:
    assert Launched((), {}, hint="hint").ended(text) == wanted
    assert plain([], {}).ended(text) == ""
