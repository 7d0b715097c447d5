"""The environment child processes get: everything but what grants rights."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET_NAME = re.compile(
    r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|COOKIE|DSN|AUTH)($|_)"
    r"|^(AWS|AZURE|GOOGLE|GCP|GCLOUD|CLOUDSDK|ANTHROPIC|OPENAI|GROQ|MISTRAL|GEMINI|HF|HUGGINGFACE|NPM_CONFIG__AUTH)_"
    r"|^(DATABASE_URL|REDIS_URL|MONGODB_URI|KUBECONFIG|SSH_AUTH_SOCK|SSH_ASKPASS|GPG_AGENT_INFO)$"
    r"|^RALPH_",
    re.IGNORECASE,
)
_RUNS_CODE = re.compile(
    r"^(LD_PRELOAD|LD_AUDIT|BASH_ENV|ENV|PROMPT_COMMAND|PYTHONSTARTUP|PERL5OPT|RUBYOPT|NODE_OPTIONS)$"
)
QUIET = {"PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "TERM": "dumb", "NO_COLOR": "1"}


def child_environment(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without keys, tokens, cloud settings and start-up hooks; programs are told not to page, ask or colour."""
    kept = {
        name: value for name, value in env.items()
        if not _SECRET_NAME.search(name) and not _RUNS_CODE.match(name) and not name.startswith("BASH_FUNC_")
    }  # fmt: skip
    return {**kept, **QUIET}
