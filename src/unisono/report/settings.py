"""Tables 5.1 and 6.1: what goes into the networks of chapters 5 and 6, and how they are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.errors import DataError
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import markdown
from unisono.report import clip_tables, tables

NETWORK_COLUMNS = (
    "dataset", "view", "extractor", "weights", "input", "features", "pooled", "c_cca", "layers", "published_input",
    "published_features", "published_c_cca", "published_layers", "source",
)  # fmt: skip
SETTING_COLUMNS = ("setting", "value", "published", "source")

#: What an extractor sees of one second (tests compare it with the extractors' own constants).
INPUTS = {"vggish": "96 x 64 log-mel", "inception": "299 x 299 x 3 pixels"}

#: The dissertation's Table 5.1 and section 5.3, by view; it gives no input of Inception.
PUBLISHED_NETWORKS = {
    "audio": {"published_input": "96 x 64", "published_features": "(L, 128)", "published_layers": "100, 100, 100, 10"},
    "visual": {"published_input": "", "published_features": "(L, 1024)", "published_layers": "200, 200, 200, 10"},
}

#: The dissertation's Table 6.1 and section 6.3: widths of the inputs by view, and hyper-parameters of `darlearning`.
PUBLISHED_INPUTS = {"audio": "128", "sheet": "32", "lyrics": "40"}
PUBLISHED_SETTINGS = {
    "layers": "1024, 1024, 128",
    "truth": "cca",
    "neighbours": "5",
    "margin": "1",
    "epochs": "30 (each 2 of the generator and 2 of the discriminator)",
    "batch_size": "64",
    "learning_rate": "0.001",
    "decay_every": "2",
}

NETWORK_NOTES = (
    "L, the number of seconds. Features are averaged over L (MV-10K's visual ones as `mv10k.features.visual` says), "
    "projected by C-CCA (TNN on raw features leaves this out), then go through the layers, the last one of which is "
    "the shared space. C-CCA and layers are `models.tnn_c_cca` in `params.yaml`.",
    "The dissertation's audio input, 96 x 64, is VGGish's canonical one (16 kHz, hop 160, FFT 512) and contradicts its "
    '"hop 512, FFT 2048".',
    "The authors' code gives both views layers of 100 (or 300), never 200.",
)
SETTING_NOTES = (
    "Inputs are averages over the 20 notes. All other settings are `models.darlearning` in `params.yaml`, where each "
    "is described; an empty cell under D: the dissertation does not say.",
    "Lyrics of 40 dimensions here, of 20 in the dissertation's Table 3.2.",
    "A learning rate of 0.001 divided by 10 every 2 of 30 epochs would end at 1e-18.",
)


def network_rows(vegas: Path, mv10k: Path, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe the inputs and networks of the triplet methods (Table 5.1).

    Parameters
    ----------
    vegas, mv10k : Path
        The built data sets.
    params : mapping of str to object
        ``models.tnn_c_cca`` of params.yaml; empty where the method is not there.

    Returns
    -------
    list of dict
        One per data set and view; keys are `NETWORK_COLUMNS`.

    Raises
    ------
    DataError
        Features or videos are missing.
    """
    found = []
    for row in [*clip_tables.vegas_rows(vegas), *clip_tables.mv10k_rows(mv10k)]:
        view = row["view"]
        if view not in PUBLISHED_NETWORKS:
            continue
        layers = params.get("layers", {})
        found.append(
            {name: row[name] for name in ("dataset", "view", "extractor", "weights", "source")}
            | {
                "input": INPUTS.get(row["extractor"], ""),
                "features": row["dimensions"],
                "pooled": row["dimensions"].strip("()").rpartition(", ")[2],
                "c_cca": params.get("n_components", ""),
                "layers": _text(layers.get(view, layers.get("other", ""))),
                "published_c_cca": 10,
            }
            | PUBLISHED_NETWORKS[view]
        )
    return found


def setting_rows(mtm: Path, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the inputs and settings of DARLearning (Table 6.1).

    Parameters
    ----------
    mtm : Path
        The built data set.
    params : mapping of str to object
        ``models.darlearning`` of params.yaml; empty where the method is not there.

    Returns
    -------
    list of dict
        Keys are `SETTING_COLUMNS`.

    Raises
    ------
    DataError
        Features are missing.
    """
    found = []
    source = ""
    for view, published in PUBLISHED_INPUTS.items():
        folder = mtm / "features" / view
        first = next(iter(parquet.iterate(folder, batch_size=1)), None)
        if first is None:
            raise DataError(f"{folder}: no rows; extract these features again with `dvc repro`")
        source = str(parquet.metadata(folder).get("source", ""))
        width = sum(clip_tables.vector_width(field.type) for field in first.schema)
        found.append({"setting": f"input, {view}", "value": str(width), "published": published, "source": source})
    names = [*params, *(name for name in PUBLISHED_SETTINGS if name not in params)]
    found += [
        {
            "setting": name,
            "value": _text(params.get(name, "")),
            "published": PUBLISHED_SETTINGS.get(name, ""),
            "source": source,
        }
        for name in names
    ]
    return found


def write(vegas: Path, mv10k: Path, mtm: Path, models: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write Tables 5.1 and 6.1 as CSV and Markdown.

    Parameters
    ----------
    vegas, mv10k, mtm : Path
        The built data sets.
    models : mapping of str to mapping
        Section ``models`` of params.yaml.
    folder : Path
        For ``table_5_1.csv``, ``table_5_1.md``, ``table_6_1.csv`` and ``table_6_1.md``.

    Raises
    ------
    DataError
        As `network_rows` and `setting_rows`, or a file cannot be written.
    """
    networks = network_rows(vegas, mv10k, models.get("tnn_c_cca", {}))
    header = ["Data set", "View", "Extractor", "Input of a second", "Features", "Over time", "C-CCA", "Layers",
              "D: input", "D: features", "D: C-CCA", "D: layers"]  # fmt: skip
    lines = [header]
    for row in networks:
        extractor = f"{row['extractor']} ({row['weights']})" if row["weights"] else row["extractor"]
        cells = [row["dataset"], row["view"], extractor, row["input"], row["features"], row["pooled"]]
        cells += [row["c_cca"], row["layers"], *(row[name] for name in NETWORK_COLUMNS if name.startswith("published"))]
        lines.append([str(cell) for cell in cells])
    sources = ", ".join(dict.fromkeys(f"{row['dataset']}: {row['source']}" for row in networks))
    _write(
        folder / "table_5_1.csv", NETWORK_COLUMNS, networks, "Table 5.1: Inputs and networks of the triplet methods",
        markdown(lines, "llllllrlllrl"), [f"Source: {sources}.", *NETWORK_NOTES],
    )  # fmt: skip
    settings = setting_rows(mtm, models.get("darlearning", {}))
    lines = [["Setting", "Ours", "D"], *([row["setting"], row["value"], row["published"]] for row in settings)]
    _write(
        folder / "table_6_1.csv", SETTING_COLUMNS, settings, "Table 6.1: Settings of DARLearning",
        markdown(lines, "lll"), [f"Source: {settings[0]['source']}.", *SETTING_NOTES],
    )  # fmt: skip


def _write(
    path: Path,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    title: str,
    table: str,
    remarks: Sequence[str],
) -> None:
    tables.write_csv(path, columns, rows)
    with replacing(path.with_suffix(".md")) as temporary:
        text = f"# {title}\n\n{table}\n\n" + "\n".join(f"- {remark}" for remark in remarks) + "\n"
        temporary.write_text(text, encoding="utf-8")


def _text(value: Any) -> str:
    """Write a value of params.yaml for a reader."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            return _text(next(iter(value.values())))
        return "; ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
