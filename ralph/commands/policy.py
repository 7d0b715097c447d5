"""`ralph policy`: which rule decides a call, and do the rules say what you mean. Nothing is executed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ralph.app import make_tools
from ralph.commands.shown import Lines, Show, Shown, group
from ralph.config import Config, load
from ralph.core.tools import ToolSpec
from ralph.errors import ConfigError
from ralph.place import Place, Wishes
from ralph.policy.corpus import read_cases, run_cases, summary
from ralph.policy.explain import as_json, as_lines, explain, read_call
from ralph.policy.lint import lint
from ralph.policy.rules import Rules
from ralph.rulebook import make_rules
from ralph.ui.table import table


def add(app: Any, place: Place, show: Show) -> None:
    import typer

    made = group(app, "policy", "The gate's rules: explain a decision, test and check the rules.")

    @made.command("explain")
    def explain_call(call: str, tool: str = typer.Option("", help="a bare text is its main argument")) -> None:
        """Which rule decides, for a shell command or a call as JSON."""
        rules, specs = _rules(place), _specs(place)
        asked = read_call(call, tool)
        found = explain(rules, asked, specs.get(asked.name))
        show(Shown(as_json(found), "\n".join(as_lines(found))))

    @made.command("test")
    def test_cases(cases: Path) -> None:
        """Judge every row of a JSON lines file and compare; exit code 1 when a row fails."""
        try:
            rows = read_cases(cases.read_text(encoding="utf-8"), str(cases))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {cases}: {error}", hint="give a JSON lines file") from error
        outcomes = list(run_cases(rows, _specs(place)))
        bad = [{"id": o.id, "expect": o.expect, "got": o.got, "rule": o.rule} for o in outcomes if not o.passed]
        total = summary(outcomes)
        lines = [f"{row['id']}: expected {row['expect']}, got {row['got']} ({row['rule']})" for row in bad]
        counted = f"{total['total']} cases: {total['passed']} passed, {total['failed']} failed"
        skipped = f", {total['skipped']} skipped" if total.get("skipped") else ""
        show(Shown(Lines([*bad, total]), "\n".join([*lines, counted + skipped]), 1 if total["failed"] else 0))

    @made.command("lint")
    def lint_rules() -> None:
        """Entries that can never fire, do not compile, or cover too much; exit code 1 when one is wrong."""
        gates = _config(place).approval_gates
        faults = lint(gates.allowlist, gates.categories, _specs(place))
        rows = [(fault.level, fault.where, fault.rule, fault.text) for fault in faults]
        text = table(("level", "from", "rule", "what is wrong"), rows) if rows else "no faults found"
        show(Shown([asdict(fault) for fault in faults], text, int(any(fault.level == "error" for fault in faults))))

    @made.command("show")
    def show_rules() -> None:
        """Every rule in force and where it is written."""
        rules = _rules(place)
        categories = [(name, action, rules.where(name)) for name, action in sorted(rules.categories.items())]
        entries = [(entry.text, entry.where) for entry in rules.allowlist]
        text = [table(("category", "verdict", "from"), categories), "", table(("allowed unasked", "from"), entries)]
        data = {"categories": [dict(zip(("category", "verdict", "from"), row, strict=True)) for row in categories],
                "allowlist": [dict(zip(("entry", "from"), row, strict=True)) for row in entries]}  # fmt: skip
        show(Shown(data, "\n".join(text)))


def _config(place: Place) -> Config:
    return load(cwd=place.cwd, home=place.home, env=place.env, flags={}, trusted=place.trusted).config


def _rules(place: Place) -> Rules:
    return make_rules(place, _config(place), Wishes())


def _specs(place: Place) -> dict[str, ToolSpec]:
    return {spec.name: spec for spec in make_tools(place)[0].specs}
