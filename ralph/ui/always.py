"""The rule behind an "always": why there is none, and whether one that a person edited covers the call it is for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ralph.core.gate import Question
from ralph.errors import ConfigError
from ralph.policy.allowlist import read_entry, why_not
from ralph.policy.effects import may_auto
from ralph.policy.facts import Facts, Places, gather
from ralph.policy.grants import read_grant
from ralph.policy.patterns import never_always, prefix


def facts_of(question: Question, cwd: Path) -> Facts:
    """The same reading of the call that the rules judged."""
    return gather(question.call, question.spec, Places(str(cwd), os.path.realpath(cwd), "", ""))


def programs_of(facts: Facts) -> frozenset[str]:
    """Program and sub-command of every simple command, as effects name them."""
    simples = facts.report.command.simples if facts.report else ()
    return frozenset(" ".join(simple.argv[:count]) for simple in simples for count in (1, 2, 3))


def why_never(question: Question, facts: Facts) -> str:
    """Why no rule may let calls like this one run unasked."""
    if question.judgement.dangerous:
        return "dangerous calls are asked about every time"
    if facts.caution:
        return facts.caution
    if facts.report is None:
        return "no rule can cover it"
    command = facts.report.command
    risky = next((simple.argv[0] for simple in command.simples if simple.argv and never_always(simple.argv)), "")
    if risky:
        return f"one yes to {risky} is not a yes to the next"
    if command.plain is None:
        return f"only one plain command can have a rule, and this one {command.trouble}"
    if any(effect.kind == "contacts" for effect in facts.report.effects):
        return "what uses the network is asked about every time"
    return may_auto(facts.report, prefix(command.plain)) or "no rule can cover it"


def check_rule(rule: Mapping[str, Any], question: Question, facts: Facts) -> None:
    """Raises ConfigError for a rule that cannot be read, or that would not have spared this question."""
    if rule.get("tool") != question.call.name:
        raise ConfigError(f"the rule must be for {question.call.name}")
    entry = read_entry(read_grant(rule), "this rule")
    if reason := why_not(entry, facts):
        raise ConfigError(f"the rule would not cover this call ({reason})")
