"""English as far as a search needs it: words that carry no meaning of their own, and verbs that change their shape.

Other languages lose nothing by it: their words are looked up as they are.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_STOP_WORDS = """
a about above actually after again against all also am an and any anyone anything are aren around as at be been before
being below between both but by can cannot could couldn d did didn do does doesn doing don down during each ever few
for from further get gets getting got had hadn has hasn have haven having he hello her here hers herself hey hi him
himself his how i if in into is isn it its itself just kind likely ll m may me might mightn more most much must mustn
my myself need needn no nor not now of off ok okay on once one only or other our ours ourselves out over own please
quite re really s same shall shan she should shouldn so some someone something sort still such t tell than thank
thanks that the their theirs them themselves then there these they thing things this those through to too under until
up upon us ve very was wasn we were weren what whatever when where whether which while who whom whose why will with
won would wouldn yeah yes yet you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_FORMS = (
    "go goes went gone; buy bought; bring brought; think thought; teach taught; catch caught; fight fought; "
    "seek sought; see saw seen; eat ate eaten; give gave given; take took taken; drive drove driven; ride rode ridden; "
    "write wrote written; speak spoke spoken; break broke broken; choose chose chosen; wake woke woken; "
    "steal stole stolen; freeze froze frozen; wear wore worn; tear tore torn; swear swore sworn; draw drew drawn; "
    "fly flew flown; grow grew grown; "
    "know knew known; throw threw thrown; blow blew blown; run ran; swim swam swum; "
    "sing sang sung; ring rang rung; drink drank drunk; begin began begun; win won; find found; hold held; "
    "tell told; sell sold; say said; pay paid; make made; leave left; lose lost; feel felt; keep kept; sleep slept; "
    "meet met; lead led; feed fed; read; send sent; spend spent; build built; lend lent; bend bent; mean meant; "
    "hear heard; stand stood; understand understood; sit sat; get got gotten; forget forgot forgotten; "
    "come came; become became; fall fell fallen; rise rose risen; shake shook shaken; hide hid hidden; "
    "bite bit bitten; dig dug; hang hung; stick stuck; strike struck; shoot shot; light lit; slide slid; "
    "lay laid; "
    "child children; man men; woman women; person people; foot feet; tooth teeth; mouse mice; wife wives; "
    "life lives; knife knives; wolf wolves; mum mom mother; dad father; kid child children; "
    "bike bicycle; photo photograph picture; tv television; phone telephone; grandma grandmother; grandpa grandfather"
)
_ALIKE: dict[str, set[str]] = {}
for _family in _FORMS.split(";"):
    for _form in _family.split():
        _ALIKE.setdefault(_form, set()).update(_family.split())

_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f]")
_ENDINGS = ("ations", "ation", "ities", "ingly", "ness", "ings", "edly", "ing", "ies", "ied", "ity", "est", "ers",
            "ed", "es", "er", "ly", "s")  # fmt: skip


def words_of(text: str) -> list[str]:
    """Its words as the full text knows them: lower case, without accents, parted at everything else."""
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return _WORD.findall(text.lower())


def alike(word: str) -> tuple[str, ...]:
    """Other shapes of the same word that its stem does not show: `went` for `go`."""
    return tuple(sorted(_ALIKE.get(word, set()) - {word}))


@lru_cache(8_192)
def stem(word: str) -> str:
    """A rough stem, for comparing words in memory; the full text has its own (Porter's)."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] in "ey":
        word = word[:-1]
    doubled = len(word) > 3 and word[-1] == word[-2] and word[-1].isalpha()  # the year 2022 is not 202
    return word[:-1] if doubled else word
