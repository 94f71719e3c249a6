"""The readers of the package, by the files that they read."""

from __future__ import annotations

from fuzzing import inputs, pictures_features, pictures_readers, songs_readers, ways, weights_inputs
from fuzzing.reading import Reader, call, content

_ARROW, _MUSIC = ("pyarrow.parquet", "pyarrow.compute"), ("mido", "pretty_midi")
_SOUND = ("soundfile", "av", "scipy.signal", "urllib3", *_ARROW)
_SOUND_COVERS = ("features.query.reading.read_sound",)

READERS: dict[str, Reader] = {
    "lists of clips": Reader(
        inputs.youtube_list,
        "clips.csv",
        "csv",
        call("datasets.vegas.youtube.read_list"),
        ("datasets.vegas.youtube.read_list",),
    ),
    "vocabularies": Reader(
        inputs.vocabulary, "vocabulary.csv", "csv", ways.vocabulary, ("datasets.mv10k.rules.read_vocabulary",)
    ),
    "tags": Reader(
        inputs.pairs,
        "tags.csv",
        "csv",
        call("datasets.mv10k.tagged.read_pairs", ("id", "tag")),
        ("datasets.mv10k.tagged.read_pairs",),
    ),
    "download plans": Reader(
        inputs.plan,
        "plan.json",
        "json",
        call("datasets.mv10k.youtube8m.read_plan", partition="train", mirrors=["http://x/{partition}/{name}"]),
        ("datasets.mv10k.youtube8m.read_plan", "io.texts.from_json"),
    ),
    "params.yaml": Reader(
        inputs.params,
        "params.yaml",
        "yaml",
        call("evaluation.params_file.check_params_file"),
        (
            "config.read_yaml",
            "config.TopLevel.load",
            "config.experiments.load_experiments",
            "config.models.load_models",
            "evaluation.params_file.load_all",
        ),
    ),
    "recipes": Reader(
        inputs.recipe, "recipe.yaml", "yaml", ways.recipe, ("config.read_yaml", "evaluation.recipe.merged")
    ),
    "arguments": Reader(
        inputs.arguments, "argument", "argument", ways.argument, ("cli.evaluate.read_parameters", "config.parse_yaml")
    ),
    "MusicXML": Reader(
        inputs.scores,
        "score.musicxml",
        "score",
        content("datasets.mtm.sources.read_score", "score.musicxml"),
        ("datasets.mtm.musicxml.read", "datasets.mtm.sources.read_score", "datasets.mtm.sources.read_songs"),
    ),
    "MXL": Reader(
        inputs.compressed_scores,
        "score.mxl",
        "mxl",
        content("datasets.mtm.musicxml.read", "score.mxl"),
        ("datasets.mtm.musicxml.read",),
    ),
    "lyrics and melodies": Reader(
        inputs.song,
        "song.npy",
        "pickled npy",
        content("datasets.mtm.lmd.read", "song.npy", rule="dissertation", limit="beats"),
        ("datasets.mtm.lmd.read",),
    ),
    "npy": Reader(inputs.plain_npy, "array.npy", "npy", call("io.unpickle.load_npy"), ("io.unpickle.load_npy",)),
    "pickles": Reader(inputs.pickles, "content.pkl", "pickle", call("io.unpickle.load"), ("io.unpickle.load",)),
    "zip": Reader(
        lambda: [inputs.zipped(inputs.layout_d())], "x.zip", "zip", call("io.archive.members"), ("io.archive.members",)
    ),
    "tar": Reader(lambda: [inputs.tarred(inputs.layout_d())], "x.tar", "tar", call("io.archive.members"), ()),
    "tar.gz": Reader(
        lambda: [inputs.tarred(inputs.layout_d(), "w:gz")], "x.tar.gz", "tar.gz", call("io.archive.members"), ()
    ),
    "TFRecord": Reader(
        inputs.tfrecords, "x.tfrecord", "tfrecord", ways.records, ("io.tfrecord.read", "io.tfrecord.records")
    ),
    "SequenceExample": Reader(inputs.examples, "example.pb", "example", ways.frames, ("io.sequence_example.parse",)),
    "features": Reader(
        inputs.features,
        "features.parquet",
        "parquet",
        call("datasets.user.load_features"),
        ("datasets.user.load_features", "io.parquet.read", "io.parquet.iterate", "io.parquet.metadata"),
        _ARROW,
    ),
    "ready-made samples": Reader(
        inputs.samples,
        "part-00000.parquet",
        "parquet",
        call("datasets.mtm.ready.read"),
        ("datasets.mtm.ready.read",),
        _ARROW,
    ),
    "ready-made clips": Reader(
        inputs.clips,
        "part-00000.parquet",
        "parquet",
        call("datasets.vegas.ready.look"),
        ("datasets.vegas.ready.look",),
        _ARROW,
    ),
    "ready-made videos": Reader(
        inputs.videos,
        "part-00000.parquet",
        "parquet",
        ways.shard,
        ("datasets.mv10k.ready.from_parquet",),
        _ARROW,
    ),
    "token vectors": Reader(
        inputs.skipgram_table,
        "syllables.parquet",
        "parquet",
        call("features.skipgram.load"),
        ("features.skipgram.load",),
        _ARROW,
    ),
    "published HDF5": Reader(
        inputs.published_hdf5,
        "published.h5",
        "hdf5",
        call("io.published.read"),
        ("io.published.read", "io.hdf5.read"),
        ("h5py",),
    ),
    "published zip": Reader(
        lambda: [inputs.zipped(inputs.layout_d())],
        "published.zip",
        "zip",
        ways.published,
        ("io.published.read", "datasets.mv10k.ready.from_published"),
        _ARROW,
    ),
    "published tar.gz": Reader(
        lambda: [inputs.tarred(inputs.layout_d(), "w:gz")], "published.tar.gz", "tar.gz", call("io.published.read"), ()
    ),
    "Keras weights": Reader(
        weights_inputs.keras_weights, "inception.h5", "hdf5", ways.keras, ("features.inception.load_h5",), ("h5py",)
    ),
    "VGGish PCA": Reader(
        weights_inputs.vggish_pca,
        "pca.npz",
        "npz",
        ways.pca,
        ("io.archive.zip_members", "features.vggish.load_pca", "features.whitening.load_vggish"),
    ),
    "whitenings": Reader(
        weights_inputs.whitening,
        "whitening.safetensors",
        "safetensors",
        call("features.whitening.Whitening.load"),
        ("features.whitening.Whitening.load", "io.tensors.read", "io.tensors.read_header"),
    ),
    "YouTube-8M matrices": Reader(
        weights_inputs.youtube8m_matrices,
        "yt8m_pca.tgz",
        "tar.gz",
        call("features.whitening.load_youtube8m"),
        ("features.whitening.load_youtube8m",),
    ),
    "skip-gram models": Reader(
        weights_inputs.gensim_model,
        "model.bin",
        "old pickle",
        call("features.skipgram.read_pretrained"),
        ("features.skipgram.read_pretrained", "features._gensim_pickle.load"),
        _ARROW,
    ),
    "ASMCMR parameters": Reader(
        weights_inputs.asmcmr_published,
        "params.pkl",
        "pickle",
        call("features.asmcmr.from_published"),
        ("features.asmcmr.from_published",),
    ),
    "ASMCMR encoders": Reader(
        weights_inputs.asmcmr_encoder,
        "asmcmr.safetensors",
        "safetensors",
        call("features.asmcmr.Encoder.load"),
        ("features.asmcmr.Encoder.load",),
    ),
    "staff readers": Reader(
        weights_inputs.staff_reader,
        "staff_reader.safetensors",
        "safetensors",
        call("features.staff_reader.Reader.load"),
        ("features.staff_reader.Reader.load",),
    ),
    "configurations of hub models": Reader(
        weights_inputs.hub_config,
        "config.json",
        "json",
        call("features.huggingface.checks.read_config", "a model", convert=lambda path: path.parent),
        ("features.huggingface.checks.read_config",),
    ),
    "pictures": Reader(
        inputs.pictures,
        "query.png",
        "picture",
        ways.queried("mtm", "sheet"),
        ("features.asmcmr.input.read_picture", "media.pictures.opened"),
        ("PIL.ImageOps", *_ARROW),
    ),
    "WAV": Reader(inputs.sound("WAV"), "query.wav", "wav", ways.queried("mtm", "audio"), _SOUND_COVERS, _SOUND),
    "FLAC": Reader(inputs.sound("FLAC"), "query.flac", "flac", ways.queried("mtm", "audio"), _SOUND_COVERS, _SOUND),
    "MP3": Reader(inputs.sound("MP3"), "query.mp3", "mp3", ways.queried("mtm", "audio"), _SOUND_COVERS, _SOUND),
    "Ogg": Reader(inputs.sound("OGG"), "query.ogg", "ogg", ways.queried("vegas", "audio"), _SOUND_COVERS, _SOUND),
    "sounds of shards": Reader(
        inputs.sound("FLAC"),
        "audio.flac",
        "flac",
        content("features.asmcmr.input.read_audio", "audio.flac"),
        ("media.audio.decode", "features.asmcmr.input.read_audio"),
        _SOUND,
    ),
    "MIDI": Reader(
        inputs.midi,
        "query.mid",
        "midi",
        ways.queried("mtm", "audio"),
        ("features.query.reading.read_midi",),
        (*_MUSIC, *_ARROW),
    ),
    "lyrics": Reader(inputs.lyrics, "query.txt", "lyrics", ways.queried("mtm", "lyrics"), (), _ARROW),
    "score queries": Reader(inputs.scores, "query.musicxml", "score", ways.queried("mtm", "lyrics"), (), _ARROW),
    "videos": Reader(
        inputs.films,
        "clip.mp4",
        "film",
        ways.video,
        (
            "media.video.frames",
            "media.video.sound",
            "media.video.listen",
            "media.video.duration",
            "media.video.cut",
            "media.streams.opened",
        ),
        _SOUND,
    ),
    "video queries": Reader(inputs.films, "query.mp4", "film", ways.queried("vegas", "audio"), (), _SOUND),
    "archives of clips": Reader(
        inputs.clip_archives, "clips.zip", "films", ways.clips, ("datasets.vegas.archive.clips",), _SOUND
    ),
    "PDF": Reader(
        inputs.pdf,
        "page.pdf",
        "pdf",
        call("media.raster.pages", resolution_dpi=100),
        ("media.raster.pages", "media.raster.count_pages"),
        ("pypdfium2",),
    ),
    "saved models": Reader(
        weights_inputs.models,
        "model.safetensors",
        "safetensors",
        call("models.load", convert=lambda path: path.parent),
        ("models.load", "models.parts.saved.read", "models.parts.saved.read_header"),
        ("torch", "scipy.linalg"),
    ),
    "torch state dicts": Reader(
        weights_inputs.torch_state, "weights.pt", "state", ways.torch, ("features.torch_weights.load",), ("torch",)
    ),
    "torch safetensors": Reader(
        weights_inputs.torch_safetensors,
        "weights.safetensors",
        "safetensors",
        ways.torch,
        ("features.torch_weights.load",),
        ("torch",),
    ),
    "chunk attention": Reader(
        weights_inputs.chunk_attention,
        "model.safetensors",
        "safetensors",
        call("features.chunk_attention.Model.load"),
        ("features.chunk_attention.Model.load",),
        ("torch",),
    ),
    "VGGish checkpoints": Reader(
        weights_inputs.vggish_checkpoint,
        "vggish.ckpt",
        "checkpoint",
        ways.checkpoint,
        ("features.vggish.load_checkpoint",),
        ("tensorflow",),
    ),
    "frozen graphs": Reader(
        weights_inputs.frozen_graph,
        "inception.tgz",
        "graph",
        ways.graph,
        ("features.frozen_graph.read", "features.inception.Extractor.from_graph"),
        ("tensorflow",),
    ),
}

READERS |= songs_readers.READERS | pictures_readers.READERS | pictures_features.READERS

#: Functions of such names that read only what the pipeline itself wrote, or no file.
OURS: dict[str, str] = {
    "config.choices.read_from": "sections of params.yaml",
    "datasets.dealing.read": "the stage's own folds",
    "datasets.dealing.read_outside": "the stage's own folds",
    "datasets.items.heard": "by the readers of sounds and videos",
    "datasets.loading.load_dataset": "a built data set",
    "datasets.loading.load_folder": "a built data set",
    "datasets.mtm.corpus.members": "scores that the package music21 brings",
    "datasets.mtm.samples.cut": "notes in memory",
    "datasets.mv10k.build.from_records": "by the readers of TFRecord and SequenceExample",
    "evaluation.embeddings.read": "embeddings of experiments",
    "evaluation.rankings.read": "rankings of experiments",
    "features.asmcmr.pairs.read_pairs": "the stages' own shards",
    "features.image2song.deals.read": "the stages' own shards",
    "features.inception.Extractor.from_weights": "arrays in memory",
    "features.query.reading.heard": "two numbers",
    "features.staff_reader.making.read_samples": "the stages' own shards",
    "features.staff_reader.rows.read": "arrays in memory",
    "features.texts.huggingface_text.load": "by the readers of saved features and of a hub model's configuration",
    "features.saved.read": "by the readers of doc2vec, tfidf, tags and words",
    "metrics._places.cut_offs": "numbers in memory",
    "models.parts.attention.read": "arrays in memory",
    "models.parts.deep.from_arrays": "arrays in memory",
    "planning.dag.read": "the project's dvc.yaml",
    "report.kinds.read_pools": "embeddings of experiments",
    "report.chunk_scores.from_vectors": "the stage's own vectors",
    "report.curves.read_curve": "results of experiments",
    "report.curves.read_recall": "results of experiments",
    "report.html.items.read": "a built data set",
    "report.html.media.sound": "samples in memory",
    "report.html.result_tables.read": "the stage's own tables",
    "store.fits.opened": "the store's own folder",
    "store.fits.read": "the store's own folder",
    "store.pieces.opened": "the store's own folder",
    "store.results.read_results": "results of experiments",
}
