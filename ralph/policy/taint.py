"""Once somebody else's text was read, nothing is sent out of the machine unasked: it may have been told to.

At most two of untrusted input, private data and an effect outside come together without a person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from ralph.core.gate import Effect
from ralph.core.messages import Message, ToolCall, ToolResult
from ralph.core.tools import Output, ToolSpec
from ralph.policy.facts import Places
from ralph.policy.network import judge_url
from ralph.policy.provenance import contacted, framed, in_json, named, origin_in, origin_of, plain, without_escapes

LONGEST_QUERY = 64
"""Characters of a query that may go unasked to a host the session already read from."""

_REACHES_OUT = re.compile(
    r"(?:ssh|scp|sftp|ftp|rsync|nc|ncat|netcat|socat|telnet|aws|gcloud|gsutil|az|rclone|s3cmd|doctl|heroku|flyctl|vercel|"
    r"netlify|openssl|http|https|xh|ab|mosquitto_pub|redis-cli|psql|mysql|mongosh?|curl|wget)(?:\s|$)"
    r"|(?:npx|uvx|bunx|pipx)(?:\s|$)|(?:pip3?|uv|uv pip|npm|pnpm|yarn|bun|deno|cargo|go|gem|bundle|composer|poetry|pdm|"
    r"conda|mamba|apt|apt-get|dnf|yum|brew|apk|pacman|zypper|snap|flatpak|nix|docker|podman|helm|kubectl|terraform|twine|"
    r"dotnet|mvn|gradle|pre-commit)(?: \w+)?? (?:install|i|ci|add|update|upgrade|get|download|publish|push|pull|sync|"
    r"login|deploy|apply|exec|dlx|x|create|init|upload|restore)(?:\s|$)"
)
_INTERPRETERS = frozenset({
    "python", "python3", "node", "deno", "bun", "perl", "ruby", "php", "lua", "osascript", "sh", "bash", "zsh", "dash",
})  # fmt: skip


class Taint:
    """What this session has read from elsewhere. `key` as from `secrets.load_key`.

    offline: True while child processes were seen to have no network, so that programs cannot send anything.
    """

    def __init__(self, places: Places, key: bytes, *, offline: bool = False) -> None:
        self._places, self._key, self._offline = places, key, offline
        self.origins: tuple[str, ...] = ()
        self._hosts: set[str] = set()

    def note(self, spec: ToolSpec, call: ToolCall) -> str:
        """Remember where the answer of a call that ran came from; gives that origin, "" for the person's own."""
        found = origin_of(spec, call, self._places, tainted=bool(self.origins), offline=self._offline)
        origin = named(found) if found else ""
        if origin:
            self._add(origin)
        return origin

    def resume(self, history: Iterable[Message]) -> None:
        """Know again what was read in a session that is gone on with: the frames in it say so."""
        self.origins, self._hosts = (), set()
        for message in history:
            for block in message.blocks:
                if isinstance(block, ToolResult) and (origin := origin_in(block.text)):
                    self._add(origin)

    def asks(self, effects: Sequence[Effect], call: ToolCall, spec: ToolSpec) -> str:
        """Why a person must decide on this call although a rule lets it run; "" when nothing was read, or is sent."""
        sends = self._sends(effects, call, spec) if self.origins else ""
        if not sends:
            return ""
        more = f" and {len(self.origins) - 1} more" if len(self.origins) > 1 else ""
        return f"{sends}, and this session has read text from {self.origins[0]}{more}"

    def frame(self, text: str, origin: str) -> str:
        return framed(text, origin, self._key)

    def _add(self, origin: str) -> None:
        if origin not in self.origins:
            self.origins = (*self.origins, origin)
        if origin.startswith(("http://", "https://")):
            self._hosts.add(judge_url(origin).origin)

    def _sends(self, effects: Sequence[Effect], call: ToolCall, spec: ToolSpec) -> str:
        if spec.origin.startswith("mcp:") or spec.category == "mcp":
            return "it gives its arguments to an MCP server"
        if spec.category == "subagent":
            return "" if spec.name == "subagent_status" else "a subagent may send data out"
        if spec.category == "network":
            return self._fetches(call)
        if spec.category == "python" and spec.name == "python":
            return "" if self._offline else "python code may send data out"
        return self._runs(effects)

    def _fetches(self, call: ToolCall) -> str:
        url = str(call.args.get("url") or "")
        host = judge_url(url).origin
        if not host or host not in self._hosts:
            return f"it contacts {host or 'an address that is not in its arguments'}"
        parts = urlsplit(url)
        if len(parts.query) > LONGEST_QUERY or len(parts.path) > 4 * LONGEST_QUERY:
            return f"it sends a long address to {host}"
        return ""

    def _runs(self, effects: Sequence[Effect]) -> str:
        if sent := contacted(tuple(effects)):
            return f"it contacts {sent}"
        for effect in effects:
            if effect.kind in ("unknown", "executes", "writes") and _REACHES_OUT.match(effect.target):
                return f"{effect.target} may send data out"
            if effect.kind in ("unknown", "writes") and re.match(r"[\w.-]+@?[\w.-]*:[^\\]", effect.target):
                return f"it may copy to {effect.target}"
            program = effect.kind == "unknown" or (effect.kind == "executes" and effect.target in _INTERPRETERS)
            if program and not self._offline:
                return f"{effect.target} may send data out"
        return ""


class Finishing:
    """The runner's `finish`: secrets out, text from elsewhere cleaned and framed, then capped so the frame's end stays.

    Cleaning comes before redacting: a secret with a colour code in its middle must not come together afterwards.
    """

    def __init__(
        self, redact: Callable[[str], str], taint: Taint, cap: Callable[[ToolSpec, ToolCall, Output], Output]
    ) -> None:
        self._redact, self._taint, self._cap = redact, taint, cap

    def __call__(self, spec: ToolSpec, call: ToolCall, output: Output) -> Output:
        origin = self._taint.note(spec, call)
        text, display = output.text, output.display
        if origin:
            text = in_json(text, plain)
            display = _error(text) if display is None and output.is_error else display
        elif spec.category in ("shell", "python"):
            text = in_json(text, without_escapes)
        text = self._redact(text)
        shown = None if display is None else self._redact(display)
        text = self._taint.frame(text, origin) if origin else text
        return self._cap(spec, call, Output(text, output.is_error, shown))


def _error(text: str) -> str:
    """What went wrong, for the person: in a frame it could not be read out of the JSON any more."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text
    found = [body[name] for name in ("message", "error") if body.get(name)] if isinstance(body, dict) else []
    return str(found[0]) if found else text
