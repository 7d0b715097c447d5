"""The rules of the house, read off the source text: layers, the gate's two rules, sizes, names."""

import ast
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ralph"
# Top to bottom: a room may import rooms of later rows only, never its own row.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"start"},
    {"begin"},
    {"converse"},
    {"commands"},
    {"job", "doctor"},
    {"app"},
    {"remembering"},
    {"late"},
    {"rulebook"},
    {"ui", "subagents"},
    {"tools", "session"},
    {"providers", "policy", "sandbox", "audit", "undo", "memory", "mcp", "ingest"},
    {"core"},
    {"net", "config", "options", "place"},
    {"errors"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py")) + sorted((ROOT / "tools_default").glob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def room(path):
    parts = path.relative_to(PACKAGE).parts if PACKAGE in path.parents else ("tools_default",)
    return parts[0].removesuffix(".py")


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            if node.module == "ralph":
                yield from ((f"ralph.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)


def test_imports_point_down():
    wrong = []
    for path, tree in TREES.items():
        here = room(path)
        if here in ("__init__", "tools_default"):
            continue
        assert here in RANK, f"{here} has no place in the layers"
        for module, line in imported(tree):
            there = module.split(".")[1] if module.startswith("ralph.") else None
            if there and there in RANK and there != here and RANK[there] <= RANK[here]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_core_is_standard_library_only():
    allowed = sys.stdlib_module_names | {"ralph"}
    for path, tree in TREES.items():
        if room(path) in ("core", "errors", "config"):
            for module, line in imported(tree):
                assert module.split(".")[0] in allowed, f"{path.name}:{line} imports {module}"


def test_third_party_modules_have_one_home():
    homes = {
        "httpx": "net", "httpcore": "net", "anyio": "net", "rich": "ui", "prompt_toolkit": "ui", "hnswlib": "memory",
        "bashlex": "policy", "pypdf": "ingest", "pypdfium2": "ingest", "typer": "commands", "mcp": "mcp",
    }  # fmt: skip
    for path, tree in TREES.items():
        for module, line in imported(tree):
            home = homes.get(module.split(".")[0])
            assert home in (None, room(path)), f"{path.relative_to(ROOT)}:{line}: {module} belongs to {home}"


def test_only_the_runner_performs():
    users = {p.relative_to(PACKAGE).as_posix() for p, tree in TREES.items() for node in ast.walk(tree)
             if isinstance(node, ast.Attribute) and node.attr == "perform"}  # fmt: skip
    assert users == {"core/runner.py"}


def test_only_gate_and_runner_know_permits():
    users = set()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            names = {getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")}
            if "Permit" in names or (isinstance(node, ast.Constant) and node.value == "Permit"):
                users.add(path.relative_to(ROOT).as_posix())
    assert users == {"ralph/core/gate.py", "ralph/core/runner.py"}


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_sizes(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 300, f"{lines} lines"
    for function in functions(TREES[path]):
        length = function.end_lineno - function.lineno + 1
        assert length <= 50, f"{function.name} has {length} lines"


def test_median_function_is_small():
    lengths = [f.end_lineno - f.lineno + 1 for tree in TREES.values() for f in functions(tree)]
    assert statistics.median(lengths) <= 10


def test_names():
    banned = ("Manager", "Handler", "Helper", "Utils", "Util", "Service", "Coordinator")
    for path, tree in TREES.items():
        assert path.stem not in ("utils", "helpers", "misc", "common")
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert not node.name.endswith(banned), f"{path.name}: {node.name}"


def test_one_broad_except():
    broad = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in kinds):
                    broad.append(path.relative_to(ROOT).as_posix())
    # The second runs the model's own code in a child process, and hands its exceptions on.
    assert set(broad) == {"ralph/core/runner.py", "ralph/tools/python_worker.py"}


def test_the_environment_is_read_where_the_program_starts():
    readers = {p.relative_to(ROOT).as_posix() for p, tree in TREES.items() for node in ast.walk(tree)
               if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")}  # fmt: skip
    # Proxies are the environment's own business; and `~` in a command is what a shell would make of it.
    assert readers <= {"ralph/start.py", "ralph/net/client.py", "ralph/policy/effects.py", "ralph/policy/ruin.py"}
