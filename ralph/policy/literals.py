"""The string literals of Python code that may become paths or command lines, for `ralph.policy.mentions`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_TALKING = frozenset({
    "print", "len", "repr", "startswith", "endswith", "replace", "log", "info", "debug", "warning", "count", "find",
    "index", "dumps",
})  # fmt: skip
_INERT = _TALKING | frozenset({
    "list", "set", "dict", "tuple", "str", "int", "bool", "keys", "values", "items", "get", "append", "add", "update",
    "lower", "upper", "strip", "split", "join", "range", "enumerate", "zip", "sum", "any", "all", "isinstance",
    "format", "compile", "match", "search", "findall", "fullmatch",
})
"""None of these opens a file or calls what it is given: `sorted(names, key=os.remove)` would."""
_PURE_MODULES = frozenset({"json", "re", "math", "string", "textwrap", "logging", "collections", "itertools", "typing"})
_RUNNING = frozenset({
    "system", "popen", "Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput",
})  # fmt: skip


def literals(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(text, is it a command line) of the string literals that are more than talk; joined and added ones as a whole.

    None of a program that calls nothing that could open a file.
    """
    foreign = _foreign(tree)
    if all(_called(node, foreign) in _INERT for node in ast.walk(tree) if isinstance(node, ast.Call)):
        return
    work: list[tuple[ast.AST, bool]] = [(tree, False)]
    while work:
        node, runs = work.pop()
        if isinstance(node, ast.Compare) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        if isinstance(node, ast.Call):
            name = _called(node, foreign)
            work.append((node.func, False))
            if name not in _TALKING:
                runs = name.rpartition(".")[2] in _RUNNING
                work += [(item, runs) for item in (*node.args, *(key.value for key in node.keywords))]
            else:
                work += [(item, False) for item in node.args if not isinstance(item, ast.Constant)]
            continue
        text = _text(node)
        if text is not None:
            yield text, runs
            if isinstance(node, ast.Constant):
                continue
        work += [(child, runs) for child in ast.iter_child_nodes(node)]


def _foreign(tree: ast.AST) -> frozenset[str]:
    """Names whose calls are not what they seem: what was imported from anywhere but modules that only compute, and, as
    `name()`, what the program itself made.
    """
    found = {"os", "shutil", "pathlib", "Path", "io", "builtins"}  # however they came to be there
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            found |= {(name.asname or name.name).partition(".")[0] for name in node.names
                      if (module or name.name) not in _PURE_MODULES}  # fmt: skip
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(f"{node.name}()")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(f"{node.id}()")
    return frozenset(found)


def _called(call: ast.Call, foreign: frozenset[str]) -> str:
    """The name of what is called; after a dot where it is not the one that everybody knows (`os.replace`)."""
    func, path = call.func, []
    while isinstance(func, ast.Attribute):
        path.append(func.attr)
        func = func.value
    root = func.id if isinstance(func, ast.Name) else ""
    name = path[0] if path else root
    return f".{name}" if root in foreign or (not path and f"{root}()" in foreign) else name


def _text(node: ast.AST) -> str | None:
    """The value of a literal, of literals added together, and of an f-string with its gaps left out."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bytes):
            return node.value.decode("utf-8", "replace")
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "" for part in node.values)
    return None
