"""The sentence forms the reflexes understand: (kind of wish, regular expression of a whole clause). First fit wins.

Groups name what is given; a number after a group's name only tells apart places for the same thing.
"""

from __future__ import annotations

_NAME = r"""(?:"[^"\n]+"|'[^'\n]+'|`[^`\n]+`|“[^”\n]+”|[^\s"'`“”]+)"""
_LIKE_A_FILE = r"""(?P<path>"[^"\n]+"|`[^`\n]+`|[^\s"'`“”]*[./][^\s"'`“”]*)"""
_QUOTED = r"""(?:".*"|'.*'|`.*`|“.*”)"""
_FILE = rf"(?:the |my |this )?(?:contents? of )?(?:the |my )?(?:file )?(?P<path>{_NAME})(?: file)?"
_NEW_FILE = rf"(?:(?:the |a |my )?(?:new )?file (?:named |called )?(?P<path2>{_NAME})|(?:the |my )?{_LIKE_A_FILE})"
_HERE = r"(?:here|(?:this|the|the current|my) (?:directory|folder|dir|project|repo|repository|workspace|codebase|code))"
_PLACE = rf"(?:{_HERE}|(?:the )?(?:directory |folder |file )?(?P<path>{_NAME})(?: (?:directory|folder))?)"
_IN = rf"(?: (?:in|under|within|inside|below|of|from|at) {_PLACE})?"
_SHOW = r"(?:read|show|cat|open|print|display|view|type|output)(?: me)?"
_TODO = r"(?:to-?do|task)"
_TODOS = rf"(?:(?:my|the) )?(?:{_TODO}s|{_TODO} list|list of {_TODO}s|to-?do)"
_DEEP = r"(?P<deep>,? recursively)?"
_DEEP2 = r"(?P<deep2>,? recursively)?"
_FITTING = rf"(?: (?:matching|like|named) (?P<glob>{_NAME}))?"
_LOOSE = r"(?P<loose>,? (?:case[- ]insensitive(?:ly)?|ignoring case))?"
_N = r"\d{1,9}"
_LINES = r"lines? (?P<first>\d{1,9})(?:(?: ?(?:-|\u2013|to|through|until|and) ?|\.\.)(?P<last>\d{1,9}))?"
_COUNT = r"(?: -n ?(?P<count>\d{1,9})| -(?P<count2>\d{1,9}))?"
_SO_MANY = r"(?:(?P<count>\d{1,9}) lines?|(?P<one>line))"
_EVERYWHERE = r"(?: in all files| everywhere)?"

FORMS: tuple[tuple[str, str], ...] = (
    # what is asked most comes first: a form is compiled when it is first tried
    ("read", rf"(?:read|show|cat|open) (?!https?:){_LIKE_A_FILE}"),
    ("git", r"git (?P<git>status|diff|log)"),
    # the to-do list and memory, before forms for files that begin alike
    ("todo_list", rf"(?:{_SHOW} |list |what(?:'s| is| are) (?:on )?)?(?:all )?{_TODOS}"),
    ("todo_add", rf"add (?P<text>.+) to {_TODOS}"),
    ("todo_add", rf"(?:add (?:a )?(?:new )?{_TODO}:?|{_TODO}(?: add|:)) ?(?P<text>.+)"),
    ("todo_done", rf"(?:mark|set|tick(?: off)?) (?:{_TODO} |item )?#?(?P<number>{_N})(?: as)? (?:done|completed?)"),
    ("todo_done", rf"(?:complete|finish|{_TODO} done) (?:{_TODO} |item )?#?(?P<number>{_N})"),
    ("todo_clear", rf"(?:clear|empty|delete all) {_TODOS}"),
    ("forget", r"forget (?:about )?(?:the )?(?:memory )?(?:number )?#?(?P<number>\d{1,9})"),
    ("recall", r"(?:recall|do you remember|what do you (?:remember|know) (?:about|of)) (?P<text>.+)"),
    ("remember", r"(?:remember|memori[zs]e)(?: that|:)? (?P<text>.+)"),
    # the repository
    ("git", r"(?:what(?:'s| is) (?:the )?|show (?:me )?(?:the )?)?git (?P<git>status|diff|log)"),
    ("git", r"what (?:has )?(?P<git>changed)|what are (?:the|my) (?P<git2>changes)"),
    ("git", r"show (?:me )?(?:the |my )?(?P<git>diff|changes)"),
    ("git", r"show (?:me )?(?:the )?(?:last |latest |recent )*(?:(?P<count>\d{1,6}) )?(?P<git>commits|history)"),
    ("git", r"(?:what|which) (?P<git>branch) (?:am i|are we|is this)(?: on)?"),
    # the web and files
    ("fetch", rf"(?:fetch|get|download|visit|browse|{_SHOW})(?: the)?(?: page| url| site)?(?: at)? "
              r"(?P<url>https?://[^\s\"'`<>]+)"),
    ("count", rf"(?:how many lines (?:are |are there )?(?:in|of|does|has)|count (?:the )?lines (?:in|of)|wc -l"
              rf"|number of lines (?:in|of)) {_FILE}(?: have| has)?"),
    ("read", rf"(?:{_SHOW} )?(?:the )?{_LINES} (?:of|in|from) {_FILE}"),
    ("read", rf"{_SHOW} {_FILE},?(?: from| at)? {_LINES}"),
    ("head", rf"(?:{_SHOW} )?(?:the )?first {_SO_MANY} (?:of|in|from) {_FILE}"),
    ("head", rf"{_SHOW} {_FILE},? (?:the )?first {_SO_MANY}"),
    ("head", rf"head{_COUNT} {_FILE}"),
    ("tail", rf"(?:{_SHOW} )?(?:the )?last {_SO_MANY} (?:of|in|from) {_FILE}"),
    ("tail", rf"{_SHOW} {_FILE},? (?:the )?last {_SO_MANY}"),
    ("tail", rf"tail{_COUNT} {_FILE}"),
    ("list", rf"(?:list|{_SHOW})(?: all)?(?: the| my)? (?:files|contents|entries|everything|directory|folder)"
             rf"{_DEEP}{_IN}{_DEEP2}{_FITTING}"),
    ("list", rf"(?:list|ls|dir){_DEEP}(?: all)? (?P<glob>[^\s\"'`]*[*?\[][^\s\"'`]*)(?: files)?{_IN}{_DEEP2}"),
    ("list", rf"(?:list|ls|dir)(?P<flags> -[a1lhR]+)?{_DEEP}(?: {_PLACE})?{_DEEP2}{_FITTING}"),
    ("list", rf"what(?:'s| is| files are)(?: there)? in (?:{_HERE}|(?:the )?(?P<path>[^\s\"'`]*/|\.)"
             rf"|the (?P<path2>{_NAME}) (?:directory|folder)|the (?:directory|folder) (?P<path3>{_NAME}))"),
    ("find", rf"(?:find|locate|search for|where (?:is|are))(?: all)?(?: the| any)? files? "
             rf"(?:named |called |matching |like )?(?P<glob>{_NAME}){_IN}"),
    ("find", rf"(?:find|locate)(?: all)? (?P<glob>[^\s\"'`]*(?:[*?\[]|\.[a-z]\w{{0,4}}$)[^\s\"'`]*)(?: files)?{_IN}"),
    ("define", r"(?:where (?:is|are) |find where )(?P<name>[a-z_][\w.]*)(?:\(\))? (?:is )?defined"),
    ("define", r"(?:find|show(?: me)?) (?:the )?definition of (?P<name>[a-z_][\w.]*)(?:\(\))?"),
    ("search", rf"(?:search|grep|find|look)(?: for)?(?: the)?(?: text| word| string| phrase| pattern)? "
               rf"(?P<text>{_QUOTED}|/\S.*/){_EVERYWHERE}{_IN}{_LOOSE}"),
    ("search", rf"(?:which|what) files? (?:contains?|mentions?|uses?|has|have) (?P<text>{_NAME}){_LOOSE}"),
    ("search", rf"grep (?:-[rni]+ )?(?P<text>{_NAME}) {_PLACE}"),
    ("search", rf"(?:search(?: for)?|grep|look for) (?P<text>(?!in ).+?){_EVERYWHERE}{_IN}{_LOOSE}"),
    ("search", rf"find (?P<text>[^\s\"'`]+){_EVERYWHERE}{_IN}{_LOOSE}"),
    ("info", rf"(?:file )?(?:info|information|stats?|details|size|permissions)(?: (?:on|about|for|of))? {_FILE}"),
    ("info", rf"(?:how (?:big|large|old) is|what(?:'s| is) the size of) (?:the )?(?:file )?{_LIKE_A_FILE}"),
    ("info", rf"when was (?:the )?(?:file )?{_LIKE_A_FILE} (?:last )?(?:changed|modified|written|edited)"),
    ("info", rf"does (?:the )?(?:file )?(?P<path>{_NAME}) exist|is there a file (?:named |called )?(?P<path2>{_NAME})"),
    ("write", rf"(?:write|save|store) (?P<text>{_QUOTED}) (?:to|in|into|as) {_FILE}"),
    ("write", rf"put (?P<text>{_QUOTED}) (?:in|into) {_NEW_FILE}"),
    ("write", rf"(?:create|write|make)(?: a)?(?: new)?(?: text)? {_NEW_FILE}"
              rf"(?: with| containing|:)(?: the)?(?: contents?| text)?:? ?(?P<text>{_QUOTED})"),
    ("write", rf"(?:create|make|touch)(?: an?)?(?: new)?(?: empty)? file (?:named |called )?(?P<path>{_NAME})"),
    ("append", rf"append (?P<text>{_QUOTED}) to (?:the end of )?{_FILE}"),
    ("append", rf"add (?P<text>{_QUOTED}) to (?:the end of )?{_NEW_FILE}"),
    ("read", rf"{_SHOW} {_FILE}"),
    ("read", rf"what(?:'s| is) (?:in|inside) (?:the )?(?:file )?{_LIKE_A_FILE}"),
    ("read", rf"what does (?:the )?(?:file )?(?P<path>{_NAME}) (?:say|contain)"),
)  # fmt: skip

UNCLEAR_COMMANDS: tuple[tuple[str, str], ...] = (
    (r"(?:run|execute)(?: all| the| my| unit)* tests?(?: suite)?",
     "how tests are run here is not guessed; say the command, such as: run `pytest -q`"),
    (r"(?:run|execute) (?:the|my|this|that|it|all|an?)\b(?! (?:shell )?command\b).*",
     "say the command itself: run `COMMAND`"),
    (r"(?:search|look)(?: for .*)?(?: on)? (?:the )?(?:web|internet|online)\b.*",
     "there is no search of the web; one page is had by: fetch URL"),
)  # fmt: skip
"""Not to be taken for commands: (form, what to say)."""

UNCLEAR: tuple[tuple[str, str], ...] = (
    (r"(?:write|save|append|put|store) .* (?:to|in|into|as) .*", 'put the text in quotes: write "TEXT" to FILE'),
    (r"(?:create|make) .* (?:with|containing) .*", 'put the text in quotes: create FILE with "TEXT"'),
)
"""Of what no form fits: (form, what to say)."""
