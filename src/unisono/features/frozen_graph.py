"""The frozen graph of December 2015, Inception V3 as YouTube-8M's features were made with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unisono.errors import DataError, pass_machine
from unisono.features.tf_runtime import tensorflow
from unisono.io import archive

#: Nodes of the graph: resized pictures (0 ... 255), and the features.
INPUT, OUTPUT = "ResizeBilinear", "pool_3/_reshape"

_REMEDY = "give inception-2015-12-05.tgz, or set weights: untrained"


def read(path: Path) -> bytes:
    """Read the frozen graph of 2015 (``inception-2015-12-05.tgz``, or the ``.pb`` inside it).

    Parameters
    ----------
    path : Path

    Returns
    -------
    bytes
        The serialised ``GraphDef``.

    Raises
    ------
    DataError
        The file is missing, damaged, or holds no ``.pb`` file.
    """
    for _, data in archive.members(path, suffixes=(".pb",)):
        return data
    raise DataError(f"{path}: holds no .pb file; {_REMEDY}")


def network(graph: bytes, batch_size: int) -> Callable[[Any], Any]:
    """Make a function of the part of the graph from its resized pictures to its features.

    Parameters
    ----------
    graph : bytes
        From `read`.
    batch_size : int

    Returns
    -------
    callable
        From (batch_size, 299, 299, 3) float32 in 0 ... 255 to (batch_size, d), to be called inside a `tf.function`.
        It raises `DataError` where the graph cannot be built.

    Raises
    ------
    DataError
        It is no graph, or has not the expected nodes.
    """
    tf = tensorflow()
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(graph)
    except Exception as error:  # protobuf's own class, whose home differs between its versions
        pass_machine(error)
        raise DataError(f"the frozen graph is damaged ({error}); {_REMEDY}") from None
    nodes = {node.name: node for node in definition.node}
    if INPUT not in nodes or OUTPUT not in nodes or not nodes[OUTPUT].input:
        raise DataError(f"the frozen graph has no {INPUT} and {OUTPUT}; {_REMEDY}")
    # The graph is for one picture at a time: only what goes into its last reshape can be had for many.
    last = nodes[OUTPUT].input[0]
    todo, needed = [last], set()
    while todo:
        name = todo.pop().partition(":")[0].removeprefix("^")
        if name not in needed and name in nodes:
            needed.add(name)
            todo += nodes[name].input
    for index in reversed(range(len(definition.node))):
        if definition.node[index].name not in needed:
            del definition.node[index]

    def run(pictures: Any) -> Any:
        try:
            (pooled,) = tf.graph_util.import_graph_def(
                definition,
                input_map={f"{INPUT}:0": pictures},
                return_elements=[last if ":" in last else f"{last}:0"],
                name="",
            )
        except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            pass_machine(error)
            raise DataError(f"the frozen graph cannot be built ({error}); {_REMEDY}") from None
        return tf.reshape(pooled, (batch_size, -1))

    return run
