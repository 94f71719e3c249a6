"""Measures of retrieval on embeddings.

**Conventions.** The similarity is the cosine: higher is nearer. NaN and infinity raise. A zero vector has
cosine 0 with everything. Ties never depend on the order of the gallery: average precision takes a tied group
as one step, as scikit-learn does; a rank is 1 + number better + half the other ties, and recall its
expectation over the orders of tied items, so that a constant embedding scores chance. Identical embeddings
tie exactly, and so do vectors that differ in length alone. Scores are computed a block of queries at a time,
in bounded memory. Values are fractions, not per cents.
"""

from __future__ import annotations

from unisono.metrics._similarity import similarities
from unisono.metrics.chance import chance_map, chance_rank, chance_recall, too_easy
from unisono.metrics.correlation import total_correlation
from unisono.metrics.precision import average_precisions, mean_average_precision, precision_recall_curve
from unisono.metrics.ranks import mean_rank, median_rank, rank_among, ranks, recall_at_k, recall_curve

__all__ = [
    "average_precisions",
    "chance_map",
    "chance_rank",
    "chance_recall",
    "mean_average_precision",
    "mean_rank",
    "median_rank",
    "precision_recall_curve",
    "rank_among",
    "ranks",
    "recall_at_k",
    "recall_curve",
    "similarities",
    "too_easy",
    "total_correlation",
]
