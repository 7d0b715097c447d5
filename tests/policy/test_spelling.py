from __future__ import annotations

import pytest

from ralph.policy.spelling import printed


@pytest.mark.parametrize(
    ("argv", "text"),
    [("printf .%s env", ".env"), ("printf %s a b", "ab"), (r"printf \x2eenv", ".env"), (r"printf %b \056env", ".env"),
     ("printf %c%s .x env", ".env"), (r"echo -ne \x2ee", ".e"), ("echo -n a b", "a b"), ("printf %%%s", "%"),
     ("printf x y z", "x"), ("printf", ""), ("echo", "")],
)  # fmt: skip
def test_what_echo_and_printf_print_is_known(argv: str, text: str) -> None:
    assert printed(tuple(argv.split())) == text
