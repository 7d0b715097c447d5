"""The strict scan against bash itself: what it calls one plain command, bash runs as exactly that command.

bash gets random texts built from words, quotes, operators and expansions. It finds no program at all (an empty PATH and
no slash at the start of a word), so each command it would run is only written down.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ralph.policy.effects import may_auto, report
from ralph.policy.scan import scan
from ralph.policy.shell import parse

_WORDS = st.sampled_from(
    ["ls", "git", "log", "echo", "cat", "-l", "--a=b", "a.b", "x/y", "~", "~/z", "a~", "HEAD~3", "@{u}", "{}", "[a]",
     "*", "?", "a*b", "%h", "!", "=", "a=b", "+x", ",", "^", ":", "1", "[", "]", "{a,b}", "{1..3}", "if", "time", "-"]
)  # fmt: skip
_ODD = st.sampled_from(
    [";", "&", "&&", "|", "||", "|&", "(", ")", "<", ">", ">>", "2>", "\n", "\t", "\r", "#", "\\", "$", "`", "$(x)",
     "`x`", "${a}", "$a", "$((1))", "<(x)", "$'q'", "\\n", "\\ ", "{", "}", "!!", "\x0b", "\u00a0", "é", "A=b "]
)  # fmt: skip
_INSIDE = st.text(alphabet="ab ;|&$`\\\"'(){}<>*?[]~#!=,.%-\né", max_size=6)
_QUOTED = st.one_of(
    _INSIDE.filter(lambda text: "'" not in text).map(lambda text: f"'{text}'"),
    _INSIDE.filter(lambda text: '"' not in text).map(lambda text: f'"{text}"'),
    st.sampled_from(["'", '"', '"\\""', "''", '""']),
)
_PIECE = st.one_of(_WORDS, _WORDS, _QUOTED, _QUOTED, _ODD, st.just(" "), st.just(" "), st.just(" "))
_TEXT = st.builds(
    lambda name, pieces: name + "".join(pieces), st.sampled_from(["ls", "echo", "git log", "cat", ""]),
    st.lists(_PIECE, max_size=8).map(lambda pieces: [" ", *pieces]),
)  # fmt: skip

_DRIVER = r"""
command_not_found_handle() { enable printf; printf '%s\0' "$@" >&7; printf '\036\0' >&7; }
mapfile -d '' commands < "$1"; exec 7> "$2"; cd "$3"
for name in $(compgen -b); do case $name in eval|enable|printf) ;; *) enable -n "$name";; esac; done
for command in "${commands[@]}"; do
  ( enable -n printf; eval "$command" ) < /dev/null
  printf '\035\0' >&7
done
"""


def _run(texts: list[str]) -> list[list[list[str]]]:
    """The words of every program bash would have run, per text."""
    with tempfile.TemporaryDirectory() as place:
        room = Path(place, "room")
        room.mkdir()
        Path(place, "in").write_bytes(b"".join(text.encode() + b"\0" for text in texts))
        argv = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-c", _DRIVER, "bash",
                f"{place}/in", f"{place}/out", str(room)]  # fmt: skip
        env = {"PATH": str(room), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
        subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        seen = Path(place, "out").read_bytes().decode(errors="replace")
        assert list(room.iterdir()) == []
    texts_seen = seen.split("\x1d\0")[:-1]
    return [[ran.split("\0")[:-1] for ran in one.split("\x1e\0")[:-1]] for one in texts_seen]


@pytest.mark.skipif(shutil.which("bash") is None, reason="compares with bash, which is not installed")
@settings(
    max_examples=12, deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a batch of commands is not worth shrinking
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(texts=st.lists(_TEXT, min_size=40, max_size=80))
def test_bash_runs_a_plain_command_exactly_as_judged(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as empty:
        judged = {text: report(text, empty).command.plain for text in texts}
    plain = [text for text, argv in judged.items() if argv is not None and "/" not in argv[0]]
    ran = _run(plain)
    assert len(ran) == len(plain)
    for text, commands in zip(plain, ran, strict=True):
        assert commands == [list(judged[text] or ())], text


@settings(max_examples=60, deadline=None)
@given(_TEXT)
def test_what_is_auto_is_plain_and_covered(text: str) -> None:
    facts = report(text, "/nowhere")
    for entry in (("ls",), ("echo",), ("git", "log"), ("cat",)):
        if may_auto(facts, entry) == "":
            assert facts.command.plain is not None
            assert facts.command.plain[: len(entry)] == entry
            assert facts.command.trouble == ""
            assert facts.dangerous == ""


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_judged_without_an_accident(text: str) -> None:
    words, trouble = scan(text)
    assert bool(words) != bool(trouble)
    facts = report(text, "/nowhere")
    assert facts.certain == (facts.reasons == ())
    assert (parse(text).plain is None) == bool(parse(text).trouble)
