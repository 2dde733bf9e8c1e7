from __future__ import annotations

from pathlib import Path

import pytest

from tasks import params

GOOD = """
rendered: {}
datasets:
  d:
    footage: somewhere
    label: folder
    strip_frame_width_px: null
    ratings: null
    group: null
    subclips: null
    shots: null
    frames: {}
    clips: {}
    split: {test: ['1']}
    max_reject_fraction: 0.1
recipes:
  r:
    dataset: d
    architecture: gru_autoencoder
    config: {}
    training: {optimizer: {learning_rate: 1e-4}}
    evaluation: {}
report: {}
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
        (
            ("clips: {}", "clips: {gap_frames: 6, length_frames: 16}"),
            "gap_frames 6 makes windows of 7 frames and length",
        ),
        (
            ("rendered: {}", "rendered: {f: {draw: cats}}"),
            r"rendered\.f: Input tag 'cats' found using 'draw' does not match",
        ),
        (("1e-4", "-1"), r"recipes\.r\.training\.optimizer\.learning_rate: Input should be greater than 0 \(got -1\)"),
        (("1e-4", ".nan"), r"learning_rate: Input should be (greater than 0|a finite number)"),
        (("dataset: d", "dataset: e"), r"recipes\.r\.dataset is 'e', which is not under datasets \(there: d\)"),
        (("['1']", "[]"), "split.test names no group"),
        (("['1']", "['1'], validation: ['1']"), "group 1 stands in split.test and in split.validation"),
        (("group: null", "group: {pattern: 'a(b'}"), "'a\\(b' is not a regular expression"),
        (("group: null", "group: {pattern: 'ab'}"), "needs a part named group"),
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


def test_a_gap_is_a_window_with_both_its_ends(tmp_path: Path) -> None:
    p = _load(tmp_path, GOOD.replace("clips: {}", "clips: {gap_frames: 6}"))
    assert (p.dataset("d").clips.length_frames, p.dataset("d").clips.gap_frames) == (7, 6)


def test_with_ratings_clips_begin_where_those_of_new_trailers_can(tmp_path: Path) -> None:
    rated = GOOD.replace("ratings: null", "ratings: {file: r.csv}").replace("shots: null", "shots: {split: false}")
    apart = "clips: {step_frames: 2, stride_frames: 3}"
    assert _load(tmp_path, rated.replace("clips: {}", apart.replace("3", "4"))).dataset("d").clips.stride_frames == 4
    assert _load(tmp_path, GOOD.replace("clips: {}", apart)).dataset("d").clips.stride_frames == 3
    with pytest.raises(
        ValueError, match=r"clips\.stride_frames is 3 and clips\.step_frames 2; with ratings it has to be"
    ):
        _load(tmp_path, rated.replace("clips: {}", apart))


def test_a_missing_name_lists_those_that_exist(tmp_path: Path) -> None:
    p = _load(tmp_path, GOOD)
    with pytest.raises(ValueError, match=r"params.yaml has no recipes.x; it has: r"):
        p.recipe("x")
    with pytest.raises(ValueError, match=r"nowhere.yaml does not exist; run inside a Rushes project"):
        params.load(tmp_path / "nowhere.yaml")


def test_a_key_that_dvc_yaml_depends_on_must_be_written(tmp_path: Path) -> None:
    shorter = GOOD.replace("    label: folder\n", "").replace("    evaluation: {}\n", "").replace("rendered: {}", "")
    with pytest.raises(ValueError, match=r"leaves out what dvc\.yaml depends on") as caught:
        _load(tmp_path, shorter)
    assert str(caught.value).splitlines()[1:] == [
        "  rendered: {}",
        '  datasets.d.label: "folder"',
        '  recipes.r.evaluation: {"batch_clips": 32, "bootstrap_samples": 2000, "bootstrap_seed": 0}',
    ]


def test_what_the_readme_shows_is_complete(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = readme.split("```yaml\n")[1].split("```")[0]
    p = _load(tmp_path, f"rendered: {{}}\nreport: {{}}\n{shown}")
    assert p.recipe("gru_on_mine").dataset == "mine"
