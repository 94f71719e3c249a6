"""The whole pipeline on 30 clips in three classes and 13 songs: refused once, then adapted, said, and marked."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipeline.tiny import Clone, make_tiny, write_pictures, write_songs
from unisono.io import parquet
from unisono.media import mp4

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def write_clips(folder: Path, classes: int = 3, each: int = 10) -> None:
    """Write clips of 1.2 s: a colour and a tone by class, with noise."""
    draw = np.random.default_rng(0)
    seconds = np.arange(round(1.2 * 16_000)) / 16_000
    for label in range(classes):
        for number in range(each):
            pictures = draw.normal(60 + 60 * label, 20, (6, 48, 64, 3)).clip(0, 255).astype(np.uint8)
            tone = np.sin(2 * np.pi * (200 * (label + 1) + draw.integers(0, 40)) * seconds)
            sound = (0.3 * tone + 0.05 * draw.normal(size=len(seconds))).astype(np.float32)
            path = folder / f"class{label}" / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mp4.encode(pictures, 5, sound, 16_000))


def own(params: dict[str, Any]) -> None:
    """Own data with the default settings that little data cannot hold."""
    defaults = {name: params["vegas"]["features"][name]["whitening"]["components"] for name in ("inception", "vggish")}
    batch = params["mtm"]["features"]["asmcmr"]["batch_size"]
    make_tiny(params)
    params["vegas"]["source"] = "archive"
    for name, components in defaults.items():
        params["vegas"]["features"][name]["whitening"]["components"] = components
    params["mtm"]["features"]["asmcmr"]["batch_size"] = batch
    params["models"]["c_cca"]["n_components"] = 50


def test_little_data_are_refused_once_then_adapted_and_marked(tmp_path: Path) -> None:
    copy = Clone(tmp_path)
    for name in ("mtm", "songs"):
        write_songs(tmp_path / "data/raw" / name, 13)
    write_clips(tmp_path / "data/raw/vegas")
    write_pictures(tmp_path / "data/raw/image2song")
    copy.edit(own)
    refused = copy.run("dvc", "repro")
    assert refused.returncode != 0
    assert "error: too few data for 1 of the settings: vegas.folds.outside: 0 of 30 clips" in refused.stderr
    assert "Running stage 'build" not in refused.stdout
    copy.edit(lambda params: params["vegas"]["folds"].update(outside=0.1))
    ran = copy.repro()
    assert {"build_vegas", "run_experiments", "write_report"} <= set(ran)

    facts = parquet.metadata(tmp_path / "data/vegas/features/visual")
    assert facts["components"] == facts["n_vectors"] - 1 < 256
    result = json.loads((tmp_path / "results/experiments/vegas_c_cca/metrics.json").read_text(encoding="utf-8"))
    assert result["params"]["n_components"] < 50
    said = " ".join(result["notes"])
    assert f"vegas.features.inception.whitening.components: {facts['components']} in place of 256" in said
    assert f"n_components: {result['params']['n_components']} in place of 50" in said
    songs = json.loads((tmp_path / "results/experiments/mtm_cca/metrics.json").read_text(encoding="utf-8"))
    assert any(note.startswith("mtm.features.asmcmr: 2 steps of ") for note in songs["notes"])
    # What was adapted stands under the tables, and numbers of a pool of few songs are marked.
    assert "in place of 256" in (tmp_path / "results/tables/table_5_2.md").read_text(encoding="utf-8")
    with (tmp_path / "results/tables/table_6_2.csv").open(encoding="utf-8") as file:
        marked = {row["metric"] for row in csv.DictReader(file) if row.get("remark")}
    assert "recall@10" in marked
    page = (tmp_path / "results/report.html").read_text(encoding="utf-8")
    assert "† the pool has at most 10 items, so that R@10 is 100 % in any order." in page
