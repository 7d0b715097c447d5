"""What was judged is what is written: 2,000 writes while directories and files are swapped for links all the time."""

import os
import threading
from contextlib import suppress

import pytest

from ralph.errors import ToolError
from ralph.policy.paths import resolve
from ralph.tools.files import open_judged, replace_atomically

ROUNDS = 1_000


def swap(inside, outside, stop):
    """Makes `dir`, and then `dir/f.txt`, by turns real and a link to the outside. Writers may come in between."""
    here, link = inside / "dir", inside / "link"
    number = 0
    while not stop.is_set():
        number += 1
        with suppress(OSError):
            os.rename(here, inside / f"real{number}")
            os.symlink(outside, here)
            os.unlink(here)
        if here.is_symlink():
            os.unlink(here)
        here.mkdir(exist_ok=True)
        with suppress(OSError):
            os.symlink(outside / "f.txt", link)
            os.rename(link, here / "f.txt")
            os.unlink(here / "f.txt")
        with suppress(OSError), open(here / "f.txt", "x") as file:
            file.write("mine")


@pytest.mark.parametrize("how", ["replace", "append"])
def test_nothing_outside_is_ever_touched(tmp_path, how):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "dir").mkdir(parents=True)
    outside.mkdir()
    (inside / "dir" / "f.txt").write_text("mine")
    (outside / "f.txt").write_text("theirs")
    stop = threading.Event()
    swapper = threading.Thread(target=swap, args=(inside, outside, stop))
    swapper.start()
    written = refused = 0
    try:
        for _ in range(ROUNDS):
            judged = resolve("dir/f.txt", str(inside))
            if not judged.resolved.startswith(f"{inside}/"):
                refused += 1  # seen at once: it leads outside
                continue
            try:
                if how == "replace":
                    replace_atomically(judged, b"written")
                else:
                    with open_judged(judged, "ab") as file:
                        file.write(b"written")
                written += 1
            except ToolError:
                refused += 1
            assert (outside / "f.txt").read_text() == "theirs"
    finally:
        stop.set()
        swapper.join()
    assert os.listdir(outside) == ["f.txt"]
    assert (outside / "f.txt").read_text() == "theirs"
    assert written + refused == ROUNDS
    assert refused  # the swaps did happen in between
