"""Secrets: found in every spelling and every split, and never where there is none."""

import asyncio
import base64
import json
import random
import re
import stat
import string
import time
import urllib.parse
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ralph.config import Config
from ralph.core.events import Reply, TextDelta, ThinkingDelta, ToolFinished, ToolOutput
from ralph.core.messages import Message, Text, ToolCall, ToolResult
from ralph.core.provider import Request
from ralph.errors import StoreError
from ralph.policy.guarded import Guarded, redacted, tag_in
from ralph.policy.secret_sources import is_secret_name, known_values
from ralph.policy.secrets import TAG, Redactor, load_key

KEY = b"0" * 32
DICE = random.Random(7)
KNOWN = (("ACME_TOKEN", 'Zq8"fÿ9 x/77\\pl'), ("DB_PASSWORD", "sunshine"), ("LONG_SECRET", "correct-4-horse-9-battery"))


def letters(size, alphabet=string.ascii_letters + string.digits):
    return "".join(DICE.choices(alphabet, k=size))


def spread(size):
    """Letters and digits mixed, as every real key is."""
    return "".join(DICE.choice(string.ascii_letters if at % 3 else string.digits) for at in range(size))


HEX = "0123456789abcdef"
TOKENS = {
    "anthropic_key": f"sk-ant-api03-{letters(40)}-{letters(50)}AA",
    "openai_key": f"sk-proj-{letters(70)}",
    "openai_key legacy": f"sk-{letters(48)}",
    "openrouter_key": f"sk-or-v1-{letters(64, HEX)}",
    "github_token": f"ghp_{letters(36)}",
    "github_token fine": f"github_pat_{letters(22)}_{letters(59)}",
    "gitlab_token": f"glpat-{letters(20)}",
    "aws_access_key": f"AKIA{letters(16, string.ascii_uppercase + '234567')}",
    "google_key": f"AIza{letters(35)}",
    "google_token": f"1//0{letters(40)}",
    "slack_token": f"xoxb-{letters(12, string.digits)}-{letters(12, string.digits)}-{letters(24)}",
    "stripe_key": f"sk_live_{letters(24)}",
    "npm_token": f"npm_{letters(36)}",
    "pypi_token": f"pypi-AgEIcHlwaS5vcmc{letters(70)}",
    "huggingface_token": f"hf_{letters(34)}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJ{letters(30)}.{letters(43)}",
    "sendgrid_key": f"SG.{letters(22)}.{letters(43)}",
    "twilio_key": f"SK{letters(32, HEX)}",
    "telegram_token": f"AA{letters(33)}",
    "vault_token": f"hvs.{letters(90)}",
    "groq_key": f"gsk_{letters(52)}",
    "digitalocean_token": f"dop_v1_{letters(64, HEX)}",
}
BODY = "\n".join(letters(64) for _ in range(12))
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----"
IN_CONTEXT = {
    "url_password": ("postgres://app:", "hunter2", "@db.internal:5432/x"),
    "url_password at": ("mongodb+srv://root:", "p@ss:w0rd", "@cluster0.example.net/?retry=true"),
    "authorization": ('-H "Authorization: Bearer ', spread(40), '" https://x.org'),
    "authorization basic": ("Authorization: Basic ", base64.b64encode(b"joe:hunter2x").decode(), "\r\nHost: x"),
    "authorization python": ("headers['Authorization'] = 'token ", spread(32), "'"),
    "aws_secret_key": (f"AKIA{letters(16, string.ascii_uppercase)},", spread(40), "\n"),
    "assigned_secret": ("aws_secret_access_key = ", f"{spread(20)}/{spread(19)}", "\n"),
    "assigned_secret json": ('{"client_secret": "', spread(32), '"}'),
    "assigned_secret azure": ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=", spread(86) + "==", ";"),
    "assigned_secret npm": ("//registry.npmjs.org/:_authToken=", spread(36), "\n"),
    "password": ('{"password": "', "tr0ub4dor&3", '"}'),
    "password env": ("export MYSQL_PASSWORD=", "s3same!open", "\n"),
}
CODE = [
    "token = get_token()", "password = getpass.getpass()", "secret = hmac.new(key, msg, sha256).hexdigest()",
    "commit 4f2c1e9a7b3d5f8091a2b3c4d5e6f708192a3b4c", "id: 123e4567-e89b-42d3-a456-426614174000",
    "sha512-" + base64.b64encode(bytes(range(64))).decode(), "data:image/png;base64," + base64.b64encode(
        bytes(range(256)) * 8).decode(),
    "api_key = os.environ['OPENAI_API_KEY']", "Authorization: Bearer $TOKEN", 'f"Bearer {token}"', "task-runner-for-ci",
    "https://user:password@example.org/", "http://[::1]:8080/a@b", "git@github.com:me/repo.git",
    "TOKEN=$(cat token.txt)",
    "key=lambda item: item.name", "class TokenKeyError2(Exception):", "-----BEGIN CERTIFICATE-----\n" + BODY,
    '"-----BEGIN PRIVATE KEY-----" in text', "tokens: 128000, secret_santa: true",
    "password: str = Field(min_length=8)",
    "aws_region=eu-west-1", "the secret: never_give_up_on_v2_of_this", "hf_transformers_model_for_everybody_v2",
]  # fmt: skip


AROUND = [
    "{}", "x = '{}'", '{{"a": "b\\n{}\\n"}}', "%3D{}&x", "a={}.", "\\u001b[32m{}\\u001b[0m", "\x1b[1;31m{}\x1b[m",
]  # fmt: skip


@pytest.fixture
def redact():
    return Redactor(KNOWN, KEY)


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("around", AROUND)
def test_every_token_format_is_found_wherever_it_stands(redact, name, around):
    token = TOKENS[name]
    before = "123456789:" if name == "telegram_token" else ""
    text = redact(around.format(before + token))
    assert token not in text
    assert f"[secret:{name.split()[0]}:" in text
    assert text.startswith(around.split("{}")[0].replace("{{", "{"))


@pytest.mark.parametrize("name", IN_CONTEXT)
def test_what_its_surroundings_give_away_is_found(redact, name):
    before, secret, after = IN_CONTEXT[name]
    text = redact(before + secret + after)
    assert secret not in text
    assert text.endswith(after)
    assert f"[secret:{name.split()[0]}:" in text


@pytest.mark.parametrize("written", [PEM, json.dumps({"key": PEM}), PEM.replace("RSA ", ""), PEM[:400]])
def test_private_keys_are_found_whole_escaped_and_cut_short(redact, written):
    text = redact(f"{written} and more prose, with a comma")
    assert not any(line in text for line in BODY.split("\n")[:4])
    assert "[secret:private_key:" in text
    assert text.endswith(" and more prose, with a comma")


@pytest.mark.parametrize("line", CODE)
def test_ordinary_code_is_left_alone(redact, line):
    assert redact(line) == line
    assert redact(json.dumps({"content": line})) == json.dumps({"content": line})


def test_the_standard_library_holds_no_secret(redact):
    library = Path(json.__file__).parent.parent
    below = ("asyncio", "email", "http", "json", "logging", "unittest", "urllib")
    folders = [library, *(library / name for name in below)]
    files = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    hits = [(path.name, found.kind) for path in files
            for found in redact.find(path.read_text(encoding="utf-8", errors="replace"))]  # fmt: skip
    assert len(files) > 200
    assert hits == []


@pytest.mark.parametrize("value", [value for _, value in KNOWN if value != "sunshine"])
def test_known_values_are_found_in_every_encoding(redact, value):
    quoted = urllib.parse.quote(value, safe="")
    forms = [
        value, json.dumps({"v": value}), json.dumps(value, ensure_ascii=False), json.dumps(json.dumps({"v": value})),
        quoted, re.sub("%..", lambda found: found[0].lower(), quoted), urllib.parse.quote_plus(value),
        *(base64.b64encode(before + value.encode() + b" tail").decode() for before in (b"", b"x", b"xy", b"NAME=")),
        base64.urlsafe_b64encode(b"??>" + value.encode()).decode(),
    ]  # fmt: skip
    tags = {TAG.findall(redact(form))[0] for form in forms}
    assert len(tags) == 1, "one secret, one tag, however it is written"
    assert all(value not in redact(form) for form in forms)


def test_a_weak_value_is_hidden_only_after_its_name(redact):
    assert redact("sunshine and rain") == "sunshine and rain"
    for text in ("DB_PASSWORD=sunshine\n", 'DB_PASSWORD: "sunshine"', '{"DB_PASSWORD": "sunshine"}'):
        assert "sunshine" not in redact(text)


def test_tags_are_stable_here_and_different_elsewhere():
    text = TOKENS["github_token"]
    here, elsewhere = Redactor((), KEY)(text), Redactor((), b"1" * 32)(text)
    assert here == Redactor((), KEY)(f" {text}")[1:]
    assert here != elsewhere
    assert TAG.fullmatch(here)


PIECES = st.one_of(
    st.sampled_from([*TOKENS.values(), PEM, *(value for _, value in KNOWN), *map("".join, IN_CONTEXT.values())]),
    st.sampled_from([*CODE, "sk-", "://", "token", "password=", "Authorization: ", "-----BEGIN ", "eyJ"]),
    st.sampled_from(["\\", "%4", "\x1b[3", "\\u00", "Basic ", "akia", "key", "bearer "]),
    st.text("aT_-=:/.@\"'\\ \n7éİ{", max_size=12),
    st.builds(lambda text, at: text[:at], st.sampled_from([*TOKENS.values(), PEM]), st.integers(1, 40)),
)


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(st.integers(1, 30), min_size=1, max_size=40))
@example("bearer sk-proj-I2Y1password = getpass.getpass()", [1])
@settings(max_examples=300, deadline=None)
def test_a_stream_says_exactly_what_the_whole_text_would(text, sizes):
    redact = Redactor(KNOWN, KEY)
    stream, shown, at = redact.stream(), [], 0
    while at < len(text):
        size = sizes[at % len(sizes)]
        shown.append(stream.feed(text[at : at + size]))
        at += size
    assert "".join([*shown, stream.finish()]) == redact(text)


@given(st.lists(PIECES, max_size=6).map("  ".join))
@settings(max_examples=200, deadline=None)
def test_redacting_twice_changes_nothing_more(text):
    redact = Redactor(KNOWN, KEY)
    once = redact(text)
    assert redact(once) == once


def test_prose_is_hardly_held_back(redact):
    prose = "The quick brown fox jumps over the lazy dog; the tokens keep passing by, and the secret is kept. " * 3
    stream, shown, held = redact.stream(), "", []
    for fed, char in enumerate(prose, 1):
        shown += stream.feed(char)
        held.append(fed - len(shown))
    assert max(held) <= 16
    assert sum(held) / len(held) < 1.5
    assert shown + stream.finish() == prose


HOSTILE = [
    "sk-" * 20_000, "eyJ." * 15_000, ("eyJ" + "a" * 10 + "-") * 4_000, "://a:" * 12_000, "token=" * 10_000,
    "password:" * 6_600, "-----BEGIN PRIVATE KEY-----" * 2_200, "-----BEGIN PRIVATE KEY-----\n" + "A" * 60_000,
    "authorization:a " * 3_700, "AKIA" * 15_000, "token" + " " * 60_000, "\\nghp_" * 10_000, "-" * 60_000,
    "apikey=a" * 7_500, "://a:" + "@" * 59_000, "sk-ant-" * 8_500,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_text_costs_no_more_than_its_length(redact, text):
    def seconds(sample):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            redact(sample)
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(text[: len(text) // 8]) < 0.15
    assert seconds(text) < 1.2  # quadratic work took 2 to 30 seconds


def test_the_key_is_made_once_and_private(tmp_path):
    home = tmp_path / "home"
    assert load_key(home) == load_key(home)
    assert stat.S_IMODE((home / "secrets.key").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secrets.key"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot keep a key"):
        load_key(tmp_path / "file")


def test_values_come_from_environment_files_and_settings(tmp_path):
    (tmp_path / ".env").write_text('export A_TOKEN="from file 1" # note\nURL=redis://:in-the-url9@h/0\nDEBUG=true\n')
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / ".env.local").write_text("B_SECRET='from below 2'\n")
    (tmp_path / ".env.example").write_text("C_TOKEN=not-a-secret-3\n")
    config = Config(openai_api_key="sk-from-settings", mcpServers={"x": {"env": {"D_KEY": "from server 4"},
                                                                  "headers": {"Authorization": "Bearer of-headers-5"}}})
    env = {"E_PASSWORD": "from env 6", "AWS_REGION": "eu-west-1", "SSH_AUTH_SOCK": "/tmp/agent.1", "MONKEY": "banana-7"}
    assert {value for _, value in known_values(env, tmp_path, config)} == {
        "from file 1", "in-the-url9", "from below 2", "sk-from-settings", "from server 4", "of-headers-5", "from env 6",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["API_KEY", "apiKey", "clientSecret", "X-Api-Key", "DB_PWD", "PASSWORD2", "HF_TOKEN"])
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["KEYBOARD", "TOKEN_URL", "API_KEY_FILE", "PWD", "PATH", "PUBLIC_KEY", "TOKENIZERS_X"])
def test_names_of_other_things(name):
    assert not is_secret_name(name)


class Says:
    """A provider that yields the items it was given."""

    name, model = "says", "m"

    def __init__(self, *items):
        self.items = items

    async def stream(self, request):
        for item in self.items:
            yield item

    async def close(self):
        pass


def gather(stream):
    async def main():
        async with aclosing(stream) as items:
            return [item async for item in items]

    return asyncio.run(main())


def test_what_the_model_says_is_clean_in_deltas_and_history(redact):
    token = TOKENS["github_token"]
    reply = Reply(Message("assistant", (Text(f"it is {token}"),)))
    thoughts = (ThinkingDelta(f"so {token[:9]}"), ThinkingDelta(token[9:]))
    said = (TextDelta("it is gh"), TextDelta(token[2:]), reply)
    items = gather(Guarded(Says(*thoughts, *said), redact).stream(Request((), ())))
    assert token[:9] not in repr(items)
    thought = "".join(item.text for item in items if isinstance(item, ThinkingDelta))
    said = "".join(item.text for item in items if isinstance(item, TextDelta))
    assert thought == redact(f"so {token}")
    assert said == items[-1].message.text == redact(f"it is {token}")


def test_a_call_that_carries_a_known_value_is_refused_not_rewritten(redact):
    bad, good = ToolCall("1", "shell", {"command": f"echo {KNOWN[2][1]}"}), ToolCall("2", "shell", {"command": "ls"})
    fake = ToolCall("3", "write_file", {"content": TOKENS["github_token"]})
    items = gather(Guarded(Says(Reply(Message("assistant", (bad, good, fake)))), redact).stream(Request((), ())))
    calls = items[-1].message.calls
    assert "long_secret" in calls[0].problem
    assert KNOWN[2][1] not in repr(calls)
    assert calls[1:] == (good, fake)


def test_live_output_of_tools_is_clean(redact):
    token, call = TOKENS["npm_token"], ToolCall("1", "shell", {})
    finished = ToolFinished(call, ToolResult("1", "ok"))
    events = gather(redacted(_each(ToolOutput("1", "a " + token[:7]), ToolOutput("1", token[7:]), finished), redact))
    assert "".join(event.text for event in events[:-1]) == redact(f"a {token}")
    assert events[-1] == finished


async def _each(*items):
    for item in items:
        yield item


def test_a_tag_among_the_arguments_is_noticed(redact):
    tag = redact(TOKENS["npm_token"])
    assert tag_in(ToolCall("1", "write_file", {"path": "a", "content": f"X={tag}\n"})) == tag
    assert tag_in(ToolCall("1", "write_file", {"content": "[secret: none]"})) == ""
