"""The network as an ONNX file in memory, written here: the format is a handful of nested, numbered fields.

**Conventions.** ONNX is written in protocol buffers: a field is its number and kind in one varint, then a varint or a
length with so many bytes. The numbers below are those of onnx.proto (ONNX 1.8, operator set 13).

References
----------
ONNX: Open Neural Network Exchange, onnx/onnx.proto; operators Conv, Clip, Add.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

#: Names of what goes in, (1, 3, side, side), and of what comes out, (1, channels, m, m).
INPUT, OUTPUT = "picture", "map"
IR_VERSION, OPERATORS = 7, 13
#: Types of tensors and attributes.
_FLOAT, _INT, _INTS = 1, 2, 7


def network(layers: Sequence[tuple[Any, np.ndarray, np.ndarray]], *, side: int) -> bytes:
    """Write a chain of convolutions with shortcuts.

    Parameters
    ----------
    layers : sequence of (Layer, np.ndarray, np.ndarray)
        Each with its kernel (out, in, k, k) and bias (out,), both float32; see
        `unisono.features.efficientnet_lite0.Layer`.
    side : int
        Height and width of the picture.

    Returns
    -------
    bytes
    """
    nodes = []
    tensors = [_tensor("low", np.zeros((), np.float32)), _tensor("high", np.full((), 6, np.float32))]
    current, start, rows = INPUT, INPUT, side
    for number, (layer, kernel, bias) in enumerate(layers):
        last = number == len(layers) - 1
        start = current if layer.begins else start
        size = kernel.shape[2]
        before, after = padding(rows, size, layer.stride)
        rows = -(-rows // layer.stride)
        tensors += [_tensor(f"kernel{number}", kernel), _tensor(f"bias{number}", bias)]
        attributes = [
            _ints("kernel_shape", [size, size]),
            _ints("strides", [layer.stride, layer.stride]),
            _ints("pads", [before, before, after, after]),
            _attribute("group", _INT, _varint_field(3, len(kernel) if layer.alone else 1)),
        ]
        steps: list[tuple[str, list[str], list[bytes]]] = [
            ("Conv", [f"kernel{number}", f"bias{number}"], attributes),
            *([("Clip", ["low", "high"], [])] if layer.limited else []),
            *([("Add", [start], [])] if layer.adds else []),
        ]
        for place, (operator, more, own) in enumerate(steps, start=1):
            name = OUTPUT if last and place == len(steps) else f"{operator.lower()}{number}"
            nodes.append(_node(operator, [current, *more], name, own))
            current = name
    channels = len(layers[-1][1])
    whole = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"efficientnet_lite0"),
            *(_field(5, tensor) for tensor in tensors),
            _field(11, _value(INPUT, [1, layers[0][1].shape[1], side, side])),
            _field(12, _value(OUTPUT, [1, channels, rows, rows])),
        ]
    )
    operators = _field(1, b"") + _varint_field(2, OPERATORS)
    return _varint_field(1, IR_VERSION) + _field(8, operators) + _field(7, whole)


def padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """Count the zeros before and after n rows: as TensorFlow's "same", the odd one goes after.

    Examples
    --------
    >>> padding(224, 3, 2), padding(7, 5, 1)
    ((0, 1), (2, 2))
    """
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_varint_field(1, n) for n in values.shape)
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return dims + _varint_field(2, _FLOAT) + _field(8, name.encode()) + _field(9, raw)


def _attribute(name: str, kind: int, content: bytes) -> bytes:
    return _field(1, name.encode()) + content + _varint_field(20, kind)


def _ints(name: str, values: Iterable[int]) -> bytes:
    return _attribute(name, _INTS, b"".join(_varint_field(8, value) for value in values))


def _node(operator: str, inputs: Iterable[str], output: str, attributes: Iterable[bytes]) -> bytes:
    return b"".join(
        [
            *(_field(1, name.encode()) for name in inputs),
            _field(2, output.encode()),
            _field(4, operator.encode()),
            *(_field(5, each) for each in attributes),
        ]
    )


def _value(name: str, shape: Iterable[int]) -> bytes:
    dims = b"".join(_field(1, _varint_field(1, n)) for n in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _varint_field(1, _FLOAT) + _field(2, dims)))
