"""Vectors as bytes, and exact search against the plain definition of each distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.errors import StoreError
from ralph.memory.matrix import Matrix, unit
from ralph.memory.vectors import packed, unpacked

METRICS = ("l2", "cosine", "ip")


def plainly(metric, query, row):
    """The definition, in float64."""
    query, row = np.asarray(query, np.float64), np.asarray(row, np.float64)
    if metric == "l2":
        return float(((query - row) ** 2).sum())
    if metric == "ip":
        return float(1 - query @ row)
    return float(1 - query @ row / np.linalg.norm(query) / np.linalg.norm(row))


def added(rows, first=1):
    return [(n, n, n + 1000, packed(row, len(row), "l2")) for n, row in enumerate(rows, first)]


def asked(matrix, metric, query, k, **more):
    query = np.asarray(query, np.float32)
    return matrix.search(unit(query) if metric == "cosine" else query, k, **more)


@given(st.lists(st.floats(-(2.0**56), 2.0**56, width=32, allow_nan=False), min_size=1, max_size=40))
def test_vectors_survive_packing(numbers):
    assert unpacked(packed(numbers, len(numbers), "l2")) == numbers
    assert packed(np.array(numbers), len(numbers), "l2") == packed(numbers, len(numbers), "l2")


def test_packing_takes_arrays_of_any_kind_and_layout():
    data = np.array([0, 2, 4], "<f4").tobytes()
    assert packed(np.arange(6)[::2], 3, "l2") == packed([0, 2, 4], 3, "l2") == packed(data, 3, "l2") == data


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), 3e38, -1e18])
def test_numbers_whose_distances_could_not_be_told(metric, number):
    with pytest.raises(StoreError, match="not finite"):
        packed([1.0, number], 2, metric)


@pytest.mark.parametrize("vector", [np.ones((2, 2)), [[1], [2]], "ab", b"ab", [1j, 2], 5])
def test_what_is_no_vector(vector):
    with pytest.raises(StoreError):
        packed(vector, 2 if isinstance(vector, list) else 4, "l2")


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_those_of_the_definition(metric):
    random = np.random.default_rng(3)
    rows = random.standard_normal((300, 24)) * 5 + 40
    matrix = Matrix(24, metric)
    matrix.add(added(rows))
    query = random.standard_normal(24) * 5 + 40
    hits = asked(matrix, metric, query, 300)
    assert [distance for _, distance in hits] == sorted(distance for _, distance in hits)
    for label, distance in hits:
        assert distance == pytest.approx(plainly(metric, query, rows[label - 1]), rel=1e-4, abs=1e-5)
    truth = sorted(range(300), key=lambda n: plainly(metric, query, rows[n]))
    assert [label - 1 for label, _ in hits[:10]] == truth[:10]


def test_few_and_none():
    matrix = Matrix(2, "l2")
    assert asked(matrix, "l2", [0, 0], 5) == []
    matrix.add(added([[1, 0], [2, 0]]))
    assert asked(matrix, "l2", [0, 0], 5) == [(1, 1.0), (2, 4.0)]
    assert asked(matrix, "l2", [0, 0], 0) == []


def test_among_looks_at_those_documents_only():
    matrix = Matrix(1, "l2")
    matrix.add(added([[n] for n in range(10)]))
    assert [label for label, _ in asked(matrix, "l2", [0], 3, among={1009, 1004, 5})] == [4, 9]
    assert asked(matrix, "l2", [0], 3, among=()) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "take"]), st.integers(1, 90)), max_size=60), st.randoms())
def test_any_history_leaves_the_right_rows(history, random):
    matrix, model, label = Matrix(2, "l2"), {}, 0
    for action, count in history:
        if action == "add":
            rows = [[random.random(), random.random()] for _ in range(count)]
            matrix.add(added(rows, label + 1))
            model.update({label + 1 + n: row for n, row in enumerate(rows)})
            label += count
        elif action == "remove":
            gone = random.sample(sorted(model), min(count, len(model)))
            matrix.remove([*gone, 10**6])
            for one in gone:
                del model[one]
        else:
            ids, rows = matrix.take(count)
            assert ids == sorted(model)[:count]
            assert np.allclose(rows, [model.pop(one) for one in ids] or np.empty((0, 2)))
        assert len(matrix) == len(model)
        assert matrix.first_seq == (min(model) if model else None)
    truth = sorted(model, key=lambda one: model[one][0] ** 2 + model[one][1] ** 2)
    assert sorted(one for one, _ in asked(matrix, "l2", [0, 0], 10**6)) == sorted(truth)
