"""Batches with real, tiny, registered models of every kind: what is kept, redone and removed, whoever does the work."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import files, media, parallel, params, tracking
from tasks.batch import known, results
from tasks.batch.known import NAME, Known
from tasks.batch.lock import BusyError, held
from tasks.batch.running import Summary, run
from tasks.batch.sources import look, stutter_of
from tasks.batch.working import Run
from tasks.tracking.batch_runs import pinned
from tests.tasks._batched import MODELS, do
from tests.tasks._registered import register

KINDS = {"rebuild": "reconstruct", "between": "interpolate", "tell": "classify", "rate": "regress"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A registry with a champion of every kind."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/data/mlflow/mlflow.db")
        for recipe in KINDS:
            register(folder, recipe)
        yield folder


@contextlib.contextmanager
def in_this_process() -> Iterator[None]:
    """Local work without processes of its own: each takes seconds to start, and other tests are about them."""
    import torch

    def stream(setup: results.Work, items: Sequence[results.Job], workers: int) -> Iterator[parallel.Answer]:
        work = setup()
        for item in items:
            try:
                yield parallel.Answer(item, work(item))
            except (ValueError, OSError, MemoryError) as error:
                yield parallel.Answer(item, fault=parallel.Fault.of(error))

    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "stream", stream)
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def here() -> Iterator[None]:
    with in_this_process():
        yield


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three strips that can be used, one too short, one file that is no film."""
    for number, (name, frames) in enumerate({"a": 12, "b": 9, "sub/c": 20, "short": 2}.items()):
        write_strip(tmp_path / "footage" / f"{name}.png", frames, number)
    (tmp_path / "footage" / "bad.mp4").write_bytes(b"\x00\x01not a video")
    return tmp_path


def write_strip(path: Path, frames: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16 * frames), np.uint8)
    Image.fromarray(pixels).save(path)


def do_registered(project: Path, recipe: str, workers: int = 1) -> Summary:
    """As `do`, with the champion of the registry."""
    batch = params.Batch(footage=("footage",), models=(recipe,), times=2)
    home, model = project / "data" / "batch", pinned(recipe)
    with held(home, "new", model.recipe):
        listed = look(batch.footage, project, Known(home / "new" / NAME))
        return run(Run("new", batch, model, home, "local", workers, tracking.load), listed)


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.done, summary.kept, summary.rejected, summary.removed


def files_of(folder: Path) -> dict[str, bytes]:
    """What stands there but for what says who was at work and what is only remembered."""
    left = {"batch.json", "index.html", "known.json", "state.json"}
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items()) if name not in left}


@pytest.mark.parametrize("recipe", KINDS)
def test_every_kind(project: Path, store: Path, here: None, recipe: str) -> None:
    one = do_registered(project, recipe)
    expected = {"rebuild": (3, 0, 2), "between": (4, 0, 1), "tell": (3, 0, 2), "rate": (3, 0, 2)}[recipe]
    assert counts(one) == (*expected, 0)
    table = pd.read_csv(one.folder / "results.csv")
    paths = ["footage/a.png", "footage/b.png", *(["footage/short.png"] if recipe == "between" else [])]
    assert table["path"].tolist() == [*paths, "footage/sub/c.png"]
    rejects = pd.read_csv(one.folder / "rejects.csv").set_index("path")["reason"]
    assert rejects.index.tolist() == ["footage/bad.mp4", *(["footage/short.png"] if recipe != "between" else [])]
    told = json.loads((one.folder / "batch.json").read_text())
    assert told["model"] == f"models:/rushes-{recipe}/1"
    assert (told["kind"], told["sources"]) == (KINDS[recipe], 5)
    source = one.folder / "sources" / table["source"][0]
    made = {"rebuild": ["errors.csv", "video.mp4"], "between": ["video.mp4"], "tell": ["features.parquet"]}
    assert sorted(p.name for p in source.iterdir()) == sorted([*made.get(recipe, ["ratings.json"]), "result.json"])
    whole = {"rebuild": "anomalies.csv", "tell": "features.parquet", "rate": "ratings.csv", "between": "index.html"}
    assert (one.folder / whole[recipe]).is_file()
    again = do_registered(project, recipe)
    assert counts(again) == (0, expected[0], expected[2], 0)
    assert not again.changed


def test_two_workers_give_the_same_bytes(project: Path, store: Path) -> None:
    with in_this_process():
        one = do_registered(project, "rebuild")
    before = files_of(one.folder)
    shutil.rmtree(one.folder)
    assert counts(do_registered(project, "rebuild", workers=2)) == (3, 0, 2, 0)
    assert files_of(one.folder) == before


def test_damage_is_redone_settings_too_and_what_has_no_source_goes(project: Path, here: None) -> None:
    first = do(project)
    before = files_of(first.folder)
    of = {row["path"]: first.folder / "sources" / row["source"] for _, row in _results(first).iterrows()}
    hurt = of["footage/a.png"] / "errors.csv"
    hurt.write_bytes(hurt.read_bytes()[:-3])
    record = of["footage/b.png"] / "result.json"
    record.write_text(record.read_text().replace('"frames": 9', '"frames": 8'))
    (first.folder / "results.csv").write_text("source\n")
    (first.folder / "sources" / ".half.abc").mkdir()
    (first.folder / "sources" / ".DS_Store").touch()  # as a desktop leaves it
    assert counts(do(project)) == (2, 1, 2, 0)
    assert files_of(first.folder) == before

    write_strip(project / "footage" / "a.png", 12, seed=77)  # other bytes under the same name: another source
    (project / "footage" / "b.png").unlink()
    (project / "footage" / "b2.png").write_bytes((project / "footage" / "sub" / "c.png").read_bytes())
    assert counts(do(project)) == (2, 1, 2, 2)
    assert _results(first)["path"].tolist() == ["footage/a.png", "footage/b2.png", "footage/sub/c.png"]

    assert counts(do(project, anomaly_deviations=3.0)) == (0, 3, 2, 0)
    assert json.loads((first.folder / "batch.json").read_text())["anomaly_deviations"] == 3.0
    write_strip(project / "footage" / "short.png", 8, seed=3)
    assert counts(do(project, anomaly_deviations=3.0)) == (1, 3, 1, 1)


def test_what_is_away_is_kept_and_nothing_is_written_about_nothing(project: Path, here: None) -> None:
    first = do(project)
    before = files_of(first.folder)
    (project / "footage").rename(project / "elsewhere")
    gone = do(project)
    assert gone.absent == {"footage": "does not exist"}
    assert counts(gone) == (0, 3, 1, 0)
    (project / "footage").mkdir()
    empty = do(project)
    assert empty.absent == {"footage": "holds no footage"}
    assert files_of(first.folder).keys() >= {name for name in before if name.startswith("sources/")} - {
        name for name in before if "short" in name
    }
    (project / "footage").rmdir()
    (project / "elsewhere").rename(project / "footage")
    assert counts(do(project)) == (0, 3, 2, 0)
    assert files_of(first.folder) == before
    other = do(project, model="nan", footage=["nowhere"])
    assert (other.sources, other.changed, (other.folder / "index.html").exists()) == (0, False, False)


def test_an_unchanged_file_is_not_read_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = project / "data" / "batch"
    home.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(known, "FRESH_SECONDS", 0.0)  # these files do not change again at once
    monkeypatch.setattr(known, "SAVE_EVERY_SECONDS", 0.0)
    first = look(["footage"], project, Known(home / "listing.json"))  # not saved at its end: as if it had been killed
    read: list[Path] = []
    true = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: (read.append(path), true(path))[1])
    write_strip(project / "footage" / "b.png", 9, seed=5)
    second = look(["footage"], project, Known(home / "listing.json"))
    assert [path.name for path in read] == ["b.png"]
    assert [f.path for f in second.found] == [f.path for f in first.found]
    assert second.found[1].source.sha256 != first.found[1].source.sha256
    assert second.rejects == first.rejects


def test_a_model_that_answers_nan_costs_its_rows_until_it_is_tried_again(project: Path, here: None) -> None:
    first = do(project, "nan")
    assert counts(first) == (0, 0, 5, 0)
    reason = f"ValueError: {MODELS['nan'].uri} rebuilds a frame with NaN or infinity; train it again"
    assert first.faults == [f"footage/{name}: {reason}" for name in ("a.png", "b.png", "sub/c.png")]
    again = do(project, "nan")
    assert (again.faults, again.changed) == ([], False)
    assert len(do(project, "nan", retry=True).faults) == 3


def test_what_a_disk_does_not_give_is_left_for_later(
    project: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = do(project)
    before = files_of(first.folder)
    true = files.sha256_of

    def stuttering(path: Path) -> str:
        if path == project / "footage" / "a.png":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return true(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "sha256_of", stuttering)
        os.utime(project / "footage" / "a.png")
        away = do(project)
    assert (counts(away), list(away.absent)) == ((0, 3, 3, 0), ["footage/a.png"])
    assert counts(do(project)) == (0, 3, 2, 0)
    assert files_of(first.folder) == before

    for name, number in (("gone.mp4", errno.ENOENT), ("footage/bad.mp4", None)):
        with pytest.raises(media.MediaError) as caught:
            media.probe(project / name)
        stutter = stutter_of(caught.value)
        assert (stutter and stutter.errno) == number


def test_a_source_that_changes_meanwhile_is_left_for_the_next_run(project: Path, here: None) -> None:
    """And one for which there was no memory is tried again."""
    seen: list[str] = []

    def tell(done: int, of: int, line: str) -> None:
        seen.append(line)
        if line == "footage/b.png: done":
            write_strip(project / "footage" / "sub" / "c.png", 20, seed=8)

    summary = do(project, "hungry", tell=tell)
    changed = "changed while it was read; the next run takes it"
    assert summary.later == [f"footage/sub/c.png: {changed}"]
    done = ["footage/short.png: rejected: too short: 2 of the 4 frames that the model needs, at its spacing"]
    done += [f"footage/sub/c.png: left for the next run: {changed}", "footage/a.png: done"]
    assert sorted(seen) == sorted([*done, "footage/b.png: done"])
    assert "footage/sub/c.png,later,changed while" in (summary.folder / "rejects.csv").read_text()
    assert counts(do(project, "hungry")) == (1, 2, 2, 0)


def test_a_second_process_says_who_is_at_work(project: Path) -> None:
    with held(project / "data" / "batch", "new", "steady"), pytest.raises(BusyError, match=f"process {os.getpid()} on"):
        do(project)


def test_a_killed_worker_costs_no_source_and_a_killed_run_is_finished(project: Path) -> None:
    with in_this_process():
        expected = do(project)
    before = files_of(expected.folder)
    shutil.rmtree(expected.folder)
    for number in range(12):
        write_strip(project / "footage" / "more" / f"{number:02d}.png", 40, seed=100 + number)
    life = [sys.executable, "-m", "tests.tasks._batched", str(project)]
    process = subprocess.Popen(life, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent.parent)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    os.kill(worker, signal.SIGKILL)  # once: its source is tried again
    lines = [process.stdout.readline() for _ in range(3)]
    assert all(line.endswith(("done\n", "needs, at its spacing\n")) for line in lines), lines
    process.kill()
    process.wait()
    process.stdout.close()
    done = len(list((expected.folder / "sources").glob("[!.]*")))
    assert 3 <= done < 16
    with in_this_process():
        last = do(project)
    assert last.done + last.kept == 15
    assert last.rejected == 2
    shutil.rmtree(project / "footage" / "more")
    assert counts(do(project)) == (0, 3, 2, 12)
    assert files_of(expected.folder) == before
    threads = [t.name for t in threading.enumerate() if t.name != "MainThread"]
    assert not [name for name in threads if name.startswith("Process")]


def test_a_result_whose_record_was_touched_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"reject": "no film", "seal": "0"}')
    assert results.read(tmp_path) is None
    assert results.read(tmp_path / "nowhere") is None


def test_ray_gives_the_same_bytes(project: Path, here: None) -> None:
    local = do(project)
    before = files_of(local.folder)
    shutil.rmtree(local.folder)
    code = "import sys, pathlib; from tests.tasks._batched import do; do(pathlib.Path(sys.argv[1]), executor='ray')"
    subprocess.run(
        [sys.executable, "-c", code, str(project)], check=True, timeout=180, cwd=Path(__file__).parent.parent.parent,
        env={k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"},
    )  # fmt: skip
    assert files_of(local.folder) == before
    assert json.loads((local.folder / "batch.json").read_text())["executor"] == "ray"


def _results(summary: Summary) -> pd.DataFrame:
    return pd.read_csv(summary.folder / "results.csv")
