"""The readers of what songs are read from."""

from __future__ import annotations

from fuzzing import inputs, songs_inputs, songs_ways
from fuzzing.reading import Reader, content

_ARROW = ("pyarrow.parquet", "pyarrow.compute")
#: What a whole source goes through.
_BUILD = (
    "urllib3",
    "scipy.sparse.csgraph",
    "sklearn.feature_extraction.text",
    "fuzzing.languages",
    "pydantic",
    "yaml",
    "mido",
    "mutagen",
    "charset_normalizer",
    *_ARROW,
)
_SOUND = ("soundfile", "av", "scipy.signal", "urllib3", *_ARROW)
_MODEL = ("sklearn.feature_extraction.text", "gensim.models.doc2vec", "urllib3", "yaml", *_ARROW)
_FOLDER = ("datasets.songs.recordings.folder", "datasets.songs.sources.read")


def _tagged(name: str, kind: str) -> Reader:
    return Reader(songs_inputs.tagged(name), f"song{name}", kind, songs_ways.beside(), _FOLDER, _BUILD)


def _heard(name: str, kind: str, *sounds: str) -> Reader:
    good = songs_inputs.sound(*sounds) if sounds else songs_inputs.m4a
    return Reader(good, f"song{name}", kind, songs_ways.excerpt, ("media.excerpt.read",), _SOUND)


READERS: dict[str, Reader] = {
    "lyrics of songs": Reader(
        songs_inputs.lyrics,
        "song.txt",
        "song lyrics",
        songs_ways.beside("song.wav"),
        (*_FOLDER, "datasets.songs.lyrics.decode", "datasets.songs.lyrics.plain"),
        _BUILD,
    ),
    "stamped lyrics": Reader(
        songs_inputs.stamped, "song.lrc", "lrc", songs_ways.beside("song.wav"), (*_FOLDER,), _BUILD
    ),
    "tags of MP3": _tagged(".mp3", "id3"),
    "tags of WAV": _tagged(".wav", "tagged wav"),
    "tags of FLAC": _tagged(".flac", "tagged flac"),
    "tags of Ogg": _tagged(".ogg", "tagged ogg"),
    "tags of M4A": _tagged(".m4a", "tagged m4a"),
    "manifests": Reader(
        songs_inputs.manifest,
        "songs.csv",
        "manifest",
        songs_ways.manifest,
        ("datasets.songs.recordings.manifest", "datasets.songs.sources.read"),
        _BUILD,
    ),
    "ready-made songs": Reader(
        songs_inputs.rows,
        "part-00000.parquet",
        "parquet",
        songs_ways.built("parquet", "location"),
        ("datasets.songs.ready.read",),
        _BUILD,
    ),
    "vectors in Parquet": Reader(
        songs_inputs.vectors_table,
        "songs.parquet",
        "parquet",
        songs_ways.built("features", "location"),
        ("datasets.songs.vectors.read",),
        _BUILD,
    ),
    "vectors in npz": Reader(
        songs_inputs.vectors_npz,
        "songs.npz",
        "arrays",
        songs_ways.built("features", "location"),
        ("datasets.songs.vectors.read",),
        _BUILD,
    ),
    "scores of songs": Reader(
        inputs.scores,
        "score.musicxml",
        "whole score",
        songs_ways.score("datasets.songs.scores.read"),
        ("datasets.songs.scores.read", "datasets.mtm.musicxml.parse", "datasets.mtm.musicxml.read"),
        _BUILD,
    ),
    "melodies of songs": Reader(
        inputs.song,
        "song.npy",
        "pickled npy",
        songs_ways.score("datasets.songs.melodies.read"),
        ("datasets.songs.melodies.read",),
        _BUILD,
    ),
    "MIDI of songs": Reader(inputs.midi, "song.mid", "midi", songs_ways.midi, ("media.midi.decode_score",), _BUILD),
    "pieces of WAV": _heard(".wav", "wav", "WAV"),
    "pieces of FLAC": _heard(".flac", "flac", "FLAC"),
    "pieces of MP3": _heard(".mp3", "mp3", "MP3"),
    "pieces of Ogg": _heard(".ogg", "ogg", "OGG"),
    "pieces of M4A": _heard(".m4a", "film"),
    "sounds of songs": Reader(
        songs_inputs.sound("FLAC"),
        "audio.flac",
        "flac",
        content("features.songs.heard", clip_s=30.0),
        ("features.songs.heard",),
        _SOUND,
    ),
    "songs as queries": Reader(
        songs_inputs.sound("WAV"),
        "query.wav",
        "wav",
        songs_ways.queried("audio"),
        ("features.query.reading.read_sound",),
        ("unisono.features.songs_extraction", "yaml", *_SOUND),
    ),
    "lyrics as queries": Reader(
        songs_inputs.lyrics, "query.txt", "song lyrics", songs_ways.queried("lyrics"), (), _MODEL
    ),
    "lines as queries": Reader(
        songs_inputs.lyrics, "line", "song lyrics", songs_ways.queried("lyrics", line=True), (), _MODEL
    ),
    "tf-idf models": Reader(
        songs_inputs.tfidf,
        "model.safetensors",
        "safetensors",
        songs_ways.text_model("tfidf"),
        ("features.texts.tfidf.load",),
        _MODEL,
    ),
    "doc2vec models": Reader(
        songs_inputs.doc2vec,
        "model.safetensors",
        "safetensors",
        songs_ways.text_model("doc2vec"),
        ("features.texts.doc2vec.load",),
        _MODEL,
    ),
    "GloVe models": Reader(
        songs_inputs.glove,
        "model.safetensors",
        "safetensors header",
        songs_ways.text_model("glove"),
        ("features.texts.glove.load",),
        _MODEL,
    ),
    "GloVe vectors": Reader(
        songs_inputs.packaged, "vectors.npy", "npy", songs_ways.packaged, ("features.texts.glove.load",), _MODEL
    ),
    "texts to learn from": Reader(
        songs_inputs.lyrics,
        "text.txt",
        "song lyrics",
        songs_ways.own_texts,
        ("features.texts.extraction.read_folder",),
        _ARROW,
    ),
    "wheels of musicnn": Reader(
        songs_inputs.wheel,
        "musicnn-0.1.0-py3-none-any.whl",
        "wheel",
        songs_ways.weights(),
        ("features.musicnn.package.read",),
        ("urllib3",),
    ),
    "folders of musicnn": Reader(
        songs_inputs.index, "index", "checkpoint", songs_ways.weights(folder=True), ("features.musicnn.package.read",)
    ),
    "deals": Reader(
        songs_inputs.divisions,
        "part-00000.parquet",
        "dealt",
        songs_ways.deals,
        ("datasets.dealing.read_divisions", "features.texts.extraction.read_deals"),
        ("unisono.evaluation.divisions", "unisono.datasets.loading", *_ARROW),
    ),
    "features of each deal": Reader(
        songs_inputs.per_deal,
        "part-00000.parquet",
        "dealt",
        songs_ways.by_deal,
        ("datasets.dealing.read_divisions",),
        ("unisono.evaluation.divisions", "unisono.datasets.loading", *_ARROW),
    ),
}
