"""`ralph audit`: what was decided and done, and whether the record of it is whole."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from ralph.audit.verify import Report, show, verify
from ralph.commands.shown import Lines, Show, Shown, group
from ralph.place import Place
from ralph.ui.table import table
from ralph.ui.visible import one_line


def add(app: Any, place: Place, say: Show) -> None:
    import typer

    made = group(app, "audit", "The record of every decision and effect.")

    @made.command("show")
    def show_rows(
        session: str = typer.Option("", help="only this session (its id or the beginning of it)"),
        denied: bool = typer.Option(False, "--denied", help="only what was refused"),
    ) -> None:
        """What was decided, by whom, and what came of it."""
        rows = show(place.home, session, denied=denied)
        text = table(("time", "session", "what", "tool", "decided by", "detail"), list(map(_cells, rows)))
        say(Shown(Lines(rows), text if rows else "nothing is recorded"))

    @made.command("verify")
    def verify_rows() -> None:
        """Find rows that were edited, removed, reordered or cut off; exit code 1 when there is one."""
        report = verify(place.home)
        data = {"whole": report.whole, **asdict(report)}
        say(Shown(data, "\n".join(_report(report)), 0 if report.whole else 1))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(row.get("at", 0))))
    session, event, tool = str(row["session"]), str(row.get("event")), str(row.get("tool", ""))
    if event == "decided":
        event = "allowed" if row.get("allowed") else "refused"
        detail = json.dumps(row.get("args"), ensure_ascii=False)
    elif event == "refused":
        detail = str(row.get("reason"))
    elif event == "performed":
        detail = f"{'failed' if row.get('is_error') else 'done'} in {row.get('seconds')} s"
    else:
        detail = ""
    return at, session, event, tool, str(row.get("by", "")), one_line(detail, 80)


def _report(report: Report) -> list[str]:
    lines = [f"{item.file}{f':{item.line}' if item.line else ''} {item.text}" for item in report.problems]
    counted = f"{report.rows} rows of {report.sessions} sessions"
    lines.append(f"{counted}: {'whole' if report.whole else f'{len(report.problems)} problems'}; head {report.head}")
    if report.open:
        names = ", ".join(report.open)
        lines.append(f"not closed, so rows cut off at the end would not be seen before the next session: {names}")
    return lines
