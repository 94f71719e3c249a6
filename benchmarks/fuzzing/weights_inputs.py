"""Small good files of models and weights of every format that unisono reads from outside."""

from __future__ import annotations

import io
import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing import inputs

#: Kernels of a network of two layers, for `inception.load_h5`.
KERNELS = [(3, 3, 3, 2), (1, 1, 2, 4)]


def safetensors(arrays: Mapping[str, np.ndarray], **header: Any) -> bytes:
    from safetensors.numpy import save

    return bytes(save(dict(arrays), metadata={key: json.dumps(value) for key, value in header.items()}))


def models() -> list[bytes]:
    from unisono import models as methods

    views, found = {"x": inputs.numbers(24, 5), "y": inputs.numbers(24, 4, seed=1)}, []
    labels = np.arange(24) % 3
    for name, params in (
        ("cca", {}),
        ("kcca", {}),
        ("c_cca", {}),
        ("dcca", {"epochs": 1, "min_steps": 0}),
        ("tnn_c_cca", {"epochs": 1, "min_steps": 0}),
    ):
        model = methods.create(name, n_components=2, **params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(views, labels=labels)
        found.append(inputs.written(model.save, "model"))
    return found


def whitening() -> list[bytes]:
    return [
        safetensors({"mean": inputs.numbers(4), "projection": inputs.numbers(4, 2)}, unisono={"whitening": "fitted"})
    ]


def youtube8m_matrices() -> list[bytes]:
    values = np.abs(inputs.numbers(6, 1)) + 1
    files = {
        "mean.npy": inputs.npy(inputs.numbers(6, 1)),
        "eigenvals.npy": inputs.npy(values),
        "eigenvecs.npy": inputs.npy(inputs.numbers(6, 6)),
    }
    return [inputs.tarred(files, "w:gz")]


def vggish_pca() -> list[bytes]:
    with io.BytesIO() as file:
        np.savez_compressed(file, pca_eigen_vectors=inputs.numbers(128, 128), pca_means=inputs.numbers(128, 1))
        return [file.getvalue()]


def thin() -> dict[str, int]:
    """Widths of a VGGish network of two channels a layer."""
    from unisono.features import vggish

    return dict.fromkeys(vggish.WIDTHS, 2)


def vggish_checkpoint() -> list[bytes]:
    from unisono.features import vggish
    from unisono.features.tf_runtime import tensorflow

    v1 = tensorflow().compat.v1

    def write(path: Path) -> None:
        with v1.Graph().as_default(), v1.Session() as session:
            drawn = vggish.untrained(0, thin())
            variables = {f"vggish/{k}": v1.get_variable(k, initializer=v) for k, v in drawn.items()}
            session.run(v1.global_variables_initializer())
            saver = v1.train.Saver(variables, write_version=v1.train.SaverDef.V1)
            saver.save(session, str(path), write_meta_graph=False, write_state=False)

    return [inputs.written(write)]


def frozen_graph() -> list[bytes]:
    from unisono.features.tf_runtime import tensorflow

    v1 = tensorflow().compat.v1
    with v1.Graph().as_default() as graph:
        pictures = v1.placeholder("float32", (None, None, None, 3), name="Input")
        resized = v1.image.resize_bilinear(pictures, (299, 299), name="ResizeBilinear")
        values = v1.nn.conv2d(resized, inputs.numbers(3, 3, 3, 2), strides=(1, 64, 64, 1), padding="SAME")
        pooled = v1.reduce_mean(values, axis=(1, 2), keepdims=True, name="pool_3")
        v1.reshape(pooled, (1, 2), name="pool_3/_reshape")
        data = bytes(graph.as_graph_def().SerializeToString())
    return [inputs.tarred({"classify_image_graph_def.pb": data}, "w:gz")]


def keras_weights() -> list[bytes]:
    import h5py

    with io.BytesIO() as stream:
        with h5py.File(stream, "w") as file:
            for index, shape in enumerate(KERNELS, start=1):
                file[f"conv2d_{index}/conv2d_{index}/kernel:0"] = inputs.numbers(*shape)
                norm = f"batch_normalization_{index}/batch_normalization_{index}"
                for name in ("beta", "moving_mean", "moving_variance"):
                    file[f"{norm}/{name}:0"] = np.ones(shape[3], np.float32)
        return [stream.getvalue()]


def asmcmr_encoder() -> list[bytes]:
    from unisono.features import asmcmr

    return [safetensors(asmcmr.untrained(0).arrays, unisono={"weights": "untrained"})]


def staff_reader() -> list[bytes]:
    from unisono.features import staff_reader as own

    arrays = {name: np.zeros(shape, np.float32) for name, shape in own.SHAPES.items()}
    return [safetensors(arrays, unisono={"steps": 1})]


def hub_config() -> list[bytes]:
    plain = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "architectures": ["BertModel"]}
    nested = {"model_type": "clip", "vision_config": plain, "text_config": {**plain, "id2label": {"0": "a"}}}
    return [json.dumps(each).encode() for each in (plain, nested)]


def asmcmr_published() -> list[bytes]:
    from unisono.features import asmcmr

    return [pickle.dumps([*asmcmr.untrained(0).arrays.values(), *[inputs.numbers(2, 2)] * 3], protocol=2)]


def gensim_model() -> list[bytes]:
    def plain(value: Any) -> bytes:
        return pickle.dumps(value, protocol=2)[2:-1]

    def mapping(items: Mapping[str, bytes]) -> bytes:
        return b"}" + b"".join(plain(key) + value + b"s" for key, value in items.items())

    def instance(module: str, cls: str, state: bytes) -> bytes:
        return f"c{module}\n{cls}\n".encode() + b")\x81" + state + b"b"

    words = mapping({"index2word": plain(["the", "I", "you"]), "vectors": plain(inputs.numbers(3, 4))})
    keyed = instance("gensim.models.keyedvectors", "Word2VecKeyedVectors", words)
    return [b"\x80\x02" + instance("gensim.models.word2vec", "Word2Vec", mapping({"wv": keyed})) + b"."]


def network() -> Any:
    from torch import nn

    return nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Linear(4, 2))


def torch_state() -> list[bytes]:
    import torch

    state = network().state_dict()
    with io.BytesIO() as file:
        torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, file)
        return [file.getvalue()]


def torch_safetensors() -> list[bytes]:
    return [safetensors({name: tensor.numpy() for name, tensor in network().state_dict().items()})]


def chunk_attention() -> list[bytes]:
    from unisono.features import chunk_attention as attention

    facts = {"inputs": 4, "units": 3, "attention_units": 3, "features": 2, "tags": ["a", "b"], "chunk_s": 3}
    arrays = {name: value.numpy() for name, value in attention._network(facts).state_dict().items()}
    arrays |= {"mean": inputs.numbers(4), "deviation": np.ones(4, np.float32)}
    return [safetensors(arrays, chunk_attention=facts)]
