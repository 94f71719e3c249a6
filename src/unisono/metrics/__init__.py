"""Measures of retrieval on embeddings; `unisono.metrics.relevance` has those on scores and any relevance.

**Conventions.** The similarity is the cosine: higher is nearer. NaN and infinity raise. A zero vector has cosine 0
with everything. Ties never depend on the order of the gallery: average precision takes a tied group as one step, as
scikit-learn does; a rank is 1 + number better + half the other ties, and recall and reciprocal ranks are their
expectation over the orders of tied items, so that a constant embedding scores chance. Identical embeddings tie
exactly, and so do vectors that differ in length alone. Scores are computed a block of queries at a time, in bounded
memory. Values are fractions, not per cents.
"""

from __future__ import annotations

from unisono.metrics import relevance
from unisono.metrics._similarity import inner_products, similarities
from unisono.metrics.chance import (
    chance_class_reciprocal_rank,
    chance_map,
    chance_rank,
    chance_recall,
    chance_reciprocal_rank,
    too_easy,
)
from unisono.metrics.correlation import total_correlation
from unisono.metrics.kinds import Expected, kind_oracle, within
from unisono.metrics.precision import average_precisions, mean_average_precision, precision_recall_curve
from unisono.metrics.ranks import mean_rank, median_rank, rank_among, ranks, recall_at_k, recall_curve
from unisono.metrics.reciprocal import (
    class_reciprocal_rank,
    class_reciprocal_ranks,
    mean_reciprocal_rank,
    reciprocal_ranks,
)
from unisono.metrics.scaling import csls

__all__ = [
    "Expected",
    "average_precisions",
    "chance_class_reciprocal_rank",
    "chance_map",
    "chance_rank",
    "chance_recall",
    "chance_reciprocal_rank",
    "class_reciprocal_rank",
    "class_reciprocal_ranks",
    "csls",
    "inner_products",
    "kind_oracle",
    "mean_average_precision",
    "mean_rank",
    "mean_reciprocal_rank",
    "median_rank",
    "precision_recall_curve",
    "rank_among",
    "ranks",
    "recall_at_k",
    "recall_curve",
    "reciprocal_ranks",
    "relevance",
    "similarities",
    "too_easy",
    "total_correlation",
    "within",
]
