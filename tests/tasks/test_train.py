"""The training stage: what it writes, what it refuses, and that a killed training ends where an unbroken one does."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks import cpu, modelio, torchrun, tracking, train
from tasks.clips import ClipDataset
from tasks.exits import DivergedError
from tasks.files import sha256_of, write_json
from tasks.params import Training
from tasks.train import batches, checkpoints, optimise
from tasks.train.data import open_data
from tasks.train.trainer import Trainer
from tests.tasks import _kill
from tests.tasks._tiny import know_tiny, recipe, train_tiny, write_clips

ROOT = Path(__file__).parent.parent.parent
AWAY = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    know_tiny()
    root = tmp_path_factory.mktemp("data")
    write_clips(root)
    return root


@pytest.fixture(autouse=True)
def _store_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)


@settings(max_examples=50, deadline=None)
@given(st.integers(-3, 3), st.integers(1, 30), st.integers(1, 12))
def test_batches_show_every_clip_once_an_epoch(seed: int, clips: int, batch_clips: int) -> None:
    steps = -(-3 * clips // batch_clips)
    shown = np.concatenate([batches.batch_indices(seed, i, batch_clips, clips) for i in range(steps)])
    for epoch in range(3):
        assert Counter(shown[epoch * clips : (epoch + 1) * clips].tolist()) == Counter(range(clips))


def test_balanced_batches_show_every_group_as_often() -> None:
    groups = [np.arange(0, 3), np.arange(3, 10), np.arange(10, 11)]
    drawn = [batches.balanced_indices(5, i, 4, groups) for i in range(21)]  # 84 clips: 28 of each group
    counts = np.bincount(np.concatenate(drawn), minlength=11)
    assert sorted(counts[:3].tolist()) == [9, 9, 10]
    assert counts[3:].tolist() == [4] * 7 + [28]
    assert batches.balanced_indices(5, 7, 4, groups).tolist() == drawn[7].tolist()
    assert batches.balanced_indices(6, 7, 4, groups).tolist() != drawn[7].tolist()


def test_batches_follow_from_seed_and_step_alone() -> None:
    first = [batches.batch_indices(0, i, 4, 10).tolist() for i in range(5)]
    assert batches.batch_indices(0, 3, 4, 10).tolist() == first[3]
    assert batches.batch_indices(1, 3, 4, 10).tolist() != first[3]
    assert first[0] + first[1] + first[2][:2] != first[2][2:] + first[3] + first[4]  # another order each epoch
    assert len({batches.step_seed(s, i, r) for s in (0, 1) for i in range(100) for r in (0, 1)}) == 400


def test_clips_gathered_on_the_device_are_those_read_from_the_stores_and_so_are_their_labels(labelled: Path) -> None:
    frames = labelled / "frames" / "blobs"
    dataset = ClipDataset(frames, labelled / "clips" / "blobs", "train")
    gathered = batches.resident(dataset, frames, batches.lengths_of(dataset, frames), torch.device("cpu"))
    read, _ = batches.reader(dataset, frames, torch.device("cpu"))
    indices = np.array([17, 0, 5, 5, 6])  # six clips a source, the classes in turn
    for fetch in (gathered, read):
        batch = fetch(indices)
        np.testing.assert_array_equal(batch["clip"].numpy(), dataset.clips(indices))
        assert batch["label"].dtype == torch.int64
        assert batch["label"].tolist() == [0, 0, 0, 0, 1] == [dataset[i]["label"] for i in indices.tolist()]


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    t = recipe(warmup_steps=2, steps=6, optimizer={"learning_rate": 1.0}).training
    expected = [0.5, 1.0, 1.0, 0.5 + 0.25 * 2**0.5, 0.5, 0.5 - 0.25 * 2**0.5, 0.0]
    assert [optimise.learning_rate(t, i) for i in range(7)] == pytest.approx(expected)
    assert optimise.learning_rate(t.model_copy(update={"decay": "constant"}), 5) == 1.0


def test_learning_rate_falls_in_steps_counted_from_the_first() -> None:
    t = recipe(
        warmup_steps=2, decay="steps", decay_every_steps=3, decay_divisor=4.0, optimizer={"learning_rate": 8.0}
    ).training
    assert [optimise.learning_rate(t, i) for i in range(10)] == [4.0, 8.0, 8.0, 2.0, 2.0, 2.0, 0.5, 0.5, 0.5, 0.125]


def test_sgd_moves_by_momentum_and_decayed_weights() -> None:
    t = recipe(optimizer={"name": "sgd", "learning_rate": 0.5, "weight_decay": 0.25, "beta1": 0.5}).training
    weight = torch.nn.Parameter(torch.tensor([8.0]))
    optimizer = optimise.make_optimizer(t, [weight])
    values = []
    for gradient in (2.0, 0.0, -4.0):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        values.append(float(weight.detach()))
    # velocity = 0.5 velocity + gradient + 0.25 weight: 4, 2 + 1.5, 1.75 - 4 + 1.0625
    assert values == [6.0, 4.25, 4.84375]


def test_a_run_folder_holds_all_that_the_contract_names(data: Path, tmp_path: Path) -> None:
    run = train_tiny(data, tmp_path)
    assert sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()) == [
        "history.csv",
        "model.json",
        "samples/step_00000005.png",
        "samples/step_00000010.png",
        "samples/step_00000012.png",
        "weights.safetensors",
    ]
    described = json.loads((run / "model.json").read_text())
    assert described.pop("training") == recipe().training.model_dump()
    dataset = ClipDataset(data / "frames" / "blobs", data / "clips" / "blobs", "train")
    assert described == {
        "architecture": "tiny_autoencoder",
        "dataset": "blobs",
        "kind": "reconstruct",
        "inputs": [0, 1, 2, 3],
        "outputs": [0, 1, 2, 3],
        "parameters": 749,
        "latent_floats": 256,
        "config": {
            "frames": 4,
            "height_px": 8,
            "width_px": 8,
            "channels": 1,
            "width": 4,
            "plain": False,
            "blow_up_at": 0,
        },
        "labels": ["a"],
        "data_sha256": dataset.data_sha256,
        "input": {
            "gray": True,
            "fit": "crop",
            "every_frames": 2,
            "frames_per_second": None,
            "height_px": 8,
            "width_px": 8,
            "length_frames": 4,
            "least_frames": None,
            "stride_frames": 16,
            "subclips": None,
            "shots": None,
        },
    }
    history = pd.read_csv(run / "history.csv")
    assert list(history.columns) == ["step", "loss", "error", "gradient_norm", "learning_rate", "validation_psnr_db"]
    assert history["step"].tolist() == [3, 5, 6, 9, 10, 12]
    assert history["validation_psnr_db"].notna().tolist() == [False, True, False, False, True, True]
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]
    picture = np.asarray(Image.open(run / "samples" / "step_00000012.png"))
    assert picture.shape == (4 * 2 * 10, 4 * 10)  # 4 clips, input over output, 8 + 2 px each; 4 frames
    validation = ClipDataset(data / "frames" / "blobs", data / "clips" / "blobs", "validation")
    np.testing.assert_array_equal(picture[:8, 10:18], validation.clips([0])[0, 1, :, :, 0])
    clip_BTHWC = torch.from_numpy(validation.clips(range(6)))
    with torch.no_grad():
        answer = modelio.load_run(run).predict(clip_BTHWC)
    mse = (answer - clip_BTHWC / 255.0).square().flatten(1).mean(1)
    assert history["validation_psnr_db"].iloc[-1] == pytest.approx(float((-10 * mse.log10()).mean()), abs=1e-4)
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert (timing["steps"], timing["device"], timing["threads"], timing["precision"]) == (12, "cpu", 1, "32-true")
    assert timing["train_seconds"] == sum(s["seconds"] for s in timing["segments"])
    assert timing["segments"][0].keys() == {"first_step", "last_step", "seconds"}


@pytest.mark.parametrize(
    ("architecture", "points"),
    [
        ("tiny_autoencoder", list(_kill.POINTS)),
        # the critic learns from step 8 on: its optimizer has no state at the first of these, and has at the second
        ("tiny_adversary", ["nowhere", "between checkpoints", "in the last step"]),
        ("tiny_classifier", ["nowhere", "between checkpoints", "in the last step"]),
        ("tiny_rater", ["nowhere", *_kill.TWIN_POINTS]),
    ],
)
def test_killed_anywhere_and_gone_on_with_the_run_is_the_same_to_the_last_bit(
    data: Path, labelled: Path, rated: Path, architecture: str, points: list[str]
) -> None:
    data = {"tiny_classifier": labelled, "tiny_rater": rated}.get(architecture, data)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks._kill", str(data), architecture, *points],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert list(ended) == points
    unbroken = ended.pop("nowhere")
    assert unbroken["deaths"] == [0]
    for point, life in ended.items():
        assert life["deaths"] == [9, 0], point
        assert life["files"] == unbroken["files"], point
        assert life["left"] == ["tracking", "trainer.lock"], point
        if "twin" in point:  # the model is not trained again for its twin's sake
            assert [step for step in life["steps"] if "twin" not in step] == [f"tiny {i}" for i in range(12)], point
            died, gone_on = {"between checkpoints of the twin": (5, 4), "in the last step of the twin": (11, 10)}.get(
                point, (12, 10)
            )
            expected = [f"twin {i}" for i in (*range(died), *range(gone_on, 12))]
            assert [step for step in life["steps"] if "twin" in step] == expected, point
    # and each is one run for the tracking store: begun once, each step told once
    for number in range(len(ended) + 1):
        (events,) = data.glob(f"{architecture}/killed{number}/state/tiny/tracking/*/events.jsonl")
        told = [json.loads(line) for line in events.read_text().splitlines()]
        assert [e["event"] for e in told].count("start") == 1
        assert [e["step"] for e in told if "loss" in e.get("values", {})] == [3, 5, 6, 9, 10, 12]


def test_two_parts_learn_in_turn_from_crops_and_are_judged_at_their_places(data: Path, tmp_path: Path) -> None:
    crop = {"load_height_px": 10, "load_width_px": 12, "crop_height_px": 6, "crop_width_px": 8, "mirror": True}
    run = train_tiny(data, tmp_path, {}, "tiny_adversary", augment=crop, ema_decay=0.0)
    described = json.loads((run / "model.json").read_text())
    facts = ("kind", "inputs", "outputs", "latent_floats")
    assert [described[fact] for fact in facts] == ["interpolate", [0, 3], [1, 2], None]
    history = pd.read_csv(run / "history.csv").set_index("step")
    late = {"gradient_norm_discriminator", "judged", "loss_discriminator"}
    assert set(history) == {"loss", "error", "gradient_norm", "learning_rate", "validation_psnr_db"} | late
    for column in late:  # of 12 steps, those from 0.6 on: the last of the three that row 9 is the mean of
        assert history[column].notna().tolist() == [False, False, False, True, True, True]
    assert history["judged"].tolist()[3:] == history["loss_discriminator"].tolist()[3:]
    assert history.loc[9, "judged"] == pytest.approx(2 * np.log(2), rel=0.5)  # one step's, not a third of it
    model = modelio.load_run(run)
    assert float(model.progress) == np.float32(11 / 12)
    validation = ClipDataset(data / "frames" / "blobs", data / "clips" / "blobs", "validation")
    clip_BTHWC = torch.from_numpy(validation.clips(range(6)))
    with torch.no_grad():
        answer = model.predict(clip_BTHWC[:, [0, 3]])
    mse = (answer - clip_BTHWC[:, [1, 2]] / 255.0).square().flatten(1).mean(1)
    assert history["validation_psnr_db"].iloc[-1] == pytest.approx(float((-10 * mse.log10()).mean()), abs=1e-4)
    picture = np.asarray(Image.open(run / "samples" / "step_00000012.png"))
    assert picture.shape == (4 * 2 * 10, 2 * 10)  # 4 clips, truth over answer; 2 places
    np.testing.assert_array_equal(picture[:8, 10:18], clip_BTHWC[0, 2, :, :, 0])
    np.testing.assert_array_equal(picture[10:18, 10:18], (answer[0, 1, :, :, 0] * 255).round())


def test_a_part_gets_its_own_gradients_and_clips_them_alone(data: Path, tmp_path: Path) -> None:
    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1)
    config = {"critic_from": 0.0, "critic_scale": 1e4, "plain": True}
    opened = open_data(data / "frames" / "blobs", data / "clips" / "blobs")
    trainer = Trainer(fabric, recipe(config, "tiny_adversary", augment={}), opened, tmp_path, None)
    clip_BTHWC = torch.from_numpy(opened.train.clips(range(8)))
    before: Any = copy.deepcopy(trainer.model)
    trainer._step(0, {"clip": clip_BTHWC})

    def clipped(part: str) -> tuple[float, list[torch.Tensor]]:
        """The norm of a part's gradients, and what is left of them."""
        loss, _ = before.loss({"clip": clip_BTHWC, "progress": torch.zeros(())}, part)
        gradients = torch.autograd.grad(loss, list(before.parameters_of(part)))
        norm = float(torch.nn.utils.get_total_norm(gradients))
        return norm, [g / max(norm, 1.0) for g in gradients]

    close = {"rtol": 1e-4, "atol": 1e-6}
    norm, critic = clipped("discriminator")
    assert norm > 100
    torch.testing.assert_close([p.grad for p in trainer.model.parameters_of("discriminator")], critic, **close)
    before.discriminator.load_state_dict(trainer.model.discriminator.state_dict())  # it stepped first
    norm, generator = clipped("generator")
    assert norm < 10  # clipped with the critic, next to nothing would be left
    torch.testing.assert_close([p.grad for p in trainer.model.parameters_of("generator")], generator, **close)
    assert all(p.requires_grad for p in trainer.model.parameters())


def test_what_was_trained_while_the_store_was_away_is_delivered_and_found_by_register(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train_tiny(data, tmp_path / "away")
    store = f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    there = train_tiny(data, tmp_path / "there")
    assert sha256_of(run / "weights.safetensors") == sha256_of(there / "weights.safetensors")
    assert not list((tmp_path / "there" / "state").glob("*/tracking/*"))
    assert tracking.deliver_pending(tmp_path / "away" / "state") == []

    primary = {"metric": "psnr_db", "higher_is_better": True, "value": 1.0, "low": 1.0, "high": 1.0}
    write_json(
        tmp_path / "metrics.json",
        {
            "weights_sha256": sha256_of(run / "weights.safetensors"),
            "evaluation_sha256": "e",
            "clips": 1,
            "primary": primary,
            "answers": {},
            "gains": {},
        },
    )
    registered = tracking.register("tiny", run, tmp_path, {})

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    runs = client.search_runs([client.get_experiment_by_name("rushes").experiment_id])
    history = pd.read_csv(run / "history.csv")
    assert len(runs) == 2
    assert registered.run_id in {found.info.run_id for found in runs}
    for found in runs:
        assert found.info.status == "FINISHED"
        assert found.data.tags["rushes.weights_sha256"] == sha256_of(run / "weights.safetensors")
        for column in history.columns.drop("step"):
            logged = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, column)]
            assert logged == list(history[["step", column]].dropna().itertuples(index=False, name=None))


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    said: list[str] = []
    for step in (2, 4, 6):
        checkpoints.save(tmp_path, step, {"model.w": torch.full((3,), float(step))}, {"rows": [step]})
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
        "step_00000004.safetensors",
        "step_00000006.safetensors",
    ]
    newest = tmp_path / "step_00000006.safetensors"
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1  # one bit
    newest.write_bytes(data)
    found = checkpoints.latest(tmp_path, said.append)
    assert found is not None
    assert (found.step, found.record, found.tensors("model")["w"].tolist()) == (4, {"rows": [4]}, [4.0, 4.0, 4.0])
    assert said == [f"checkpoint {newest} is damaged; going back to the one before"]
    (tmp_path / "step_00000004.json").write_text("{")
    assert checkpoints.latest(tmp_path, said.append) is None


def test_state_of_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    said: list[str] = []
    assert not checkpoints.claim(tmp_path, {"training": {"steps": 5}, "data": "a"}, said.append)
    checkpoints.save(tmp_path, 2, {"model.w": torch.zeros(1)}, {})
    assert checkpoints.claim(tmp_path, {"training": {"steps": 5}, "data": "a"}, said.append)
    assert checkpoints.latest(tmp_path, said.append) is not None
    assert said == []
    assert not checkpoints.claim(tmp_path, {"training": {"steps": 6}, "data": "a"}, said.append)
    assert checkpoints.latest(tmp_path, said.append) is None
    assert said == [f"{tmp_path} is of another training (training differ); training starts anew"]


def test_a_second_trainer_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from tasks.train import checkpoints
with checkpoints.only_trainer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        expected = rf"process {first.pid} is already training in .*; wait for it, or end it with: kill {first.pid}"
        with pytest.raises(ValueError, match=expected), checkpoints.only_trainer(tmp_path):
            pass
        first.kill()
    with checkpoints.only_trainer(tmp_path):
        assert (tmp_path / "trainer.pid").read_text() == f"{os.getpid()}\n"


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_good_weights(data: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DivergedError, match=r"became nan at step 6 of 12.*step_00000004\.safetensors\. Lower training\.opt"
    ):
        train_tiny(data, tmp_path, {"blow_up_at": 6})
    assert not (tmp_path / "run").exists()
    kept = checkpoints.latest(tmp_path / "state" / "tiny", pytest.fail)
    assert kept is not None
    assert kept.step == 4
    assert all(torch.isfinite(tensor).all() for tensor in kept.tensors("model").values())


def test_bf16_reaches_the_forward_pass_and_keeps_float_weights(data: Path, tmp_path: Path) -> None:
    bf16 = train_tiny(data, tmp_path / "bf16", precision="bf16-mixed")
    full = train_tiny(data, tmp_path / "full")
    losses = [pd.read_csv(run / "history.csv")["loss"].iloc[-1] for run in (bf16, full)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert all(p.dtype == torch.float32 for p in modelio.load_run(bf16).parameters())


def test_settings_that_do_not_fit_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_clips is 8, which 3 devices cannot share evenly"):
        train_tiny(data, tmp_path, devices=3)
    with pytest.raises(ValueError, match="architecture 'nought' does not exist"):
        train.run(
            "x",
            recipe().model_copy(update={"architecture": "nought"}),
            data / "frames" / "blobs",
            data / "clips" / "blobs",
            tmp_path / "run",
            tmp_path / "t.json",
            tmp_path / "state",
        )
    with pytest.raises(
        ValueError, match=r"clips\.parquet does not exist; assemble the data set first: dvc repro assemble@b"
    ):
        train.run("x", recipe(), data, tmp_path / "b", tmp_path / "run", tmp_path / "t.json", tmp_path / "state")
    old = tmp_path / "old"
    shutil.copytree(data / "clips" / "blobs", old)
    (old / "summary.json").write_text('{"data_sha256": ""}')
    with pytest.raises(ValueError, match=r"summary\.json does not say how the clips were made; run stage assemble ag"):
        train.run("x", recipe(), data / "frames/blobs", old, tmp_path / "run", tmp_path / "t.json", tmp_path / "state")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="asks for 1 CUDA device"):
            train_tiny(data, tmp_path, accelerator="cuda")
    with pytest.raises(ValueError, match=r"crop_width_px is 9, more than the width of 8 px that the data set's frames"):
        train_tiny(data, tmp_path, {}, "tiny_adversary", augment={"crop_width_px": 9})
    with pytest.raises(ValueError, match=r"makes clips of 6 x 8 px, and this architecture takes 8 x 8 px only"):
        train_tiny(data, tmp_path, augment={"crop_height_px": 6})
    with pytest.raises(ValueError, match=r"config sets frames to 16, which follows from its data set blobs \(4\)"):
        train_tiny(data, tmp_path, {"frames": 16})
    assert not list(tmp_path.glob("state/*/step_*"))


@pytest.mark.torture
@pytest.mark.parametrize("architecture", ["tiny_autoencoder", "tiny_adversary", "tiny_classifier", "tiny_rater"])
def test_two_processes_train_as_one_and_go_on_after_a_kill(
    data: Path, labelled: Path, rated: Path, tmp_path: Path, architecture: str
) -> None:
    data = {"tiny_classifier": labelled, "tiny_rater": rated}.get(architecture, data)

    def life(folder: Path, devices: int, **extra: str) -> int:
        command = [sys.executable, "-m", "tests.tasks._two", str(data), str(folder), str(devices), architecture]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **extra}
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=300, check=False).returncode

    assert life(tmp_path / "one", 1) == 0
    assert life(tmp_path / "two", 2) == 0
    assert life(tmp_path / "killed", 2, DIE_AT_STEP="5") != 0
    assert life(tmp_path / "killed", 2) == 0
    for run in ("run", "run/twin") if architecture == "tiny_rater" else ("run",):
        one, two, killed = (modelio.load_run(tmp_path / name / run).state_dict() for name in ("one", "two", "killed"))
        for name, tensor in two.items():
            torch.testing.assert_close(tensor, one[name], rtol=1e-3, atol=1e-5)
            assert torch.equal(tensor, killed[name])
    assert json.loads((tmp_path / "two" / "timing.json").read_text())["devices"] == 2


@pytest.mark.torture
def test_torchrun_on_two_machines_trains_to_the_last_bit_what_two_processes_of_one_do(
    data: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(name: str, *launcher: str) -> list[str]:
        arguments = ["-m", "tests.tasks._two", str(data), str(tmp_path / name), "2", "tiny_autoencoder"]
        return [sys.executable, *launcher, *arguments]

    subprocess.run(command("spawned"), cwd=ROOT, env=environment, timeout=300, check=True)
    options = ("--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d")
    machine = command("torchrun", "-m", "torch.distributed.run", *options, "--rdzv-endpoint", f"127.0.0.1:{port}")
    machines = [subprocess.Popen(machine, cwd=ROOT, env=environment) for _ in range(2)]
    assert [one.wait(timeout=300) for one in machines] == [0, 0]
    spawned, started = (tmp_path / name / "run" / modelio.WEIGHTS for name in ("spawned", "torchrun"))
    assert sha256_of(spawned) == sha256_of(started)
    assert not list((tmp_path / "torchrun" / "state" / "tiny").glob("step_*"))


def test_what_torchrun_is_told_wrongly_is_said(monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("RUSHES_TORCHRUN", "--nodes 2")
    assert torchrun.wanted()
    with pytest.raises(ValueError, match=r"RUSHES_TORCHRUN is '--nodes 2'; it takes the options of torchrun"):
        torchrun.start(["train", "tiny"])
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert not torchrun.wanted()
    with pytest.raises(
        ValueError, match=r"torchrun starts 4 processes on all machines together, and training.devices is 2"
    ):
        train_tiny(data, tmp_path, devices=2)


def test_precision_auto_is_what_the_hardware_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def precision(**settings: object) -> str:
        return train.precision_of(Training.model_validate({"accelerator": "cpu", **settings}))

    for instructions, meant in (((), "32-true"), (("avx512_bf16",), "bf16-mixed")):
        monkeypatch.setattr(cpu, "bf16_instructions", lambda found=instructions: found)
        assert precision(precision="auto") == meant
        assert [precision(precision=named) for named in ("32-true", "bf16-mixed")] == ["32-true", "bf16-mixed"]
