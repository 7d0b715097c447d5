"""Named arrays in one file: safetensors (format: huggingface/safetensors, README), mapped on reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ralph.errors import StoreError

_KINDS = {"F32": "<f4", "F16": "<f2", "I8": "|i1", "I64": "<i8"}


def read_tensors(path: Path) -> dict[str, Any]:
    """Every tensor of a safetensors file, as views on the mapped file (format: huggingface/safetensors, README)."""
    import numpy as np

    try:
        mapped = np.memmap(path, np.uint8, "r").view(np.ndarray)  # every step on a memmap costs a call more
        begin = 8 + int.from_bytes(mapped[:8].tobytes(), "little")
        header: dict[str, Any] = json.loads(mapped[8:begin].tobytes())
        tensors = {}
        for name, row in header.items():
            if name != "__metadata__":
                start, end = row["data_offsets"]
                tensors[name] = mapped[begin + start : begin + end].view(_KINDS[row["dtype"]]).reshape(row["shape"])
    except (OSError, ValueError, KeyError) as error:
        hint = "install it again: ralph memory embedder install"
        raise StoreError(f"the embedding model {path} cannot be read ({error})", hint=hint) from error
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    import numpy as np

    header: dict[str, Any] = {}
    place = 0
    kinds = {np.dtype(code): name for name, code in _KINDS.items()}
    for name, tensor in tensors.items():
        end = place + tensor.nbytes
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64)  # numbers at even addresses
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())
