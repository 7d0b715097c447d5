import pytest

from tests.e2e.program import Program


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)
