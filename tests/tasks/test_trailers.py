"""Trailers to clips, on real films and on broken ones: every frame that is stored is held against plain PyAV."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import openpyxl
import pandas as pd
import pytest

from tasks import assemble, media, sample, subclips, tables
from tasks.footage import Reject
from tasks.params import Clips, Dataset, Frames, Ratings, Shots, Split, Subclips
from tasks.sampling import CLOCK_SECONDS, Span
from tasks.stores import StoredSource
from tests.conftest import true_frames, write_video

HEIGHT, WIDTH = 24, 32
NEVER_FRAMES = {  # of footage/odd
    "corrupted.mp4": ("sample", "damaged: "),
    "fixture-corrupt.mkv": ("subclips", "not a video that can be read"),
    "mp4-with-audio.mp4": ("subclips", "no video stream"),
    "no_timescale.mp4": ("sample", "damaged: "),
    "zero_byte.webm": ("subclips", "empty file (0 bytes)"),
    "zero_empty_stsc.mp4": ("subclips", "no frame decodes, though the header claims 1040 frames"),
}


def decoded(path: Path) -> list[float]:
    """When every frame of a file is shown, by PyAV alone, in seconds from the first."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        times = [frame.time for frame in container.decode(video=0)]
    return [time - times[0] for time in times]


def pictures(path: Path, numbers: Sequence[int]) -> dict[int, np.ndarray]:
    """Some frames of a file, by PyAV alone: uint8 RGB, as they are stored there."""
    wanted = set(numbers)
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = enumerate(container.decode(video=0))
        return {k: frame.to_ndarray(format="rgb24") for k, frame in frames if k in wanted}


def wanted(times: Sequence[float], spans: Sequence[Span], frames: Frames) -> list[tuple[int, int]]:
    """(span, frame number) of what has to be stored, the slow way."""
    found: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(spans):
        inside = [k for k, time in enumerate(times) if start <= time < end]
        if frames.frames_per_second is None:
            found += [(number, k) for k in inside[:: frames.every_frames]]
            continue
        firsts = set()
        for place in range(int((end - start) * frames.frames_per_second) + 1):
            at = start + place / frames.frames_per_second - CLOCK_SECONDS
            firsts |= set([k for k in inside if times[k] >= at][:1])
        found += [(number, k) for k in sorted(firsts)]
    return found


def check(root: Path, footage: Path) -> list[StoredSource]:
    """Every stored frame is the one it has to be, by number, time and picture. Returns the sources."""
    sources = tables.read(root / "frames" / "sources.csv", StoredSource)
    index = pd.read_parquet(root / "frames" / "index.parquet")
    cuts = tables.read(root / "cuts" / "cuts.csv", tables.Cut)
    rules = Dataset.model_validate_json((root / "rules.json").read_text())
    for source in sources:
        times = decoded(footage / source.path)
        assert source.frames == len(times), source.path
        rows = index[index["source"] == source.source]
        spans = [(cut.start_seconds, cut.end_seconds) for cut in cuts if cut.source == source.source]
        expected = wanted(times, spans, rules.frames)
        assert list(zip(rows["span"], rows["source_frame"], strict=True)) == expected, source.path
        assert rows["time_seconds"].tolist() == pytest.approx([times[k] for _, k in expected], abs=1e-6), source.path
        store = np.load(root / "frames" / f"{source.source}.npy")
        assert len(store) == len(expected)
        truth = pictures(footage / source.path, [k for _, k in expected])
        for (_, k), picture in zip(expected, store, strict=True):
            if truth[k].shape == (source.height_px, source.width_px, 3):  # neither turned nor stretched
                true = media.resize(truth[k], HEIGHT, WIDTH, "stretch", False).astype(int)
                assert np.abs(true - picture).mean() < 4, (source.path, k)
    return sources


def run(root: Path, footage: Path, **settings: object) -> Dataset:
    """The stages subclips and sample."""
    spacing = settings.pop("spacing")
    frames = Frames(height_px=HEIGHT, width_px=WIDTH, gray=False, fit="stretch", **spacing)  # type: ignore[arg-type]
    split = settings.pop("split", Split(test=("x",)))
    rules = Dataset(footage=str(footage), label="none", frames=frames, split=split, **settings)  # type: ignore[arg-type]
    (root / "rules.json").write_text(rules.model_dump_json())
    subclips.run(rules, footage, root / "cuts")
    sample.run(rules, footage, root / "cuts", root / "frames", 1)
    return rules


@pytest.mark.parametrize(
    "spacing", [{"every_frames": 45}, {"frames_per_second": 2.0}], ids=["every 45th", "2 a second"]
)
def test_every_odd_file_ends_as_its_frames_or_as_a_reject(footage: Path, tmp_path: Path, spacing: dict) -> None:  # type: ignore[type-arg]
    run(tmp_path, footage / "odd", spacing=spacing, max_reject_fraction=0.5)
    sources = check(tmp_path, footage / "odd")
    there = {path.name for path in (footage / "odd").iterdir()} - {"README.md"}
    assert {source.path for source in sources} == there - set(NEVER_FRAMES)
    rejects = tables.read(tmp_path / "frames" / "rejects.csv", Reject)
    assert {r.path: r.stage for r in rejects} == {path: stage for path, (stage, _) in NEVER_FRAMES.items()}
    assert all(r.reason.startswith(NEVER_FRAMES[r.path][1]) for r in rejects)


@pytest.mark.parametrize(
    "spacing",
    [{"every_frames": 45}, {"every_frames": 1}, {"frames_per_second": 3.0}],
    ids=["every 45th", "all", "3 a second"],
)
def test_variable_rates_and_b_frames_in_subclips(tmp_path: Path, spacing: dict) -> None:  # type: ignore[type-arg]
    """Frames 20 to 90 ms apart, with B-frames, and a key frame every 12; subclips snapped and not."""
    steps = np.random.default_rng(0).integers(20, 90, 240)
    times = [0, *np.cumsum(steps)[:-1].tolist()]  # ms
    (tmp_path / "films").mkdir()
    for seed, name in enumerate(["a.mkv", "b.mp4", "c.mov"]):
        write_video(tmp_path / "films" / name, true_frames(240, seed=seed), lossless=False, times=times)
    for snap in ("none", "keyframe", "shot"):
        rules = Subclips(count=3, seconds=2.5, start_seconds=3, snap=snap)  # type: ignore[arg-type]
        run(tmp_path, tmp_path / "films", spacing=spacing, subclips=rules, shots=Shots(split=False))
        assert len(check(tmp_path, tmp_path / "films")) == 3
        cuts = pd.read_csv(tmp_path / "cuts" / "cuts.csv").groupby("source")["start_seconds"].first().tolist()
        if snap == "keyframe":
            probed = [media.probe(path).keyframe_seconds for path in sorted((tmp_path / "films").iterdir())]
            assert cuts == [min(keys, key=lambda k: abs(k - 3.0)) for keys in probed]


def test_trailers_to_clips(footage: Path, tmp_path: Path) -> None:
    """Four real trailers of 34 to 60 s, one without a rating, by a spreadsheet."""
    book = openpyxl.Workbook()
    for row in [["Title", "Score"], ["Sintel", 7.5], ["Trip to the moon", "8,2"], ["Metropolis", 8.3],
                ["big_buck_bunny_60s.mp4", 6.4]]:  # fmt: skip
        book.active.append(row)
    films = tmp_path / "films"
    shutil.copytree(footage / "trailers", films)
    book.save(films / "ratings.xlsx")
    rules = run(
        tmp_path,
        films,
        spacing={"every_frames": 45},
        ratings=Ratings(file=str(films / "ratings.xlsx")),
        subclips=Subclips(count=3, seconds=30, start_seconds=10),
        shots=Shots(threshold=0.2, split=False),
        clips=Clips(length_frames=16, least_frames=8, train_stride_frames=8, stride_frames=16),
        split=Split(test=("Sintel",)),
        max_reject_fraction=0.0,
    )
    bunny, sintel, moon = check(tmp_path, films)
    assert [(s.path, s.film, s.score, s.group) for s in (bunny, sintel, moon)] == [
        ("big_buck_bunny_60s.mp4", "big_buck_bunny_60s.mp4", 6.4, "big_buck_bunny_60s.mp4"),
        ("sintel_trailer_480x204.mp4", "Sintel", 7.5, "Sintel"),
        ("trip_to_the_moon_trailer.mp4", "Trip to the moon", 8.2, "Trip to the moon"),
    ]
    cuts = tables.read(tmp_path / "cuts" / "cuts.csv", tables.Cut)
    assert [(cut.source, cut.start_seconds, round(cut.end_seconds, 2)) for cut in cuts] == [
        (bunny.source, 10.0, 40.0), (bunny.source, 40.0, 60.0), (sintel.source, 10.0, 40.0), (moon.source, 10.0, 40.0),
        (moon.source, 40.0, 55.22),
    ]  # fmt: skip
    assert (tmp_path / "frames" / "rejects.csv").read_text().splitlines()[1:] == [
        'big_buck_bunny_60s.mp4,subclips,"subclip 3 of 3: begins at 70 s, the source ends at 60.00 s"',
        "chrome_imaginary_forces.mp4,ratings,no row of ratings.xlsx has its title",
        'sintel_trailer_480x204.mp4,subclips,"subclip 2 of 3: 12.17 s of 30 s are there, half or less"',
        'sintel_trailer_480x204.mp4,subclips,"subclip 3 of 3: begins at 70 s, the source ends at 52.17 s"',
        'trip_to_the_moon_trailer.mp4,subclips,"subclip 3 of 3: begins at 70 s, the source ends at 55.22 s"',
    ]  # fmt: skip
    assemble.run(rules, tmp_path / "frames", tmp_path / "clips")
    table = pd.read_parquet(tmp_path / "clips" / "clips.parquet")
    columns = ["film", "score", "split", "span", "first_frame", "length"]
    assert table[columns].values.tolist() == [
        ["big_buck_bunny_60s.mp4", 6.4, "train", 0, 240, 16],
        ["big_buck_bunny_60s.mp4", 6.4, "train", 1, 960, 11],
        ["Sintel", 7.5, "test", 0, 240, 16],
        ["Trip to the moon", 8.2, "train", 0, 300, 16],
        ["Trip to the moon", 8.2, "train", 1, 1199, 11],
    ]
    summary = json.loads((tmp_path / "clips" / "summary.json").read_text())
    assert summary["ratings"] == {
        "file": str(films / "ratings.xlsx"), "lowest": 0.0, "highest": 10.0, "rows": 4, "rated_sources": 3, "films": 3,
        "unmatched_rows": ["Metropolis"], "blank_rows": [], "unmatched_files": ["chrome_imaginary_forces.mp4"],
    }  # fmt: skip
    assert summary["warnings"] == [
        "1 of 4 rows of ratings.xlsx has no file: Metropolis",
        "1 of 4 files has no score in ratings.xlsx: chrome_imaginary_forces.mp4",
        "1 of 3 films has one subclip only: Sintel",
    ]
    before = {path.name: path.read_bytes() for path in (tmp_path / "clips").iterdir()}
    assert sorted(before) == ["clips.parquet", "pace.csv", "ratings.csv", "rejects.csv", "summary.json"]
    pace = pd.read_csv(tmp_path / "clips" / "pace.csv")
    assert pace.loc[pace["source"] == sintel.source, ["span", "cuts_per_minute"]].values.tolist() == [[0, 14.0]]
    assert len(pace) == 5
    subclips.run(rules, films, tmp_path / "cuts")  # nothing is decoded again, and nothing is different
    sample.run(rules, films, tmp_path / "cuts", tmp_path / "frames", 1)
    assemble.run(rules, tmp_path / "frames", tmp_path / "clips")
    assert {path.name: path.read_bytes() for path in (tmp_path / "clips").iterdir()} == before
