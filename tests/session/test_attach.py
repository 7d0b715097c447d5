"""Files named in a prompt, and piped input."""

import asyncio

from ralph.core.messages import Image, Text
from ralph.session.attach import piped, referenced


async def pages(path, first, last):
    return f"pages {first} to {last}"


def texts(prompt, cwd, refuse=lambda path: False):
    blocks = asyncio.run(referenced(prompt, cwd, refuse, pages))
    return [block.text if isinstance(block, Text) else block for block in blocks]


def test_pages_of_a_pdf(tmp_path):
    (tmp_path / "p.pdf").write_bytes(b"%PDF")
    first, second, whole = texts("@p.pdf#3-5 @p.pdf#7 and @p.pdf.", tmp_path)
    assert first == '<file name="p.pdf#3-5">\npages 3 to 5\n</file>'
    assert "pages 7 to 7" in second
    assert "pages 1 to 50" in whole


def test_each_named_file_comes_once(tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "dir" / "b.py").write_text("B")
    found = texts("see @a.txt, @dir/b.py. and @a.txt", tmp_path)
    assert found == ['<file name="a.txt">\nA\n</file>', '<file name="dir/b.py">\nB\n</file>']


def test_what_is_no_file_stays_text(tmp_path):
    (tmp_path / "a.txt").write_text("A")
    assert texts("me@a.txt @nobody @dir/ @@a.txt costs 5 @ store", tmp_path) == []


def test_protected_binary_large_and_unreadable_files_say_so(tmp_path):
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "x.bin").write_bytes(b"a\0b")
    (tmp_path / "big.txt").write_text("x" * (1024 * 1024 + 5))
    protected, binary, large = texts("@.env @x.bin @big.txt", tmp_path, lambda path: path.name == ".env")
    assert "protected" in protected
    assert "KEY" not in protected
    assert "binary" in binary
    assert large.endswith("[cut here: read_file pages the rest]\n</file>")


def test_images_are_images(tmp_path):
    (tmp_path / "p.png").write_bytes(b"\x89PNG")
    assert texts("what is @p.png", tmp_path) == [Image("image/png", "iVBORw==")]


def test_piped_input_is_labelled():
    assert piped("x").text == "<stdin>\nx\n</stdin>"
