"""A small project of pictures and songs: all features of theirs, and two experiments."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.datasets import image2song as small
from tests.datasets.test_image2song_build import LITTLE, Built
from unisono import evaluation
from unisono.config.compute import Compute
from unisono.config.experiments import Experiment
from unisono.datasets.loading import load_folder
from unisono.evaluation import writing
from unisono.features import pictures_extraction
from unisono.features.image2song import tagging, wording

ENTRIES = {
    "attention": Experiment(
        dataset="image2song",
        model="tag_attention",
        params={"units": 3, "hidden": 3, "epochs": 1, "min_steps": 3},
        views={"image": "tag_vectors", "lyrics": "word_vectors"},
    ),
    "overlap": Experiment(dataset="image2song", model="overlap", views={"image": "true_tags", "lyrics": "bag"}),
}


def build(root: Path) -> None:
    """Write data, results and params.yaml below a folder."""
    small.manifest(root / "raw", 12)
    rows = [
        {"image": f"p{number:02d}.png", "lyric": small.lyric(number // 2, small.THINGS[number // 2 % 4]),
         "tags": small.THINGS[number // 2 % 4]}
        for number in range(24)
    ]  # fmt: skip
    small.write(root / "raw" / "pictures.csv", rows)
    data = Built(root, LITTLE | {"source": "manifest", "pictures.manifest.list": str(root / "raw/pictures.csv")})
    data.deal()
    data.label()
    features = data.section.features
    folder = data.folder
    pictures_extraction.extract_folder(
        folder / "samples", folder / "pictures" / "pixels", folder / "features" / "pixels", name="pixels",
        settings=features.pixels, compute=Compute(executor="serial"), downloads=root,
    )  # fmt: skip
    dealt = (folder / "samples", folder / "divisions", folder / "tags")
    tagging.train(
        *dealt, folder / "pictures", folder / "models" / "tags", folder / "features", root / "tags.csv",
        settings=features.tags.model_copy(update={"set": "pixels", "folds": 2}),
    )  # fmt: skip
    wording.embed(
        *dealt, folder / "features", folder / "models" / "words",
        features.words.model_copy(update={"dimensions": 4, "epochs": 1, "length": 12}),
    )  # fmt: skip
    for key, entry in ENTRIES.items():
        compute = Compute(executor="serial")
        result = evaluation.run(load_folder(folder, views=entry.views), entry.model, entry.params, compute=compute)
        writing.write(result, root / "results" / "experiments" / key)
    params = yaml.safe_load(small.PARAMS.read_text(encoding="utf-8"))
    params["image2song"]["features"]["sets"] = ["pixels"]
    params["image2song"]["features"]["tags"]["set"] = "pixels"
    params["experiments"] = {key: entry.model_dump(exclude_defaults=True) for key, entry in ENTRIES.items()}
    params["report"].update(titles={}, tables={}, figures={}, above_chance={}, above={})
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
