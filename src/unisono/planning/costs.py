"""What stages cost: seconds, disk and downloads, as estimates.

**Conventions.** `RATES` are for one core and one item (sample, clip, video). Seconds with a script's name beside them
were measured by that script of ``benchmarks/``; the others are rough values. Megabytes: sizes of ``data/`` on the
default sources over their items, of ``extract_video`` for D's width. Sizes of downloads are upper bounds. An experiment
that ran before is scaled from its own ``results/timing``; one that did not, from the multiplications of its networks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from unisono.datasets.sources import SOURCES, location
from unisono.errors import DataError
from unisono.io import parquet


class Rate(NamedTuple):
    """Cost of a stage.

    Attributes
    ----------
    dataset : str
        Whose items it works on.
    seconds : float
        Per item, on one core.
    megabytes : float
        Per item, written under ``data/``.
    fixed_s : float
        Per run of the stage, whatever the number of items.
    """

    dataset: str
    seconds: float
    megabytes: float
    fixed_s: float = 5.0


#: By stage, without what follows ``@``.
RATES: Mapping[str, Rate] = {
    "build_songs": Rate("mtm", 0.0012, 0.001),  # lmd_samples.py: 16.9 s for 14,454
    "render_audio": Rate("mtm", 0.0172, 0.21),  # render_audio.py
    "engrave_sheet": Rate("mtm", 0.0386, 0.0055),  # engrave_sheet.py
    "engrave_notes": Rate("mtm", 0.0, 0.0, 30.0),
    "extract_vggish": Rate("mtm", 0.25, 0.0105),  # vggish.py: 0.5 h on 2 cores for 14,454
    "train_skipgram": Rate("mtm", 0.01, 0.0),
    "extract_lyrics": Rate("mtm", 0.002, 0.0035),
    "train_asmcmr": Rate("mtm", 0.0, 0.0, 180.0),
    "extract_asmcmr": Rate("mtm", 0.0036, 0.00013),  # asmcmr.py: 277 snippets/s; times mtm.features.asmcmr.snippets
    "extract_asmcmr_notes": Rate("mtm", 0.0, 0.0, 60.0),
    "build_vegas": Rate("vegas", 0.15, 0.05),
    "fit_whitening": Rate("vegas", 0.05, 0.0, 30.0),
    "extract_video": Rate("vegas", 0.5, 0.04),  # extract_video.py, inception.py
    "build_mv10k": Rate("mv10k", 0.1, 0.3),
    "train_chunk_attention": Rate("mv10k", 0.0, 0.0, 60.0),
    "extract_mv10k": Rate("mv10k", 0.03, 0.047),
    "label_mv10k": Rate("mv10k", 0.01, 0.047),
}
#: These only pass on what published features hold.
PASSING_ON = Rate("vegas", 0.001, 0.01)
#: Of every other stage, in s: tables, figures, cards.
OTHER_S = 15.0
#: Multiplications by networks, for a training item and step, that one busy core does in a second; and time per step.
MULTIPLICATIONS_PER_S = 1e9
STEP_S = 0.01
#: Passes over the data that an epoch of these holds beyond one.
EPOCH = {"baseline": 2, "baseline_gan": 4, "darlearning": 4}
#: Of a closed form, per training item and in all, in s.
CLOSED_ITEM_S, CLOSED_S = 0.001, 0.3
#: Widths of the features, for the size of networks.
WIDTHS = {
    "mtm": {"audio": 128, "sheet": 32, "lyrics": 40},
    "vegas": {"audio": 128, "visual": 1024},
    "mv10k": {"audio": 128, "visual": 1024},
}
#: Assumed for downloads, in megabits a second.
MEGABITS_PER_S = 100
#: A shard of YouTube-8M, in bytes, and how many a partition has.
SHARD_BYTES, SHARDS = 133_000_000, 3_844
#: What DVC keeps of every output in its cache, over what lies in ``data/``: the same again, where links do not work.
CACHE = 2


class Download(NamedTuple):
    """A file that a run fetches.

    Attributes
    ----------
    key : str
        Of params.yaml, for a reader.
    url : str
        The one to check.
    megabytes : float
        At most; 0 where it is not known.
    note : str
    """

    key: str
    url: str
    megabytes: float
    note: str = ""


def n_items(dataset: str, params: Mapping[str, Any], root: Path) -> int | None:
    """Say how many items a data set will have.

    Parameters
    ----------
    dataset : {"mtm", "vegas", "mv10k"}
    params : mapping
        params.yaml as plain data.
    root : Path
        The project's folder, whose data say it where the source is the same.

    Returns
    -------
    int or None
        None where nobody knows beforehand.
    """
    section = params[dataset]
    source = section["source"]
    if source == "digits":
        digits = section["clips"]["digits"]
        return 10 * (int(digits["clips_per_class"]) + int(digits["outside_per_class"]))
    if source == "simulated":
        return int(section["videos"]["simulated"]["videos"])
    if source == "youtube8m":
        return int(section["videos"]["youtube8m"]["max_videos"])
    try:
        samples = root / "data" / dataset / "samples"
        if parquet.metadata(samples).get("source") == source:
            return parquet.read(samples, ["id"]).num_rows
    except DataError:
        pass
    return SOURCES[dataset][source].n_items


def stage_seconds(
    name: str, params: Mapping[str, Any], before: Mapping[str, Any], items: Mapping[str, int | None], root: Path
) -> float | None:
    """Estimate how long one core works on a stage.

    Parameters
    ----------
    name : str
    params, before : mapping
        The parameters of the run, and those of the one before it.
    items : mapping of str to int or None
        Of each data set, for `params`.
    root : Path

    Returns
    -------
    float or None
        Seconds; None where the number of items is not known.
    """
    kind, _, key = name.partition("@")
    if kind == "run_experiment":
        return _experiment_seconds(key, params, before, items, root)
    if kind not in RATES:
        return OTHER_S
    rate = _rate(kind, params)
    count = items[rate.dataset]
    if rate.seconds and count is None:
        return None
    return rate.fixed_s + rate.seconds * (count or 0) * _times(kind, params)


def stage_megabytes(name: str, params: Mapping[str, Any], items: Mapping[str, int | None]) -> float | None:
    """Estimate what a stage writes, in MB, without DVC's cache; None where it is not known."""
    kind = name.partition("@")[0]
    if kind == "run_experiment":
        return 2.0
    if kind not in RATES:
        return 0.2
    rate = _rate(kind, params)
    count = items[rate.dataset]
    if count is None:
        return None
    return rate.megabytes * count * _times(kind, params)


def _rate(kind: str, params: Mapping[str, Any]) -> Rate:
    """Return the rate of a stage with these parameters."""
    published = params["vegas"]["source"] == "features" and RATES[kind].dataset == "vegas"
    return PASSING_ON if published else RATES[kind]


def _times(kind: str, params: Mapping[str, Any]) -> int:
    return int(params["mtm"]["features"]["asmcmr"]["snippets"]) if kind == "extract_asmcmr" else 1


def _experiment_seconds(
    key: str, params: Mapping[str, Any], before: Mapping[str, Any], items: Mapping[str, int | None], root: Path
) -> float | None:
    dataset = params["experiments"][key]["dataset"]
    if items[dataset] is None:
        return None
    estimate = _work(params, key, items[dataset] or 0)
    folder = root / "results"
    try:
        took = float(json.loads((folder / "timing" / f"{key}.json").read_text(encoding="utf-8"))["wall_s"])
        content = json.loads((folder / "experiments" / key / "metrics.json").read_text(encoding="utf-8"))
        measured = int(content.get("variants", [content])[0]["n_items"])
        # Workers share the parts of an experiment, so that what passed on the clock is not what a core did.
        return took * estimate / _work(before, key, measured)
    except (OSError, ValueError, KeyError, TypeError):
        return estimate


def _work(params: Mapping[str, Any], key: str, count: int) -> float:
    """Seconds of one core on an experiment, all its settings, seeds and folds together."""
    entry = params["experiments"][key]
    model, dataset = entry["model"], entry["dataset"]
    parts = 1 if dataset == "mtm" else int(params[dataset]["folds"]["n"])
    share = params["mtm"]["split"]["fractions"][0] if dataset == "mtm" else 1 - 1 / parts
    training = max(int(count * share), 1)
    total = 0.0
    for variant in entry.get("variants") or [{}]:
        chosen = {
            **(params["models"].get(model) or {}),
            **(entry.get("params") or {}),
            **(variant.get("params") or {}),
        }
        total += _fit_seconds(model, dataset, chosen, training)
    return total * parts * int(entry.get("seeds", 1))


def _fit_seconds(model: str, dataset: str, params: Mapping[str, Any], training: int) -> float:
    layers = params.get("layers")
    if not layers or "epochs" not in params:
        return CLOSED_S + CLOSED_ITEM_S * training
    weights = 0
    for view, width in WIDTHS[dataset].items():
        sizes = [width, *layers.get(view, layers.get("other", []))]
        weights += sum(a * b for a, b in pairwise(sizes))
    batch = min(int(params.get("batch_size") or params.get("batch") or 64), training)
    if params.get("batches"):
        batch = max(training // int(params["batches"]), 1)
    epochs = int(params["epochs"]) * EPOCH.get(model, 1)
    steps = max(epochs * -(-training // batch), int(params.get("min_steps") or 0))
    # An LSTM multiplies four times per weight, in each of ten steps of time.
    weights *= 40 if model.startswith("lstm") else 1
    return steps * (STEP_S + batch * weights / MULTIPLICATIONS_PER_S)


def downloads(params: Mapping[str, Any], stages: set[str]) -> Iterator[Download]:
    """Yield what these stages fetch from the network.

    Parameters
    ----------
    params : mapping
        params.yaml as plain data.
    stages : set of str
        Without what follows ``@``.

    Yields
    ------
    Download
    """
    for found in _all_downloads(params, stages):
        if found.url.startswith(("http://", "https://")):
            yield found


def _all_downloads(params: Mapping[str, Any], stages: set[str]) -> Iterator[Download]:
    for dataset, build in (("mtm", "build_songs"), ("vegas", "build_vegas"), ("mv10k", "build_mv10k")):
        source = params[dataset]["source"]
        if build not in stages or source == "youtube8m":
            continue
        size = 1840 if source == "lmd" else 0
        note = "read as a stream; at most its unpacked size" if source == "lmd" else ""
        yield Download(f"{dataset}.source {source}", location(dataset, source, params), size, note)
    if "build_mv10k" in stages and params["mv10k"]["source"] == "youtube8m":
        yield from _youtube8m(params["mv10k"]["videos"])
    features = params["mtm"]["features"]
    vggish, asmcmr, skipgram = features["vggish"], features["asmcmr"], features["skipgram"]
    if "extract_vggish" in stages and vggish["weights"] == "pretrained":
        yield Download("mtm.features.vggish.checkpoint", vggish["checkpoint"], 289)
    if "extract_vggish" in stages and vggish["postprocess"] != "none":
        yield Download("mtm.features.vggish.pca", vggish["pca"], 0.1)
    if "train_asmcmr" in stages and asmcmr["weights"] == "pretrained":
        yield Download("mtm.features.asmcmr.location", asmcmr["location"], 2.7)
    if "train_skipgram" in stages and skipgram["weights"] == "pretrained":
        for key in ("syllable_encoder", "word_encoder"):
            yield Download(f"mtm.features.skipgram.{key}", skipgram[key], 5)
    # Published features need no extractor.
    if {"extract_video", "fit_whitening"} & stages and params["vegas"]["source"] != "features":
        yield from _extractors(params["vegas"]["features"])
    emotion = params["mv10k"]["emotion"]
    if "train_chunk_attention" in stages and emotion["weights"] == "pretrained":
        yield Download("mv10k.emotion.location", emotion["location"], 1)


def _youtube8m(videos: Mapping[str, Any]) -> Iterator[Download]:
    source = videos["youtube8m"]
    for partition in source["partitions"]:
        yield Download("mv10k.videos.youtube8m.plan", source["plan"].format(partition=partition), 0.3)
    yield Download(
        "mv10k.videos.youtube8m.mirrors",
        source["plan"].format(partition=source["partitions"][0]),
        SHARD_BYTES * SHARDS * len(source["partitions"]) / 1e6,
        f"{SHARDS} shards per partition, at most; each is filtered and forgotten, and reading ends with "
        f"{source['max_videos']} videos",
    )
    if videos["rule"] == "no_other_vertical":
        yield Download("mv10k.videos.vocabulary", videos["vocabulary"], 1)


def _extractors(features: Mapping[str, Any]) -> Iterator[Download]:
    sizes = {"inception.keras": 88, "inception.youtube8m": 89, "vggish.checkpoint": 289, "i3d.location": 51}
    for name in dict.fromkeys(features["sets"].values()):
        settings = features[name]
        if settings["weights"] == "pretrained":
            key = {"inception": settings.get("variant"), "vggish": "checkpoint"}.get(name, "location")
            yield Download(f"vegas.features.{name}.{key}", settings[key], sizes.get(f"{name}.{key}", 0))
        if settings["whitening"]["method"] == "published":
            where = settings["whitening"]["location"]
            yield Download(f"vegas.features.{name}.whitening.location", where, 40 if name == "inception" else 0.1)
