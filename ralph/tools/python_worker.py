"""The other side of the python tool: a child that runs pieces of code in one namespace. Imports nothing of Ralph.

Frames on the socket given as the first argument: 4 bytes length (big endian), then JSON. In: {"code"}. Out:
{"exception": text or null, "success": bool}. What the code prints goes to this process's own stdout and stderr.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import socket
import sys
import traceback
from contextlib import suppress
from types import ModuleType

LONGEST = 20_000
"""Characters of a traceback."""


def serve(connection: socket.socket) -> None:
    main = ModuleType("__main__")
    sys.modules["__main__"] = main  # what pickle, dataclasses and multiprocessing look up
    sys.path.insert(0, "")
    sys.argv = [""]
    incoming = connection.makefile("rb")
    pid = os.getpid()
    number = 0
    while len(size := incoming.read(4)) == 4:
        request = json.loads(incoming.read(int.from_bytes(size, "big")))
        number += 1
        reply = run(request["code"], f"<python {number}>", main)
        if os.getpid() != pid:  # the code forked and this is the copy: it must not answer
            os._exit(0)
        data = json.dumps(reply).encode()
        connection.sendall(len(data).to_bytes(4, "big") + data)


def run(code: str, name: str, main: ModuleType) -> dict[str, object]:
    """Run statements; when the last one is an expression, print its value as the interactive interpreter does."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    exception, success = None, True
    try:
        tree = ast.parse(code, name)
    except SyntaxError as error:
        return {"exception": "".join(traceback.format_exception_only(error)), "success": False}
    try:
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), main.__dict__)  # noqa: S102  # running code is this file's purpose
        if isinstance(last, ast.Expr):
            sys.displayhook(eval(compile(ast.Expression(last.value), name, "eval"), main.__dict__))
    except SystemExit as error:
        success = error.code in (None, 0)
        exception = None if success else f"SystemExit: {error.code}"
    except BaseException as error:  # noqa: BLE001  # whatever the code raises is its result
        success, exception = False, describe(error)
    tidy()
    return {"exception": exception, "success": success}


def describe(error: BaseException) -> str:
    frames = error.__traceback__.tb_next if error.__traceback__ else None  # without this file's own frame
    text = "".join(traceback.format_exception(type(error), error, frames))
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 4]}\n[... cut ...]\n{text[-LONGEST * 3 // 4 :]}"
    return text.encode("utf-8", "backslashreplace").decode()


def tidy() -> None:
    """Send what was printed on its way, and undo a redirection the code forgot."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):  # closed or replaced by the code
            stream.flush()  # type: ignore[union-attr]  # None when closed at start: AttributeError
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def start() -> None:
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123  # pathlib is not needed here
        score.write("1000")  # when memory runs out it is this process that must go
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]  # real files here
    serve(socket.socket(fileno=descriptor))


if __name__ == "__main__":
    start()
