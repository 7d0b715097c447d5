"""`ralph doctor`, `ralph config`, `ralph tools`, `ralph trust`: what this installation and directory are like."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from ralph.app import make_tools
from ralph.commands.shown import Show, Shown, group
from ralph.config import FILE, SECRET, Config, load, schema
from ralph.doctor import examine
from ralph.errors import ConfigError
from ralph.place import Place
from ralph.policy.trust import Trust
from ralph.ui.table import table

MARKS = {"ok": "ok", "warning": "!!", "failed": "FAILED"}


def add(app: Any, place: Place, show: Show) -> None:
    @app.command()
    def doctor() -> None:
        """What works, what does not, how to fix it. No network."""
        checks = examine(place.cwd, place.home, place.env)
        failed = any(check.state == "failed" for check in checks)
        lines: list[str] = []
        for check in checks:
            remedy = f"  -> {check.remedy}" if check.remedy else ""
            lines.append(f"{MARKS[check.state]:<6}  {check.name:<13} {check.detail}{remedy}")
            lines += [f"{'':<24}{row}" for row in check.rows]
        show(Shown({"ok": not failed, "checks": [asdict(check) for check in checks]}, "\n".join(lines), 2 * failed))

    _add_config(group(app, "config", "The settings: where they come from, what they may be."), place, show)
    _add_trust(group(app, "trust", "Directories whose own settings count."), place, show)
    tools = group(app, "tools", "What the model can do.")

    @tools.command("list")
    def list_tools() -> None:
        """Every tool: its category at the gate, where it comes from, what it does."""
        box, warnings = make_tools(place)
        data = [{"name": s.name, "category": s.category, "origin": s.origin, "description": s.description,
                 "parameters": s.parameters} for s in box.specs]  # fmt: skip
        rows = [(s.name, s.category, s.origin, s.description) for s in box.specs]
        text = table(("tool", "category", "from", "what it does"), rows)
        show(Shown({"tools": data, "warnings": warnings}, "\n".join([text, *warnings])))


def _add_config(config: Any, place: Place, show: Show) -> None:
    @config.command("show")
    def show_config() -> None:
        """Every setting, its value and where it is set. Keys are never printed."""
        loaded = load(cwd=place.cwd, home=place.home, env=place.env, flags={}, trusted=place.trusted)
        rows = list(_settings(loaded.config))
        ignored = [f"ignored, because this directory is not trusted: {', '.join(loaded.ignored)}"]
        text = table(("setting", "value", "from"), [(name, json.dumps(value), where) for name, value, where in rows])
        data = {"settings": [{"name": n, "value": v, "origin": o} for n, v, o in rows], "ignored": loaded.ignored}
        show(Shown(data, "\n".join([text, *(ignored if loaded.ignored else [])])))

    @config.command("schema")
    def show_schema() -> None:
        """The JSON Schema of the settings file."""
        show(Shown(schema(), json.dumps(schema(), indent=2)))

    @config.command("path")
    def show_path() -> None:
        """The settings files that are read, in order; later ones win."""
        paths = {str(path): path.is_file() for path in (place.home / FILE, place.cwd / FILE)}
        text = "\n".join(f"{path}{'' if there else '  (not there)'}" for path, there in paths.items())
        show(Shown([{"path": path, "exists": there} for path, there in paths.items()], text))


def _settings(config: Config) -> list[tuple[str, Any, str]]:
    rows: list[tuple[str, Any, str]] = []
    for item in fields(config):
        value = getattr(config, item.name)
        if item.metadata.get("kind") == "section":
            rows += [(f"{item.name}.{part.name}", getattr(value, part.name), config.origin(f"{item.name}.{part.name}"))
                     for part in fields(value)]  # fmt: skip
        elif item.metadata:
            hidden = "set" if value and SECRET.search(item.name) else value
            rows.append((item.name, hidden, config.origin(item.name)))
    return rows


def _add_trust(trust: Any, place: Place, show: Show) -> None:
    @trust.command("list")
    def list_trusted() -> None:
        """Directories a person trusted."""
        items = Trust(place.home).all()
        text = table(("directory", "digest"), [(item.directory, item.digest[:12]) for item in items])
        show(Shown([asdict(item) for item in items], text if items else "no directory is trusted"))

    @trust.command("revoke")
    def revoke(directory: str) -> None:
        """Trust a directory no longer."""
        if not Trust(place.home).revoke(directory):
            raise ConfigError(f"{directory} is not trusted", hint="see ralph trust list")
        show(Shown({"revoked": directory}, f"{directory} is no longer trusted"))
