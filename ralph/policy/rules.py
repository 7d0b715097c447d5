"""May this call run? Every rule in order, the first that decides wins, and the answer says which one it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shutil import which
from typing import Any

from ralph.core.gate import Answer, Effect, Judgement, Question, Rule, VerdictName
from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.policy.allowlist import Entry, why_not
from ralph.policy.categories import defaults
from ralph.policy.facts import Facts, Places, gather
from ralph.policy.grants import Grant, Grants
from ralph.policy.guarded import tag_in
from ralph.policy.limits import Limits
from ralph.policy.mentions import protected_mention
from ralph.policy.paths import follow, inside
from ralph.policy.patterns import suggest
from ralph.policy.programs import is_beyond
from ralph.policy.protected import Protected

Asks = Callable[[Sequence[Effect], ToolCall, ToolSpec], str]
"""Why a person must decide although a rule lets the call run; empty when they need not."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that was looked at. `verdict` is None when it has nothing to say about the call, `rule.text` says why.

    `error`: the name a refusal goes by; `extra`: its further fields for the model. `entry` or `grant`: what was tried.
    """

    verdict: VerdictName | None
    rule: Rule
    error: str = "operation_denied"
    extra: Mapping[str, Any] | None = None
    entry: Entry | None = None
    grant: Grant | None = None


class Rules:
    """The policy of one process. Directories are absolute; `allowlist` is complete (built in, settings, flags).

    categories: changes to the defaults. origins: category -> where that change is written. attended: a person can be
    asked. taint: see policy.taint.
    tilde: the person's home directory. path: theirs, as PATH, for programs that run outside the
    sandbox. confine: every shell command runs in the sandbox, not only those that an
    entry lets run unasked.
    """

    def __init__(  # noqa: PLR0913  # plain values, all by name: the settings of one policy
        self, *, cwd: str, home: str, workspace: str = "", tilde: str = "", categories: Mapping[str, str] | None = None,
        origins: Mapping[str, str] | None = None, allowlist: Sequence[Entry] = (), yolo: bool = False,
        sandbox_holds: bool = False, attended: bool = True, limits: Limits | None = None, grants: Grants | None = None,
        shell: str = "posix", confine: bool = False, taint: Asks | None = None, path: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        real = os.path.realpath
        machine = "" if shell == "posix" else shell  # posix is the default; there the machine decides
        self.places = Places(cwd, real(workspace or cwd), home, tilde, f"{real(home)}/scratch", machine)
        self.categories = {**defaults(sandbox_holds=sandbox_holds), **(categories or {})}
        self.allowlist = tuple(allowlist)
        self.grants = grants or Grants(self.places.workspace)
        self.limits = limits or Limits(now)
        self.protected = Protected(home, self.places.workspace, now)
        self._origins = dict(origins or {})
        self._yolo, self._shell, self._attended, self._confine = yolo, shell, attended, confine
        self._taint, self._path = taint, path

    def judge(self, call: ToolCall, spec: ToolSpec) -> Judgement:
        facts = gather(call, spec, self.places)
        seen: dict[str, str] = {}
        for decided in self.checks(facts):
            seen[decided.rule.name] = decided.verdict or ""
            if decided.verdict is not None:
                break
        if decided.grant is not None and not self.grants.use(decided.grant):
            return self.judge(call, spec)  # another process took its last use a moment ago
        return replace(self.conclude(facts, decided), checks=tuple(seen.items()))

    def learn(self, question: Question, answer: Answer) -> None:
        """An approval starts the count of refusals again; a plain no counts, the absence of a person does not."""
        name = question.call.name
        if answer.allowed:
            self.limits.allowed(name)
            if answer.remember is not None:
                self.grants.add(answer.remember, origin=question.origin or answer.by)
        elif not answer.error and not answer.stop:
            self.limits.denied(name)

    def refresh(self, judgement: Judgement, call: ToolCall, spec: ToolSpec) -> Judgement | None:
        facts = gather(call, spec, self.places)
        if facts.problem or protected_mention(facts, self.places, self.protected)[1]:
            return None
        if {name: walk.resolved for name, walk in facts.walks.items()} != {
            name: judged.resolved for name, judged in judgement.judged.items()
        }:
            return None
        if judgement.argv is not None and self._argv(facts) != judgement.argv:
            return None  # a glob in it now means other files
        return replace(judgement, judged={name: walk.judged for name, walk in facts.walks.items()})

    def checks(self, facts: Facts) -> Iterator[Check]:
        """Every rule in order. All of them are yielded, also after the one that decides, so that they can be shown."""
        yield self._protected(facts)
        yield _problem(facts)
        yield _tagged(facts)
        yield _ruinous(facts)
        yield self._off()
        yield self._paused(facts)
        yield self._denied(facts)
        yield _dangerous(facts)
        yield _cautious(facts)
        yield self._tainted(facts)
        for grant in self.grants.list():
            yield self._entry(grant.entry, facts, grant)
        for entry in self.allowlist:
            yield self._entry(entry, facts, None)
        yield self._category(facts)

    def protects(self, path: str) -> bool:
        """No call may touch this file."""
        return bool(self.protected.why(follow(path, self.places.cwd, tilde=self.places.tilde)))

    def inherited(self) -> Rules:
        """The rules a subagent starts with: everything written down, nothing granted in this session."""
        return Rules(
            cwd=self.places.cwd, home=self.places.home, workspace=self.places.workspace, tilde=self.places.tilde,
            categories=self.categories, origins=self._origins, allowlist=self.allowlist, yolo=self._yolo,
            attended=self._attended, limits=self.limits, shell=self._shell, confine=self._confine, path=self._path,
            grants=Grants(self.places.workspace, self.grants.store, self.grants.now),
        )  # fmt: skip

    def _protected(self, facts: Facts) -> Check:
        path, reason = protected_mention(facts, self.places, self.protected)
        if not reason:
            return Check(None, Rule("protected", "no protected file is touched"))
        return Check("deny", Rule("protected", f"{path} is protected: {reason}"), "protected_file", {"path": path})

    def _off(self) -> Check:
        return Check("allow", Rule("gates", "the gates are off")) if self._yolo else Check(None, Rule("gates", "on"))

    def _paused(self, facts: Facts) -> Check:
        name = facts.call.name
        seconds = self.limits.wait(name)
        if not seconds:
            return Check(None, Rule("rate limit", "not paused"))
        text = f"{name} was refused too often; it may be asked for again in {seconds} s"
        return Check("deny", Rule("rate limit", text), "rate_limited", {"retry_after": seconds})

    def _tainted(self, facts: Facts) -> Check:
        reason = self._taint(facts.effects, facts.call, facts.spec) if self._taint else ""
        return Check("ask" if reason else None, Rule("taint", reason or "no text from elsewhere could send it"))

    def _denied(self, facts: Facts) -> Check:
        category = facts.spec.category
        if self.categories.get(category) != "deny":
            return Check(None, Rule("category", f"{category} is not denied", self.where(category)))
        text = f"the settings deny every call of category {category}"
        return Check("deny", Rule("category", text, self.where(category)), extra={"category": category})

    def _entry(self, entry: Entry, facts: Facts, grant: Grant | None) -> Check:
        reason = why_not(entry, facts, shell=self._shell)
        name = "grant" if grant else "allowlist"
        if reason:
            return Check(None, Rule(name, f"{entry.text}: {reason}", entry.where), entry=entry)
        return Check("allow", Rule(name, f"{entry.text} covers it", entry.where), entry=entry, grant=grant)

    def _category(self, facts: Facts) -> Check:
        category = facts.spec.category
        where = self.where(category)
        if self.categories.get(category) != "allow":
            return Check("ask", Rule("category", f"{category} calls are asked about", where))
        if facts.outside and facts.report is None:  # who lets every command run says so for every place
            return Check("ask", Rule("outside", f"{facts.outside} is outside the workspace", where))
        return Check("allow", Rule("category", f"{category} calls run unasked", where))

    def where(self, category: str) -> str:
        return self._origins.get(category, "built in")

    def conclude(self, facts: Facts, check: Check) -> Judgement:
        """What the check that decided means for the call."""
        verdict = check.verdict or "ask"
        dangerous = bool(facts.report and (facts.report.dangerous or facts.report.ruinous))
        confined = self._confine or (check.entry is not None and not self._beyond(facts))
        return Judgement(
            verdict, check.rule, tuple(facts.effects), {name: walk.judged for name, walk in facts.walks.items()},
            read_only=facts.read_only, dangerous=dangerous,
            argv=self._argv(facts) if verdict == "allow" and check.entry is not None else None,
            confined=facts.spec.category == "shell" and confined,
            error=check.error if verdict == "deny" else "", message=check.rule.text if verdict == "deny" else "",
            extra=self._extra(facts, check, verdict),
            remember=suggest(facts, shell=self._shell) if self._may_remember(check, verdict, dangerous) else None,
        )  # fmt: skip

    def _argv(self, facts: Facts) -> tuple[str, ...] | None:
        plain = facts.report.command.plain if facts.report is not None else None
        program = self._beyond(facts)
        return (program, *plain[1:]) if plain and program else plain

    def _beyond(self, facts: Facts) -> str:
        """Where a program lies that only shows processes, connections, mounts or services: in a sandbox it would show
        those of the sandbox. "" for any other, and for one where a child of the sandbox could have put it.
        """
        report = facts.report
        if self._confine or not (report and report.certain and report.command.plain):
            return ""
        name = report.command.plain[0]
        found = which(name, path=self._path) if is_beyond(name) else None
        if found is None or found[0] != "/":
            return ""
        writable = (self.places.workspace, self.places.cwd, self.places.home)
        return "" if any(inside(at, top) for at in (found, os.path.realpath(found)) for top in writable) else found

    def _may_remember(self, check: Check, verdict: VerdictName, dangerous: bool) -> bool:
        """An "always" must take effect: not for what asks whatever was granted."""
        return verdict == "ask" and not dangerous and check.rule.name != "taint"

    def _extra(self, facts: Facts, check: Check, verdict: VerdictName) -> Mapping[str, Any]:
        if verdict == "allow" or check.extra is not None:
            return check.extra or {}
        if self._attended:
            return {"suggestion": "ask the user to do it, or explain why it is needed and ask again"}
        category = facts.spec.category
        flags = " or ".join(flags_that_help(check.rule, category, facts.call.name))
        return {"category": category, "suggestion": f"run again with {flags}"}


def flags_that_help(rule: Rule, category: str, tool: str) -> tuple[str, ...]:
    """What on the command line would have let a call run that this rule asks about."""
    if rule.name == "category":
        return f"--allow-category={category}", f'--allow "{tool}:..."', "--yolo"
    return (f'--allow "{tool}:..."', "--yolo") if rule.name == "outside" else ("--yolo",)


def _problem(facts: Facts) -> Check:
    if facts.problem:
        return Check("deny", Rule("arguments", facts.problem), "invalid_arguments", {})
    return Check(None, Rule("arguments", "they can be judged"))


def _ruinous(facts: Facts) -> Check:
    if facts.report is not None and facts.report.ruinous:
        text = f"it would destroy the machine: {facts.report.ruinous}"
        return Check("deny", Rule("ruinous", text), extra={"suggestion": "a person who wants this can type it"})
    return Check(None, Rule("ruinous", "it does not destroy the machine"))


def _dangerous(facts: Facts) -> Check:
    if facts.report is not None and facts.report.dangerous:
        return Check("ask", Rule("dangerous", f"it always asks: {facts.report.dangerous}"))
    return Check(None, Rule("dangerous", "nothing dangerous is known about it"))


def _tagged(facts: Facts) -> Check:
    tag = tag_in(facts.call) if facts.spec.category in ("file_write", "shell", "python") else ""
    if not tag:
        return Check(None, Rule("redacted", "no redaction tag would be written down"))
    text = f"{tag} stands for a secret that was hidden from you; writing it down would destroy the real one"
    return Check("deny", Rule("redacted", text), "invalid_arguments")


def _cautious(facts: Facts) -> Check:
    if facts.caution:
        return Check("ask", Rule("sensitive", f"it always asks: {facts.caution}"))
    return Check(None, Rule("sensitive", "no secret, and no file that runs later"))
