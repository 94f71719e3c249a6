"""Which texts are one song by their words, and which are near duplicates: 10,000 texts in 30 s of the processor.

The peer compares every pair of some texts with Python's sets, as one would write it first; its seconds for all texts
are those times the number of pairs. Without an archive the texts are random, a part of which repeat others.

    python benchmarks/song_groups.py --archive ../shared/data/lyrics-melody-79719791.tar.gz
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from _measure import arguments

from unisono.config.songs import Songs
from unisono.datasets import words
from unisono.datasets.mtm import lmd
from unisono.errors import DataError
from unisono.io import archive, unpickle


def read(place: Path, *, least: int) -> list[str]:
    """Texts of the lyrics-melody data with enough words."""
    found = []
    folder = Songs.load().pieces.lmd.folder
    for name, data in archive.members(place, suffixes=lmd.SUFFIXES, under=folder):
        try:
            text = lmd.text_of(lmd.columns(unpickle.load_npy(data, name=name), name)[2])
        except DataError:
            continue
        if len(words.split(text)) >= least:
            found.append(text)
    return found


def made(n: int) -> list[str]:
    """Random texts of 140 words as frequent as those of a language; every second one repeats a half of another."""
    rng = np.random.default_rng(0)
    texts: list[str] = []
    for index in range(n):
        own = [f"w{word}" for word in rng.zipf(1.3, 140) % 20_000]
        if index % 2:
            own[:70] = texts[int(rng.integers(len(texts)))].split()[:70]
        texts.append(" ".join(own))
    return texts


def plain(texts: list[str]) -> list[tuple[int, int]]:
    """Compare every pair with sets."""
    sets = []
    for text in texts:
        split = words.split(text)
        sets.append({tuple(split[i : i + words.N_WORDS]) for i in range(len(split) - words.N_WORDS + 1)})
    return [
        (a, b)
        for a, b in combinations(range(len(sets)), 2)
        if sets[a] and sets[b] and len(sets[a] & sets[b]) >= words.SHARE * min(len(sets[a]), len(sets[b])) - 1e-9
    ]


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Give the result and the processor seconds of one call."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, help="the lyrics-melody data, .tar.gz; random texts without it")
    parser.add_argument("--items", type=int, default=10_000, help="random texts")
    parser.add_argument("--peer-items", type=int, default=1_000, help="texts that the plain loop compares")
    args = arguments(parser, items=200, peer_items=50)
    texts = read(args.archive, least=20) if args.archive else made(args.items)
    pairs, links_s = timed(lambda: words.links(texts))
    groups, groups_s = timed(lambda: words.groups(len(texts), pairs))
    near, near_s = timed(lambda: words.near_pairs(texts))
    sizes = Counter(groups.tolist())
    some = texts[: args.peer_items]
    expected, peer_s = timed(lambda: plain(some))
    assert expected == [tuple(pair) for pair in words.links(some).tolist()]
    whole_s = peer_s * (len(texts) / len(some)) ** 2
    print(f"{len(texts)} texts: {len(sizes)} songs, {max(sizes.values())} texts of the largest, {len(near)} near pairs")
    print(f"links {links_s:.1f} s, groups {groups_s:.1f} s, near pairs {near_s:.1f} s of the processor")
    print(
        f"plain loop, links alone: {peer_s:.1f} s for {len(some)}, {whole_s:.0f} s for all ({whole_s / links_s:.0f} x)"
    )


if __name__ == "__main__":
    main()
