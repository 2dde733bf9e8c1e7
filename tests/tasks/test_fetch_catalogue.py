"""The catalogue: every set, fetched as small archives of its published layout, is read by the section it comes with."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import fetch as fetching
from tasks import footage, params, splits
from tasks.fetch import PublicSet
from tasks.fetch.catalogue import Archive, dataset_of
from tests.conftest import true_frames, write_video
from tests.tasks._http_server import serving

Members = dict[str, bytes]
MOT = {"train": ["02", "04", "05", "09", "10", "11", "13"], "test": ["01", "03", "06", "07", "08", "12", "14"]}
MOT15 = {
    "train": [
        "ADL-Rundle-6", "ADL-Rundle-8", "ETH-Bahnhof", "ETH-Pedcross2", "ETH-Sunnyday", "KITTI-13", "KITTI-17",
        "PETS09-S2L1", "TUD-Campus", "TUD-Stadtmitte", "Venice-2",
    ],
    "test": [
        "ADL-Rundle-1", "ADL-Rundle-3", "AVG-TownCentre", "ETH-Crossing", "ETH-Jelmoli", "ETH-Linthescher", "KITTI-16",
        "KITTI-19", "PETS09-S2L2", "TUD-Crossing", "Venice-1",
    ],
}  # fmt: skip
PEOPLE = ["daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar"]


def image(seed: int, kind: str) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32), np.uint8)).save(packed, kind)
    return packed.getvalue()


def frames(folder: str, first: str, kind: str, seed: int) -> Members:
    suffix = {"JPEG": "jpg", "TIFF": "tif", "BMP": "bmp"}[kind]
    return {f"{folder}/{k:0{len(first)}d}.{suffix}": image(seed + k, kind) for k in range(int(first), int(first) + 2)}


def mot(names: dict[str, list[str]], top: str, sequence: str) -> Members:
    """`sequence` is a name with {}; of MOT17 there are three, with the same frames."""
    found: Members = {}
    for side, numbers in names.items():
        for k, number in enumerate(numbers):
            for name in sequence.format(number).split():
                folder, seed = f"{top}{side}/{name}", 100 * k + 10_000 * (side == "test")
                found |= frames(f"{folder}/img1", "000001", "JPEG", seed) | {f"{folder}/det/det.txt": b"1,-1,1,1,1,1"}
    return found


def ucsd() -> Members:
    top, found = "UCSD_Anomaly_Dataset.v1p2", {"UCSD_Anomaly_Dataset.v1p2/README.txt": b"read me"}
    for ped, trained, tested in ((1, 2, 1), (2, 16, 12)):
        for side, count in (("Train", trained), ("Test", tested)):
            for k in range(1, count + 1):
                folder = f"{top}/UCSDped{ped}/{side}/{side}{k:03d}"
                found |= frames(folder, "001", "TIFF", 1000 * ped + 100 * k + 50 * (side == "Test"))
                found[f"{folder}/._001.tif"] = b"noise"
                if side == "Test":
                    found |= frames(f"{folder}_gt", "001", "BMP", 7)
    return found


def films(folder: Path, names: list[str]) -> Members:
    for k, name in enumerate(names):
        write_video(folder / name.replace("/", "#"), true_frames(3, seed=k), lossless=False)
    return {name: (folder / name.replace("/", "#")).read_bytes() for name in names}


def weizmann(folder: Path) -> dict[str, Members]:
    wanted = {"bend": "{}_bend.avi", "wave1": "{}_wave1.avi", "walk": "{}_walk.avi", "run": "{}_run2.avi"}
    actions = ["bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2"]
    people = {action: PEOPLE if action in wanted else ["moshe"] for action in actions}
    names = {a: [wanted.get(a, f"{{}}_{a}.avi").format(person) for person in people[a]] for a in actions}
    return {f"{action}.zip": films(folder, names[action]) for action in actions}


def ucf(folder: Path) -> dict[str, Members]:
    names = [f"Archery/v_Archery_g0{g}_c0{c}.avi" for g in (1, 8) for c in (1, 2)]
    names += ["HandstandPushups/v_HandStandPushups_g01_c01.avi", "HandstandPushups/v_HandStandPushups_g08_c01.avi"]
    lists = {"classInd": "1 Archery\r\n2 HandstandPushups\r\n"}
    lists["trainlist01"] = "".join(f"{n} {1 if n[0] == 'A' else 2}\r\n" for n in names if "_g08_" in n)
    lists["testlist01"] = "".join(f"{n}\r\n" for n in names if "_g01_" in n)
    packed = {f"UCF-101/{name}": content for name, content in films(folder, names).items()}
    return {
        "UCF101.rar": packed,  # a zip here: what it is, is told by its content
        "UCF101TrainTestSplits-RecognitionTask.zip": {
            f"ucfTrainTestlist/{name}.txt": text.encode() for name, text in lists.items()
        },
    }


PUBLISHED: dict[str, Callable[[Path], dict[str, Members]]] = {
    "weizmann": weizmann,
    "mot15": lambda folder: {"MOT15.zip": mot(MOT15, "MOT15/", "{}")},
    "mot16": lambda folder: {"MOT16.zip": mot(MOT, "", "MOT16-{}")},
    "mot17": lambda folder: {"MOT17.zip": mot(MOT, "MOT17/", "MOT17-{0}-DPM MOT17-{0}-FRCNN MOT17-{0}-SDP")},
    "ucf101": ucf,
    "ucsd_ped2": lambda folder: {"UCSD_Anomaly_Dataset.tar.gz": ucsd()},
}
EXPECTED = {  # sources, by split; classes; groups
    "weizmann": ({"train": 24, "validation": 4, "test": 14}, 10, 9),
    "mot15": ({"train": 10, "validation": 1, "test": 11}, 1, 22),
    "mot16": ({"train": 6, "validation": 1, "test": 7}, 1, 14),
    "mot17": ({"train": 6, "validation": 1, "test": 7}, 1, 14),
    "ucf101": ({"train": 3, "validation": 0, "test": 3}, 2, 4),
    "ucsd_ped2": ({"train": 15, "validation": 1, "test": 12}, 1, 28),
}


def pack(file: str, members: Members) -> bytes:
    packed = io.BytesIO()
    if file.endswith(".tar.gz"):
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return packed.getvalue()
    with zipfile.ZipFile(packed, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return packed.getvalue()


def test_the_sets_of_the_articles_and_their_kin_are_known() -> None:
    known = fetching.sets()
    assert list(known) == list(PUBLISHED)
    assert {name: len(wanted.archives) for name, wanted in known.items()} == {
        "weizmann": 10, "mot15": 1, "mot16": 1, "mot17": 1, "ucf101": 2, "ucsd_ped2": 1,
    }  # fmt: skip
    with pytest.raises(ValueError, match="no public set is called 'mot'; known are: weizmann, mot15, mot16, mot17"):
        fetching.find("mot")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_section_leaves_out_nothing_that_the_graph_needs(name: str, tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(
        "rendered: {}\nrecipes: {}\nreport: {title: Rushes, strips: 1}\ndatasets:\n"
        + fetching.find(name).section(f"data/footage/{name}")
    )
    dataset = params.load(file).dataset(name)
    assert dataset == dataset_of(fetching.find(name).dataset, f"data/footage/{name}")


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_fetched_is_what_its_section_reads(name: str, tmp_path: Path) -> None:
    """Every group that the split names is there, no mask is footage, and nothing is rejected."""
    (tmp_path / "films").mkdir()
    with serving() as server:
        for file, members in PUBLISHED[name](tmp_path / "films").items():
            server.files[f"/{file}"] = pack(file, members)
        wanted = _served(fetching.find(name), server.url)
        where = fetching.places(tmp_path, name)
        assert fetching.fetch(wanted, where)
        assert [path for path, _, _ in server.requests] == [f"/{archive.file}" for archive in wanted.archives]
    dataset = dataset_of(wanted.dataset, str(where.folder))
    sources, rejects = footage.list_sources(Path(dataset.footage), dataset)
    assert rejects == []
    of = splits.divide(dataset.split, sources).of
    by_split = {split: list(of.values()).count(split) for split in splits.SPLITS}
    labels, groups = {source.label for source in sources}, {source.group for source in sources}
    assert (by_split, len(labels), len(groups)) == EXPECTED[name]
    if name == "ucsd_ped2":
        below = sorted(p.name for p in where.folder.iterdir())
        assert below == [".fetched.json", "README.txt", "ped1", "ped2", "truth"]
        assert len(list((where.folder / "truth" / "ped2").iterdir())) == 12


def _served(wanted: PublicSet, url: str) -> PublicSet:
    """The set with its archives at another address, where they are other bytes."""
    there = [Archive(url=f"{url}/{a.file}", about_bytes=1, below=a.below, moves=a.moves) for a in wanted.archives]
    return wanted.model_copy(update={"archives": tuple(there), "unpacked_bytes": 10**8})
