from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ralph.core.tools import Judged
from ralph.errors import ToolError
from ralph.policy.paths import resolve
from ralph.tools import files
from ralph.tools.files import Style, decode, encode, look, open_judged, replace_atomically


def judged(path) -> Judged:
    return resolve(str(path), "/")


def no_temporary_files(folder: Path) -> bool:
    return not [name for name in os.listdir(folder) if name.startswith(".ralph-")]


def append(path):
    return open_judged(path, "ab")


def write(path):
    return replace_atomically(path, b"new")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sub" / "f.txt"
    path.parent.mkdir()
    path.write_bytes(b"old\n")
    return path


def test_reading_what_was_judged(file):
    with open_judged(judged(file)) as stream:
        assert stream.read() == b"old\n"
    assert look(judged(file)).st_size == 4


def swap_file_for_link(file):
    (file.parent / "secret").write_bytes(b"secret")
    file.unlink()
    file.symlink_to("secret")


def swap_file_for_file(file):
    (file.parent / "other").write_bytes(b"other")
    (file.parent / "other").replace(file)


def swap_folder_for_link(file):
    file.parent.rename(file.parent.parent / "moved")
    file.parent.symlink_to("moved")


@pytest.mark.parametrize("swap", [swap_file_for_link, swap_file_for_file, swap_folder_for_link])
@pytest.mark.parametrize("use", [open_judged, look, append, write])
def test_a_swap_after_the_judgement_is_refused(file, swap, use):
    before = judged(file)
    swap(file)
    with pytest.raises(ToolError, match=r"^path_changed: "):
        use(before)
    assert {path.read_bytes() for path in file.parent.resolve().iterdir()} <= {b"old\n", b"secret", b"other"}
    assert no_temporary_files(file.parent)


@pytest.mark.parametrize("use", [open_judged, append, write])
def test_a_file_that_came_after_the_judgement_is_refused(tmp_path, use):
    before = judged(tmp_path / "new")
    (tmp_path / "new").write_bytes(b"somebody's")
    with pytest.raises(ToolError, match=r"^path_changed: "):
        use(before)
    assert (tmp_path / "new").read_bytes() == b"somebody's"


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.close()
    for path, reason in [
        (tmp_path / "pipe", "a named pipe"), (tmp_path, "is a directory; use list_dir"), (tmp_path / "s", "a socket"),
        ("/dev/zero", "a device"), ("/", "is a directory"),
    ]:  # fmt: skip
        for use in (open_judged, append, write):
            with pytest.raises(ToolError, match=reason):
                use(judged(path))


def test_missing_files_and_folders(file):
    for path in (file.parent / "none", file.parent / "none" / "f", file.parent / "no" / "no"):
        with pytest.raises(ToolError, match="does not exist"):
            open_judged(judged(path))
    with pytest.raises(ToolError, match="Not a directory"):
        open_judged(judged(file / "below"))


def test_replacing_keeps_mode_and_returns_the_new_identity(file):
    file.chmod(0o640)
    after = replace_atomically(judged(file), b"new\n")
    assert file.read_bytes() == b"new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert after == judged(file)
    assert no_temporary_files(file.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_replacing_as_root_keeps_the_owner(file):
    os.chown(file, 1234, 2345)
    file.chmod(0o4755)
    replace_atomically(judged(file), b"new")
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 2345, 0o4755)


def test_a_new_file_gets_the_usual_mode_and_its_folders(tmp_path):
    mask = os.umask(0)
    os.umask(mask)
    replace_atomically(judged(tmp_path / "a" / "b" / "new"), b"x")
    assert (tmp_path / "a" / "b" / "new").read_bytes() == b"x"
    assert stat.S_IMODE((tmp_path / "a" / "b" / "new").stat().st_mode) == 0o666 & ~mask


def test_readers_see_the_old_or_the_new_file(file):
    data = {b"a" * 300_000, b"b" * 300_000}
    file.write_bytes(min(data))
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            seen.add(file.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for content in sorted(data):
            replace_atomically(judged(file), content)
    stop.set()
    reader.join()
    assert seen <= data


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_permissions_are_respected(file):
    file.chmod(0o444)
    with pytest.raises(ToolError, match="write-protected"):
        replace_atomically(judged(file), b"new")
    file.chmod(0o644)
    file.parent.chmod(0o555)
    with pytest.raises(ToolError, match="Permission denied"):
        replace_atomically(judged(file), b"new")
    file.parent.chmod(0o755)
    assert file.read_bytes() == b"old\n"


def test_what_cannot_be_written_leaves_everything_as_it_was(file):
    """A file size limit stands in for a full disk: both fail in the middle of the write."""
    script = f"""
import resource, signal
from ralph.policy.paths import resolve
from ralph.errors import ToolError
from ralph.tools.files import replace_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    replace_atomically(resolve({str(file)!r}, "/"), b"x" * 100_000)
except ToolError as error:
    print(error)
"""
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == f"cannot write {file}: File too large\n"
    assert file.read_bytes() == b"old\n"
    assert no_temporary_files(file.parent)


TEXT = st.text(st.sampled_from("aé\n\r\u2028日😀\x0c"), max_size=60)


@given(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), TEXT)
def test_a_text_survives_a_round_trip(encoding, text):
    data = text.encode(encoding)
    read, style = decode(data)
    assert read == text
    assert encode(read, style) == data


@given(st.binary(max_size=100).filter(lambda data: b"\0" not in data))
def test_any_bytes_without_nul_survive_a_round_trip(data):
    assume(not files.binary_kind(data) and not data.startswith((b"\xff\xfe", b"\xfe\xff")))
    text, style = decode(data)
    assert encode(text, style) == data
    text.encode("utf-8", "surrogateescape" if style.strays else "strict")


@pytest.mark.parametrize(("data", "style"), [
    (b"", Style()),
    (b"a\nb\n", Style()),
    (b"a\r\nb\r\n", Style(newline="\r\n")),
    (b"a\r\nb\r\nc\n", Style(newline="\r\n", mixed=True)),
    (b"a\nb\nc\r\n", Style(mixed=True)),
    (b"\xef\xbb\xbfa", Style(bom=b"\xef\xbb\xbf")),
    (b"\xff\xfea\0", Style("utf-16-le", b"\xff\xfe")),
    (b"caf\xe9 \xe9", Style(strays=2)),
])  # fmt: skip
def test_styles(data, style):
    assert decode(data)[1] == style


@pytest.mark.parametrize(("data", "kind"), [
    (b"\x89PNG\r\n\x1a\n", "PNG image"), (b"%PDF-1.7", "PDF document"), (b"a\0b", "unknown type"),
    (b"RIFF1234WEBPVP8 ", "WebP image"), (b"\xff\xfe\0\0a\0\0\0", "UTF-32 text"), (b"\x7fELF\x02", "ELF program"),
])  # fmt: skip
def test_binary_files_are_named(data, kind):
    with pytest.raises(ToolError, match=rf"^it is binary \({kind}, {len(data)} bytes\)"):
        decode(data, "it")


def test_damaged_utf16():
    with pytest.raises(ToolError, match="damaged"):
        decode(b"\xff\xfea")


def test_new_text_takes_the_style_of_the_old(tmp_path):
    (tmp_path / "f").write_bytes(b"a\r\nb\r\n")
    style = files.style_of(judged(tmp_path / "f"))
    assert files.in_style("x\ny", style) == "x\r\ny"
    assert files.in_style("x\r\ny\n", style) == "x\r\ny\n"
    assert files.in_style("x\n", Style(newline="\r\n", mixed=True)) == "x\n"
    assert files.style_of(judged(tmp_path / "none")) == Style()


def test_sizes():
    assert [files.size_text(size) for size in (0, 999, 1000, 12_340, 10**9, 10**16)] == [
        "0 bytes", "999 bytes", "1.0 kB", "12.3 kB", "1.0 GB", "10000.0 TB",
    ]  # fmt: skip
