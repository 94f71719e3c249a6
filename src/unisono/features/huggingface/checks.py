"""What a model's folder may hold: looked at before transformers reads any of it, and before memory is taken.

**Conventions.** ``config.json`` says what the network is like and decides how much memory it takes; so its numbers are
bounded, and the network that it describes may have no more numbers than the files bring. Keys that name other code
(``auto_map``) or another way of computing are refused or left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unisono.errors import DataError, pass_machine
from unisono.io.texts import from_json

CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
#: Files that say how input is made ready; a model has the first or the second one, texts have neither.
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
#: Largest file of settings, in bytes, and of a tokenizer.
MAX_SETTINGS, MAX_TOKENIZER = 4 * 2**20, 128 * 2**20
#: Most values in such a file and in a list of it, and the largest whole number.
MAX_VALUES, MAX_ENTRIES, MAX_NUMBER = 500_000, 10_000, 10_000_000
#: Smaller limits, by a key: what is made one by one; widths; of pictures, in pixels; of sound.
LIMITS: Mapping[re.Pattern[str], int] = {
    re.compile(r"(layers?|depths?|blocks|groups|stages|experts)$"): 1000,
    re.compile(r"((hidden|intermediate|embed|embedding|inner|projection)_?(size|dim)|^dim|d_model|n_embd)$"): 65_536,
    re.compile(r"(height|width|edge|crop_size|^size|image_size)$"): 4096,
    re.compile(r"(feature_size|mel_bins|max_length_s|chunk_length)$"): 1024,
    re.compile(r"(n_fft|fft_window_size|fft_length|hop_length)$"): 65_536,
    re.compile(r"sampling_rate$"): 192_000,
}
#: Ends of files of weights that are not read.
_OTHERS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
#: MERT (95M) is HuBERT under a name of its own, where these are so; its own code does the same.
_MERT = {"feature_extractor_cqt": False, "deepnorm": False, "attention_relax": -1.0}


def read_config(folder: Path, model: str) -> dict[str, Any]:
    """Read what a network is like.

    Parameters
    ----------
    folder : Path
    model : str
        Its name, for messages.

    Returns
    -------
    dict of str to object
        Without keys that choose how it is computed.

    Raises
    ------
    DataError
        There is none, it is damaged, or asks for code of its own, for quantised weights, or for more than any model.
    """
    found: dict[str, Any] = _read(folder / CONFIG, model)
    plain_mert = found.get("model_type") == "mert_model" and all(found.get(key) == its for key, its in _MERT.items())
    if plain_mert:
        found = {key: its for key, its in found.items() if key != "auto_map"} | {"model_type": "hubert"}
    if "auto_map" in found:
        raise DataError(
            f"{model}: wants code of its own (auto_map in {CONFIG}), which is never run; take a model that "
            "transformers itself knows"
        )
    for key, what in (("quantization_config", "quantised weights"), ("compression_config", "compressed weights")):
        if found.get(key):
            raise DataError(f"{model}: has {what} ({key} in {CONFIG}); take the model that they were made from")
    if (folder / "adapter_config.json").exists():
        raise DataError(f"{model}: changes another model (adapter_config.json); merge the two and save the result")
    if not isinstance(found.get("model_type"), str):
        raise DataError(f"{model}: {CONFIG} names no model_type, so that its network is not known; take another model")
    return _without_ways(found)


def check_processors(folder: Path, model: str) -> None:
    """Refuse settings of processors and tokenizers that ask for more than any model.

    Raises
    ------
    DataError
        A file is damaged or too large, or a number in it.
    """
    for name in PROCESSORS:
        if (folder / name).exists():
            _read(folder / name, model)
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".txt", ".model") and path.is_file() and path.stat().st_size > MAX_TOKENIZER:
            raise DataError(f"{model}: {path.name} has more than {MAX_TOKENIZER:,} bytes; take another model")


def weight_files(folder: Path, model: str) -> list[Path]:
    """List the files of a model's weights.

    Parameters
    ----------
    folder : Path
    model : str
        Its name, for messages.

    Returns
    -------
    list of Path
        At least one.

    Raises
    ------
    DataError
        There is none, or an index names what is not beside it.
    """
    whole, index = folder / WEIGHTS, folder / INDEX
    if whole.is_file():
        return [whole]
    if index.exists():
        parts = _read(index, model).get("weight_map")
        names = sorted(set(parts.values())) if isinstance(parts, dict) and all(map(_is_name, parts.values())) else []
        missing = [name for name in names if not (folder / name).is_file()]
        if not names or missing:
            raise DataError(f"{model}: {INDEX} names {missing or 'no files'}; get all of its files again")
        return [folder / name for name in names]
    raise no_safetensors(model, (path.name for path in folder.glob("*")))


def no_safetensors(model: str, names: Iterator[str]) -> DataError:
    """Make the error of a model without weights as safetensors, to be raised.

    Parameters
    ----------
    model : str
    names : iterator of str
        Of its files.
    """
    pickled = sorted(name for name in names if name.endswith(_OTHERS))
    what = f"weights as {pickled[0]} alone, which may run anything when read" if pickled else "no weights"
    return DataError(
        f"{model}: has {what}; {WEIGHTS} is needed: take a revision that has it (the hub often offers one as "
        "refs/pr/<n>), or another model"
    )


def count_numbers(files: list[Path], model: str) -> int:
    """Count the numbers that files of weights bring, by their headers.

    Raises
    ------
    DataError
        A file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    total = 0
    for path in files:
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118, it is no mapping
                    n = 1
                    for side in file.get_slice(name).get_shape():
                        n *= side
                    total += n
        except (SafetensorError, OSError, ValueError) as error:
            pass_machine(error)
            raise DataError(f"{model}: {path.name} is no safetensors, or damaged ({error}); get it again") from None
    return total


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\w[\w.-]{0,200}\.safetensors", value) is not None


def _read(path: Path, model: str) -> dict[str, Any]:
    """Read a file of settings whose numbers are those of a model."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SETTINGS + 1)
        if len(content) > MAX_SETTINGS:
            raise ValueError(f"more than {MAX_SETTINGS:,} bytes")
        found = from_json(content)
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}, expected a mapping")
        _check_numbers(found)
    except FileNotFoundError:
        raise DataError(f"{model}: has no {path.name}, so it is no model of transformers; take another") from None
    except (OSError, ValueError) as error:
        pass_machine(error)
        raise DataError(f"{model}: {path.name} cannot be taken: {error}; get it again, or take another model") from None
    return found


def _check_numbers(found: Any) -> None:
    """Raise `ValueError` where there are too many values or a number is too large."""
    todo: list[tuple[str, Any]] = [("", found)]
    count = 0
    while todo:
        key, value = todo.pop()
        count += 1
        if count > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values")
        own = next((most for rule, most in LIMITS.items() if rule.search(key)), None)
        if isinstance(value, dict):
            todo += value.items()
        elif isinstance(value, list):
            if len(value) > (own or MAX_ENTRIES):
                raise ValueError(f"{key} has {len(value):,} entries, at most {own or MAX_ENTRIES:,} are taken")
            todo += [(key, its) for its in value]
        elif isinstance(value, int | float):
            most = own or (MAX_NUMBER if isinstance(value, int) else math.inf)
            if abs(value) > most:
                raise ValueError(f"{key} is {str(value)[:40]}, at most {most:,} is taken")


def _without_ways(value: Any) -> Any:
    """Leave out keys that choose an implementation, which may be code from elsewhere."""
    if isinstance(value, dict):
        return {key: _without_ways(its) for key, its in value.items() if not str(key).endswith("_implementation")}
    return value
