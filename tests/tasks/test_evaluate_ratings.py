"""The stage `evaluate` on a model that rates a clip by its brightness: every figure worked out by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from models import VideoModel
from tasks import evaluate, modelio, tables
from tasks.baselines import FilmAnswer
from tasks.clips import ClipDataset
from tasks.evaluate.rating_tables import Judgement
from tasks.files import read_json, sha256_of, write_json, write_text
from tasks.params import Evaluation, Recipe
from tasks.stores import StoredSource
from tests.tasks import _rated
from tests.tasks._rated_films import Clips

T, SIDE = 4, 16
EVALUATION = {"batch_clips": 3, "bootstrap_samples": 1000}
RECIPE = Recipe.model_validate({"dataset": "films", "architecture": "tiny_rater", "evaluation": EVALUATION})
NOTHING = {"value": None, "low": None, "high": None}


@dataclass(frozen=True)
class Film:
    """`clips`: source, span, what the model says of it (its brightness), and how many frames it has."""

    film: str
    score: float
    split: str
    clips: tuple[tuple[str, int, float, int], ...]
    group: str = ""  # its title


TEST = [  #                                                                        mean  error  training mean's, squared
    Film("A", 4.0, "test", (("a1", 0, 5.0, 4), ("a1", 0, 6.0, 2), ("a2", 0, 4.0, 3))),  # 4.75  0.75     1
    Film("B", 7.0, "test", (("b", 0, 7.0, 4), ("b", 1, 6.0, 4))),  #                     6.5  -0.5      4
    Film("C", 2.0, "test", (("c", 0, 5.5, 1),), "saga"),  #                              5.5   3.5      9
    Film("D", 8.0, "test", (("d", 0, 8.5, 4), ("d", 1, 7.5, 4)), "saga"),  #             8.0   0.0      9
]
TRAIN = [  # mean 5
    Film("P", 3.0, "train", (("p", 0, 3.0, 4), ("p", 1, 3.0, 4))),
    Film("Q", 5.0, "train", (("q", 0, 5.0, 4),)),
    Film("R", 7.0, "train", (("r", 0, 7.0, 4),)),
]
VALIDATION = [Film("V", 6.0, "validation", (("v", 0, 4.5, 4),))]
FILMS = [*TRAIN, *VALIDATION, *TEST]


def write(root: Path, films: Sequence[Film], *, pace: bool = True) -> tuple[Path, Path]:
    """Frame stores and a manifest as `sample` and `assemble` write them. A film is cut as fast as it is good."""
    frames, clips = root / "frames" / "films", root / "clips" / "films"
    frames.mkdir(parents=True)
    clips.mkdir(parents=True)
    stored: dict[str, list[np.ndarray]] = {}
    rows, spans = [], set()
    for film in films:
        group = film.group or film.film
        for source, span, says, length in film.clips:
            first = sum(map(len, stored.setdefault(source, [])))
            level = round(_rated.DARKEST + _rated.LEVELS * says)
            stored[source].append(np.full((length, SIDE, SIDE, 1), level, np.uint8))
            about = {"source": source, "span": span, "first_row": first, "length": length, "step": 1}
            about |= {"split": film.split, "group": group, "label": "", "film": film.film, "score": film.score}
            rows.append(about | {"first_frame": 45 * first, "first_seconds": 1.8 * first})
            spans.add((source, span, 30.0 * span, 30.0 * span + 30, 3 * film.score, 0.4, 0.1))
    sources = []
    for number, (source, parts) in enumerate(sorted(stored.items())):
        np.save(frames / f"{source}.npy", np.concatenate(parts))
        named: dict[str, Any] = {
            "source": source, "path": f"{source}.mp4", "kind": "video", "sha256": f"{number:064d}", "label": "",
            "group": "", "width_px": SIDE, "height_px": SIDE, "frames_per_second": 25.0, "frames": 9,
            "claimed_frames": 9, "duration_seconds": 0.36, "stored_frames": sum(map(len, parts)), "settings": "s",
            "store_sha256": sha256_of(frames / f"{source}.npy"),
        }  # fmt: skip
        sources.append(StoredSource(**named))
    tables.write(frames / "sources.csv", StoredSource, sources)
    manifest = pd.DataFrame(rows).sort_values(["source", "first_row"]).reset_index(drop=True)
    manifest.rename_axis("clip").reset_index().to_parquet(clips / "clips.parquet", index=False)
    write_json(clips / "summary.json", {"warnings": ["film C has one subclip"], "ratings": {"lowest": 0, "highest": 9}})
    if pace:
        lines = [",".join(map(str, row)) for row in sorted(spans)]
        columns = "source,span,start_seconds,end_seconds,cuts_per_minute,brightness,motion"
        write_text(clips / "pace.csv", "\n".join([columns, *lines]) + "\n")
    return frames, clips


def judge(
    root: Path, films: Sequence[Film] = FILMS, *, pace: bool = True, twin: bool = True, model: VideoModel | None = None
) -> Path:
    """Write the clips and a run with a twin that answers alike, judge it; returns the evaluation's folder."""
    frames, clips = write(root, films, pace=pace)
    run, out = root / "runs" / "films", root / "evaluation" / "films"
    model = model or rater()
    for folder in (run, run / "twin") if twin else (run,):
        folder.mkdir(parents=True)
        modelio.save_run(folder, model, {"architecture": "tiny_rater", "dataset": "films"})
    evaluate.run("films", RECIPE, frames, clips, run, out)
    return out


def rater() -> VideoModel:
    model = _rated.rater()
    changed = type(model)(dataclasses.replace(model.config, frames=T))
    changed.load_state_dict(model.state_dict())
    return changed


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rated")
    judge(place)
    return place


def near(value: float, low: float, high: float, within: float = 1e-5) -> object:
    return pytest.approx({"value": value, "low": low, "high": high}, abs=within)


def test_the_figures_hold_what_the_films_say(root: Path) -> None:
    found = read_json(root / "evaluation/films/metrics.json")
    test = ClipDataset(root / "frames/films", root / "clips/films", "test")
    plain = {
        "recipe": "films", "architecture": "tiny_rater", "variant": "", "kind": "regress", "dataset": "films",
        "inputs": [0, 1, 2, 3], "outputs": [], "latent_floats": None, "parameters": 2, "films": 4, "clips": 8,
        "sources": 5, "groups": ["A", "B", "saga"], "warnings": ["film C has one subclip"],
        "ratings": {"lowest": 0, "highest": 9}, "evaluation_sha256": test.data_sha256,
        "weights_sha256": sha256_of(root / "runs/films/weights.safetensors"),
        "ridge_alpha": {"frames_ridge": 0.01, "pace_ridge": 0.01},
    }  # fmt: skip
    assert {key: found[key] for key in plain} == plain
    assert found["intervals"] == {
        "method": "95% percentile bootstrap over groups, all films of a drawn group",
        "samples": 1000, "seed": 0, "note": None,
    }  # fmt: skip

    # Three groups: one of them three times in 1 of 27 draws each, which is more than a tail of 2.5%: so the intervals
    # of means span the groups' means.
    model = found["answers"]["model"]
    assert model["mse"] == near((0.5625 + 0.25 + 12.25 + 0) / 4, 0.25, 12.25 / 2)
    assert model["mae"] == near((0.75 + 0.5 + 3.5 + 0) / 4, 0.5, 3.5 / 2)
    assert model["spearman"]["value"] == pytest.approx(1 - 6 * (1 + 0 + 1 + 0) / (4 * 15))
    assert model["r2"]["value"] == pytest.approx(1 - 13.0625 / 22.75)
    assert found["primary"] == {"metric": "mse", "higher_is_better": False, **model["mse"]}
    assert model["floats"] is None

    mean = found["answers"]["training_mean"]
    assert mean["mse"] == near((1 + 4 + 9 + 9) / 4, 1, 9)
    assert mean["mae"] == near((1 + 2 + 3 + 3) / 4, 1, 3)
    assert (mean["floats"], mean["spearman"]) == (0, NOTHING)
    assert mean["r2"]["value"] == pytest.approx(1 - 23 / 22.75)
    assert found["gains"]["training_mean"]["mse"] == near((0.4375 + 3.75 - 3.25 + 9) / 4, 0.4375, 3.75)
    assert found["gains"]["training_mean"]["mae"] == near((0.25 + 1.5 - 0.5 + 3) / 4, 0.25, 1.5)
    assert found["signal"] == {  # all three groups gain: of 8 flips one is as good
        "found": False, "enough": False, "over": "training_mean", "gain": found["gains"]["training_mean"]["mse"],
        "p": 1 / 8,
    }  # fmt: skip

    assert set(found["answers"]) == {"model", "training_mean", "frames_ridge", "pace_ridge"}
    assert found["answers"]["pace_ridge"]["mse"] == near(0, 0, 0, within=1e-3)  # cuts tell the score
    assert found["gains"]["pace_ridge"]["mae"] == near(-1.1875, -1.75, -0.5, within=0.05)  # worse than it: below zero
    assert [found["answers"][name]["floats"] for name in ("frames_ridge", "pace_ridge")] == [64, 3]


def test_what_a_split_by_subclip_claims_stands_beside_the_honest_score_by_subclip(root: Path) -> None:
    """Held out, film by film in turn: a1, b's second, (c is all there is), d's second, p's first."""
    found = read_json(root / "evaluation/films/metrics.json")["by_subclip"]
    assert {key: found[key]["value"] for key in ("mse", "mae", "spearman", "r2")} == pytest.approx(
        {"mse": (2.25 + 1 + 0.25 + 0) / 4, "mae": (1.5 + 1 + 0.5 + 0) / 4, "spearman": 1, "r2": 1 - 3.5 / 17}
    )
    assert (found["subclips"], found["films"]) == (4, 4)
    honest = found["honest"]
    assert {key: honest[key]["value"] for key in ("mse", "mae")} == pytest.approx({"mse": 16 / 7, "mae": 7 / 7})
    assert (honest["subclips"], honest["films"]) == (7, 4)
    assert honest["mse"] == near(16 / 7, 0.5, 12.75 / 3)  # b's two alone, the three of the saga
    assert read(root, "subclips.csv") == (
        "film,source,span,score,predicted\nA,a1,0,4.0,5.5\nB,b,1,7.0,6.0\nD,d,1,8.0,7.5\nP,p,0,3.0,3.0\n"
    )


def test_the_interval_about_an_answer_rests_on_films_never_trained_on(root: Path) -> None:
    assert read(root, "residuals.csv") == (
        "split,film,score,predicted\nvalidation,V,6.0,4.5\ntest,A,4.0,4.75\ntest,B,7.0,6.5\ntest,C,2.0,5.5\n"
        "test,D,8.0,8.0\n"
    )
    found = read_json(root / "evaluation/films/metrics.json")["conformal"]
    assert found == {"level": 0.8, "half_width": pytest.approx(3.5, abs=1e-6), "films": 5}


def read(root: Path, name: str) -> str:
    return pd.read_csv(root / "evaluation/films" / name).round(5).to_csv(index=False, lineterminator="\n")


def test_the_tables_of_films_and_clips(root: Path) -> None:
    folder = root / "evaluation/films"
    films = pd.read_parquet(folder / "films.parquet")
    assert films["answer"].drop_duplicates().tolist() == ["model", "training_mean", "frames_ridge", "pace_ridge"]
    told = films.groupby("answer", sort=False)["predicted"].agg(lambda of: of.round(3).tolist())
    assert told["training_mean"] == [5.0] * 4
    np.testing.assert_allclose(told["pace_ridge"], [4, 7, 2, 8], atol=0.05)
    np.testing.assert_allclose(told["frames_ridge"], [44 / 9, 6.5, 5.5, 8.0], atol=0.05)  # frames of A alike, not clips
    model = films[films["answer"] == "model"].drop(columns="answer").round(5)
    assert model.to_csv(index=False) == (
        "film,source,group,score,clips,predicted,error\n"
        "A,a1; a2,A,4.0,3,4.75,0.75\nB,b,B,7.0,2,6.5,-0.5\nC,c,saga,2.0,1,5.5,3.5\nD,d,saga,8.0,2,8.0,0.0\n"
    )
    sources = pd.read_csv(folder / "sources.csv")
    assert sources["film"].drop_duplicates().tolist() == ["C", "A", "B", "D"]
    assert sources["answer"].tolist() == ["model", "training_mean", "frames_ridge", "pace_ridge"] * 4
    assert list(sources.columns) == list(films.columns)

    clips = pd.read_parquet(folder / "clips.parquet").round(5)
    assert clips.drop(columns="clip").to_csv(index=False) == (
        "source,span,film,group,score,first_frame,first_seconds,length,answer,predicted\n"
        "a1,0,A,A,4.0,0,0.0,4,model,5.0\na1,0,A,A,4.0,180,7.2,2,model,6.0\na2,0,A,A,4.0,0,0.0,3,model,4.0\n"
        "b,0,B,B,7.0,0,0.0,4,model,7.0\nb,1,B,B,7.0,180,7.2,4,model,6.0\nc,0,C,saga,2.0,0,0.0,1,model,5.5\n"
        "d,0,D,saga,8.0,0,0.0,4,model,8.5\nd,1,D,saga,8.0,180,7.2,4,model,7.5\n"
    )
    answers = pd.read_csv(folder / "answers.csv").set_index("answer")
    assert list(answers.columns) == [
        "recipe", "floats", "mse", "mse_low", "mse_high", "mae", "mae_low", "mae_high", "spearman", "spearman_low",
        "spearman_high", "r2", "r2_low", "r2_high",
    ]  # fmt: skip
    assert answers["mae"].round(5).to_dict() | {"frames_ridge": 0, "pace_ridge": 0} == {
        "model": 1.1875, "training_mean": 2.25, "frames_ridge": 0, "pace_ridge": 0,
    }  # fmt: skip


def test_the_examples_are_the_most_wrong_and_the_most_right(root: Path) -> None:
    with np.load(root / "evaluation/films/examples.npz", allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    told = zip(*(found[key].tolist() for key in ("role", "film", "source", "score", "length")), strict=True)
    assert list(told) == [
        ("wrong", "C", "c", 2.0, 1), ("wrong", "A", "a1", 4.0, 2),
        ("right", "D", "d", 8.0, 4), ("right", "B", "b", 7.0, 4),
    ]  # fmt: skip
    np.testing.assert_allclose(found["predicted"], [5.5, 4.75, 8.0, 6.5], atol=1e-5)
    assert (found["frames"].dtype, found["frames"].shape) == (np.uint8, (4, T, SIDE, SIDE, 1))
    levels = [[141, 0, 0, 0], [152, 152, 0, 0], [185] * 4, [152] * 4]  # 20 + 22 x what the model says of the clip
    assert (found["frames"] == found["frames"][:, :, :1, :1]).all()
    np.testing.assert_array_equal(found["frames"][:, :, 0, 0, 0], levels)
    assert found["thumbnail_film"].tolist() == ["A", "B", "C", "D"]
    np.testing.assert_array_equal(found["thumbnail"][:, 0, 0, 0], [152, 152, 141, 185])  # of C its one frame
    assert found["thumbnail"].shape == (4, SIDE, SIDE, 1)


def test_equal_inputs_give_equal_bytes(root: Path, tmp_path: Path) -> None:
    first, again = root / "evaluation/films", judge(tmp_path)
    names = sorted(path.name for path in first.iterdir())
    assert names == [
        "answers.csv", "clips.parquet", "examples.npz", "films.parquet", "metrics.json", "residuals.csv",
        "sources.csv", "subclips.csv",
    ]  # fmt: skip
    assert [name for name in names if (first / name).read_bytes() != (again / name).read_bytes()] == []


def test_a_model_that_is_judged_again_scores_the_same(root: Path) -> None:
    model = rater()

    def predict(clip_BTHWC: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model.predict(torch.from_numpy(clip_BTHWC)).numpy()

    where = (RECIPE, root / "frames/films", root / "clips/films")
    again = evaluate.judge_again(predict, "regress", "w", *where, inputs=[0, 1, 2, 3], outputs=[])
    found = read_json(root / "evaluation/films/metrics.json")
    assert again["answers"] == {"model": found["answers"]["model"]}
    assert (again["gains"], again["weights_sha256"]) == ({}, "w")
    assert {key: again[key] for key in ("primary", "evaluation_sha256", "films")} == {
        key: found[key] for key in ("primary", "evaluation_sha256", "films")
    }
    with pytest.raises(ValueError, match=r"the earlier model answers \(3, 2\) for 3 clips; kind 'regress' answers one"):
        evaluate.judge_again(lambda clip: np.zeros((len(clip), 2)), "regress", "w", *where)


def many(films: int, scores: np.ndarray) -> list[Film]:
    """Two in three are trained on; the model says 0, 0.5, 1, ... of them, whatever their scores."""
    said = [(k % 19) / 2 for k in range(films)]
    return [
        Film(f"f{k:02d}", float(score), "test" if k % 3 == 0 else "train", ((f"s{k:02d}", 0, said[k], 4),))
        for k, score in enumerate(scores)
    ]


def test_a_signal_is_found_where_the_scores_follow_what_is_seen_and_not_where_they_are_shuffled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = np.array([film.clips[0][2] for film in many(36, np.zeros(36))]) + rng.normal(0, 0.5, 36)
    found = read_json(judge(tmp_path / "true", many(36, scores), twin=False) / "metrics.json")
    assert found["signal"]["found"]
    assert found["signal"]["gain"]["low"] > 2
    assert found["answers"]["frames_ridge"]["r2"]["value"] > 0.9  # brightness is all there is
    shuffled = many(36, rng.permutation(scores))
    found = read_json(judge(tmp_path / "shuffled", shuffled, twin=False) / "metrics.json")
    assert not found["signal"]["found"]
    assert found["signal"]["gain"]["low"] < 0
    assert found["answers"]["model"]["r2"]["high"] < 0.5
    assert found["answers"]["frames_ridge"]["r2"]["value"] < 0.2


@pytest.mark.parametrize("films", [4, 8])
def test_a_signal_is_seldom_found_by_chance(films: int) -> None:
    """A model that answers with the training mean and a little of its own, which has nothing to do with the films."""
    rng, settings, found = np.random.default_rng(0), Evaluation(bootstrap_samples=200), []
    for _ in range(250):
        table = pd.DataFrame({"film": [f"f{k}" for k in range(films)], "score": rng.normal(6.0, 1.5, films)})
        table = table.assign(source=table["film"], span=0, group=table["film"])
        mean = FilmAnswer("training_mean", 0, np.full(films, 6.0))
        judged = Judgement(Clips(table), rng.normal(6.0, 0.2, films), [mean])  # type: ignore[arg-type]
        found.append(judged.signal(settings))
    assert sum(told["gain"]["low"] > 0 for told in found) > 0.04 * len(found)  # the interval alone is deceived
    assert sum(told["found"] for told in found) <= 0.04 * len(found)
    assert {told["enough"] for told in found} == {films == 8}


def test_without_validation_pace_and_twin_the_rest_is_judged_all_the_same(root: Path, tmp_path: Path) -> None:
    folder = judge(tmp_path, [*TRAIN, *TEST], pace=False, twin=False)
    found, before = read_json(folder / "metrics.json"), read_json(root / "evaluation/films/metrics.json")
    assert set(found["answers"]) == {"model", "training_mean", "frames_ridge"}
    assert found["answers"]["model"] == before["answers"]["model"]
    assert found["by_subclip"] is None
    assert not (folder / "subclips.csv").exists()
    assert found["conformal"] == {"level": 0.8, "half_width": pytest.approx(3.5, abs=1e-6), "films": 4}


@pytest.mark.parametrize(
    ("films", "level", "note"), [(1, None, "it has no width"), (2, 2 / 3, "it only spans the two")]
)
def test_few_test_films_are_judged_and_the_intervals_say_what_they_rest_on(
    tmp_path: Path, films: int, level: float | None, note: str
) -> None:
    found = read_json(judge(tmp_path, [*TRAIN, *TEST[1 : 1 + films]], twin=False) / "metrics.json")
    assert found["answers"]["model"]["mse"]["value"] == pytest.approx([0.25, (0.25 + 12.25) / 2][films - 1])
    assert note in found["intervals"]["note"]
    assert not found["signal"]["found"]
    assert (found["conformal"] or {"level": None})["level"] == pytest.approx(level)
    assert found["answers"]["model"]["spearman"]["value"] == (1.0 if films == 2 else None)
    with np.load(tmp_path / "evaluation/films/examples.npz") as archive:
        assert archive["role"].tolist() == (["wrong", "right"] if films == 2 else ["wrong"])


def changed(**changes: object) -> list[Film]:
    """The films, the last of the test split changed."""
    return [*FILMS[:-1], dataclasses.replace(FILMS[-1], **changes)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("films", "message"),
    [
        (changed(score=float("nan")), r"recipe films: 1 source\(s\) have no score \(d\); name the table of ratings in"),
        (changed(film="P"), r"1 film\(s\) stand in two splits, P \(test and train\); give the files of a film one"),
        ([*TRAIN, *VALIDATION], "has no clip of split 'test'"),
        (TEST, "has no clip of split 'train'"),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path: Path, films: list[Film], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judge(tmp_path, films)
    assert not (tmp_path / "evaluation").is_dir() or not any((tmp_path / "evaluation").iterdir())


def test_a_model_without_an_answer_is_refused(tmp_path: Path) -> None:
    broken = rater()
    with torch.no_grad():
        broken.last.bias.fill_(float("nan"))  # type: ignore[operator, union-attr]
    with pytest.raises(ValueError, match=r"recipe films: the model in .* answers NaN or infinite values; train it"):
        judge(tmp_path, model=broken)


def test_films_from_footage_and_a_table_of_ratings_to_the_figures(tmp_path: Path) -> None:
    """Each subclip's brightness is its score, but for a wobble of 3 / 22 points that the film's three subclips share
    in part: the model's errors are of that size, and the noise of the mean of three is less."""
    data = _rated.data(tmp_path)
    _rated.train(tmp_path, "first", twin_sees=0.5)
    folder = _rated.judge(tmp_path, "first")
    found = read_json(folder / "metrics.json")
    assert (found["films"], found["clips"], found["groups"]) == (5, 15, sorted(_rated.TEST))
    assert set(found["answers"]) == {"model", "training_mean", "frames_ridge", "pace_ridge"}
    assert found["primary"]["value"] < (3 / 22) ** 2
    assert found["signal"]["gain"]["low"] > 0
    assert not found["signal"]["enough"]  # of five films
    assert found["warnings"] == read_json(data / "clips/films/summary.json")["warnings"] != []
    assert found["ratings"] == {"lowest": 0, "highest": 10}
    assert (found["conformal"]["films"], found["conformal"]["level"]) == (8, 0.8)
    residuals = pd.read_csv(folder / "residuals.csv")
    assert residuals["film"].tolist() == [*sorted(_rated.VALIDATION), *sorted(_rated.TEST)]
    assert residuals["score"].tolist() == [_rated.FILMS[film][0] for film in residuals["film"]]
    assert found["conformal"]["half_width"] == pytest.approx((residuals["predicted"] - residuals["score"]).abs().max())

    # The twin's answer is half way from 5 to the model's: a quarter of the squared distance from 5 is what it misses.
    claimed = pd.read_csv(folder / "subclips.csv")
    assert claimed["film"].tolist() == sorted(_rated.FILMS)  # all have two subclips or more
    assert found["by_subclip"]["subclips"] == len(claimed)
    np.testing.assert_allclose(claimed["predicted"], (claimed["score"] + 5) / 2, atol=3 * 3 / 22 / 2)
    expected = np.square(claimed["score"] - 5).mean() / 4
    assert found["by_subclip"]["mse"]["value"] == pytest.approx(expected, rel=0.1)
    assert found["by_subclip"]["honest"]["mse"]["value"] < found["by_subclip"]["mse"]["value"]
