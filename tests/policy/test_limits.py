from __future__ import annotations

from dataclasses import dataclass

import pytest

from ralph.policy.limits import Limits


@dataclass
class Clock:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize(("denials", "seconds"), [(1, 0), (2, 0), (3, 5), (4, 15), (5, 60), (6, 300), (9, 300)])
def test_more_denials_in_a_row_mean_a_longer_pause(denials: int, seconds: int) -> None:
    limits = Limits(Clock())
    for _ in range(denials):
        limits.denied("shell")
    assert limits.wait("shell") == seconds


def test_another_tool_is_not_paused() -> None:
    limits = Limits(Clock())
    for _ in range(3):
        limits.denied("shell")
    assert limits.wait("web_fetch") == 0


def test_an_approval_starts_again() -> None:
    limits = Limits(Clock())
    limits.denied("shell")
    limits.denied("shell")
    limits.allowed("shell")
    limits.denied("shell")
    assert limits.wait("shell") == 0


def test_the_end_of_a_pause_starts_again_and_seconds_round_up() -> None:
    clock = Clock()
    limits = Limits(clock)
    for _ in range(3):
        limits.denied("shell")
    clock.at += 4.2
    assert limits.wait("shell") == 1
    clock.at += 0.8
    assert limits.wait("shell") == 0
    limits.denied("shell")
    assert limits.wait("shell") == 0
