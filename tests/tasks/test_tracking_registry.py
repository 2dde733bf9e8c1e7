"""The registry against a real SQLite store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import models
from tasks import modelio, tracking
from tasks.exits import UnreachableError
from tasks.files import sha256_of, write_json

INPUT = {"gray": True, "fit": "crop", "every_frames": 2, "height_px": 8, "width_px": 8, "length_frames": 4}
LINEAGE = {"git_commit": "c" * 40, "dvc_lock_sha256": "d" * 64, "flow_run_id": "flow-1"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project folder with a store of its own."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "__path__", [*models.__path__, str(Path(__file__).parent / "tiny")])
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/data/mlflow/mlflow.db")
        yield folder


def _trained(
    folder: Path,
    seed: int,
    score: float | None,
    judged_on: str = "test-1",
    architecture: str = "tiny_autoencoder",
    labels: tuple[str, ...] = ("x",),
    conformal: dict[str, Any] | None = None,
) -> tuple[Path, Path]:
    """A run folder and its evaluation, as the stages write them."""
    torch.manual_seed(seed)
    model = models.build(architecture).eval()
    c = model.config
    input_ = INPUT | {"height_px": c.height_px, "width_px": c.width_px, "gray": c.channels == 1}
    places = {"inputs": list(model.inputs), "outputs": list(model.outputs)}
    run, evaluation = folder / f"run{seed}", folder / f"evaluation{seed}{judged_on}"
    training = {"seed": seed, "steps": 2, "optimizer": {"name": "adam"}}
    facts = {"dataset": "blobs", "data_sha256": "a" * 64, "training": training, "labels": [*labels], **places}
    facts["input"] = input_ | {"length_frames": c.frames}
    if model.kind == "regress":
        facts["ratings"] = {"lowest": 0.0, "highest": 10.0}
    modelio.save_run(run, model, {"architecture": architecture, **facts})
    (run / "history.csv").write_text("step,loss,validation_psnr_db\n1,0.5,\n2,0.25,21.5\n")
    metric, spread = {"classify": ("video_accuracy", 0.25), "regress": ("mse", 0.25)}.get(model.kind, ("psnr_db", 1))
    figures = dict.fromkeys(("value", "low", "high"))
    if score is not None:
        figures = {"value": score, "low": score - spread, "high": score + spread}
    primary = {"metric": metric, "higher_is_better": model.kind != "regress", **figures}
    unknown = dict.fromkeys(figures)  # what an answer about whole videos has no figure for
    write_json(
        evaluation / "metrics.json",
        {
            "weights_sha256": sha256_of(run / "weights.safetensors"),
            "evaluation_sha256": judged_on,
            "clips": 5,
            "videos": 4,
            "films": 3,
            "conformal": conformal,
            "signal": {"found": conformal is not None, "enough": conformal is not None, "p": 0.5},
            "primary": primary,
            "answers": {"model": {"floats": 8, metric: figures, "log_loss": unknown}},
            "gains": {"clip_mean_frame": {metric: figures}},
        },
    )
    return run, evaluation


def _client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.tracking_uri(), registry_uri=tracking.tracking_uri())


def test_the_first_version_is_registered_once_and_becomes_champion(store: Path) -> None:
    run, evaluation = _trained(store, 1, 30.0)
    registered = tracking.register("first", run, evaluation, LINEAGE)
    assert (registered.version, registered.uri) == ("1", "models:/rushes-first/1")
    with pytest.raises(ValueError, match="rushes-first has no champion"):
        tracking.resolve("first")
    decision = tracking.promote("first", "1")
    assert decision.promoted
    assert decision.reason == "version 1 is the first champion: psnr_db 30.0000, export verified"
    assert tracking.register("first", run, evaluation, LINEAGE) == registered  # the same weights are the same version
    again = tracking.promote("first", "1")
    assert (again.promoted, again.champion_version, again.reason) == (False, "1", decision.reason)
    score = {
        "metric": "psnr_db",
        "value": 30.0,
        "low": 29.0,
        "high": 31.0,
        "evaluation_sha256": "test-1",
        "data_sha256": "a" * 64,
        "weights_sha256": sha256_of(run / "weights.safetensors"),
        "git_dirty": None,
        **LINEAGE,
    }
    assert tracking.registry_record("first") == {
        "recipe": "first",
        "model": "rushes-first",
        "champion_version": "1",
        "challenger_version": "1",
        "champion": score,
        "challenger": score,
        "run_id": registered.run_id,
        "decision": {"promoted": True, "reason": decision.reason},
    }
    listed = [row for row in tracking.list_models() if row["recipe"] == "first"]
    assert [(row["version"], row["aliases"], row["git_commit"]) for row in listed] == [
        ("1", ["challenger", "champion"], "c" * 40)
    ]
    # and back: the run (made from the run folder, as the store had not seen it) names the version, the data, the scores
    told = _client().get_run(registered.run_id)
    assert told.data.tags["rushes.model_version"] == "rushes-first/1"
    assert told.data.tags["rushes.registered_flow_run_id"] == "flow-1"
    assert told.inputs.dataset_inputs[0].dataset.digest == "a" * 36
    assert told.data.metrics == {
        "loss": 0.25,
        "validation_psnr_db": 21.5,
        "test.model.psnr_db": 30.0,
        "gain.clip_mean_frame.psnr_db": 30.0,
    }
    assert [(m.step, m.value) for m in _client().get_metric_history(registered.run_id, "loss")] == [(1, 0.5), (2, 0.25)]
    assert len(_client().get_metric_history(registered.run_id, "test.model.psnr_db")) == 1


def test_a_challenger_must_be_better_on_the_same_evaluation_data(store: Path) -> None:
    champion_of = lambda: tracking.registry_record("gate")["champion_version"]  # noqa: E731
    tracking.register("gate", *_trained(store, 11, 30.0), {})
    tracking.promote("gate", "1")

    tracking.register("gate", *_trained(store, 12, 30.0), {})
    equal = tracking.promote("gate", "2")
    assert (equal.promoted, champion_of()) == (False, "1")
    assert (
        equal.reason
        == "version 2 with psnr_db 30.0000 is not better than champion version 1 with 30.0000 on evaluation data"
        " test-1: gain +0.0000"
    )
    assert tracking.registry_record("gate")["decision"] == {"promoted": False, "reason": equal.reason}

    tracking.register("gate", *_trained(store, 13, 30.5), {})
    better = tracking.promote("gate", "3")
    assert (better.promoted, champion_of()) == (True, "3")
    assert _client().get_model_version("rushes-gate", "1").tags["rushes.challenged_by_3"] == better.reason

    run, evaluation = _trained(store, 14, 35.0, judged_on="test-2")
    tracking.register("gate", run, evaluation, {})
    other = tracking.promote("gate", "4")
    assert (other.promoted, other.rejudge, champion_of()) == (False, True, "3")
    assert "judged on different evaluation data (test-2 and test-1)" in other.reason

    judged_again = json.loads((_trained(store, 13, 36.0, "test-2")[1] / "metrics.json").read_text())
    tracking.add_scores("gate", "3", judged_again)
    assert not tracking.promote("gate", "4").promoted
    judged_again["primary"]["value"] = 34.0
    tracking.add_scores("gate", "3", judged_again)
    assert tracking.promote("gate", "4").promoted
    with pytest.raises(ValueError, match="not of the weights of version 3 of rushes-gate"):
        tracking.add_scores("gate", "3", {**judged_again, "weights_sha256": "other"})
    assert champion_of() == "4"


def test_a_version_without_a_finite_score_is_not_promoted(store: Path) -> None:
    run, evaluation = _trained(store, 21, 30.0)
    metrics = json.loads((evaluation / "metrics.json").read_text())
    metrics["primary"]["value"] = float("nan")
    (evaluation / "metrics.json").write_text(json.dumps(metrics))
    tracking.register("finite", run, evaluation, {})
    decision = tracking.promote("finite", "1")
    assert (decision.promoted, decision.reason) == (False, "version 1 has no finite psnr_db (nan)")
    assert tracking.registry_record("finite")["champion_version"] is None


def test_a_process_without_this_repository_gets_the_same_answer(store: Path, tmp_path: Path) -> None:
    run, evaluation = _trained(store, 31, 30.0)
    tracking.register("alone", run, evaluation, LINEAGE)
    tracking.promote("alone", "1")
    clip_BTHWC = np.random.default_rng(0).integers(0, 256, (5, 4, 8, 8, 1), dtype=np.uint8)
    with torch.no_grad():
        expected = modelio.load_run(run).predict(torch.from_numpy(clip_BTHWC)).numpy()

    loaded = tracking.load(tracking.resolve("alone"))
    assert (loaded.recipe, loaded.version, loaded.kind, loaded.input) == ("alone", "1", "reconstruct", INPUT)
    assert (loaded.inputs, loaded.outputs, loaded.renders) == ((0, 1, 2, 3), (0, 1, 2, 3), False)
    with pytest.raises(ValueError, match="has no describe: it makes no descriptors"):
        loaded.describe(clip_BTHWC)
    with pytest.raises(ValueError, match="has no render: it answers its own places at its own size only"):
        loaded.render(clip_BTHWC[:1, :2], [0.5])
    np.testing.assert_allclose(loaded.predict(clip_BTHWC), expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"takes uint8 clips \(B, 4, 8, 8, 1\); got float32 \(5, 4, 8, 8, 1\)"):
        loaded.predict(clip_BTHWC.astype(np.float32))

    np.save(tmp_path / "clip.npy", clip_BTHWC)
    code = f"""
import importlib.util, sys
sys.path.append({sysconfig.get_path("purelib")!r})  # installed packages, but no .pth file, so no editable install
assert not any(importlib.util.find_spec(name) for name in ("models", "tasks", "flows"))
import mlflow.pyfunc, numpy as np
model = mlflow.pyfunc.load_model("models:/rushes-alone@champion")
np.save("answer.npy", model.predict(np.load("clip.npy")))
assert not {{"models", "tasks", "flows"}} & set(sys.modules)
"""
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = np.load(tmp_path / "answer.npy")
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)


def test_a_model_between_frames_is_loaded_with_what_renders_any_size(store: Path) -> None:
    run, evaluation = _trained(store, 51, 30.0, architecture="tiny_interpolator")
    with pytest.raises(ValueError, match="no champion of kind interpolate; make one with: rushes run RECIPE"):
        tracking.champion_of_kind("interpolate")
    registered = tracking.register("between", run, evaluation, LINEAGE)
    tracking.promote("between", "1")
    assert tracking.champion_of_kind("interpolate") == "models:/rushes-between@champion"
    [listed] = [row for row in tracking.list_models() if row["recipe"] == "between"]
    assert listed["kind"] == "interpolate"
    assert listed["description"].startswith(
        "tiny_interpolator trained on blobs (recipe between): psnr_db 30.00 (29.00 to 31.00, 95% over groups) on 5"
        " held-out clips, frames 0, 6 to 1, 2, 3, 4, 5, 220 parameters;"
    )

    trained = modelio.load_run(run)
    loaded = tracking.load(registered.uri)
    assert (loaded.kind, loaded.inputs, loaded.outputs, loaded.renders) == (
        "interpolate",
        (0, 6),
        (1, 2, 3, 4, 5),
        True,
    )
    shown_BNHWC = np.random.default_rng(0).integers(0, 256, (3, 2, 8, 8, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = trained.predict(torch.from_numpy(shown_BNHWC)).numpy()
    assert expected.shape == (3, 5, 8, 8, 3)
    np.testing.assert_allclose(loaded.predict(shown_BNHWC), expected, rtol=0, atol=1e-5)
    for height, width, times in (
        (1, 1, [0.5]),
        (7, 40, [0.25]),
        (61, 43, [0.1, 0.5]),
        (144, 192, [0.2, 0.4, 0.6, 0.8]),
    ):
        frames = np.random.default_rng(height).integers(0, 256, (1, 2, height, width, 3), dtype=np.uint8)
        answer = loaded.render(frames, times)
        assert (answer.dtype, answer.shape) == (np.float32, (1, len(times), height, width, 3))
        if min(height, width) >= 16:  # smaller ones are widened by their edge, which moves what the network sees
            with torch.no_grad():
                expected = trained.render(torch.from_numpy(frames), torch.tensor(times)).numpy()
            np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)
    with pytest.raises(
        ValueError, match=r"renders uint8 pictures \(1, 2, H, W, 3\) at one time or more; got uint8 \(1, 2,"
    ):
        loaded.render(frames[..., :1], [0.5])

    tracking.register("beside", *_trained(store, 52, 30.0, architecture="tiny_interpolator"), {})
    tracking.promote("beside", "1")
    with pytest.raises(
        ValueError, match="several champions of kind interpolate: beside, between; name one with --model"
    ):
        tracking.champion_of_kind("interpolate")


def test_a_classifier_is_loaded_with_its_labels_and_its_descriptor(store: Path, tmp_path: Path) -> None:
    tracking.register("no_words", *_trained(store, 60, 30.0), {})
    with pytest.raises(ValueError, match=r"of kind 'reconstruct' and makes no descriptors; .* does: none yet; train"):
        tracking.load_describing("models:/rushes-no_words/1")
    run, evaluation = _trained(store, 61, 0.75, architecture="tiny_classifier", labels=("bend", "run"))
    registered = tracking.register("classes", run, evaluation, LINEAGE)
    assert tracking.register("classes", run, evaluation, LINEAGE) == registered
    decision = tracking.promote("classes", "1")
    assert decision.reason == "version 1 is the first champion: video_accuracy 0.7500, export verified"
    [listed] = [row for row in tracking.list_models() if row["recipe"] == "classes"]
    assert (listed["kind"], listed["metric"], listed["describes"]) == ("classify", "video_accuracy", True)
    parameters = sum(p.numel() for p in modelio.load_run(run).parameters())
    assert listed["description"].startswith(
        "tiny_classifier trained on blobs (recipe classes): video_accuracy 0.75 (0.50 to 1.00, 95% over groups) on 4"
        f" held-out videos, 2 classes (bend, run), {parameters:,} parameters;"
    )
    assert _client().get_model_version("rushes-classes", "1").tags["rushes.labels"] == '["bend", "run"]'
    with pytest.raises(ValueError, match="makes no descriptors; recipes whose champion does: classes"):
        tracking.load_describing("models:/rushes-no_words/1")

    trained, loaded = modelio.load_run(run), tracking.load_describing(tracking.resolve("classes"))
    assert (loaded.kind, loaded.labels, loaded.outputs, loaded.describes) == ("classify", ("bend", "run"), (), True)
    assert loaded.weights_sha256 == sha256_of(run / "weights.safetensors")
    for count in (1, 2, 5):
        clip_BTHWC = np.random.default_rng(count).integers(0, 256, (count, 4, 8, 8, 1), dtype=np.uint8)
        with torch.no_grad():
            probabilities, descriptors = (
                getattr(trained, method)(torch.from_numpy(clip_BTHWC)).numpy() for method in ("predict", "describe")
            )
        assert probabilities.shape == (count, 2)
        np.testing.assert_allclose(loaded.predict(clip_BTHWC), probabilities, rtol=0, atol=1e-5)
        np.testing.assert_allclose(loaded.describe(clip_BTHWC, "32"), descriptors, rtol=0, atol=1e-5)
        rounded = loaded.describe(clip_BTHWC, "bf16")
        assert rounded.dtype == np.float32
        np.testing.assert_allclose(rounded, descriptors, rtol=0, atol=0.02 * np.abs(descriptors).max())
    with pytest.raises(ValueError, match=r"takes uint8 clips \(B, 4, 8, 8, 1\); got uint8 \(5, 3, 8, 8, 1\)"):
        loaded.describe(clip_BTHWC[:, :3])
    with pytest.raises(ValueError, match="precision is 'half'; it must be one of auto, 32, bf16"):
        loaded.describe(clip_BTHWC, "half")
    alone = torch.export.load(loaded.folder / "describe.pt2")
    assert not [name for name in alone.state_dict if "last" in name]  # weights that a descriptor does not need
    np.testing.assert_allclose(alone.module()(torch.from_numpy(clip_BTHWC)).detach(), descriptors, rtol=0, atol=1e-5)


def test_a_classifier_whose_labels_are_not_its_classes_is_not_registered(store: Path) -> None:
    run, evaluation = _trained(store, 62, 0.5, architecture="tiny_classifier", labels=("a", "b", "c"))
    with pytest.raises(ValueError, match="tells 2 classes apart, its labels are 3"):
        tracking.register("mislabelled", run, evaluation, {})


def test_a_rater_is_loaded_with_its_interval_and_its_scale(store: Path) -> None:
    first = {"level": 0.8, "half_width": 1.25, "films": 9}
    run, evaluation = _trained(store, 71, 0.5, architecture="tiny_rater", conformal=first)
    registered = tracking.register("rated", run, evaluation, LINEAGE)
    tracking.promote("rated", "1")
    [listed] = [row for row in tracking.list_models() if row["recipe"] == "rated"]
    assert (listed["kind"], listed["metric"], listed["value"], listed["describes"]) == ("regress", "mse", 0.5, False)
    assert listed["description"] == (
        "tiny_rater trained on blobs (recipe rated): mse 0.50 (0.25 to 0.75, 95% over groups) on 3 held-out films,"
        " ratings from 0 to 10, 2 parameters; commit cccccccccccc."
    )
    trained, loaded = modelio.load_run(run), tracking.load(tracking.resolve("rated"))
    assert (loaded.kind, loaded.inputs, loaded.outputs) == ("regress", (0, 1, 2, 3, 4, 5), ())
    assert (loaded.interval, loaded.signal, loaded.score_range) == (first, {"found": True, "enough": True}, (0.0, 10.0))
    assert loaded.input == INPUT | {"length_frames": 6}
    for count in (1, 2, 7):
        clip_BTHWC = np.random.default_rng(count).integers(0, 256, (count, 6, 8, 8, 1), dtype=np.uint8)
        clip_BTHWC[-1, count % 6 :] = 0  # shorter than the others, filled up
        with torch.no_grad():
            expected = trained.predict(torch.from_numpy(clip_BTHWC)).numpy()
        answer = loaded.predict(clip_BTHWC)
        assert (answer.dtype, answer.shape) == (np.float32, (count,))
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)

    second = {"level": 0.75, "half_width": 1.5, "films": 4}
    again = _trained(store, 71, 0.75, "test-2", "tiny_rater", conformal=second)
    assert tracking.register("rated", *again, LINEAGE) == registered  # the same weights, judged anew
    assert tracking.load(registered.uri).interval == second
    tracking.register("rated", *_trained(store, 71, 0.75, "test-2", "tiny_rater"), LINEAGE)
    judged = tracking.load(registered.uri)
    assert (judged.interval, judged.signal) == (None, {"found": False, "enough": False})  # too few films to say


def test_of_two_raters_the_one_with_the_lower_error_is_champion(store: Path) -> None:
    for seed, mse in enumerate((0.9, 1.2, 0.6, None), start=81):
        tracking.register("lower", *_trained(store, seed, mse, architecture="tiny_rater"), {})
    judged = [tracking.promote("lower", str(version)) for version in (1, 2, 3, 4)]
    assert [(d.promoted, d.champion_version) for d in judged] == [(True, "1"), (False, "1"), (True, "3"), (False, "3")]
    assert judged[1].reason == (
        "version 2 with mse 1.2000 is not better than champion version 1 with 0.9000 on evaluation data test-1:"
        " gain -0.3000"
    )
    assert judged[2].reason == (
        "version 3 with mse 0.6000 is better than champion version 1 with 0.9000 on evaluation data test-1: gain"
        " +0.3000"
    )
    assert judged[3].reason == "version 4 has no finite mse (nan)"
    tracking.register("lower", *_trained(store, 85, 0.7, "test-2", "tiny_rater"), {})
    assert tracking.promote("lower", "5").rejudge
    again = json.loads((_trained(store, 83, 0.8, "test-2", "tiny_rater")[1] / "metrics.json").read_text())
    tracking.add_scores("lower", "3", again)
    assert tracking.promote("lower", "5").promoted  # on the new data 0.7 is less than the champion's 0.8


def test_errors_name_what_is_missing(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, evaluation = _trained(store, 41, 30.0)
    with pytest.raises(ValueError, match=r"has no metrics\.json; judge the run first: dvc repro evaluate@x"):
        tracking.register("x", run, tmp_path, {})
    other, _ = _trained(store, 42, 30.0)
    with pytest.raises(ValueError, match="judges other weights than"):
        tracking.register("x", other, evaluation, {})
    with pytest.raises(ValueError, match="there is no registered model rushes-unheard; there are:"):
        tracking.resolve("unheard")
    with pytest.raises(ValueError, match="'rushes-x' is not the address of a model"):
        tracking.load("rushes-x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9 does not answer; start it, or correct"):
        tracking.list_models()
