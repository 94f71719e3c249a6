"""Write what other stages depend on: fingerprints of code, and digests of what they read of params.yaml.

The code is that behind every stage, method, extractor and data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the fingerprints, a file each")
    args = parser.parse_args()

    from unisono.config.compute import Compute
    from unisono.evaluation.params_file import check_params_file
    from unisono.planning import sizes
    from unisono.store import code, digests

    # All of params.yaml, so that a misspelt key, or what own data are too few for, stops the first stage that runs.
    sizes.refuse(check_params_file())
    notes = Compute.load().scratch / "code.json"
    code.write_fingerprints(Path(__file__).parent, args.out, notes=notes, params=digests.digests())


if __name__ == "__main__":
    errors.run(main)
