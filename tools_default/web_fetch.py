"""Fetch a web page.

Gate: network
Match: url
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


async def web_fetch(url: str, timeout: int = 30, *, ctx: Context) -> dict[str, Any]:
    """Get a page by GET: HTML as Markdown with its links, JSON and text as they are. Scripts are not run.

    Args:
        url: An http or https URL.
        timeout: Seconds for the whole of it, up to 120.
    """
    import time
    from http import HTTPStatus

    from ralph import __version__
    from ralph.errors import ToolError
    from ralph.net import NetworkError, WrongAnswer, fetch
    from ralph.policy.network import check_hop, judge_url, overtly_local, redirect_problem
    from ralph.tools.page import MOST_TEXT, readable

    seconds = min(timeout, 120) if timeout > 0 else 30
    until = time.monotonic() + seconds
    facts = judge_url(url)
    if facts.problems:
        raise ToolError(f"{url}: {facts.problems[0]}")
    granted = frozenset({facts.origin}) if overtly_local(facts) else frozenset()  # who allowed the call could read it

    def check(hop: str, addresses: tuple[str, ...]) -> None:
        if problem := redirect_problem(url, hop):
            raise ToolError(problem)
        check_hop(hop, addresses, granted)

    headers = {"User-Agent": f"Ralph/{__version__}", "Accept": "text/html,text/markdown,text/*;q=0.9,*/*;q=0.5"}
    try:
        fetched = await fetch(url, headers=headers, timeout_s=seconds, max_bytes=4 * MOST_TEXT, check=check)
    except (NetworkError, WrongAnswer) as error:
        raise ToolError(f"cannot fetch {url}: {error}") from None
    if not 200 <= fetched.status < 300:
        phrase = next((status.phrase for status in HTTPStatus if status == fetched.status), "")
        raise ToolError(f"{fetched.url} answered HTTP {fetched.status} {phrase}".rstrip())
    content_type = fetched.headers.get("content-type", "")
    text, note = await readable(fetched.body, content_type, fetched.url, seconds=max(1.0, until - time.monotonic()))
    result = {
        "url": fetched.url, "content": text[:MOST_TEXT], "content_type": content_type, "size": len(fetched.body),
        "truncated": fetched.truncated or len(text) > MOST_TEXT, "success": True,
    }  # fmt: skip
    return {**result, "note": note} if note else result
