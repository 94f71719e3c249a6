"""Doc2vec of 10,941 texts beside a plain gensim loop; the bound is 10 s for training by 6 epochs on one core.

The texts are those of `mtm.source: lmd`, where its archive is given; else as many words, drawn by Zipf's law from as
large a vocabulary. The peer is gensim's tutorial: `TaggedDocument`, the same settings, `infer_vector` as it comes,
whose vectors change from process to process. It takes words apart by blanks, in lower case. 300 dimensions.

    python benchmarks/doc2vec.py --archive ../shared/data/lyrics-melody-79719791.tar.gz
    python benchmarks/doc2vec.py --epochs 20
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from _measure import arguments, cost

from unisono.config.text_extractors import Doc2Vec
from unisono.errors import DataError
from unisono.features.texts import doc2vec
from unisono.io import archive, unpickle

#: Of the texts of lmd.
N_WORDS, N_KNOWN = 130, 15_473


def from_archive(path: Path, n: int) -> list[str]:
    """Read the words of songs, each once where it stands for several syllables."""
    texts: list[str] = []
    for name, data in archive.members(path, only=lambda name: name.endswith(".npy")):
        try:
            sentences = unpickle.load_npy(data, name=name)[0, 2]
            texts.append(" ".join(key for line in sentences for word in line for key, _ in groupby(map(str, word))))
        except (DataError, IndexError, TypeError):
            continue
        if len(texts) == n:
            break
    return texts


def drawn(n: int, n_words: int = N_WORDS) -> list[str]:
    """Draw texts by Zipf's law."""
    generator = np.random.default_rng(0)
    # As even as theirs: gensim keeps 70 % of the words of either for training, the rest being too frequent.
    shares = (6.0 + np.arange(N_KNOWN)) ** -1.25
    words = generator.choice(N_KNOWN, size=(n, n_words), p=shares / shares.sum())
    return [" ".join(f"w{word}" for word in text) for text in words]


def peer(texts: list[str], settings: Doc2Vec) -> Any:
    """Train as gensim's tutorial does."""
    from gensim.models.doc2vec import Doc2Vec as Gensim
    from gensim.models.doc2vec import TaggedDocument

    documents = [TaggedDocument(text.lower().split(), [row]) for row, text in enumerate(texts)]
    return Gensim(
        documents,
        dm=0,
        vector_size=settings.dimensions,
        window=settings.window,
        min_count=settings.min_count,
        negative=settings.negative,
        epochs=settings.epochs,
        workers=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, help="the lyrics-melody data, .tar.gz")
    parser.add_argument("--texts", type=int, default=10_941)
    parser.add_argument("--epochs", type=int, default=6)
    args = arguments(parser, texts=60, epochs=2)
    texts = from_archive(args.archive, args.texts) if args.archive else drawn(args.texts)
    settings = Doc2Vec(
        algorithm="dbow",
        dimensions=300,
        window=5,
        min_count=2,
        negative=5,
        sample=0.001,
        epochs=args.epochs,
        extra_texts="",
        seed=0,
    )
    doc2vec.fit(texts[:20], settings.model_copy(update={"min_count": 1}))  # imports are not counted
    n_words = sum(len(text.split()) for text in texts)
    print(f"{len(texts)} texts, {n_words} words, {args.epochs} epochs, {settings.dimensions} dimensions")
    ours = cost(lambda: doc2vec.fit(texts, settings))
    print(f"training, ours     {ours}")
    theirs = cost(lambda: peer(texts, settings))
    print(f"training, gensim   {theirs}")
    print(f"vectors, ours      {cost(lambda: ours.result.embed(texts))}")
    print(f"vectors, gensim    {cost(lambda: [theirs.result.infer_vector(text.lower().split()) for text in texts])}")


if __name__ == "__main__":
    main()
