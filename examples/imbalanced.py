"""Rare cases in a table: one class is 15 times as frequent as the other.

Data: scikit-learn's breast cancer data (569 rows of 30 numbers). Training gets 14 malignant rows and 210 benign ones;
20 and 50 are for the choice of a threshold, and the rest is the test.
With class weights fewer rare cases are missed, and still fewer with the threshold that finds 95% of the validation's.
Prints precision and recall of each, and the area under the ROC curve (about 0.99). Takes about 5 seconds.

Run: `python examples/imbalanced.py`.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

import graphc
from graphc import layers, metrics

graphc.utils.set_random_seed(0)
x, benign = load_breast_cancer(return_X_y=True)
x, malignant = x.astype("float32"), (benign == 0).astype("float32")
order = np.random.permutation(len(x))
x, malignant = x[order], malignant[order]

rare, frequent = np.flatnonzero(malignant == 1), np.flatnonzero(malignant == 0)
parts = zip(np.split(rare, [14, 34]), np.split(frequent, [210, 260]), strict=True)
(x_train, y_train), (x_val, y_val), (x_test, y_test) = (
    (x[rows], malignant[rows, None]) for rows in (np.concatenate(part) for part in parts)
)
counts = np.bincount(y_train[:, 0].astype(int))
print(f"training: {counts[1]} malignant of {counts.sum()}; test: {int(y_test.sum())} of {len(y_test)}")

normalization = layers.Normalization()
normalization.adapt(x_train)


def trained(class_weight):
    model = graphc.Sequential(
        [
            graphc.Input((x.shape[1],)),
            normalization,
            layers.Dense(16, activation="relu", kernel_regularizer=graphc.regularizers.L2(0.01)),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        graphc.optimizers.Adam(0.003),
        loss="binary_crossentropy",
        metrics=[metrics.Precision(name="precision"), metrics.Recall(name="recall"), metrics.AUC(name="auc")],
    )
    model.fit(x_train, y_train, batch_size=32, epochs=40, class_weight=class_weight, verbose=0)
    return model


def report(name, results):
    print(f"{name:16}" + "  ".join(f"{key} {results[key]:.3f}" for key in ("precision", "recall", "auc")))


plain = trained(None)
report("no weights:", plain.evaluate(x_test, y_test, verbose=0, return_dict=True))
# Both classes weigh the same in total.
weighted = trained({label: counts.sum() / (2 * counts[label]) for label in (0, 1)})
results = weighted.evaluate(x_test, y_test, verbose=0, return_dict=True)
report("class weights:", results)

# The threshold at which 95% of the validation's malignant rows are found.
threshold = float(np.quantile(weighted.predict(x_val, verbose=0)[y_val == 1], 0.05))
chosen = [metrics.Precision(thresholds=threshold), metrics.Recall(thresholds=threshold)]
for metric in chosen:
    metric.update_state(y_test, weighted.predict(x_test, verbose=0))
precision, recall = (float(metric.result()) for metric in chosen)
print(f"threshold {threshold:.3f}: precision {precision:.3f}, recall {recall:.3f}")
print(f"area under the ROC curve: {results['auc']:.3f}")
