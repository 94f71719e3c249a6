"""Models of the Hugging Face hub: the numbers that transformers itself gives, and what is refused before it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.features.huggingface_made import RATE, save, section
from unisono.config import validate
from unisono.config.huggingface import Audio, HuggingFace, Image, Text
from unisono.errors import ConfigError, DataError, MissingExtra, UnisonoError
from unisono.features.huggingface import checks, describe, hub, pictures, sound, texts
from unisono.features.huggingface.network import pool

transformers = pytest.importorskip("transformers", reason='needs transformers: pip install "unisono[huggingface]"')
torch = pytest.importorskip("torch")

SECTIONS: dict[str, type[HuggingFace]] = {"audio": Audio, "image": Image, "text": Text}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of a family's tiny model, made once."""
    folder = tmp_path_factory.mktemp("models")

    def folder_of(family: str) -> Path:
        return folder / family if (folder / family).exists() else save(folder / family, family)

    return folder_of


@pytest.fixture
def own(made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Give a copy of a family's folder, to be harmed."""

    def copy(family: str) -> Path:
        folder = tmp_path / family
        folder.mkdir()
        for path in made(family).iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        return folder

    return copy


def settings(task: str, location: Path | str, **replaced: Any) -> Any:
    return validate(SECTIONS[task], section(task, location, **replaced), where="block")


def extractor(task: str, location: Path, **replaced: Any) -> Any:
    kinds: dict[str, Any] = {"audio": sound.Extractor, "image": pictures.Extractor, "text": texts.Extractor}
    return kinds[task](hub.fetch(settings(task, location, **replaced)))


def noise(length_s: float, rate: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(length_s * rate)).astype(np.float32)


def squares(side: int, n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def embedded(task: str, found: Any) -> np.ndarray:
    """Embed something of a task's own."""
    if task == "audio":
        values = found.embed(found.windows(noise(3, found.rate), found.rate))
    elif task == "image":
        values = found.embed(found.prepare(squares(found.side)))
    else:
        values = found.embed(["love me tender", "the rain", "gloria"])
    return np.asarray(values)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "data2vec"])
@pytest.mark.parametrize("layer", [0, 2, -1])
def test_sound_as_transformers_hears_it(made: Callable[[str], Path], family: str, layer: int) -> None:
    found = extractor("audio", made(family), layer=layer)
    waves = noise(3, RATE).reshape(3, RATE)
    hears = transformers.AutoFeatureExtractor.from_pretrained(made(family))
    model = transformers.AutoModel.from_pretrained(made(family)).eval()
    with torch.inference_mode():
        expected = model(**hears(list(waves), sampling_rate=RATE, return_tensors="pt"), output_hidden_states=True)
    np.testing.assert_array_equal(found.windows(waves.ravel(), RATE), waves)
    np.testing.assert_allclose(found.embed(waves), expected.hidden_states[layer].mean(1), atol=2e-6)


@pytest.mark.parametrize("family", ["clip", "dinov2"])
def test_pictures_as_transformers_sees_them(made: Callable[[str], Path], family: str) -> None:
    found = extractor("image", made(family), pooling="first")
    shown = squares(found.side)
    sees = transformers.AutoImageProcessor.from_pretrained(made(family), backend="pil")
    model = transformers.AutoModel.from_pretrained(made(family)).eval()
    seen = sees(list(shown), return_tensors="pt")
    with torch.inference_mode():
        expected = getattr(model, "vision_model", model)(**seen).last_hidden_state[:, 0]
    np.testing.assert_allclose(found.embed(found.prepare(shown)), expected, atol=2e-6)


@pytest.mark.parametrize(("family", "task"), [("clip", "image"), ("clip", "text"), ("clap", "audio"), ("clap", "text")])
def test_the_shared_space_of_a_model_with_two_parts(made: Callable[[str], Path], family: str, task: str) -> None:
    found = extractor(task, made(family), pooling="own", batch_size=3)
    model = transformers.AutoModel.from_pretrained(made(family)).eval()
    if task == "text":
        reads = transformers.AutoTokenizer.from_pretrained(made(family))
        inputs = reads(["love me tender", "the rain", "gloria"], padding=True, return_tensors="pt")
        inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    elif task == "image":
        sees = transformers.AutoImageProcessor.from_pretrained(made(family), backend="pil")
        inputs = sees(list(squares(found.side)), return_tensors="pt")
    else:
        hears = transformers.AutoFeatureExtractor.from_pretrained(made(family))
        inputs = hears(list(noise(3, found.rate).reshape(3, -1)), sampling_rate=found.rate, return_tensors="pt")
    with torch.inference_mode():
        expected = getattr(model, f"get_{task}_features")(**inputs).pooler_output
    np.testing.assert_allclose(embedded(task, found), expected, atol=2e-6)
    assert found.dimensions == 6


def test_sentences_are_the_mean_over_their_tokens(made: Callable[[str], Path]) -> None:
    """What sentence encoders do; padding counts for nothing."""
    reads = transformers.AutoTokenizer.from_pretrained(made("bert"))
    model = transformers.AutoModel.from_pretrained(made("bert")).eval()
    said = ["love me tender", "the rain falls the rain", "gloria"]
    for pooling, expect in (("mean", lambda states: states.mean(0)), ("max", lambda states: states.amax(0))):
        found = extractor("text", made("bert"), pooling=pooling, batch_size=3).embed(said)
        with torch.inference_mode():
            states = [model(**reads(text, return_tensors="pt")).last_hidden_state[0] for text in said]
        np.testing.assert_allclose(found, torch.stack([expect(each) for each in states]), atol=2e-6)


def test_a_long_text_is_read_in_pieces(made: Callable[[str], Path]) -> None:
    found = extractor("text", made("bert"))
    assert found.length == 22, "the model's 24 places, of which some families keep two"
    words = ["love", "me", "rain", "falls"] * 11 + ["gloria"]
    pieces = [words[start : start + 20] for start in range(0, len(words), 20)]
    tokens = np.array([len(piece) + 2 for piece in pieces])
    expected = tokens @ found.embed([" ".join(piece) for piece in pieces]) / tokens.sum()
    np.testing.assert_allclose(found.embed([" ".join(words)])[0], expected, atol=2e-6)
    assert not found.embed([" \n", ""]).any()
    endless = found.embed(["love " * 400_000])
    assert np.isfinite(endless).all()


@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("clap", "audio"),
        ("hubert", "audio"),
        ("clip", "image"),
        ("dinov2", "image"),
        ("bert", "text"),
        ("clip", "text"),
    ],
)
def test_a_vector_does_not_depend_on_what_is_beside_it(made: Callable[[str], Path], family: str, task: str) -> None:
    alone, together = (embedded(task, extractor(task, made(family), batch_size=size)) for size in (1, 64))
    np.testing.assert_allclose(alone, together, atol=2e-6)
    assert len(np.unique(alone.round(3), axis=0)) == 3


def test_windows_of_a_sound(made: Callable[[str], Path]) -> None:
    found = extractor("audio", made("hubert"), window_s=2.0)
    for length_s, n in ((0.3, 1), (2, 1), (2.9, 1), (3.1, 2), (10, 5)):
        samples = np.ones(round(length_s * RATE), dtype=np.float32)
        windows = found.windows(samples, RATE)
        assert windows.shape == (n, 2 * RATE)
        assert windows.sum() == min(len(samples), n * 2 * RATE), "silence beyond the end"
    assert found.windows(noise(4, 22_050), 22_050).shape == (2, 2 * RATE)


def test_mert_is_hubert_under_another_name(own: Callable[[str], Path]) -> None:
    """As its own code, which is not run, has it where it hears waves alone."""
    folder = own("hubert")
    expected = embedded("audio", extractor("audio", folder))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mert_model", "auto_map": {"AutoModel": "modeling_MERT.MERTModel"}}
    config |= {"feature_extractor_cqt": False, "deepnorm": False, "attention_relax": -1.0}
    (folder / "config.json").write_text(json.dumps(config))
    np.testing.assert_array_equal(embedded("audio", extractor("audio", folder)), expected)
    (folder / "config.json").write_text(json.dumps(config | {"feature_extractor_cqt": True}))
    with pytest.raises(DataError, match="wants code of its own"):
        extractor("audio", folder)


@pytest.mark.parametrize("pooling", ["mean", "max", "first"])
def test_pooling_against_a_plain_loop(pooling: str) -> None:
    places = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32))
    lengths = [5, 3, 1, 4]
    mask = torch.tensor([[1] * n + [0] * (5 - n) for n in lengths])
    reduce = {"mean": lambda rows: rows.mean(0), "max": lambda rows: rows.max(0), "first": lambda rows: rows[0]}
    expected = [reduce[pooling](rows[:n].numpy()) for rows, n in zip(places, lengths, strict=True)]
    np.testing.assert_allclose(pool(places, pooling, mask), np.stack(expected), atol=1e-6)


def test_what_is_known_of_a_model(made: Callable[[str], Path]) -> None:
    fetched = hub.fetch(settings("text", made("bert"), layer=1))
    facts = describe(fetched)
    assert facts["variant"] == "bert, text, layer 1, mean", "no path of this machine"
    assert len(facts["sha256"]) == 64
    assert hub.fetch(settings("text", made("bert"), sha256=facts["sha256"])).sha256 == facts["sha256"]
    with pytest.raises(DataError, match=r"bert: its weights have SHA-256 .*, expected 0000"):
        hub.fetch(settings("text", made("bert"), sha256="0" * 64))


@pytest.mark.parametrize("family", ["bert", "clip", "wav2vec2", "dinov2", "clap"])
@pytest.mark.parametrize("task", ["audio", "image", "text"])
def test_a_model_of_another_task(made: Callable[[str], Path], family: str, task: str) -> None:
    fits = {"bert": "text", "clip": "image text", "wav2vec2": "audio", "dinov2": "image", "clap": "audio text"}[family]
    if task in fits:
        assert embedded(task, extractor(task, made(family))).shape[0] == 3
    else:
        with pytest.raises(DataError, match=rf"is a model of {' and '.join(fits.split())}, not of {task}"):
            extractor(task, made(family))


@pytest.mark.parametrize("layer", [4, -5, 900])
def test_a_layer_that_is_not_there(made: Callable[[str], Path], layer: int) -> None:
    with pytest.raises(ConfigError, match=rf"layer {layer} is not there; 0 \(its input\) to 3, or -4 to -1"):
        extractor("text", made("bert"), layer=layer)


def test_a_model_without_a_vector_of_its_own(made: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match="makes no vector of its own; set pooling: mean"):
        extractor("audio", made("hubert"), pooling="own")
    with pytest.raises(ConfigError, match="own goes with the last layer alone"):
        settings("audio", made("hubert"), pooling="own", layer=2)


def test_a_window_longer_than_a_model_hears(made: Callable[[str], Path]) -> None:
    """CLAP would take a random part of it."""
    with pytest.raises(ConfigError, match="window_s: 3 s are more than the 2 s that clap hears"):
        extractor("audio", made("clap"), window_s=3)


def harmed(folder: Path, name: str, **replaced: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | replaced))


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"hidden_size": 10**9}, "hidden_size is 1000000000, at most 65,536"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000, at most 1,000"),
        ({"vocab_size": 10**12}, "vocab_size is 1000000000000, at most 10,000,000"),
        ({"hidden_size": 65_536, "num_attention_heads": 16}, r"asks for [\d,]{12,} numbers, its files of weights hold"),
        ({"vocab_size": 9_999_999}, r"asks for 1[\d,]+ numbers, its files of weights hold"),
        ({"hidden_size": "16"}, "loading it failed"),
        ({"hidden_size": -16}, "loading it failed"),
        ({"hidden_act": "os.system"}, "loading it failed"),
        ({"num_hidden_layers": 5}, "its files lack 32 weights of the network"),
        ({"hidden_size": 32}, "loading it failed"),
        ({"model_type": "of_nobody"}, "knows no network 'of_nobody'"),
        ({"model_type": ["bert"]}, "names no model_type"),
        ({"model_type": "../../bert"}, "knows no network"),
        ({"auto_map": {"AutoModel": "modeling.Evil"}}, "wants code of its own .* never run"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "has quantised weights"),
        ({"id2label": {str(i): "x" for i in range(600_000)}}, "more than 4,194,304 bytes"),
        ({"x": [0] * 20_000}, "x has 20,000 entries"),
    ],
)
def test_a_config_that_asks_for_what_no_model_has(
    own: Callable[[str], Path], replaced: dict[str, Any], message: str
) -> None:
    folder = own("bert")
    harmed(folder, "config.json", **replaced)
    with pytest.raises(DataError, match=f"bert: .*{message}"):
        extractor("text", folder)


def test_a_config_cannot_choose_an_implementation(own: Callable[[str], Path]) -> None:
    """Which may be code of a repository."""
    folder = own("bert")
    expected = embedded("text", extractor("text", folder))
    harmed(folder, "config.json", _attn_implementation="someone/kernel", attn_implementation="someone/kernel")
    np.testing.assert_array_equal(embedded("text", extractor("text", folder)), expected)


@pytest.mark.parametrize(
    ("family", "task", "replaced", "message"),
    [
        ("clip", "image", {"crop_size": {"height": 10**6, "width": 32}}, "height is 1000000, at most 4,096"),
        ("clip", "image", {"size": {"shortest_edge": 10**9}}, "shortest_edge is 1000000000"),
        ("clap", "audio", {"fft_window_size": 10**9}, "fft_window_size is 1000000000, at most 65,536"),
        ("clap", "audio", {"max_length_s": 10**6}, "max_length_s is 1000000"),
        ("hubert", "audio", {"sampling_rate": 10**9}, "sampling_rate is 1000000000"),
        ("hubert", "audio", {"sampling_rate": "fast"}, "reading how it hears failed"),
    ],
)
def test_a_processor_that_asks_for_what_no_model_has(
    own: Callable[[str], Path], family: str, task: str, replaced: dict[str, Any], message: str
) -> None:
    folder = own(family)
    harmed(folder, "preprocessor_config.json", **replaced)
    with pytest.raises(DataError, match=f"{family}: .*{message}"):
        extractor(task, folder)


def nothing(folder: Path) -> None:
    (folder / checks.WEIGHTS).unlink()


def pickled(folder: Path) -> None:
    nothing(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/evil'\ntR.")


def text_for_weights(folder: Path) -> None:
    (folder / checks.WEIGHTS).write_bytes(b"<html>404</html>" * 10)


def cut(folder: Path) -> None:
    path = folder / checks.WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def indexed(*names: str) -> Callable[[Path], None]:
    def index(folder: Path) -> None:
        nothing(folder)
        (folder / checks.INDEX).write_text(json.dumps({"weight_map": {f"w{i}": name for i, name in enumerate(names)}}))

    return index


def not_finite(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / checks.WEIGHTS)
    save_file({name: array * np.float32(np.nan) for name, array in arrays.items()}, folder / checks.WEIGHTS)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (nothing, "has no weights; model.safetensors is needed"),
        (pickled, "has weights as pytorch_model.bin alone, which may run anything when read; model.safetensors"),
        (text_for_weights, "model.safetensors is no safetensors, or damaged"),
        (cut, "model.safetensors is no safetensors, or damaged"),
        (indexed("model-00001-of-00002.safetensors"), "names .'model-00001-of-00002.safetensors'."),
        (indexed("../../etc/passwd"), "names no files"),
        (indexed(), "names no files"),
        (not_finite, "gives NaN or infinite values; its weights are damaged"),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "config.json").write_text("[" * 100_000), "config.json cannot be taken"),
        (lambda folder: (folder / "config.json").write_text("[]"), "a list, expected a mapping"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "changes another model"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "reading how it reads failed"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
    ],
)
def test_a_folder_that_holds_no_model(own: Callable[[str], Path], harm: Callable[[Path], None], message: str) -> None:
    folder = own("bert")
    harm(folder)
    with pytest.raises(DataError, match=f"bert: .*{message}"):
        extractor("text", folder)


def test_code_in_a_folder_is_not_run(own: Callable[[str], Path], tmp_path: Path) -> None:
    folder, trace = own("bert"), tmp_path / "trace"
    for name in ("modeling_bert.py", "configuration_bert.py", "tokenization_bert.py"):
        (folder / name).write_text(f"open({str(trace)!r}, 'w')\n")
    harmed(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "tokenization_bert.Evil"]})
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    with suppress(UnisonoError):
        extractor("text", folder)
    assert not trace.exists()


@pytest.mark.parametrize(
    "value", ["../evil", "a/../../b", "/etc/passwd", "a/b/c", "", "a b", "~/model", "a\n/b", "a--b"]
)
def test_names_that_no_model_has(value: str) -> None:
    with pytest.raises(ConfigError, match=r"block: .*model is no name on the hub"):
        settings("text", "", model=value)


@pytest.mark.parametrize("value", ["../../x", "/etc", "", "refs/../x", "a b"])
def test_revisions_that_cannot_be(value: str) -> None:
    with pytest.raises(ConfigError, match=r"block: .*revision is no branch, tag"):
        settings("text", "", revision=value)


def test_another_task_in_a_block() -> None:
    with pytest.raises(ConfigError, match=r"block.task: .*'audio'"):
        validate(Audio, section("text") | {"window_s": 1.0}, where="block")
    assert settings("text", "", revision="refs/pr/12").revision == "refs/pr/12"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; give the one that holds config\.json"):
        hub.fetch(settings("text", tmp_path / "nowhere"))


def test_a_device_that_is_not_there(made: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match="device: 'cuda:99' is not there"):
        extractor("text", made("bert"), device="cuda:99")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_half_precision_on_a_gpu(made: Callable[[str], Path]) -> None:
    for half, tolerance in ((False, 1e-4), (True, 3e-2)):
        found = embedded("text", extractor("text", made("bert"), device="cuda", half=half))
        np.testing.assert_allclose(found, embedded("text", extractor("text", made("bert"))), atol=tolerance)


def test_without_transformers(made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'transformers is not installed\): pip install "unisono\[huggingface\]"'):
        hub.fetch(settings("text", made("bert")))
