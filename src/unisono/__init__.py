"""unisono: cross-modal music retrieval, from raw sources to every table, as one DVC pipeline."""

__version__ = "0.1.0"
