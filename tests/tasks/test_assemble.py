"""Stage assemble: the manifest, its splits, and the leakage check on drawn and on real footage."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import assemble, media, sample, subclips, tables
from tasks.footage import Reject
from tasks.params import Clips, Dataset, Frames, GroupRule, Shots, Split, Subclips
from tests.conftest import true_frames, write_video
from tests.tasks._images import write_images

SMALL = Frames(height_px=32, width_px=32, gray=True, fit="stretch")
WINDOWS = Clips(length_frames=4, step_frames=2, train_stride_frames=3, stride_frames=7)


def rules(test: tuple[str, ...] = ("c",), **settings: object) -> Dataset:
    group = GroupRule(pattern=r"/(?P<group>\w+)_\d+\.")
    given = {"frames": SMALL, "clips": WINDOWS, "group": group, "split": Split(test=test)} | settings
    return Dataset(footage="x", **given)  # type: ignore[arg-type]


def films(folder: Path, names: dict[str, int]) -> None:
    for seed, (name, frames) in enumerate(names.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, true_frames(frames, seed=seed))


def assembled(root: Path, dataset: Dataset, footage: Path | None = None) -> Path:
    footage = footage or root / "footage"
    subclips.run(dataset, footage, root / "cuts")
    sample.run(dataset, footage, root / "cuts", root / "frames", 1)
    assemble.run(dataset, root / "frames", root / "clips")
    return root / "clips"


def test_manifest_and_summary(tmp_path: Path) -> None:
    films(tmp_path / "footage", {"run/a_1.mkv": 14, "run/b_1.mkv": 9, "jump/a_2.mkv": 6, "jump/c_1.mkv": 21})
    out = assembled(tmp_path, rules(split=Split(test=("c",), validation=("b",))))
    table = pd.read_parquet(out / "clips.parquet")
    table["source"] = table["source"].str[:9]
    assert list(table.columns) == [
        "clip", "source", "span", "first_row", "length", "step", "split", "group", "label",
        "film", "score", "first_frame", "first_seconds",
    ]  # fmt: skip
    assert [
        tuple(row) for row in table[["clip", "source", "first_row", "split", "group", "label"]].values.tolist()
    ] == [
        (0, "jump-c-1-", 0, "test", "c", "jump"),
        (1, "jump-c-1-", 7, "test", "c", "jump"),
        (2, "jump-c-1-", 14, "test", "c", "jump"),
        (3, "run-a-1-m", 0, "train", "a", "run"),
        (4, "run-a-1-m", 3, "train", "a", "run"),
        (5, "run-a-1-m", 6, "train", "a", "run"),
        (6, "run-b-1-m", 0, "validation", "b", "run"),
    ]
    assert table[["first_frame", "first_seconds"]].values.tolist()[2] == [14, 0.56]
    summary = json.loads((out / "summary.json").read_text())
    identity = summary.pop("data_sha256")
    assert len(identity) == 64
    assert summary == {
        "clips": 7,
        "sources": 4,
        "sources_without_clips": ["jump/a_2.mkv"],
        "stored_frames": 50,
        "leakage": {"passed": True, "pairs_compared": 5},
        "lists": None,
        "ratings": None,
        "input": {
            "gray": True,
            "fit": "stretch",
            "every_frames": 2,
            "frames_per_second": None,
            "height_px": 32,
            "width_px": 32,
            "length_frames": 4,
            "least_frames": None,
            "stride_frames": 3,
            "subclips": None,
            "shots": None,
        },
        "classes": {
            "jump": {"sources": 2, "groups": 2, "train_sources": 0, "test_sources": 1},
            "run": {"sources": 2, "groups": 2, "train_sources": 1, "test_sources": 0},
        },
        "warnings": [
            "1 of 2 classes has no training clip: jump; videos of such a class count as wrong",
            "1 of 2 classes has no test clip: run; such a class is not judged",
        ],
        "splits": {
            name: {
                "clips": n,
                "sources": 1,
                "groups": {group: n},
                "labels": {label: n},
                "smallest_to_largest_class": 1.0,
            }
            for name, n, group, label in [
                ("train", 3, "a", "run"),
                ("validation", 1, "b", "run"),
                ("test", 3, "c", "jump"),
            ]
        },
    }
    first = {p.name: p.read_bytes() for p in out.iterdir()}
    assemble.run(rules(split=Split(test=("c",), validation=("b",))), tmp_path / "frames", out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == first


def test_files_for_people_to_watch_change_nothing_that_training_reads(tmp_path: Path) -> None:
    films(tmp_path / "footage", {"run/a_1.mkv": 30, "run/c_1.mkv": 30})
    made = []
    for files in (False, True):
        cut = Subclips(count=2, seconds=0.5, start_seconds=0.1, snap="keyframe", files=files)
        out = assembled(tmp_path, rules(subclips=cut, shots=Shots(threshold=0.2)))
        read = [path for folder in ("frames", "clips") for path in sorted((tmp_path / folder).iterdir())]
        made.append({path.relative_to(tmp_path): path.read_bytes() for path in read})
    assert len(list((tmp_path / "cuts" / "files").iterdir())) == 6
    assert made[1] == made[0]
    shutil.rmtree(tmp_path / "frames")  # nothing may be equal only because it was kept
    assembled(tmp_path, rules(subclips=cut, shots=Shots(threshold=0.2)))
    assert {path: (tmp_path / path).read_bytes() for path in made[0]} == made[0]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["input"]["subclips"] == {"count": 2, "seconds": 0.5, "start_seconds": 0.1, "snap": "keyframe"}
    assert summary["input"]["shots"] == {"threshold": 0.2, "split": True}


def test_a_subclip_that_gives_no_clip_is_told(tmp_path: Path) -> None:
    """0.4 s of 25 frames a second are 10 frames; a clip of 4, every other one, needs 7 in a row."""
    films(tmp_path / "footage", {"run/a_1.mkv": 36, "run/b_1.mkv": 28, "run/c_1.mkv": 26})
    write_images(tmp_path / "footage" / "run" / "d_1.x", [k for k in range(30) if k not in (16, 24)])
    cut = {"subclips": Subclips(count=3, seconds=0.4, start_seconds=0), "max_reject_fraction": 0.0}

    def told(**settings: object) -> list[tuple[str, str, str]]:
        out = assembled(tmp_path, rules(**cut | settings))
        assert (out / "clips.parquet").is_file()
        return [(r.path, r.stage, r.reason) for r in tables.read(out / "rejects.csv", Reject) if r.stage == "assemble"]

    assert told() == [
        ("run/c_1.mkv", "assemble", "subclip 3 of 3: 6 of the 7 frames a clip needs"),
        ("run/d_1.x", "assemble", "subclip 2 of 3: 6 of the 7 frames a clip needs"),
        ("run/d_1.x", "assemble", "subclip 3 of 3: 5 of the 7 frames a clip needs"),
    ]
    shorter = Clips(length_frames=6, least_frames=6, train_stride_frames=3, stride_frames=3)
    assert told(clips=shorter) == [("run/d_1.x", "assemble", "subclip 3 of 3: 5 of the 6 frames a clip needs")]
    assert told(shots=Shots(threshold=0.99)) == []


def test_interpolation_windows_keep_within_shots(footage: Path, tmp_path: Path) -> None:
    """A trailer of eight shots and 120 street frames: seven frames a clip, none across a cut, no copy suspected."""
    root = tmp_path / "footage"
    root.mkdir()
    shutil.copy(footage / "trailers" / "sintel_trailer_480x204.mp4", root / "film.mp4")
    shutil.copytree(footage / "mot" / "otb_Crossing" / "img", root / "crossing")
    windows = Clips(gap_frames=6, train_stride_frames=1, stride_frames=3)
    settings = {"label": "none", "group": None, "shots": Shots(threshold=0.2), "clips": windows}
    out = assembled(tmp_path, rules(("crossing",), **settings))
    table = pd.read_parquet(out / "clips.parquet")
    crossing, film = (part["first_frame"].tolist() for _, part in table.groupby("source"))
    assert crossing == list(range(1, 115, 3))
    starts = [0, 398, 406, 422, 573, 623, 660, 674, 1252]
    assert film == [n for a, b in itertools.pairwise(starts) for n in range(a, b - 6)]
    assert set(table["length"]) == {7}


def test_unknown_groups_and_empty_splits_are_named(tmp_path: Path) -> None:
    films(tmp_path / "footage", {"run/a_1.mkv": 14, "run/b_1.mkv": 5})
    with pytest.raises(ValueError, match=r"split\.test lists group zoe, which no source has; there are: a, b"):
        assembled(tmp_path, rules(("b", "zoe")))
    with pytest.raises(ValueError, match=r"no test clip: no source of its groups has 4 stored frames 2 apart"):
        assembled(tmp_path, rules(("b",)))
    with pytest.raises(ValueError, match=r"no train clip"):
        assembled(tmp_path, rules(("a", "b")))
    with pytest.raises(ValueError, match=r"no group is drawn to validation; raise split\.validation_share, or"):
        assembled(tmp_path, rules(split=Split(test_share=0.5, validation_share=0.001)))
    assert not (tmp_path / "clips").exists()


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda f: f, "copy"),  # another file, another codec
        (lambda f: f[:, :, ::-1], "mirrored copy"),
        (lambda f: np.clip(f * 1.1 + 8.0, 0, 255).astype(np.uint8), "copy"),
        (lambda f: f[12:52], "copy"),
    ],
    ids=["recoded", "mirrored", "brighter", "trimmed"],
)
def test_copies_across_the_split_fail_and_are_named(tmp_path: Path, change, how: str) -> None:  # type: ignore[no-untyped-def]
    films(tmp_path / "footage", {"run/a_1.mkv": 64, "run/b_1.mkv": 64})
    media.encode_video(change(true_frames(64, seed=0)), tmp_path / "footage/run/c_1.mp4", frames_per_second=25, crf=26)
    with pytest.raises(ValueError, match="the same footage stands in two splits") as caught:
        assembled(tmp_path, rules())
    assert str(caught.value).splitlines()[1:] == [f"  run/a_1.mkv (train) and run/c_1.mp4 (test): {how}"]


def test_identical_files_across_the_split_fail_even_where_nothing_shows(tmp_path: Path) -> None:
    films(tmp_path / "footage", {"run/b_1.mkv": 20})
    for name in ("a_1", "c_1"):
        write_video(tmp_path / "footage" / "run" / f"{name}.mkv", np.zeros((20, 48, 64, 3), np.uint8))
    with pytest.raises(ValueError, match=r"run/a_1\.mkv \(train\) and run/c_1\.mkv \(test\): identical"):
        assembled(tmp_path, rules())


def strips(root: Path, footage: Path, pattern: str, test: tuple[str, ...], divide_by: int | None = None) -> Path:
    group = GroupRule(pattern=pattern, divide_by=divide_by)
    return assembled(root, rules(test, group=group, frames=Frames(), clips=Clips()), footage)


def test_performers_apart_pass_on_real_actions(footage: Path, tmp_path: Path) -> None:
    """The wall and the action are the same on both sides; the people are not."""
    out = strips(tmp_path, footage / "actions", r"/(?P<group>\d+)\.jpg", ("5", "6"), 8)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["leakage"] == {"passed": True, "pairs_compared": 640}
    assert (summary["splits"]["train"]["clips"], summary["splits"]["test"]["clips"]) == (2448, 60)


def test_mirrored_twins_apart_fail_on_real_actions(footage: Path, tmp_path: Path) -> None:
    """Every odd strip mirrors the even one before it: all 28 pairs are found, and nothing else."""
    with pytest.raises(ValueError, match=r"stands in two splits, 28 time\(s\)") as caught:
        strips(tmp_path, footage / "actions", r"(?P<group>\d)\.jpg", tuple("13579"))
    assert "  0/00000002.jpg (train) and 0/00000003.jpg (test): mirrored copy" in str(caught.value).splitlines()


def test_moving_shapes_are_not_taken_for_copies(footage: Path, tmp_path: Path) -> None:
    out = strips(tmp_path, footage / "shapes", r"(?P<group>\d)\.png", tuple("02468"))
    summary = json.loads((out / "summary.json").read_text())
    assert summary["leakage"] == {"passed": True, "pairs_compared": 58 * 62}
    assert {name: (split["sources"], split["clips"]) for name, split in summary["splits"].items()} == {
        "train": (58, 58 * 17),
        "validation": (0, 0),
        "test": (62, 62 * 2),
    }
