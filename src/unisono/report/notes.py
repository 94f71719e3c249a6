"""What has to be said under a result table: where the numbers come from, and the dissertation's contradictions."""

from __future__ import annotations

from collections.abc import Iterable

from unisono.report.tables import published
from unisono.store.results import Run, directions, measures

_DISAGREE = (
    "The dissertation prints three values for one setting (margin 0.5, 400 to 500 batches): 74.66/73.77 in Table 5.2, "
    "75.31/73.26 in Table 5.5 and in the text, 74.51/72.98 in Table 5.6. Table 5.2 is its headline; 5.5 and 5.6 are to "
    "be read as curves."
)
_REPEATED = (
    "The published columns of 800 and 900 batches (Table 5.6) repeat those of margins 1.0 and 1.1 (Table 5.5), the "
    "first with its two directions exchanged; Figure 5.8's script plots yet other values."
)
_BATCHES = (
    "The dissertation counts batches per epoch, not items per batch: of its 22,483 training items 300 batches hold 75 "
    "each, 900 hold 25. On fewer items it is the size that can be kept (Table 5.6: in brackets)."
)
_TWICE = (
    "The published columns `mean` of Table 4.1 and MV-10K audio → visual of Table 5.2 agree within 0.03 for five "
    "methods, although chapter 4 says 30 components and max-pooled video, chapter 5 10 components and mean pooling."
)

_PUBLISHED = " *D*: published in the dissertation, on other data; not to be compared unless the source is its own."

#: The paper on songs and their words, whose results no source that we could open prints.
_SONGS = (
    "After Yu, Tang, Raposo, Chen (arXiv:1711.08976). No number of theirs stands beside ours: of the paper only the "
    "abstract could be read, and its songs are others.",
    "Each of five deals tests one file of each song of a quarter of the songs. Doc2vec and tf-idf learn from the "
    "training part of each deal alone.",
    "*Pairs shuffled within kinds*: what is left when a song's words are exchanged for those of another of the same "
    "collection and language. *Oracle of the kinds*: an order that knows these two and nothing else. Whether anything "
    "is found beyond them: [kinds.md](kinds.md).",
)

#: The paper on pictures and songs, whose results no source that we could open prints either.
_IMAGE2SONG = (
    "After Li, Hu, Lu (Image2song, ICCV 2017, arXiv:1708.05851). No number of theirs stands beside ours: of the paper "
    "only the abstract could be read, and its pictures and songs are others.",
    "A picture and a song belong together where a keyword of the picture is a word of the lyric; of the keywords those "
    "count that are neither rare nor everywhere (`image2song.relevance`). So an overlap of words with the *true* "
    "keywords is right by construction: a check, no competitor. Ranks and R@k are those of the first item that belongs "
    "to the query, MAP counts all of them; queries to which nothing belongs are left out.",
    "Pictures by group and songs by opening are dealt three times; in each deal the test pictures and the test songs "
    "are both unseen, and the vocabulary, the predictor of tags, word vectors and networks come from its training "
    "part.",
    "*Popularity* does not look at the query: long lyrics first, and pictures with common keywords first.",
)

#: What one should use for pairs, on all that is known of the default songs.
_PAIRS = (
    "All methods have the same views and, seed by seed, the same held-out songs; training songs are the same "
    "throughout, and features were trained on them alone (but for skip-gram vectors, which have seen all lyrics, those "
    "of the test songs, too).",
    "*Pairs shuffled within kinds*: what is left when pairs are exchanged among songs of one collection (Bach, "
    "trecento, others). *Oracle of the kinds*: an order that knows the collection and nothing else.",
    "*tuned*: settings chosen by cross-validation over training songs, anew for every seed and pair of views. *CSLS*: "
    "scores less the mean of the ten best of their query and of their item, which takes all queries at once: where one "
    "query comes alone, it cannot be had.",
)

#: The dissertation's own contradictions, by table; our readings of it where they matter to the numbers.
NOTES = {
    "4.1": (
        "Audio → visual: a part of the audio (k selected of n chunks) or all of it (`mean`) finds whole videos of its "
        "mood.",
        "The dissertation names no method for Multi-views; ours is a stand-in.",
        _TWICE,
        "Its prose says that MAP grows with the number of pairs; in its table S-DCCA (8,000 pairs) is above "
        "S-DCCA-extend1.",
        "Its 0.8 and 1.5 million pairs for extend1 and extend2 are impossible for 8,000 items of ten moods: at least "
        "3.2 and 6.4 million.",
        "MV-10K's video features are max-pooled over time in 4.2.4 and averaged in 5.3.2 (`mv10k.features.visual`).",
    ),
    "5.2": (
        "The average's deviation is that of the folds' averages.",
        "The published UGACH is at chance on MV-10K and little above it on VEGAS. Ours is, too, when few items are "
        "trained on as its authors do, by gradient descent at their rates (docs/differences.md); by Adam it is not. "
        "All published MV-10K numbers are within 13 points of chance.",
        "The text's gains differ from its table: 23.63 for C-CCA over DCCA (65.16 - 41.43 = 23.73), 4.28 for TNN-C-CCA "
        "over C-DCCA (74.66 - 70.34 = 4.32).",
        "DCCA on VEGAS is 41.43/42.15 here, .1409/.1249 in an earlier notebook of the authors.",
        "The authors' released C-CCA is ordinary regularised CCA, their CCA scikit-learn's without a ridge: a part of "
        "the published gap between the two may not be class information.",
        _DISAGREE,
        _TWICE,
    ),
    "5.3": (
        "The text gives 14.02 for TNN, semi-hard, on MV-10K audio → visual; the table 14.20.",
        "The published TNN with hard triplets is near chance (10.15 on VEGAS, 10.32 on MV-10K).",
        "The text's worked count of triplets, 6 × 63 × 70 = 264640, is 26,460.",
    ),
    "5.4": (
        "The text trains with cosine distance and a sigmoid last layer; the released code with squared Euclidean "
        "distance, on a tanh followed by a sigmoid.",
    ),
    "5.5": (
        _DISAGREE,
        _REPEATED,
        "Behind tanh and sigmoid (the released code) no two outputs are further apart than 0.352 in cosine distance: "
        "every larger margin is the same objective there. Behind a plain sigmoid (the text, and ours) margins differ "
        "up to 1.",
        _BATCHES,
    ),
    "5.6": (
        _DISAGREE,
        _REPEATED,
        _BATCHES,
        "Hours are the dissertation's; our times, which differ from run to run, are in `results/timing/`.",
    ),
    "6.2": (
        "The dissertation does not state its pool. Its Random row (median rank about 7,312) fits a pool of "
        "about 14,600; its model's audio-lyrics rows (about 716) are the chance median of a pool of 1,430.",
        "The published Random R@1 of 2.8 % cannot be chance for one relevant item (0.007 % in that pool); "
        "the published Random R@10 lies above the published model's between audio and lyrics (7.6 % against "
        "6.3 %).",
        "`sheet=sheet_plain`: sheet music printed without its lyrics. With them under the staff, finding lyrics by "
        "sheet music and back is partly reading text.",
        "Lyrics-to-sheet and sheet-to-lyrics are exchanged between the published tables 6.2 and 6.3.",
        "The published sample counts (14,454, and a split of 19,135) contradict each other.",
        "Deviation over seeds: each seeds the method and deals the held-out songs anew into validation and "
        "test. Training songs are the same throughout, since features are learned from them.",
    ),
    "beyond_pair": (
        *_PAIRS,
        "Lyrics are seven numbers a syllable, of its place in word and sentence, its letters and its vowels; nothing "
        "is learned of what words mean. What is found between music and lyrics is found by rhythm and phrases.",
    ),
    "beyond_pair_notes": (
        *_PAIRS,
        "The reader of the notes was trained on the training songs' pictures and their known notes. Of the test songs "
        "some are printed alike and sound alike, so that no method can tell which one is meant: R@1 between sound and "
        "sheet music cannot be 100 %.",
    ),
    "beyond_pair_words": _PAIRS,
    "beyond_pair_printed": (
        *_PAIRS,
        "Here the lyrics stand under the staff, so that a picture finds its lyrics by what can be read off it: a leak, "
        "not a result. What counts is [the table without them](table_beyond_pair.md).",
    ),
    "songs": _SONGS,
    "image2song": _IMAGE2SONG,
    "image2song_masked": (
        *_IMAGE2SONG,
        "The words of the vocabulary are removed from every lyric that a method reads; what is relevant stays. Equal "
        "words can find nothing here, so that bags of words are at chance and do not stand here: it is the table on "
        "which an understanding of language can show.",
    ),
    "songs_categories": (
        *_SONGS,
        "MRR of a class: one over the rank of the first song of the query's class, its own words or sound counted. "
        "Songs of which a class is not known are no queries for it.",
    ),
    "6.3": (
        "Lyrics-to-sheet and sheet-to-lyrics are exchanged between the published tables 6.2 and 6.3.",
        "The published pool is not stated (see Table 6.2).",
        "The dissertation names GCCA beside these, without numbers.",
        "The published median rank of Baseline, sheet → lyrics, could not be read.",
    ),
}


def under(number: str, runs: Iterable[Run]) -> list[str]:
    """Collect the notes of a table.

    Parameters
    ----------
    number : str
        The dissertation's number of the table.
    runs : iterable of Run
        Those that stand in it.

    Returns
    -------
    list of str
        How to read it, the sources, what methods say of themselves, the published contradictions.
    """
    runs = list(runs)
    ranked = any("median_rank" in measures(scores) for run in runs for scores in _scores(run))
    units = "R@k and MRR in per cent, MedR and MeanR ranks (1 is best)" if ranked else "MAP in per cent"
    return [
        f"{units}, mean ± standard deviation over folds and seeds; the best of ours in bold."
        + (_PUBLISHED if any(row["table"] == number for row in published()) else ""),
        *_facts(runs),
        *_remarks(runs),
        *(_batches(runs) if number in ("5.5", "5.6") else ()),
        *NOTES.get(number, ()),
    ]


def _scores(run: Run) -> list[dict[str, object]]:
    return [run.result[f"{query}->{target}"] for query, target in directions(run.result)]


def _facts(runs: Iterable[Run]) -> list[str]:
    """Say what the numbers were computed from, once for all experiments that share it."""
    shared: dict[str, dict[str, None]] = {}
    for run in runs:
        result = run.result
        weights = ", ".join(f"{view} {kind}" for view, kind in result["weights"].items() if kind)
        pools = sorted({scores["pool"] for scores in _scores(run)})  # type: ignore[type-var]
        dropped = sum(result["n_dropped"].values())
        fact = (
            f"source **{result['source']}**, {result['n_items']} items"
            + (f" ({dropped} more lack a view)" if dropped else "")
            + (f", {result['n_train']} of them for training" if result["n_train"] else "")
            + f", pool {', '.join(map(str, pools))}, "
            + (f"{result['n_folds']} folds, " if result["n_folds"] > 1 else "")
            + (f"{result['n_seeds']} seeds from {result['seed']}" if result["n_seeds"] > 1 else "one seed")
            + (f"; feature weights: {weights}" if weights else "")
            + "."
        )
        overrides = "" if "setting" in result or not run.setting else f" ({run.setting})"
        shared.setdefault(f"{result['dataset']}, {fact}", {})[f"`{run.key}`{overrides}"] = None
    return [f"{', '.join(keys)}: {fact}" for fact, keys in shared.items()]


def _batches(runs: Iterable[Run]) -> list[str]:
    """Say how many items the batches of ours hold."""
    sizes: dict[str, dict[str, None]] = {}
    for run in runs:
        params, n_train = run.result["params"], run.result["n_train"]
        size = (
            n_train // params["batches"] if params.get("batches") else min(params.get("batch_size", n_train), n_train)
        )
        sizes.setdefault(str(size), {})[run.setting] = None
    if len(sizes) == 1:
        return [f"Batches of ours hold {next(iter(sizes))} items."]
    return (
        [f"Batches of ours hold {', '.join(f'{n} items ({_listed(of)})' for n, of in sizes.items())}."] if sizes else []
    )


def _listed(settings: Iterable[str]) -> str:
    return ", ".join(f"`{setting}`" for setting in settings)


def _remarks(runs: Iterable[Run]) -> list[str]:
    """Collect what methods say of their runs (an approximation, a stand-in), once for those who say the same."""
    shared: dict[str, dict[str, None]] = {}
    for run in runs:
        for remark in run.result.get("notes", ()):
            said = remark.removeprefix(f"{run.experiment.model}: ").rstrip(".")
            shared.setdefault(said, {})[run.title] = None
    return [f"{', '.join(titles)}: {remark}." for remark, titles in shared.items()]
