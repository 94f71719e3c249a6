"""Tiny random models of the families that the hub holds, saved by transformers itself: a second's work, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: Words that the tiny tokenizers know.
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "love", "me", "tender", "the", "rain", "falls", "gloria", "a")
RATE = 16_000
_SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
_TEXT = _SIZES | {
    "vocab_size": len(WORDS),
    "max_position_embeddings": 24,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
_WAVES = _SIZES | {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}


def _tokenizer(folder: Path) -> None:
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = tokenizers.Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=22, **special).save_pretrained(folder)


def _sound(folder: Path) -> None:
    from transformers import Wav2Vec2FeatureExtractor

    Wav2Vec2FeatureExtractor(sampling_rate=RATE).save_pretrained(folder)


def _clap() -> Any:
    from transformers import ClapConfig, ClapModel

    hears = {"patch_embeds_hidden_size": 8, "hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2],
             "num_hidden_layers": 2, "spec_size": 64, "num_mel_bins": 16, "window_size": 4}  # fmt: skip
    return ClapModel(ClapConfig(text_config=_TEXT, audio_config=hears, projection_dim=6))


def _clap_input(folder: Path) -> None:
    from transformers import ClapFeatureExtractor

    _tokenizer(folder)
    ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=48_000,
        max_length_s=2,
        hop_length=480,
        fft_window_size=1024,
        truncation="rand_trunc",
    ).save_pretrained(folder)


def _waves(family: str) -> Callable[[], Any]:
    def make() -> Any:
        import transformers

        config = getattr(transformers, f"{family}Config")(**_WAVES)
        return getattr(transformers, f"{family}Model")(config)

    return make


def _clip() -> Any:
    from transformers import CLIPConfig, CLIPModel

    sees = _SIZES | {"image_size": 32, "patch_size": 8}
    return CLIPModel(CLIPConfig(text_config=_TEXT, vision_config=sees, projection_dim=6))


def _clip_input(folder: Path) -> None:
    from transformers import CLIPImageProcessorPil

    _tokenizer(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)


def _dinov2() -> Any:
    from transformers import Dinov2Config, Dinov2Model

    return Dinov2Model(Dinov2Config(**_SIZES, image_size=28, patch_size=14))


def _dinov2_input(folder: Path) -> None:
    from transformers import BitImageProcessorPil

    BitImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}).save_pretrained(folder)


def _bert() -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**_TEXT))


#: A model of every family, and what makes its input ready.
FAMILIES: Mapping[str, tuple[Callable[[], Any], Callable[[Path], None]]] = {
    "clap": (_clap, _clap_input),
    "wav2vec2": (_waves("Wav2Vec2"), _sound),
    "hubert": (_waves("Hubert"), _sound),
    "data2vec": (_waves("Data2VecAudio"), _sound),
    "clip": (_clip, _clip_input),
    "dinov2": (_dinov2, _dinov2_input),
    "bert": (_bert, _tokenizer),
}


def save(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Save a model with all that belongs to it."""
    import torch

    make, make_input = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.eval().save_pretrained(folder)
    make_input(folder)
    return folder


def section(task: str, location: Path | str = "", **replaced: Any) -> dict[str, Any]:
    """Give a block of params.yaml."""
    own = {"audio": {"window_s": 1.0}, "image": {}, "text": {"max_tokens": 64}}[task]
    usual = {"task": task, "model": "made/here", "revision": "main", "location": str(location), "sha256": "",
             "layer": -1, "pooling": "mean", "device": "cpu", "half": True, "batch_size": 2}  # fmt: skip
    return usual | own | replaced
