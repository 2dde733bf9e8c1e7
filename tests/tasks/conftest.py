"""Fixtures of the trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks._tiny import know_tiny, write_clips, write_rated_clips


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    know_tiny()
    root = tmp_path_factory.mktemp("labelled")
    write_clips(root, ("moving", "still"))
    return root


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    know_tiny()
    root = tmp_path_factory.mktemp("rated")
    write_rated_clips(root)
    return root
