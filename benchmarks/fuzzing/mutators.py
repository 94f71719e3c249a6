"""Damage and harm for `fuzz.py`: which changes each format gets.

A mutator takes a `random.Random` and the bytes of a good file, and returns others and what it did. Those of `BLIND`
fit all formats; `AWARE` has a list for each: fields edited where the format has lengths, counts and offsets (checksums
made right again), texts edited at their numbers and names, and files made anew with odd types, depths and sizes.
"""

from __future__ import annotations

from fuzzing.archives import gzip_made, inside_gzip, tar_edited, tar_made, zip_made
from fuzzing.arrays import (
    npy_header,
    npz_made,
    pickle_codes,
    pickle_leaves,
    pickle_made,
    safetensors_header,
    safetensors_values,
    state_made,
)
from fuzzing.fields import (
    Mutator,
    box_fields,
    edited,
    flac_fields,
    footer_fields,
    midi_fields,
    mp3_fields,
    ogg_fields,
    ogg_repair,
    picture_fields,
    picture_repair,
    riff_fields,
    varint_fields,
    word_fields,
    zip_fields,
)
from fuzzing.media import film_made, graph_made, midi_made, picture_made, sound_made
from fuzzing.pictures_inputs import clips_made, keywords_made, pictures_listed
from fuzzing.records import example_made, tfrecord_lengths, tfrecord_made
from fuzzing.songs import (
    arrays_made,
    dealt_made,
    harmony_made,
    lrc_made,
    manifest_made,
    song_lyrics_made,
    wheel_made,
)
from fuzzing.tables import hdf5_made, parquet_made
from fuzzing.tags import ape_made, comment_fields, flac_tags_made, id3_fields, id3_made, m4a_tags_made, ogg_tags_made
from fuzzing.texts import (
    TEXT,
    argument_made,
    csv_made,
    json_deep,
    json_document,
    lyrics_made,
    mxl_made,
    pdf_made,
    score_made,
    text_coding,
    text_numbers,
    text_words,
    yaml_made,
    yaml_sections,
)

_PICKLE: list[Mutator] = [pickle_codes, pickle_made, pickle_leaves]
_HDF5: list[Mutator] = [hdf5_made, hdf5_made, edited(word_fields)]
_TAR: list[Mutator] = [tar_edited, tar_made]

AWARE: dict[str, list[Mutator]] = {
    "parquet": [parquet_made, parquet_made, parquet_made, edited(footer_fields)],
    "hdf5": _HDF5,
    "zip": [zip_made, edited(zip_fields)],
    "tar": _TAR,
    "tar.gz": [inside_gzip(*_TAR), inside_gzip(*_TAR), gzip_made],
    "tfrecord": [tfrecord_lengths, tfrecord_made],
    "example": [example_made, edited(varint_fields)],
    "npy": [npy_header],
    "pickled npy": [npy_header, *_PICKLE],
    "pickle": _PICKLE,
    "old pickle": [pickle_codes, pickle_made],
    "npz": [npz_made, edited(zip_fields)],
    "safetensors": [safetensors_header, safetensors_header, safetensors_values],
    "state": [state_made, edited(zip_fields)],
    "checkpoint": [edited(word_fields), edited(varint_fields)],
    "graph": [graph_made, gzip_made],
    "wav": [edited(riff_fields), sound_made("WAV")],
    "flac": [edited(flac_fields), sound_made("FLAC")],
    "ogg": [edited(ogg_fields, ogg_repair), sound_made("OGG")],
    "mp3": [edited(mp3_fields), sound_made("MP3")],
    "picture": [edited(picture_fields, picture_repair), picture_made],
    "film": [edited(box_fields), edited(box_fields), film_made],
    "films": [zip_made, edited(zip_fields)],
    "pdf": [pdf_made, text_numbers],
    "midi": [midi_made, edited(midi_fields)],
    "score": [score_made, score_made, text_numbers, text_words],
    "mxl": [mxl_made, mxl_made, edited(zip_fields)],
    "lyrics": [lyrics_made, text_words, text_coding],
    "csv": [csv_made, *TEXT],
    "json": [json_document, json_deep, text_numbers],
    "yaml": [yaml_made, yaml_sections, *TEXT],
    "song lyrics": [song_lyrics_made, song_lyrics_made, text_words, text_coding],
    "lrc": [lrc_made, lrc_made, song_lyrics_made, text_numbers, text_coding],
    "manifest": [manifest_made, manifest_made, csv_made, *TEXT],
    "id3": [id3_made, id3_made, ape_made, edited(id3_fields)],
    "tagged wav": [id3_made, edited(id3_fields), edited(riff_fields)],
    "tagged flac": [flac_tags_made, flac_tags_made, edited(comment_fields), edited(flac_fields)],
    "tagged ogg": [ogg_tags_made, edited(comment_fields, ogg_repair), edited(ogg_fields)],
    "tagged m4a": [m4a_tags_made, m4a_tags_made, edited(box_fields)],
    "arrays": [arrays_made, arrays_made, edited(zip_fields)],
    "keywords": [keywords_made, keywords_made, *TEXT],
    "picture list": [pictures_listed, pictures_listed, csv_made, *TEXT],
    "picture with a clip": [clips_made, clips_made, edited(picture_fields, picture_repair)],
    "poems": [song_lyrics_made, *TEXT],
    "whole score": [harmony_made, harmony_made, text_numbers, text_words],
    "safetensors header": [safetensors_header],
    "wheel": [wheel_made, wheel_made, zip_made, edited(zip_fields)],
    "dealt": [dealt_made, dealt_made, parquet_made, edited(footer_fields)],
    "argument": [argument_made, text_numbers, text_words],
}
