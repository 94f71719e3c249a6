"""A model's folder: a user's own, or brought from the hub into its usual cache.

**Conventions.** Of a model on the hub the files at its top that `WANTED` names are brought, never code or pickles. What
is in the cache at the wanted revision is not asked for again; ``HF_HOME``, ``HF_ENDPOINT`` and ``HF_HUB_OFFLINE`` mean
what they mean to the hub's own library, which brings the files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from unisono.config.huggingface import HuggingFace
from unisono.errors import DataError, DownloadError, MachineError, machine_fault, pass_machine, require
from unisono.features.huggingface import PACKAGE, checks

#: Names of files that are brought.
WANTED = (
    *(checks.CONFIG, checks.WEIGHTS, checks.INDEX, "model-*-of-*.safetensors"),
    *checks.PROCESSORS,
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "*.model"),
)
_PATTERNS: Mapping[str, Any] = {"allow_patterns": list(WANTED), "ignore_patterns": ["*/*"]}
#: Most bytes that are brought of a model.
MAX_BYTES = 32 * 2**30

S = TypeVar("S", bound=HuggingFace)


def fetch(settings: S) -> S:
    """Bring a model onto this machine, and look whether it can be taken.

    Parameters
    ----------
    settings : HuggingFace

    Returns
    -------
    HuggingFace
        The same settings with the model's folder as ``location``, the commit as ``revision`` (empty for a user's own
        folder, after which ``model`` is named then) and the checksum of the weights: SHA-256 of their file, or of the
        list of the checksums of several.

    Raises
    ------
    MissingExtra
        transformers is not installed.
    DownloadError
        The model or its revision is not on the hub, or the hub cannot be reached and the cache does not have it.
    DataError
        It has no weights as safetensors, wants code of its own, asks for more than any model, or its weights are not
        those that ``sha256`` names.
    """
    require(PACKAGE)
    if settings.location:
        folder, model, revision = Path(settings.location), Path(settings.location).resolve().name, ""
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; give the one that holds {checks.CONFIG}, or empty `location`")
    else:
        folder, model = _brought(settings.model, settings.revision), settings.model
        revision = folder.name
    checks.read_config(folder, model)
    checks.check_processors(folder, model)
    digest = _digest(checks.weight_files(folder, model))
    if settings.sha256 not in ("", digest):
        raise DataError(
            f"{model}: its weights have SHA-256 {digest}, expected {settings.sha256}; correct `sha256`, or take the "
            "revision that was meant"
        )
    update = {"model": model, "revision": revision, "location": str(folder.resolve()), "sha256": digest}
    return settings.model_copy(update=update)


def _digest(files: list[Path]) -> str:
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _brought(model: str, revision: str) -> Path:
    """Find a model in the cache, or bring it there; its folder is named after the commit."""
    import huggingface_hub
    from huggingface_hub import constants, errors

    try:
        found = Path(huggingface_hub.snapshot_download(model, revision=revision, local_files_only=True, **_PATTERNS))
        checks.weight_files(found, model)
        checks.read_config(found, model)
        return found
    # Not there, or not all of it.
    except (errors.LocalEntryNotFoundError, DataError, ValueError):
        pass
    api = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    where = f"{model} at {revision}"
    try:
        facts = api.model_info(model, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in facts.siblings or []}
        wanted = list(huggingface_hub.utils.filter_repo_objects(sizes, **_PATTERNS))
        if not any(name.endswith(".safetensors") for name in wanted):
            raise checks.no_safetensors(where, iter(sizes))
        if sum(sizes[name] for name in wanted) > MAX_BYTES:
            raise DataError(f"{where}: has more than {MAX_BYTES:,} bytes; take a smaller model")
        return Path(api.snapshot_download(model, revision=revision, **_PATTERNS))
    except errors.GatedRepoError:
        raise DownloadError(
            f"{model}: its owner asks for consent; give it on {constants.ENDPOINT}/{model} and log in, or take another"
        ) from None
    except errors.RevisionNotFoundError:
        raise DownloadError(f"{model}: has no revision {revision!r}; correct `revision` (usually main)") from None
    except errors.RepositoryNotFoundError:
        raise DownloadError(
            f"{model}: no such model on the hub, or a private one; correct `model`, or give a folder as `location`"
        ) from None
    except (errors.HTTPError, errors.EntryNotFoundError, OSError, ValueError) as error:
        if machine_fault(error):
            raise MachineError(f"{where}: cannot be kept: {error}; free space and run again") from None
        pass_machine(error)
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DownloadError(
            f"{where}: the hub cannot be asked ({reason}), and the cache {constants.HF_HUB_CACHE} does not have it; "
            "without a network, copy HF_HOME from where it was brought, or give the model's folder as `location`"
        ) from None
