from __future__ import annotations

import ast

import pytest

from ralph.policy.literals import literals


@pytest.mark.parametrize(
    "code",
    [
        "names = {'.env': 1}\nprint(len(names))",
        "import json\nprint(json.dumps({'file': '.env'}))",
        "import re\nprint(re.findall(r'x', '.env'))",
        "print('.env'.count('e'))",
    ],
)
def test_a_program_that_only_computes_names_no_file(code: str) -> None:
    assert list(literals(ast.parse(code))) == []


def test_talk_beside_reading_is_still_talk() -> None:
    code = "from pathlib import Path\nprint(Path('README.md').read_text().count('.env'))"
    assert list(literals(ast.parse(code))) == [("README.md", False)]


@pytest.mark.parametrize(
    "code",
    [
        "open('.env')",
        "import os\nos.replace('.env', 'x')",
        "os = __import__('os')\nos.replace('.env', 'x')",
        "from os import replace\nreplace('.env', 'x')",
        "from os import replace as count\ncount('.env', 'x')",
        "import os as text\ntext.replace('.env', 'x')",
        "from pathlib import Path\nPath.replace('.env', 'x')",
        "import os\nprint(sorted(['.env'], key=os.remove))",
        "print([open(name) for name in ['.env']])",
        "names = ['.env']\nfor name in names:\n    print(open(name).read())",
        "def count(name):\n    return open(name)\ncount('.env')",
        "get = open\nget('.env')",
    ],
)
def test_what_may_open_a_file_is_seen(code: str) -> None:
    assert ".env" in [text for text, _ in literals(ast.parse(code))]


def test_command_lines_are_marked() -> None:
    assert list(literals(ast.parse("import os\nos.system('cat x')"))) == [("cat x", True)]
