"""The part of a model that fits a task, with its weights, and what is taken of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.config.huggingface import HuggingFace
from unisono.errors import ConfigError, DataError, UnisonoError, naming_extras, pass_machine
from unisono.features.huggingface import checks

if TYPE_CHECKING:
    import torch

#: Names of a network's first input by task, and of the part of a model that has others beside it.
INPUTS = {
    "audio": ("input_values", "input_features"),
    "image": ("pixel_values",),
    "text": ("input_ids",),
}
PARTS = {"audio": "audio_model", "image": "vision_model", "text": "text_model"}
#: What a file of weights may lack: parts that are not used here, or not outside training.
_NOT_NEEDED = ("pooler.", "masked_spec_embed", "mask_token", "position_ids")
#: So many times the numbers of its files may a network have: some parts are not stored.
_SLACK = 1.5


@contextmanager
def blaming(model: str, what: str) -> Iterator[None]:
    """Turn whatever transformers raises of a model into `DataError`; let nothing in it reach the network.

    Parameters
    ----------
    model : str
        Its name.
    what : str
        What was done with it.

    Raises
    ------
    DataError
        With the first line of what was raised.
    """
    from huggingface_hub import constants
    from transformers.utils import logging

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except UnisonoError:
        raise
    except Exception as error:  # transformers raises nearly anything
        pass_machine(error)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{model}: {what} failed ({reason}); get its files again, or take another model") from None
    finally:
        constants.HF_HUB_OFFLINE = before


class Network:
    """The part of a model that fits a task.

    Parameters
    ----------
    settings : HuggingFace
        From `unisono.features.huggingface.hub.fetch`.

    Raises
    ------
    DataError
        The model is for another task, has more numbers than its files, lacks weights, or is damaged.
    ConfigError
        ``device`` is not there.
    """

    def __init__(self, settings: HuggingFace) -> None:
        import torch

        self.settings = settings
        self.folder, self.model = Path(settings.location), settings.model
        raw = checks.read_config(self.folder, self.model)
        files = checks.weight_files(self.folder, self.model)
        self._device = _device(settings.device)
        with naming_extras(), blaming(self.model, "loading it"):
            import transformers

            if raw["model_type"] not in transformers.CONFIG_MAPPING:
                raise DataError(
                    f"{self.model}: transformers {transformers.__version__} knows no network {raw['model_type']!r}; "
                    "upgrade transformers, or take another model"
                )
            self.config = transformers.CONFIG_MAPPING[raw["model_type"]].from_dict(raw)
            with torch.device("meta"):
                empty = transformers.AutoModel.from_config(self.config, attn_implementation="eager")
            self._check(empty, checks.count_numbers(files, self.model))
            whole, facts = transformers.AutoModel.from_pretrained(
                self.folder,
                config=self.config,
                attn_implementation="eager",
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        needless = () if settings.pooling == "own" else _NOT_NEEDED
        lacking = sorted(name for name in facts["missing_keys"] if not any(part in name for part in needless))
        if lacking:
            raise DataError(
                f"{self.model}: its files lack {len(lacking)} weights of the network ({lacking[0]} ...), which would "
                "be random; take another model"
            )
        self._whole = whole.to(self._device).eval()
        self._part = _part(self._whole, settings.task)

    def _check(self, empty: Any, stored: int) -> None:
        """Refuse a network that is for another task or larger than its files, before it takes memory."""
        first = _part(empty, self.settings.task).main_input_name
        if first not in INPUTS[self.settings.task]:
            named = [task for task, names in INPUTS.items() if first in names or hasattr(empty, PARTS[task])]
            raise DataError(
                f"{self.model}: is a model of {' and '.join(named) or first}, not of {self.settings.task}; take one of "
                f"{self.settings.task}"
            )
        n = sum(parameter.numel() for parameter in empty.parameters())
        if n > _SLACK * stored + 2**20:
            raise DataError(
                f"{self.model}: {checks.CONFIG} asks for {n:,} numbers, its files of weights hold {stored:,}; get both "
                "again"
            )

    def apply(self, inputs: Mapping[str, torch.Tensor]) -> np.ndarray:
        """Apply the network to a batch.

        Parameters
        ----------
        inputs : mapping of str to torch.Tensor
            As the model's processor makes them; (n, ...).

        Returns
        -------
        np.ndarray [shape=(n, d), dtype=float32]
            Pooled over what the network divides its input into: time, places, tokens that are none of padding.

        Raises
        ------
        ConfigError
            The model has no such layer, or none of its own vectors.
        DataError
            It does not take the inputs, or what comes out is not finite.
        """
        import torch

        half = self.settings.half and self._device.type == "cuda"
        with (
            blaming(self.model, "applying it"),
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.float16, enabled=half),
        ):
            on_device = {name: values.to(self._device) for name, values in inputs.items()}
            if self.settings.pooling == "own":
                pooled = self._own(on_device)
            else:
                places = _as_places(self._layer(on_device)).float()
                mask = on_device.get("attention_mask") if self.settings.task == "text" else None
                pooled = pool(places, self.settings.pooling, mask)
            found: np.ndarray = pooled.float().cpu().numpy()
        if not np.isfinite(found).all():
            hint = "set half: false" if half else "its weights are damaged, or it is no model for this input"
            raise DataError(f"{self.model}: gives NaN or infinite values; {hint}")
        return found

    def _layer(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Take the states of a layer (n, ...); of the last one what the network itself gives out."""
        output = self._part(**inputs, output_hidden_states=True)
        states, layer = output.hidden_states, self.settings.layer
        n = len(states or ())
        if not -n <= layer < n:
            raise ConfigError(f"{self.model}: layer {layer} is not there; 0 (its input) to {n - 1}, or -{n} to -1")
        last: torch.Tensor = output.last_hidden_state if layer in (-1, n - 1) else states[layer]
        return last

    def _own(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Take the vector that the model itself makes, in a space shared by its parts where it has several."""
        method = getattr(self._whole, f"get_{self.settings.task}_features", None)
        output = self._part(**inputs) if method is None else method(**inputs)
        found: torch.Tensor | None = getattr(output, "pooler_output", None if method is None else output)
        if found is None:
            raise ConfigError(f"{self.model}: makes no vector of its own; set pooling: mean, max or first")
        return found


def pool(places: torch.Tensor, pooling: str, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Make one vector of those of all places.

    Parameters
    ----------
    places : torch.Tensor [shape=(n, l, d)]
    pooling : {"mean", "max", "first"}
    mask : torch.Tensor [shape=(n, l)], optional
        1 where a place counts, 0 for padding, which is at the end.

    Returns
    -------
    torch.Tensor [shape=(n, d)]
    """
    if pooling == "first":
        return places[:, 0]
    if mask is None:
        return places.mean(1) if pooling == "mean" else places.amax(1)
    counts = mask[..., None].to(places.dtype)
    if pooling == "mean":
        return (places * counts).sum(1) / counts.sum(1)
    return places.masked_fill(counts == 0, -float("inf")).amax(1)


def _as_places(states: torch.Tensor) -> torch.Tensor:
    """Bring states to (n, l, d): maps are (n, d, height, width)."""
    return states.flatten(2).transpose(1, 2) if states.ndim == 4 else states.reshape(len(states), -1, states.shape[-1])


def _part(model: Any, task: str) -> Any:
    """Find the part of a model that is for a task: one of several, an encoder, or all of it."""
    inner = getattr(model, PARTS[task], None)
    if inner is not None:
        return inner
    return model.get_encoder() if getattr(model.config, "is_encoder_decoder", False) else model


def _device(wanted: str) -> torch.device:
    """Resolve ``device``: ``auto`` is CUDA where it is present."""
    import torch

    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    number = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and number >= torch.cuda.device_count():
        raise ConfigError(
            f"device: {wanted!r} is not there ({torch.cuda.device_count()} GPUs seen); set it to auto or cpu"
        )
    return torch.device(wanted)
