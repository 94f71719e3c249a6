"""MV-10K: music videos of YouTube-8M, filtered from its shards (D 3.1.1)."""
