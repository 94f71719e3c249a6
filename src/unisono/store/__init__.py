"""Why a thing runs again, and where it runs: fingerprints of code, kept fits, shards, jobs."""
