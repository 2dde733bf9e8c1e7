"""Class folders from footage to clips: labels as text, a public split, real footage, what the report says of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tasks import assemble, files, params, report, sample, subclips, tables
from tasks.clips import ClipDataset
from tasks.footage import Reject
from tasks.params import Clips, Dataset, Frames, GroupRule, Split, SplitLists
from tasks.report.data_page import data_page
from tasks.stores import StoredSource
from tests.conftest import true_frames, write_video

UCF_GROUP = r"v_(?P<group>\w+_g\d+)_c\d+"
ANY_GROUP = r"/(?:v_|UCF-101_)?(?P<group>.+?)(?:_c\d+|_wave_.*)?\.\w+$"  # UCF-101, HMDB-51's film, Kinetics' film
SMALL = Frames(height_px=16, width_px=24, gray=True, fit="stretch")


def assembled(data: Path, dataset: Dataset, footage: Path) -> Path:
    """The three data stages, laid out as in a project; the folder of the clips."""
    cuts, frames, clips = (data / stage / "d" for stage in ("cuts", "frames", "clips"))
    subclips.run(dataset, footage, cuts)
    sample.run(dataset, footage, cuts, frames, 1)
    assemble.run(dataset, frames, clips)
    return clips


def video(path: Path, seed: int, frames: int = 9) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, true_frames(frames, seed=seed))


def images(folder: Path, numbers: Sequence[int]) -> None:
    folder.mkdir(parents=True)
    frames = true_frames(max(numbers) + 1, seed=99)
    for number in numbers:
        Image.fromarray(frames[number]).save(folder / f"{number:03d}.png")


def test_labels_are_the_folder_above_the_source_and_stay_text(tmp_path: Path) -> None:
    root = tmp_path / "footage"
    labels = ["1", "01", "1.0", "nan", "None", "true", "jump rope", 'Füße, "hoch"', "跳"]
    for seed, label in enumerate(labels):
        for group in ("a", "b"):
            video(root / "set" / label / f"{group}.mkv", 2 * seed + (group == "b"))
    images(root / "frames of a walk" / "walk", range(1, 10))
    rule = GroupRule(pattern=r"/(?P<group>\w+)(\.mkv)?$")
    dataset = Dataset(
        footage="x", group=rule, frames=SMALL, clips=Clips(length_frames=8, stride_frames=8), split=Split(test=("b",))
    )
    clips = assembled(tmp_path / "data", dataset, root)
    expected = sorted([*labels, "frames of a walk"])
    train = ClipDataset(tmp_path / "data/frames/d", clips, "train")
    assert train.labels == expected
    assert Counter(train.labels[train[k]["label"]] for k in range(len(train))) == dict.fromkeys(expected, 2)
    stored = tables.read(tmp_path / "data/frames/d/sources.csv", StoredSource)
    assert {s.path: s.label for s in stored if s.kind == "frames"} == {"frames of a walk/walk": "frames of a walk"}
    assert set(json.loads((clips / "summary.json").read_text())["classes"]) == set(expected)
    page = data_page("d", tmp_path / "data")
    assert [row["label"] for row in page["classes"]] == expected
    assert {row["label"] for row in page["sources"]} == set(expected)


def test_a_public_split_from_list_to_report(tmp_path: Path) -> None:
    root, lists = tmp_path / "footage", tmp_path / "footage" / "ucfTrainTestlist"
    groups = {"Archery": ("g01", "g02", "g08"), "Biking": ("g01", "g08"), "Diving": ("g08",)}
    names = [f"{label}/v_{label}_{group}_c01.avi" for label, found in groups.items() for group in found]
    for seed, name in enumerate(names):
        video(root / name, seed)
    names[2] = names[2].removesuffix(".avi")  # a video that was taken apart
    (root / f"{names[2]}.avi").unlink()
    images(root / names[2], [*range(1, 10), *range(11, 20)])
    (root / "Diving" / "v_Diving_g01_c01.avi").touch()
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 Biking\n3 Diving\n")
    train = [f"{name} {number}\r\n" for number, name in ((1, names[2]), (2, names[4]), (3, names[5]))]
    (lists / "trainlist01.txt").write_text("".join(train))
    (lists / "testlist01.txt").write_text(f"{names[0]}\n{names[3]}\nDiving/v_Diving_g01_c01.avi\nDiving/gone.avi\n")
    where = {name: str(lists / f"{file}.txt") for name, file in
             (("train", "trainlist01"), ("test", "testlist01"), ("classes", "classInd"))}  # fmt: skip
    dataset = Dataset(
        footage=str(root),
        group=GroupRule(pattern=UCF_GROUP),
        frames=SMALL,
        clips=Clips(length_frames=8, stride_frames=8),
        split=Split(lists=SplitLists(**where)),
        max_reject_fraction=0.2,  # one of seven is broken; what no list names does not count
    )
    clips = assembled(tmp_path / "data", dataset, root)
    table = pd.read_parquet(clips / "clips.parquet")
    assert table.groupby("group")["split"].first().to_dict() == {
        "Archery_g01": "test",
        "Archery_g08": "train",
        "Biking_g01": "test",
        "Biking_g08": "train",
        "Diving_g08": "train",
    }
    assert tables.read(clips / "rejects.csv", Reject) == [
        Reject(names[1], "assemble", "named by neither trainlist01.txt nor testlist01.txt"),
        Reject("Diving/v_Diving_g01_c01.avi", "subclips", "empty file (0 bytes)"),
    ]
    summary = json.loads((clips / "summary.json").read_text())
    assert summary["sources"] == 5
    assert summary["classes"]["Archery"] == {"sources": 2, "groups": 2, "train_sources": 1, "test_sources": 1}
    assert summary["lists"] == {
        "left_out": 1,
        "train": {
            "file": where["train"],
            "sha256": files.sha256_of(lists / "trainlist01.txt"),
            "listed": 3,
            "missing": 0,
        },
        "test": {"file": where["test"], "sha256": files.sha256_of(lists / "testlist01.txt"), "listed": 4, "missing": 1},
    }
    assert summary["warnings"] == [
        "1 of 4 files that testlist01.txt lists do not exist: Diving/gone.avi",
        "1 of 3 classes has one group only: Diving; a class of one group cannot be both learned and judged",
        "1 of 3 classes has no test clip: Diving; such a class is not judged",
    ]
    project = params.parse({"datasets": {"d": dataset.model_dump()}, "recipes": {}}, tmp_path)
    report.run(project, tmp_path / "data", tmp_path / "site")
    text = unescape(re.sub(r"<[^>]*>|\s+", " ", (tmp_path / "site" / "data-d.html").read_text()))
    text = re.sub(r"\s+", " ", text)
    assert "Warnings 1 of 4 files that testlist01.txt lists do not exist: Diving/gone.avi. 1 of 3 classes" in text
    assert "Class Groups Sources Train clips Test clips Archery 2 2 4 1 Biking 2 2 2 1 Diving 1 1 2 0" in text
    assert f"{names[2]} 1 frame missing: 10 frames Archery Archery_g08 train" in text
    assert "6 sources, 10 clips of 8 frames; 2 files left out" in text


def test_real_clips_of_three_collections(footage: Path, tmp_path: Path) -> None:
    """Nine classes of which two have two groups: all files are used, and the summary says what that is worth."""
    split = Split(test=("SchoolRulesHowTheyHelpUs", "SOX5yA1l24A"))
    clips = Clips(length_frames=16, train_stride_frames=8, stride_frames=16)
    dataset = Dataset(footage="x", group=GroupRule(pattern=ANY_GROUP), frames=SMALL, clips=clips, split=split)
    out = assembled(tmp_path / "data", dataset, footage / "clips")
    assert tables.read(out / "rejects.csv", Reject) == []
    stored = tables.read(tmp_path / "data/frames/d/sources.csv", StoredSource)
    assert [s.note for s in stored] == [""] * 23
    assert Counter((s.label, s.group) for s in stored) == {
        ("ApplyEyeMakeup", "ApplyEyeMakeup_g01"): 5,
        ("BaseballPitch", "BaseballPitch_g01"): 1,
        ("BenchPress", "BenchPress_g01"): 5,
        ("Biking", "Biking_g05"): 1,
        ("Diving", "Diving_g01"): 5,
        ("Rowing", "Rowing_g16"): 1,
        ("SoccerJuggling", "SoccerJuggling_g23"): 1,
        ("hmdb_wave", "RATRACE"): 1,
        ("hmdb_wave", "SchoolRulesHowTheyHelpUs"): 1,
        ("kinetics_segway", "R6llTwEh07w"): 1,
        ("kinetics_segway", "SOX5yA1l24A"): 1,
    }
    assert [s.stored_frames for s in stored] == [
        164, 123, 259, 235, 296, 107, 151, 180, 104, 105, 88, 201, 259, 282, 214, 232, 234, 135, 240, 72, 74, 303, 332,
    ]  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    assert summary["leakage"] == {"passed": True, "pairs_compared": 42}
    assert {name: side["clips"] for name, side in summary["splits"].items()} == {
        "train": 470, "validation": 0, "test": 24,
    }  # fmt: skip
    some = "ApplyEyeMakeup, BaseballPitch, BenchPress, Biking, Diving and 2 more"
    assert summary["warnings"] == [
        f"7 of 9 classes have one group only: {some}; a class of one group cannot be both learned and judged",
        f"7 of 9 classes have no test clip: {some}; such a class is not judged",
        "the classes are out of balance: Diving has 146 training clips, 18 times the 8 of hmdb_wave",
    ]


@pytest.mark.parametrize("path", ["v_HandStandPushups_g01_c01.avi", "v_YoYo_g25_c05.avi"])
def test_a_group_of_ucf_is_of_its_class(path: str) -> None:
    match = re.search(UCF_GROUP, f"Class/{path}")
    assert match is not None
    assert match["group"] == path[2 : path.index("_c0")]


def test_the_documented_example_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "classes.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (tmp_path / "params.yaml").write_text(f"rendered: {{}}\n{block[1]}\nreport: {{}}\n", encoding="utf-8")
    found = params.load(tmp_path / "params.yaml")
    dataset = found.dataset("ucf101")
    assert (dataset.frames.height_px, dataset.frames.width_px, dataset.clips.length_frames) == (128, 171, 16)
    assert dataset.group is not None
    assert dataset.group.pattern == UCF_GROUP
    recipe = found.recipe("c3d_ucf101")
    assert (recipe.config["crop_height_px"], recipe.config["crop_width_px"]) == (112, 112)
    assert (recipe.training.batch_clips, recipe.training.optimizer.learning_rate) == (30, 0.003)
