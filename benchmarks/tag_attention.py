"""Image2song at the paper's size: `tag_attention` trained and scored, every measure taken, and a plain loop beside it.

The sizes are those of the paper's data, 16,973 pictures and 6,373 lyrics, of which 75 and 70 per cent are trained on.
Items are random words of a small vocabulary, repeated with a little noise, so that no figure of retrieval means
anything and none is printed. The plain loop is what one writes first in torch: a packed bidirectional LSTM and the
perceptron on [q, z, q * z] of all pairs. It has the same weights and batches, without dropout, and must have the same
losses and scores; its scoring is timed on some pictures. Processor seconds, one thread.

    python benchmarks/tag_attention.py
    python benchmarks/tag_attention.py --epochs 1 --peer-steps 0
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from _measure import _peak_kib, arguments, cost
from scipy import sparse
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unisono import models
from unisono.metrics import relevance
from unisono.models.parts import attention, deep

WORDS, WIDTH, LONGEST, TAGS = 3000, 50, 64, 104


def items(n_pictures: int, n_lyrics: int) -> tuple[dict[str, np.ndarray], np.ndarray, sparse.csr_array]:
    """Vectors of pictures, words of lyrics with their number, and which share a tag; repeated from a pool of each."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((WORDS, WIDTH)).astype(np.float32)
    tags = generator.integers(TAGS, size=(902, 2))[generator.integers(902, size=n_pictures)]
    pool = generator.integers(WORDS, size=(545, LONGEST))
    lengths = generator.integers(20, LONGEST + 1, size=545)
    drawn = generator.integers(545, size=n_lyrics)
    has = sparse.lil_array((545, TAGS), dtype=bool)
    for row, (words, length) in enumerate(zip(pool, lengths, strict=True)):
        has[row, words[:length][words[:length] < TAGS]] = True
    its = np.zeros((n_pictures, TAGS), dtype=bool)
    its[np.arange(n_pictures)[:, None], tags] = True
    relation = sparse.csr_array(sparse.csr_array(its) @ has.tocsr()[drawn].T)
    views = {"image": vectors[tags].mean(axis=1), "lyrics": vectors[pool[drawn]]}
    # Scores of equal items are computed once, so that they are made unequal.
    views = {view: a + 1e-3 * generator.standard_normal(a.shape, dtype=np.float32) for view, a in views.items()}
    return views, lengths[drawn], relation


class Plain(nn.Module):
    """The peer's network."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        units = ours.forth.hidden_size
        self.lstm = nn.LSTM(WIDTH, units, batch_first=True, bidirectional=True)
        for name, parameter in ours.forth.named_parameters():
            getattr(self.lstm, name).data.copy_(parameter.data)
        for name, parameter in ours.back.named_parameters():
            getattr(self.lstm, f"{name}_reverse").data.copy_(parameter.data)
        self.gaze, self.weights, self.first, self.last = ours.gaze, ours.weights, ours.first, ours.last

    def forward(self, pictures: torch.Tensor, lyrics: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs."""
        packed = pack_padded_sequence(lyrics, counts, batch_first=True, enforce_sorted=False)
        h = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=lyrics.shape[1])[0]
        logits = torch.einsum("pk,slk->psl", self.weights(pictures), h)
        real = torch.arange(lyrics.shape[1]) < counts[:, None]
        z = torch.einsum("psl,slk->psk", torch.softmax(logits.masked_fill(~real, -torch.inf), dim=2), h)
        q = self.gaze(pictures)[:, None].expand_as(z)
        scores: torch.Tensor = self.last(torch.relu(self.first(torch.cat([q, z, q * z], dim=2))))[:, :, 0]
        return scores


def plain_steps(
    model: Any, views: dict[str, np.ndarray], counts: np.ndarray, relation: sparse.csr_array, steps: int
) -> tuple[list[float], float]:
    """Train the peer for some steps from our first weights; return its losses and processor seconds a step."""
    with deep.seeded(model.seed):
        network = Plain(model._network(WIDTH, WIDTH))
        # As ours draws: its own LSTM has drawn from the generator meanwhile.
    with deep.seeded(model.seed):
        model._network(WIDTH, WIDTH)
        optimiser = torch.optim.Adam(network.parameters(), lr=model.learning_rate)
        image, lyrics, real = (torch.as_tensor(array) for array in (*views.values(), counts))
        losses, start = [], time.process_time()
        for number, (rows, pictures, relevant) in enumerate(
            attention.Batches(relation.T.tocsr(), model.batch_size, model.extra)
        ):
            if number == steps:
                break
            scores = network(image[pictures], lyrics[rows], real[rows])
            loss = nn.functional.binary_cross_entropy_with_logits(
                scores, relevant, pos_weight=torch.tensor(model.positive_weight)
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
    return losses, (time.process_time() - start) / len(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=16_973)
    parser.add_argument("--lyrics", type=int, default=6_373)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--peer-steps", type=int, default=20, help="steps of the plain loop; 0: not run")
    parser.add_argument("--peer-pictures", type=int, default=40, help="pictures that the plain loop scores")
    args = arguments(parser, pictures=120, lyrics=90, epochs=2, peer_steps=1, peer_pictures=5)
    views, counts, relation = items(args.pictures, args.lyrics)
    n, m = round(0.75 * args.pictures), round(0.7 * args.lyrics)
    parts = {"train": (slice(n), slice(m)), "test": (slice(n, None), slice(m, None))}
    (p, s), (q, t) = parts.values()
    train, test = ({"image": views["image"][a], "lyrics": views["lyrics"][b]} for a, b in parts.values())
    trained, tested = relation[p][:, s], relation[q][:, t]

    def fit(epochs: int, **params: Any) -> Any:
        model: Any = models.create("tag_attention", epochs=epochs, min_steps=0, **params)
        model.device, model.progress = "cpu", False
        return model.fit(train, relevance=trained, lengths={"lyrics": counts[s]})

    def score() -> np.ndarray:
        found: np.ndarray = model.score(
            {"image": test["image"]}, {"lyrics": test["lyrics"]}, gallery_lengths={"lyrics": counts[t]}
        )
        return found

    with torch.random.fork_rng():
        fit(1, units=2, hidden=2)
    learned = cost(lambda: fit(args.epochs))
    model = learned.result
    scored = cost(score)
    measured = cost(
        lambda: [relevance.measure(*each) for each in ((scored.result, tested), (scored.result.T, tested.T))]
    )
    batches = len(attention.Batches(trained.T.tocsr(), model.batch_size, model.extra))
    steps = batches * len(model.history_)
    print(f"{n} pictures and {m} lyrics, {trained.nnz} relevant pairs: {len(model.history_)} epochs of {batches} steps")
    print(f"training {learned}, {1000 * learned.cpu_s / steps:.1f} ms a step")
    print(f"scores   {scored}, {len(test['image'])} pictures x {len(test['lyrics'])} lyrics")
    print(f"measures {measured}, both directions")
    total = learned.cpu_s + scored.cpu_s + measured.cpu_s
    print(f"all      {total / 60:8.2f} min of processor time; {_peak_kib() / 2**20:.2f} GiB of the whole process")
    if not args.peer_steps:
        return
    bare: Any = models.create("tag_attention", dropout=0.0, epochs=1)
    ours = fit(1, dropout=0.0)
    losses, plain_s = plain_steps(
        bare, train, counts[s], trained, max(args.peer_steps, 1) if not args.smoke else batches
    )
    with torch.inference_mode():
        peer = Plain(model._fitted())
        given = test["image"][: args.peer_pictures], test["lyrics"], counts[t]
        plain = cost(lambda: peer(*(torch.as_tensor(array) for array in given)).numpy())
    away = np.abs(plain.result - scored.result[: args.peer_pictures]).max()
    each = plain.cpu_s / args.peer_pictures * len(test["image"])
    print(
        f"plain loop {1000 * plain_s:.1f} ms a step, {each:.1f} s for all scores (from {args.peer_pictures} pictures)"
    )
    if not args.smoke:
        print(f"ratio      {plain_s / (learned.cpu_s / steps):.2f} a step, {each / scored.cpu_s:.2f} for scores")
    print(f"scores differ by {away:.1e} at most (bound 1e-3 of {np.abs(scored.result).max():.1f})")
    if away > 1e-3 * max(np.abs(scored.result).max(), 1):
        raise SystemExit("tag_attention and the plain loop do not have the same scores")
    if len(losses) == batches:
        mine = ours.history_[0]["loss"]
        print(f"losses {mine:.6f} and {np.mean(losses):.6f}")
        if abs(mine - np.mean(losses)) > 1e-3 * mine:
            raise SystemExit("tag_attention and the plain loop do not have the same losses")


if __name__ == "__main__":
    main()
