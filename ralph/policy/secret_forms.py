"""What secrets look like: token formats by their prefix, and which values are too ordinary to be one.

Sources: the vendors' own pages on token formats and secret scanning. Every token of a row is at least 20 characters
long and, up to its first 20, made of letters, digits, `_`, `.` and `-`.
"""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from urllib.parse import quote, quote_plus

_B64 = "[A-Za-z0-9_-]"
_TABLE = rf"""
anthropic_key    sk-ant-                                            {_B64}{{16,}}
openai_key       sk-proj- sk-svcacct- sk-admin- sk-None-            {_B64}{{20,}}
openrouter_key   sk-or-                                             {_B64}{{20,}}
api_key          sk-lf- pk-lf- sk-kimi- sk-litellm-                 {_B64}{{16,}}
openai_key       sk-                                                [A-Za-z0-9]{{32,}}
github_token     ghp_ gho_ ghu_ ghs_ ghr_                           [A-Za-z0-9]{{30,}}(?:_[A-Za-z0-9]{{8,}})?(?:\.{_B64}{{10,}}){{0,3}}
github_token     github_pat_                                        [A-Za-z0-9_]{{30,}}
gitlab_token     glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat- gloas- glwt- glffct-  {_B64}{{18,}}(?:\.[a-z0-9]{{2}}\.[a-z0-9]{{9}})?
aws_access_key   AKIA ASIA ABIA ACCA                                [A-Z0-9]{{16}}(?![A-Za-z0-9])
google_key       AIza                                               {_B64}{{35}}(?!{_B64})
google_secret    GOCSPX-                                            {_B64}{{20,}}
google_token     ya29.                                              [A-Za-z0-9_.-]{{20,}}
slack_token      xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xoxc- xoxd- xoxe. xapp-  [A-Za-z0-9.%-]{{14,}}
stripe_key       sk_live_ rk_live_ sk_test_ rk_test_ whsec_ sk_org_ [A-Za-z0-9+/_]{{16,}}=*
npm_token        npm_                                               [A-Za-z0-9]{{36}}(?![A-Za-z0-9_])
pypi_token       pypi-AgE                                           {_B64}{{16,}}
huggingface_token  hf_ api_org_                                     [A-Za-z0-9]{{30,}}(?![A-Za-z0-9_])
jwt              eyJ                                                {_B64}{{9,3000}}+\.{_B64}{{8,}}+(?:\.{_B64}*){{1,3}}
sendgrid_key     SG.                                                {_B64}{{16,}}\.{_B64}{{16,}}
twilio_key       SK                                                 [0-9a-f]{{32}}(?![A-Za-z0-9])
digitalocean_token  dop_v1_ doo_v1_ dor_v1_                         [a-f0-9]{{64}}
shopify_token    shpat_ shpss_ shpca_ shppa_                        [a-fA-F0-9]{{32}}
groq_key         gsk_                                               [A-Za-z0-9]{{40,}}
xai_key          xai-                                               [A-Za-z0-9]{{40,}}
perplexity_key   pplx-                                              [A-Za-z0-9]{{40,}}
replicate_token  r8_                                                [A-Za-z0-9]{{36,}}
vault_token      hvs. hvb. hvr.                                     {_B64}{{20,}}
grafana_token    glsa_ glc_                                         [A-Za-z0-9+/_]{{28,}}=*
docker_token     dckr_pat_ dckr_oat_                                {_B64}{{20,}}
databricks_token dapi                                               [a-f0-9]{{32}}(?:-\d)?(?![A-Za-z0-9])
linear_key       lin_api_ lin_oauth_                                [A-Za-z0-9]{{32,}}
notion_token     ntn_                                               [A-Za-z0-9]{{40,}}
figma_token      figd_                                              {_B64}{{32,}}
postman_key      PMAK-                                              [a-f0-9]{{24}}-[a-f0-9]{{34}}
newrelic_key     NRAK-                                              [A-Z0-9]{{27}}
atlassian_token  ATATT3xFfGF0 ATCTT3xFfGN0 ATBB                     [A-Za-z0-9_=-]{{24,}}
rubygems_key     rubygems_                                          [a-f0-9]{{48}}
sentry_token     sntrys_ sntryu_                                    [A-Za-z0-9+/=_]{{40,}}
tailscale_key    tskey-                                             [a-z]+-[A-Za-z0-9-]{{16,}}
pulumi_token     pul-                                               [a-f0-9]{{40}}
supabase_key     sbp_ sb_secret_                                    {_B64}{{20,}}
netlify_token    nfp_                                               [A-Za-z0-9]{{36,}}
planetscale_token  pscale_tkn_ pscale_pw_ pscale_oauth_             [A-Za-z0-9=_.-]{{32,}}
doppler_token    dp.pt. dp.st. dp.ct. dp.sa.                        [A-Za-z0-9_.-]{{40,}}
langsmith_key    lsv2_pt_ lsv2_sk_                                  [a-f0-9]{{32}}_[a-f0-9]{{10}}
square_token     EAAA                                               {_B64}{{60}}(?!{_B64})
facebook_token   EAACEdEose0cBA                                     [A-Za-z0-9]{{20,}}
age_key          AGE-SECRET-KEY-1                                   [A-Z0-9]{{58}}
flyio_token      fm2_                                               [A-Za-z0-9+/=_]{{60,}}
telegram_token   (?<=\d:)AA                                         {_B64}{{33}}(?!{_B64})
google_token     (?<=1//)0                                          {_B64}{{30,}}
"""  # noqa: E501  # a table: one row per line


@cache
def _rows() -> tuple[tuple[str, tuple[str, ...], str], ...]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return tuple((row[0], tuple(row[1:-1]), row[-1]) for row in rows)


@cache
def rest_of(prefix: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(kind, what must follow) of every row with this prefix."""
    rows = [(kind, rest) for kind, prefixes, rest in _rows() for item in prefixes if item.rpartition(")")[2] == prefix]
    return tuple((kind, re.compile(rest)) for kind, rest in rows)


@cache
def prefixes() -> frozenset[str]:
    return frozenset(item.rpartition(")")[2] for _, items, _ in _rows() for item in items)


@cache
def anchor(*, within: bool = False) -> re.Pattern[str]:
    """Where a token may begin: any prefix, the longest first; `within`: also in the middle of a word."""
    items = sorted((item for _, items, _ in _rows() for item in items), key=len, reverse=True)
    dotted = (item if item.startswith("(") else item.replace(".", r"\.") for item in items)
    return re.compile(f"{'' if within else '(?<![A-Za-z0-9])'}(?:{'|'.join(dotted)})")


# Patterns as text are compiled at their first use, which is never in most sessions.
_ORDINARY = (
    r"[a-z]{1,15}|[A-Z][a-z]{0,14}|[A-Z]{1,15}|[\d.,:+-]{1,15}|true|false|none|null"  # a word, a number, a date
    r"|[~.]{0,2}/[^=+]*|[A-Za-z]:[\\/].*|\w+://[^@]*"  # a path, a URL without a password
    r"|[A-Za-z]+(?:[-_. ][A-Za-z]+)*(?:[-_.]?v?\d{1,3}){0,3}"  # words, perhaps with a version or a number
    r"|[\w.-]+@[\w-]+(?:\.[\w-]+)+|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?::\d+)?"  # a mail address, a host
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
)
_TEMPLATE = r"[\$%<{\[*].*|.*[<{]\w*[>}].*|(.)\1{5,}|.*(?i:example|placeholder|changeme|your[-_]|xxxx).*"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_WORDS = r"(?:[A-Za-z]+|\d{1,4})(?:[_./:-]+(?:[A-Za-z]+|\d{1,4}))*[_./:-]*"
_SWITCH = r"[A-Za-z](?=\d)|\d(?=[A-Za-z])"


def ordinary(value: str) -> bool:
    """Words, numbers, paths, hosts and placeholders: redacting them everywhere would hide more than it protects."""
    return any(re.fullmatch(pattern, value) for pattern in (_ORDINARY, _TEMPLATE))


def random_looking(value: str) -> bool:
    """Letters and digits mixed as no name mixes them. UUIDs do not count: they name things."""
    if not 20 <= len(value) <= 1024 or any(re.fullmatch(pattern, value) for pattern in (_WORDS, _TEMPLATE, _UUID)):
        return False
    return len(re.findall(_SWITCH, value)) >= 3 and len(set(value)) >= 10


def spellings(value: str) -> tuple[str, ...]:
    """The value as it is, in JSON (once and twice), in a URL, and in base64 at each of its three alignments."""
    once = json.dumps(value)[1:-1]
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    forms = [value, once, plain, json.dumps(once)[1:-1], json.dumps(plain)[1:-1]]
    forms += [quote(value, safe=""), quote(value), quote_plus(value)]
    forms += [re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in forms[-3:]]
    data = value.encode("utf-8", "surrogatepass")
    for shift, lost in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(b"\0" * shift + data).decode()
        part = whole[lost : (shift + len(data)) * 8 // 6]
        forms += [part, part.replace("+", "-").replace("/", "_")]
    return tuple(dict.fromkeys(forms))
