"""What becomes of a model: its step as a graph, as kernels, and as bytes. Run: `python examples/look_inside.py`."""

import numpy as np

import graphc
from graphc import layers

model = graphc.Sequential(
    [
        graphc.Input((784,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(np.zeros((64, 784), "float32"), np.zeros(64, "int32"), verbose=0)

graph = model.graph()
print(graph)
print("contractions:", sum(node.op == "contract" for node in graph.table.values()))
print("memory:", model.memory_report())
print("so far:", graphc.inspect.stats())
