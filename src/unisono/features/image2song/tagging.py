"""Predicting the tags of pictures: a predictor for every deal, the sets that follow from it, and how good it is.

**Conventions.** A predictor learns from the pictures that a deal trains on. What these themselves get are predictions
of others, each of which has not seen the picture's fold (folds are dealt by group), so that a method that learns from
them meets the same mistakes in training as in testing; all other pictures get those of the whole training part.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unisono.config.picture_extractors import Tags
from unisono.datasets.image2song.item import IMAGE
from unisono.errors import DataError
from unisono.features.image2song import deals, predictor
from unisono.features.image2song.deals import Deals
from unisono.features.image2song.predictor import Predictor
from unisono.features.pictures import PARTS
from unisono.io import parquet
from unisono.io.files import replacing, replacing_folder
from unisono.io.text_tables import markdown
from unisono.store.executors import fixed_threads

#: What a predictor is compared with: how frequent the tags are.
PRIOR = "prior"
#: Places that count as found.
TOP = 5
MEASURES = ("top_1", "top_5", "map")


class Measured(NamedTuple):
    """How good weights are on the test pictures of a deal.

    Attributes
    ----------
    values : mapping of str to float
        ``top_1``, ``top_5``: share of the pictures whose best tag, or one of five, is right. ``map``: mean of the tags'
        average precisions.
    by_tag : mapping of str to float
        Average precision of each word that a test picture has.
    """

    values: Mapping[str, float]
    by_tag: Mapping[str, float]


def train(
    samples: Path, divisions: Path, tags: Path, pictures: Path, models: Path, out: Path, table: Path,
    by_tag: Path | None = None, *, settings: Tags,
) -> str:  # fmt: skip
    """Learn to tell the tags of pictures, tell them, and measure it.

    Parameters
    ----------
    samples, divisions, tags : Path
        See `unisono.features.image2song.deals.read`.
    pictures : Path
        Folder of a folder for each extractor, from `unisono.features.pictures_extraction`.
    models : Path
        Folder for ``<extractor>/deal<i>/model.safetensors``.
    out : Path
        Folder for the sets ``tags`` (weights in 0 ... 1 of the likeliest), ``true_tags`` and ``probabilities``, each
        (D, T), of `settings.set`.
    table : Path
        CSV for the measures of every extractor, mean and deviation over the deals; the same for a reader as ``.md``.
    by_tag : Path, optional
        CSV for the average precision of each word.
    settings : Tags
        Section ``image2song.features.tags``.

    Returns
    -------
    str
        What is to be known of it; empty where nothing is.

    Raises
    ------
    DataError
        Something is missing or damaged, does not fit together, or all training pictures are one group.
    """
    items = deals.read(samples, divisions, tags)
    names = sorted(path.name for path in pictures.iterdir() if path.is_dir()) if pictures.is_dir() else []
    if settings.set not in names:
        raise DataError(
            f"{pictures}: has no {settings.set}; run extract_pictures, or set image2song.features.tags.set to one of "
            f"{', '.join(names) or 'image2song.features.sets'}"
        )
    measured: dict[str, list[Measured]] = {name: [] for name in [settings.set, *names, PRIOR]}
    # Sums of many threads depend on how many there are.
    with fixed_threads(1), replacing_folder(models) as fresh:
        for name in [settings.set, *(other for other in names if other != settings.set)]:
            ids, parts = _read(pictures / name)
            rows = _places(items, ids, pictures / name)
            sets: dict[str, list[np.ndarray]] = {"tags": [], "true_tags": [], "probabilities": []}
            for deal in range(items.n):
                learnt, weights = _deal(items, deal, rows, parts, settings)
                learnt.save(fresh / name / f"deal{deal}" / deals.FILE)
                has, test = items.has(deal, rows), items.parts[rows, deal] == "test"
                measured[name].append(measure(weights[test], has[test], learnt.vocabulary))
                if name != settings.set:
                    continue
                measured[PRIOR].append(measure(np.tile(learnt.prior, (test.sum(), 1)), has[test], learnt.vocabulary))
                sets["tags"].append(kept(weights, settings.top_tags))
                sets["true_tags"].append(has.astype(np.float64))
                sets["probabilities"].append(learnt.probabilities(weights))
            if name == settings.set:
                _write(out, items, ids, sets, parquet.metadata(pictures / name), settings)
    _table(table, items, measured, [settings.set, *names, PRIOR])
    if by_tag is not None:
        _table_by_tag(by_tag, items, measured, [settings.set, *names, PRIOR])
    if settings.set == "pixels":
        return "tags are predicted from pixels alone, not from a trained network"
    return ""


def _read(folder: Path) -> tuple[list[str], np.ndarray]:
    parquet.check_size(folder, ["id", PARTS])
    table = parquet.read(folder, ["id", PARTS])
    ids = [str(each) for each in parquet.to_list(table["id"], str(folder))]
    chunks = [np.asarray(parquet.to_numpy(chunk)) for chunk in table[PARTS].chunks] or [np.empty(0)]
    parts = np.concatenate(chunks) if len(chunks) != 1 else chunks[0]
    del table, chunks
    if parts.ndim != 3 or not len(parts) or not np.isfinite(parts).all():
        raise DataError(f"{folder}: {PARTS} is no finite (n, P, d); run extract_pictures again")
    return ids, parts


def _places(items: Deals, ids: list[str], where: Path) -> np.ndarray:
    row = {items.ids[place]: place for place in items.rows(IMAGE)}
    unknown = next((item for item in ids if item not in row), None)
    if unknown is not None or len(set(ids)) < len(ids):
        raise DataError(f"{where}: {unknown or 'an id that is there twice'} is no picture of the samples; extract anew")
    return np.array([row[item] for item in ids])


def _deal(items: Deals, deal: int, rows: np.ndarray, parts: np.ndarray, settings: Tags) -> tuple[Predictor, np.ndarray]:
    """Learn the predictor of a deal, and weigh the tags of all pictures."""
    vocabulary, has = items.vocabulary[deal], items.has(deal, rows)

    def learn(chosen: np.ndarray) -> Predictor:
        return predictor.fit(
            parts[chosen], has[chosen], vocabulary=vocabulary, regions=settings.regions, ridge=settings.ridge
        )

    # Of pairs, a picture may have no word: nothing can be learnt from that.
    trained = (items.parts[rows, deal] == "train") & has.any(axis=1)
    fold = folds([items.groups[row] for row in rows], trained, n=settings.folds, seed=[settings.seed, deal])
    if fold.max(initial=-1) < 1:
        raise DataError(
            f"deal {deal}: the {int(trained.sum())} training pictures with a tag are one group, two or more are needed "
            "for predictions that have not seen the picture; add pictures"
        )
    weights = np.empty(has.shape)
    for number in range(fold.max() + 1):
        inside = fold == number
        weights[inside] = learn(trained & ~inside).scores(parts[inside])
    whole = learn(trained)
    slope, intercept = predictor.calibrate(weights[trained], has[trained])
    weights[~trained] = whole.scores(parts[~trained])
    calibrated = Predictor(
        whole.vocabulary, whole.regions, whole.shape, whole.mean, whole.weights, whole.prior, slope, intercept
    )
    return calibrated, weights


def folds(groups: list[str], inside: np.ndarray, *, n: int, seed: list[int]) -> np.ndarray:
    """Deal items into folds by group.

    Parameters
    ----------
    groups : list of str [len=m]
    inside : np.ndarray [shape=(m,), dtype=bool]
        Those that are dealt.
    n : int
        Folds, at most one for each group.
    seed : list of int

    Returns
    -------
    np.ndarray [shape=(m,), dtype=int64]
        From 0; -1 for those that are not dealt.
    """
    names = sorted({group for group, dealt in zip(groups, inside, strict=True) if dealt})
    order = np.random.default_rng(seed).permutation(len(names))
    place = {names[index]: number % n for number, index in enumerate(order)}
    return np.array([place[group] if dealt else -1 for group, dealt in zip(groups, inside, strict=True)], np.int64)


def kept(weights: np.ndarray, top: int) -> np.ndarray:
    """Keep the largest weights of each picture, limited to 0 ... 1, of equal ones the first; others become 0.

    Examples
    --------
    >>> kept(np.array([[0.5, -0.1, 0.2, 1.5]]), 2)
    array([[0.5, 0. , 0. , 1. ]])
    """
    found = np.zeros_like(weights)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :top]
    np.put_along_axis(found, order, np.take_along_axis(weights, order, axis=1).clip(0, 1), axis=1)
    return found


def measure(weights: np.ndarray, has: np.ndarray, vocabulary: Any) -> Measured:
    """Measure predicted weights.

    Parameters
    ----------
    weights : np.ndarray [shape=(n, T), dtype=float64]
    has : np.ndarray [shape=(n, T), dtype=bool]
        Pictures without a tag are left out.
    vocabulary : sequence of str

    Returns
    -------
    Measured
        NaN where no picture has a tag.
    """
    from sklearn.metrics import average_precision_score

    weights, has = weights[has.any(axis=1)], has[has.any(axis=1)]
    if not len(has):
        return Measured(dict.fromkeys(MEASURES, float("nan")), {})
    order = np.argsort(-weights, axis=1, kind="stable")[:, :TOP]
    right = np.take_along_axis(has, order, axis=1)
    by_tag = {
        str(vocabulary[tag]): float(average_precision_score(has[:, tag], weights[:, tag]))
        for tag in np.flatnonzero(has.any(axis=0))
    }
    values = (right[:, 0].mean(), right.any(axis=1).mean(), np.mean(list(by_tag.values())))
    return Measured({name: float(value) for name, value in zip(MEASURES, values, strict=True)}, by_tag)


def _write(
    out: Path, items: Deals, ids: list[str], sets: Mapping[str, list[np.ndarray]], facts: Mapping[str, Any], own: Tags
) -> None:
    origin = {key: facts[key] for key in ("extractor", "weights", "sha256") if key in facts}
    variants = {
        "tags": f"the {own.top_tags} likeliest tags by {facts.get('variant', own.set)}, regions {own.regions}",
        "true_tags": "tags as they are",
        "probabilities": f"probabilities of all tags by {facts.get('variant', own.set)}, regions {own.regions}",
    }
    for name, by_deal in sets.items():
        told = {**items.facts, "variant": variants[name], "per_deal": True, "vocabulary": items.vocabulary}
        told |= {"extractor": "tags", "weights": "none"} if name == "true_tags" else origin
        deals.write(out / name, ids, {name: items.padded(by_deal)}, told)


def _table(path: Path, items: Deals, measured: Mapping[str, list[Measured]], names: list[str]) -> None:
    """Write the measures: mean and deviation over the deals."""
    header = ["predictor", *(name + end for name in MEASURES for end in ("", "_std")), "n_tags", "n_deals", "source"]
    n_tags = np.mean([len(words) for words in items.vocabulary])
    source = items.facts.get("source", "")
    lines = [["Tags by", "right at once", "right in five", "mAP over tags"]]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for name in dict.fromkeys(names):
            values = np.array([[each.values[key] for key in MEASURES] for each in measured[name]])
            numbers = np.stack([values.mean(axis=0), values.std(axis=0)], axis=1)
            writer.writerow([name, *(f"{number:.4f}" for number in numbers.ravel()), f"{n_tags:g}", items.n, source])
            lines.append([name, *(f"{100 * mean:.1f} ± {100 * deviation:.1f}" for mean, deviation in numbers)])
    text = (
        f"# Tags of unseen pictures, told from their pixels\n\n{markdown(lines, 'lrrr')}\n\n"
        f"- Per cent, mean ± standard deviation over {items.n} deals; source {source}, {n_tags:.0f} tags on average. "
        "*prior*: the commonest tags of the training part first, whatever the picture.\n"
        "- A tag's average precision ranks the test pictures by it; mAP is the mean over the tags that a test picture "
        "has.\n"
    )
    with replacing(path.with_suffix(".md")) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _table_by_tag(path: Path, items: Deals, measured: Mapping[str, list[Measured]], names: list[str]) -> None:
    """Write the average precision of each word: the mean over the deals in which a test picture has it."""
    names = list(dict.fromkeys(names))
    words = sorted({word for each in measured[PRIOR] for word in each.by_tag})
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["tag", *names, "n_deals"])
        for word in words:
            values = [[each.by_tag[word] for each in measured[name] if word in each.by_tag] for name in names]
            writer.writerow([word, *(f"{np.mean(each):.4f}" for each in values), len(values[0])])
