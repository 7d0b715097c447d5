"""Ways of writing words that a shell undoes before it looks at them: variables, brace lists and `$'..'`."""

from __future__ import annotations

import re

from ralph.policy.scan import LONGEST

SPLIT = "\x1f"  # stands for a blank that comes out of an expansion

_ESCAPES = {"n": "\n", "t": "\t", "a": "", "b": "", "e": "", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


class Variables(dict[str, str]):
    """Values known so far. `left`: how many characters may still be written out, so that texts cannot explode."""

    left = LONGEST


def expand_braces(whole: str) -> str:
    """`{rm,-rf,x}` as separate words; a prefix or suffix is repeated."""
    found = re.match(r"(.*?)\{([^{}]*)\}(.*)", whole, re.DOTALL)
    if not found:
        return whole
    return SPLIT.join(found[1] + choice + found[3] for choice in found[2].split(","))


def decode_ansi(body: str) -> str:
    """The text of `$'..'` (Bash manual 3.1.2.4)."""

    def one(escape: re.Match[str]) -> str:
        code = escape[1]
        if code[0] in "xuU":
            return chr(min(int(code[1:], 16), 0x10FFFF))
        return chr(int(code, 8)) if code[0] in "01234567" else _ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|.)", one, body, flags=re.DOTALL)


def printed(argv: tuple[str, ...]) -> str:
    """What `echo` or `printf` of these words prints, without the last line's end (Bash manual 4.2)."""
    words = list(argv[1:])
    if argv[0] == "echo":
        options = "".join(iter(lambda: words.pop(0) if words and re.fullmatch("-[neE]+", words[0]) else "", ""))
        return decode_ansi(" ".join(words)) if "e" in options else " ".join(words)
    shape, values = (words or [""])[0], words[1:]
    found = ""
    while len(found) < LONGEST:
        left = len(values)
        found += re.sub("%([-0-9.]*[a-zA-Z%])", lambda sign: _converted(sign[1], values), decode_ansi(shape))
        if not values or len(values) == left:
            break
    return found.rstrip("\n")


def _converted(sign: str, values: list[str]) -> str:
    if sign[-1] == "%":
        return "%"
    value = values.pop(0) if values else ""
    return decode_ansi(value) if sign[-1] == "b" else value[:1] if sign[-1] == "c" else value
