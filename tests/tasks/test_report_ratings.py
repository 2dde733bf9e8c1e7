"""The report of models that rate: what it says of them, and how it draws their films."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import params, pictures, report
from tasks.files import read_json, write_json, write_text
from tasks.params import Evaluation, Params
from tasks.report import rating_charts, rating_picture
from tasks.report.data_page import data_page
from tasks.report.kinds import RATING_MSE
from tasks.report.questions import Judged, compare_variants
from tasks.report.rating_charts import Rated
from tasks.report.rating_verdicts import claim, shrinkage, signal, slope
from tasks.report.verdicts import against_baselines, by_strength, summary
from tests.tasks import _rated, _rated_films
from tests.tasks._pages import Tags, stands_alone

RECIPES = {"knows": "trailers", "guesses": "trailers", "later": "trailers", "alone": "alone", "crowd": "crowd"}
FILMS = {"trailers": 14, "alone": 1, "crowd": 300}
SEES = {"knows": 0.9, "guesses": 0.0, "alone": 0.9, "crowd": 0.6}
SHOWN = [f"recipe-{name}.html" for name in RECIPES]


def asked(root: Path) -> Params:
    dataset = {
        "footage": str(root / "footage"), "label": "none", "ratings": {"file": "ratings.csv"}, "subclips": {},
        "shots": {"threshold": 0.3, "split": False}, "split": {"test": ["any"]},
    }  # fmt: skip
    recipes: dict[str, Any] = {name: {"dataset": d, "architecture": "lrcn"} for name, d in RECIPES.items()}
    recipes["alone"]["training"] = {"subclip_split_twin": True}
    datasets = dict.fromkeys(FILMS, dataset)
    return params.parse({"datasets": datasets, "recipes": recipes}, root / "params.yaml")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ratings")
    for name, sees in SEES.items():
        folder, films = place / "data/evaluation" / name, FILMS[RECIPES[name]]
        result = _rated_films.evaluation(
            folder, films, sees, twin=name == "knows", thumbnails=200 * (name != "guesses")
        )
        variant = "article" if name == "guesses" else "default"
        write_json(folder / "metrics.json", result | {"dataset": RECIPES[name], "variant": variant})
    run = place / "data/runs/knows"
    rows = "".join(f"{step},{1 / step},0.003,{9 / step},{3 / step}\n" for step in range(1, 9))
    run.mkdir(parents=True)
    write_text(run / "history.csv", "step,loss,learning_rate,validation_mse,validation_mae\n" + rows)
    champion = {"weights_sha256": "w"}
    record = {"champion_version": "2", "challenger_version": "2", "champion": champion, "challenger": champion}
    decision = {"promoted": True, "reason": "mse 0.06 is below 0.90"}
    write_json(place / "data/registry/knows.json", record | {"decision": decision})
    report.run(asked(place), place / "data", place / "site")
    return place


def judged(root: Path, name: str) -> dict[str, Any]:
    return dict(read_json(root / f"data/evaluation/{name}/metrics.json"))


@pytest.mark.parametrize("name", ["index.html", *SHOWN, "data-trailers.html"])
def test_a_page_of_ratings_stands_alone(root: Path, name: str) -> None:
    stands_alone(root / "site", name)


def test_the_site_is_equal_for_equal_inputs(root: Path, tmp_path: Path) -> None:
    report.run(asked(root), root / "data", tmp_path / "again")
    names = [p.relative_to(root / "site") for p in (root / "site").rglob("*") if p.is_file()]
    assert {str(n) for n in names} >= {"rating.png", "index.html", *SHOWN}
    assert [n for n in names if (root / "site" / n).read_bytes() != (tmp_path / "again" / n).read_bytes()] == []


def test_the_index_says_whether_there_is_a_signal(root: Path) -> None:
    text = Tags(root / "site/index.html").line
    knows, guesses = judged(root, "knows"), judged(root, "guesses")
    gain, p = knows["gains"]["training_mean"]["mse"], knows["signal"]["p"]
    assert gain["low"] > 0
    assert guesses["gains"]["training_mean"]["mse"]["low"] < 0
    told = f"(95% interval of the gain {gain['low']:.2f} to {gain['high']:.2f} points²; sign-flip test p = {p:.2g})"
    assert f"Is there a signal?Yes: the MSE of knows is {gain['value']:.2f} points² below that of" in text
    assert told in text
    assert "No signal: guesses is not shown to rate unseen films better than telling every film the mean" in text
    claimed, honest = knows["by_subclip"]["mse"]["value"], knows["answers"]["model"]["mse"]["value"]
    said = (
        f"knows. By film: MSE {honest:.2f} points². A split by subclip would have claimed {claimed:.2f} points²: other"
    )
    assert said in text
    assert "Not answered yet: later is not run yet." in text
    ahead = guesses["answers"]["model"]["mse"]["value"] - honest
    assert f"the default variant (knows) is {ahead:.2f} points² ahead of the article's variant (guesses)" in text
    pair = next(c for c in read_json(root / "site/metrics.json")["comparisons"] if c["first"] == "knows")
    assert pair["mse"]["value"] == pytest.approx(-ahead)
    assert pair["mse"]["high"] < 0  # first less second: less error


def test_less_error_is_the_better_answer_everywhere(root: Path) -> None:
    page = Tags(root / "site/index.html")
    answers = judged(root, "knows")["answers"]
    best = min(answer["mse"]["value"] for answer in answers.values())
    source = (root / "site/index.html").read_text()
    assert answers["model"]["mse"]["value"] == best
    marked = re.findall(r'class="num best">([\d.]+)', source.split("Recipes on trailers")[1].split("</table>")[0])
    assert marked[:2] == [f"{answers['model'][metric]['value']:.2f}" for metric in ("mse", "mae")]
    assert "LRCN, default, champion" in page.line
    assert re.search(r"LRCN, default, champion ?beats every baseline", page.line)
    assert re.search(r"guesses ?LRCN, default ?does not beat the ridge on mean frame features", page.line)
    assert "MSE, points²; lower is better" in page.line
    order = re.findall(r'class="name (?:strong|plain)" x="0"[^>]*>([^<]+)<', source)
    assert order[:5] == [
        "knows", "Mean frame features, ridge", "Cut rate, light, motion, ridge", "Training mean", "guesses",
    ]  # fmt: skip
    assert "points² below it" in page.line
    figures = read_json(root / "site/metrics.json")["recipes"]["knows"]
    assert {key: figures[key] for key in ("signal", "by_subclip", "conformal", "ratings", "films")} == {
        key: judged(root, "knows")[key] for key in ("signal", "by_subclip", "conformal", "ratings", "films")
    }
    assert figures["champion"]["sentence"].endswith("The gate said: mse 0.06 is below 0.90")


def test_a_page_of_ratings_shows_every_figure_film_and_picture(root: Path) -> None:
    page = Tags(root / "site/recipe-knows.html")
    text, result = page.line, judged(root, "knows")
    assert "LRCN, on trailers: rates films from 0 to 10" in text
    assert text.index("Is there a signal?") < text.index("Verdict") < text.index("Figures")
    for answer in result["answers"].values():
        for metric in ("mse", "mae", "r2"):
            assert f"{answer[metric]['value']:.2f}".replace("-", "−") in text
    for name, scores in (
        ("its subclips one by one", result["by_subclip"]["honest"]),
        ("of the same films", result["by_subclip"]),
    ):
        assert re.search(rf"{name}[\D]*{scores['mse']['value']:.2f}", text)
    films = pd.read_parquet(root / "data/evaluation/knows/films.parquet").query("answer == 'model'")
    order = films.reindex(films["error"].abs().sort_values(ascending=False, kind="stable").index)
    clips = pd.read_parquet(root / "data/evaluation/knows/clips.parquet").groupby("film")["predicted"]
    table = text.split("Film, most wrong first")[1]
    first = order.iloc[0]
    low, high = clips.min()[first["film"]], clips.max()[first["film"]]
    row = f"{first['film']}{first['score']:.2f}{first['predicted']:.2f}{first['error']:+.2f}3{low:.2f} – {high:.2f}"
    assert row.replace("-", "−") in table
    places = [table.index(film[:20]) for film in order["film"]]
    assert places == sorted(places)
    assert page.count("g", "spot") == 14 * 2  # against the truth, and the errors
    pictured = page.count("image", "seen") + page.count("image", "peek")
    assert pictured == 14
    assert page.count("path", "diagonal") == 1 + 1  # and in the legend
    assert page.count("path", "mean") == 1 + 1
    strips = [str(a["alt"]) for t, a in page.tags if t == "img" and "of the clip" in str(a["alt"])]
    assert strips == ["Subclip: 4 frames of the clip, left to right"] * 8  # of six, two are filling
    assert text.count(" too high") + text.count(" too low") >= 8
    assert _rated_films.LONG in page.text
    assert not any(tag == "i" for tag, _ in page.tags)
    assert sum(a.get("class") == "chart" for t, a in page.tags if t == "svg") == 4  # truth, errors, loss, validation
    assert "MSE, points²; lower is better" in text


def test_what_is_not_there_is_said_and_nothing_is_drawn_for_it(root: Path) -> None:
    guesses, alone = Tags(root / "site/recipe-guesses.html"), Tags(root / "site/recipe-alone.html")
    no_twin = (
        "What a split by subclip would have claimed is not known: no twin was trained (training.subclip_split_twin)."
    )
    assert no_twin in guesses.line
    assert "What a split by subclip would have claimedDivided" not in guesses.line
    assert guesses.count("image", "seen") == guesses.count("image", "peek") == 0
    assert "is not known: no film has two subclips to be divided." in alone.line
    assert "1 held-out film (3 clips) of group A Very Long Title" in alone.line
    assert "Too few films to tell whether alone rates unseen films better" in alone.line
    assert "1 group of them was judged, at least 6 are needed" in alone.line
    assert "No signal" not in alone.line
    assert "There is no R²: the ratings of these films are all equal." in alone.line
    assert "Too few films, or ratings too much alike" in alone.line
    assert alone.count("g", "spot") == 2
    assert "Between the dashed lines" not in alone.line  # one film gives no interval


def test_three_hundred_films_are_drawn_and_two_hundred_listed(root: Path) -> None:
    page = Tags(root / "site/recipe-crowd.html")
    assert page.count("g", "spot") == 600
    assert "100 more films are in sources.csv of the evaluation." in page.line
    assert page.line.split("Film, most wrong first")[1].count("Film ") + 1 >= 200
    assert (root / "site/recipe-crowd.html").stat().st_size < 3_000_000


def result_of(
    gain: tuple[float, float, float], r2: float | None = 0.5, groups: int = 12, p: float = 0.001
) -> dict[str, Any]:
    value, low, high = gain
    told = {"value": value, "low": low, "high": high}
    scores = {"mse": {"value": 0.9, "low": 0.5, "high": 1.5}, "r2": {"value": r2, "low": None, "high": None}}
    found = {"found": low > 0 and p < 0.025, "enough": groups > 5, "over": "training_mean", "gain": told, "p": p}
    return {
        "recipe": "net", "kind": "regress", "groups": [str(k) for k in range(groups)], "latent_floats": None,
        "answers": {"model": scores, "training_mean": {"floats": 0, "mse": {"value": 0.9 + value}},
                    "pace_ridge": {"floats": 3, "mse": {"value": 0.4}}},
        "gains": {"training_mean": {"mse": told}, "pace_ridge": {"mse": {"value": -0.5, "low": -0.75, "high": -0.25}}},
        "signal": found, "by_subclip": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("result", "outcome", "sentence"),
    [
        (result_of((0.6, 0.25, 1.0)), "better",
         "Yes: the MSE of net is 0.60 points² below that of the training mean (95% interval of the gain 0.25 to 1.00 "
         "points²; sign-flip test p = 0.001). R² is 0.50: 50% of the variance of these films' ratings is explained."),
        (result_of((0.1, -0.25, 0.5), -0.25, p=0.34), "worse",
         "No signal: net is not shown to rate unseen films better than telling every film the mean rating of the "
         "training films would: +0.10 points², the interval contains zero (95% interval of the gain −0.25 to 0.50 "
         "points²; sign-flip test p = 0.34). R² is −0.25: the mean of these very films would score better, or "
         "as well."),
        (result_of((0.6, 0.25, 1.0), groups=6, p=3 / 64), "worse",
         "No signal: net is not shown to rate unseen films better than telling every film the mean rating of the "
         "training films would: +0.60 points², which chance alone brings about too often (95% interval of the gain "
         "0.25 to 1.00 points²; sign-flip test p = 0.047). R² is 0.50: 50% of the variance of these films' ratings is "
         "explained."),
        (result_of((0.6, 0.25, 1.0), groups=5, p=1 / 32), "open",
         "Too few films to tell whether net rates unseen films better than telling every film the mean rating of the "
         "training films would: 5 groups of them were judged, at least 6 are needed: +0.60 points² (95% interval of "
         "the gain 0.25 to 1.00 points²; sign-flip test p = 0.031). R² is 0.50: 50% of the variance of these films' "
         "ratings is explained."),
        (result_of((-0.4, -0.75, -0.25), -1.0, p=1.0), "worse",
         "No signal: net rates unseen films worse than telling every film the mean rating of the training films would, "
         "by 0.40 points² of MSE (95% interval of the gain −0.75 to −0.25 points²; sign-"
         "flip test p = 1). R² is −1.00: the mean of these "
         "very films would score better, or as well."),
        (result_of((0.5, 0.5, 0.5), None, groups=1, p=0.5), "open",
         "Too few films to tell whether net rates unseen films better than telling every film the mean rating of the "
         "training films would: 1 group of them was judged, at least 6 are needed: +0.50 points² (no interval of the "
         "gain; sign-flip test p = 0.5). There is no R²: the ratings of these films are all equal."),
    ],
)  # fmt: skip
def test_no_signal_is_said_in_plain_words(result: dict[str, Any], outcome: str, sentence: str) -> None:
    assert signal(result) == (outcome, sentence)


def test_a_baseline_with_less_error_is_not_beaten() -> None:
    result = result_of((0.6, 0.25, 1.0))
    assert by_strength(result) == ["pace_ridge", "training_mean"]
    verdicts = against_baselines(result)
    assert [(v.outcome, v.sentence) for v in verdicts] == [
        ("worse", "Does not beat the ridge on cut rate, light and motion: 0.50 points² above it (95% interval of the "
                  "gain −0.75 to −0.25 points²)."),
        ("better", "Beats the training mean by 0.60 points² (95% interval of the gain 0.25 to 1.00 points²)."),
    ]  # fmt: skip
    assert summary(verdicts) == ("worse", "does not beat the ridge on cut rate, light and motion")


def test_what_a_split_by_subclip_would_have_claimed_stands_beside_the_honest_score() -> None:
    result = result_of((0.6, 0.25, 1.0))
    honest = {"mse": {"value": 1.1, "low": 0.7, "high": 1.6}}

    def told(value: float, low: float, high: float, films: int = 12) -> str:
        twin = {"mse": {"value": value, "low": low, "high": high}, "honest": honest, "films": films}
        return claim(result | {"by_subclip": twin}, True)

    said = "By film: MSE 0.90 points². A split by subclip would have claimed"
    less = "other subclips of the same films are then trained on, and knowing the film is enough"
    assert told(0.3, 0.1, 0.6) == f"{said} 0.30 points²: {less}."
    assert told(2.0, 1.7, 2.5) == f"{said} 2.00 points²: here it would not have flattered."
    assert told(0.6, 0.4, 0.9) == (
        f"{said} 0.60 points²; that it would have flattered is not shown: the 95% intervals overlap (0.40 to 0.90, by "
        "film and subclip by subclip 0.70 to 1.60)."
    )
    assert told(0.3, 0.1, 0.6, films=5) == (
        f"{said} 0.30 points²; that it would have flattered is not shown: there are too few films."
    )


def rater(name: str, variant: str, errors: list[float]) -> Judged:
    scores = pd.DataFrame({"film": list("abcd"), "group": list("abcd"), "mse": errors})[::-1]
    return Judged(name, "regress", "lrcn", variant, None, "same", scores, None, {}, {})


def test_of_two_variants_the_one_with_less_error_is_ahead() -> None:
    settings = Evaluation()
    found = compare_variants(rater("new", "default", [1.0] * 4), rater("old", "article", [3.0] * 4), settings)
    assert found.sentence == (
        "On the same films, the default variant (new) is 2.00 points² ahead of the article's variant (old) (95% "
        "interval of the difference −2.00 to −2.00 points², 4 films paired, 4 groups)."
    )
    assert found.metric == "mse"
    assert found.difference == pytest.approx({"value": -2.0, "low": -2.0, "high": -2.0})
    even = compare_variants(rater("new", "default", [1, 5, 1, 5]), rater("old", "article", [3] * 4), settings)
    assert "can be said to answer better: +0.00 points², the interval contains zero" in even.sentence


def test_whether_the_answers_shrink_to_the_mean() -> None:
    score = np.array([2.0, 4.0, 6.0, 8.0])
    groups, settings = list("abcd"), Evaluation(bootstrap_samples=200)
    half = slope(score, 5 + 0.5 * (score - 5), groups, settings)
    assert half == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5})
    assert shrinkage(half) == (
        "It shrinks to the mean: where the true rating rises by 1 point the answer rises by 0.50 points (95% interval "
        "0.50 to 0.50); high ratings are told too low and low ones too high."
    )
    bent = slope(score, np.array([2.0, 3.0, 7.0, 8.0]), groups, settings)
    assert bent is not None
    assert bent["value"] == pytest.approx(1.1)  # sum of (x - 5)(y - 5) = 22 over sum of (x - 5)^2 = 20
    assert shrinkage(bent).startswith("Not shown to shrink to the mean: ")
    assert shrinkage({"value": 1.5, "low": 1.2, "high": 1.8}).startswith("It exaggerates: ")
    assert shrinkage({"value": 0.0, "low": -0.1, "high": 0.1}).startswith("It all but tells the mean: ")
    for few in (slope(score[:2], score[:2], groups[:2], settings), slope(score * 0, score, groups, settings)):
        assert few is None
    assert slope(score, score, ["a"] * 4, settings) is None


def test_films_stand_where_their_ratings_are() -> None:
    films = [Rated("<low>", 2.0, 4.0), Rated("high", 8.0, 6.0, "data:x", 1.5)]
    drawn = rating_charts.predicted_against_true(films, half_width=1.0, mean=5.0, title='"two"')
    low, high = 2 - 0.04 * 6, 8 + 0.04 * 6
    left, right, top, bottom = 58, 960 - 18, 12, 640 - 54

    def at(score: float, predicted: float) -> tuple[float, float]:
        x = left + (score - low) / (high - low) * (right - left)
        return round(x, 1), round(bottom - (predicted - low) / (high - low) * (bottom - top), 1)

    circles = re.findall(r'<circle class="dot strong" cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert [tuple(map(float, c)) for c in circles] == [at(2, 4), at(8, 6)]
    ends = re.findall(r'class="zero" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawn)
    band = [(*at(low, low + 1), *at(high - 1, high)), (*at(low + 1, low), *at(high, high - 1))]
    assert [tuple(map(float, e)) for e in ends] == band
    assert "&lt;low&gt;: rated 2.00, predicted 4.00 (+2.00)" in drawn
    assert "high: rated 8.00, predicted 6.00 (−2.00)" in drawn
    assert 'aria-label="&#34;two&#34;"' in drawn
    assert drawn.count('class="seen"') == 1
    wide = rating_charts.predicted_against_true(films, half_width=9.0, mean=None, title="wide")
    assert 'class="zero" d="M1 4H23"' in wide  # in the legend; the lines pass outside
    assert wide.count('class="zero"') == 1


def test_an_error_stands_above_or_below_the_line_of_none() -> None:
    films = [Rated("a", 2.0, 4.0), Rated("b", 8.0, 6.0)]
    drawn = rating_charts.errors_by_score(films, slope=1 / 3, title="errors")
    circles = [tuple(map(float, c)) for c in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    line = [float(v) for v in re.findall(r'class="line s1" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawn)[0]]
    assert [v for c in circles for v in c] == pytest.approx(line, abs=0.11)  # two films lie on their own line
    zero = float(re.findall(r'class="zero" d="M52 ([\d.]+)H', drawn)[0])
    assert circles[0][1] < zero < circles[1][1]
    assert zero == pytest.approx((circles[0][1] + circles[1][1]) / 2, abs=0.11)


def test_the_histogram_counts_every_film_once() -> None:
    drawn = rating_charts.histogram([("train", [1.0, 1.2, 5.0, 9.0]), ("test", [5.0, 10.0])], title="ratings")
    told = re.findall(r"<title>([^<]+)</title>", drawn)
    assert told == [
        "train: 2 of 1 to 2", "train: 1 of 5 to 6", "train: 1 of 9 to 10", "test: 1 of 5 to 6", "test: 1 of 9 to 10",
    ]  # fmt: skip
    assert "4 films" in drawn
    with pytest.raises(ValueError, match="nothing to draw"):
        rating_charts.histogram([("train", [])], title="empty")


def rated_data(root: Path) -> dict[str, Any]:
    """A dataset's folders as `assemble` and the stages before it leave them, and its page."""
    clips, frames = root / "clips/films", root / "frames/films"
    clips.mkdir(parents=True)
    frames.mkdir(parents=True)
    about = {"kind": "video", "label": "", "width_px": 64, "height_px": 36, "frames_per_second": 25.0, "frames": 90}
    about |= {"duration_seconds": 60.0, "stored_frames": 9, "note": ""}
    films = [("a", "Amber", 7.5, "train"), ("b", "<b>Birch", 4.0, "train"), ("c", "Carp", 9.0, "test")]
    sources = [
        {"source": s, "path": f"{s}.mp4", "group": f, "film": f, "score": score, **about} for s, f, score, _ in films
    ]
    pd.DataFrame(sources).to_csv(frames / "sources.csv", index=False)
    rows = [
        {
            "clip": 2 * k + n,
            "source": s,
            "film": film,
            "score": score,
            "split": split,
            "group": film,
            "label": "",
            "length": 9 - 4 * n,
        }
        for k, (s, film, score, split) in enumerate(films)
        for n in range(2)
    ]
    pd.DataFrame(rows).to_parquet(clips / "clips.parquet", index=False)
    rejects = [
        ("a.mp4", "subclips", "subclip 3 of 3: 4.20 s of 30 s are there, half or less"),
        ("parade.mp4", "ratings", "no row of ratings.csv is called so"),
    ]
    pd.DataFrame(rejects, columns=["path", "stage", "reason"]).to_csv(clips / "rejects.csv", index=False)
    ratings = {
        "file": "ratings.csv", "rows": 4, "rated_sources": 3, "films": 3, "unmatched_rows": ["Opus <1>"],
        "unmatched_files": ["parade.mp4"], "lowest": 0.0, "highest": 10.0,
    }  # fmt: skip
    write_json(clips / "summary.json", {"warnings": [], "ratings": ratings})
    return data_page("films", root)


def test_the_data_page_says_how_ratings_found_their_files(tmp_path: Path) -> None:
    page = rated_data(tmp_path)
    assert page["line"] == "3 sources, 6 clips of 5 to 9 frames; 1 file left out, 1 subclip too"
    ratings = page["ratings"]
    assert [(f["name"], f["value"], f["more"]) for f in ratings["facts"]] == [
        ("Rows with a file", "3 of 4", "1 without one"), ("Films rated", "3", "3 files"),
        ("Files without a rating", "1", None), ("Scale", "0 to 10", None),
    ]  # fmt: skip
    assert ratings["unmatched_rows"] == {"names": ["Opus <1>"], "more": None}
    assert "train: 1 of 7.5 to 8.0" in ratings["histogram"]
    assert "test: 1 of 8.5 to 9.0" in ratings["histogram"]
    values = asked(tmp_path).model_dump()
    rated = params.parse({"datasets": {"films": values["datasets"]["alone"]}, "recipes": {}}, tmp_path / "params.yaml")
    report.run(rated, tmp_path, tmp_path / "site")
    shown = Tags(tmp_path / "site/data-films.html")
    assert re.search("Rows without a file ?Opus <1> ?Files without a rating ?parade.mp4", shown.line)
    assert re.search(r"b\.mp4 ?video ?<b>Birch ?4\.00", shown.line)
    assert not any(tag == "b" for tag, _ in shown.tags)


def test_the_readme_shows_films_beside_their_ratings(root: Path) -> None:
    with Image.open(root / "site/rating.png") as image:
        picture = np.asarray(image)
    strip = round(_rated_films.H * rating_picture.WIDTH / (4 * _rated_films.W + 3))
    height = rating_picture.HEIGHT + rating_picture.GAP + 2 * (rating_picture.LINE + strip) + 2 * rating_picture.MARGIN
    assert picture.shape == (height, rating_picture.WIDTH + 2 * rating_picture.MARGIN, 3)
    films = pd.read_parquet(root / "data/evaluation/knows/films.parquet").query("answer == 'model'")
    rated = [Rated(*row) for row in films[["film", "score", "predicted"]].itertuples(index=False)]
    axis = rating_picture.AXIS
    box = (axis, 4, rating_picture.WIDTH - 4, rating_picture.HEIGHT - axis)
    square = rating_charts.square_of(rated, *box)
    for film in rated:
        x, y = (round(v) + rating_picture.MARGIN for v in square.at(film.score, film.predicted))
        assert picture[y, x].tolist() == list(pictures.STRONG)


@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1280), ("dark", 360)])
def test_a_browser_shows_the_pages_of_ratings(root: Path, browser: Any, scheme: str, width_px: int) -> None:
    page = browser.new_page(viewport={"width": width_px, "height": 800}, color_scheme=scheme)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    for name in ["index.html", *SHOWN]:
        page.goto((root / "site" / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width_px  # nothing sticks out
        assert page.evaluate("Promise.all([...document.images].map(i => i.decode())).then(() => true)")
    page.close()
    assert heard == []


def test_an_error_is_written_in_the_ratings_own_unit() -> None:
    assert (RATING_MSE.told(1.306), RATING_MSE.gap(-0.4, sign=True)) == ("1.31 points²", "−0.40 points²")
    assert min((0.4, 0.9), key=RATING_MSE.cost) == 0.4


def test_the_report_of_stages_that_ran(tmp_path: Path) -> None:
    """From the table of ratings to the page, with a model that sees the score and its twin."""
    _rated.data(tmp_path)
    _rated.train(tmp_path, "sees")
    result = read_json(_rated.judge(tmp_path, "sees") / "metrics.json")
    recipes = {name: {"dataset": "films", "architecture": "tiny_rater"} for name in ("sees", "later")}
    report.run(_rated.settings(tmp_path, recipes), tmp_path / "data", tmp_path / "site")
    for name in ("index.html", "recipe-sees.html", "recipe-later.html", "data-films.html"):
        stands_alone(tmp_path / "site", name)
    page, data = Tags(tmp_path / "site/recipe-sees.html"), Tags(tmp_path / "site/data-films.html")
    mse, claimed = result["answers"]["model"]["mse"]["value"], result["by_subclip"]["mse"]["value"]
    assert f"By film: MSE {mse:.2f} points². A split by subclip would have claimed {claimed:.2f} points²" in page.line
    assert page.count("g", "spot") == 2 * len(_rated.TEST)
    assert page.count("image", "seen") == len(_rated.TEST)
    strips = [str(a["alt"]) for t, a in page.tags if t == "img" and "of the clip" in str(a["alt"])]
    assert strips == [f"Subclip: {_rated.T} frames of the clip, left to right"] * len(_rated.TEST)
    assert _rated.HOSTILE in page.text
    assert not any("onerror" in a for _, a in page.tags + data.tags)
    assert "1 file left out, 1 subclip too" in data.line
    assert f"Rows with a file{len(_rated.FILMS)} of {len(_rated.FILMS) + 1}1 without one" in data.line
    assert re.search(rf"{_rated.NOT_FILMED} ?Files without a rating ?{_rated.NOT_RATED}", data.line)
    assert "later is not run yet" in Tags(tmp_path / "site/index.html").line  # meant to rate, as its films are rated
