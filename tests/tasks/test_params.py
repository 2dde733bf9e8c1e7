from __future__ import annotations

from pathlib import Path

import pytest

from tasks import params

GOOD = """
datasets:
  d:
    footage: somewhere
    split: {test: ['1']}
recipes:
  r: {dataset: d, architecture: gru_autoencoder, training: {optimizer: {learning_rate: 1e-4}}}
"""


def _load(tmp_path: Path, text: str) -> params.Params:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return params.load(path)


def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    p = _load(tmp_path, GOOD.replace("'1'", "'1', no"))
    assert p.recipe("r").training.optimizer.learning_rate == 0.0001  # PyYAML would read text
    assert p.dataset("d").split.test == ("1", "no")  # and False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("somewhere", "somewhere\n    colour: red"),
            r"datasets\.d\.colour: Extra inputs are not permitted \(got 'red'\)",
        ),
        (("1e-4", "-1"), r"recipes\.r\.training\.optimizer\.learning_rate: Input should be greater than 0 \(got -1\)"),
        (("1e-4", ".nan"), r"learning_rate: Input should be (greater than 0|a finite number)"),
        (("dataset: d,", "dataset: e,"), r"recipes\.r\.dataset is 'e', which is not under datasets \(there: d\)"),
        (("['1']", "[]"), "split.test names no group"),
        (("['1']", "['1'], validation: ['1']"), "group 1 stands in split.test and in split.validation"),
        (("somewhere", "somewhere\n    group: {pattern: 'a(b'}"), "'a\\(b' is not a regular expression"),
        (("somewhere", "somewhere\n    group: {pattern: 'ab'}"), "needs a part named group"),
        (("  r:", "  'R;rm -rf':"), r"recipes\.R;rm -rf"),
        (("datasets:", "datasets: ["), "is not valid YAML"),
    ],
)
def test_a_fault_is_named_with_its_key_and_value(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _load(tmp_path, GOOD.replace(*change))


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 2 fault") as caught:
        _load(tmp_path, GOOD.replace("1e-4", "-1").replace("somewhere", "somewhere\n    colour: red"))
    assert "colour" in str(caught.value)
    assert "learning_rate" in str(caught.value)


def test_a_missing_name_lists_those_that_exist(tmp_path: Path) -> None:
    p = _load(tmp_path, GOOD)
    with pytest.raises(ValueError, match=r"params.yaml has no recipes.x; it has: r"):
        p.recipe("x")
    with pytest.raises(ValueError, match=r"nowhere.yaml does not exist; run inside a Rushes project"):
        params.load(tmp_path / "nowhere.yaml")
