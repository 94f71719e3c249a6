"""Loads, as it is imported, the model that tells languages apart: once for all inputs, since it takes half a second."""

from unisono.datasets.songs import categories

categories.language("the sea is calm tonight")
