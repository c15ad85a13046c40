"""Forecasts of a chaotic system from noisy measurements, by a GRU.

Data: the Lorenz system, 20,000 points of its three coordinates, with noise, cut into training, validation and test in
the order of time. From 30 measurements the network predicts how the coordinates change within 30 steps.
Prints the mean absolute error, and that relative to the baseline "as it is now" (about 0.17). Takes about 5 seconds.

Run: `python examples/forecasting.py`.
"""

import numpy as np

import graphc
from graphc import callbacks, layers

PAST, AHEAD, COUNT = 30, 30, 20000


def lorenz(count, step=0.02):
    """Points of the Lorenz system, by Runge and Kutta's method of fourth order."""

    def slope(point):
        x, y, z = point
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    points = [np.array([1.0, 1.0, 20.0])]
    for _ in range(count - 1):
        point = points[-1]
        k1 = slope(point)
        k2 = slope(point + step / 2 * k1)
        k3 = slope(point + step / 2 * k2)
        k4 = slope(point + step * k3)
        points.append(point + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return np.array(points)


graphc.utils.set_random_seed(0)
series = lorenz(COUNT)
measured = series + np.random.normal(0, 1.0, series.shape)
ends = int(0.7 * COUNT), int(0.85 * COUNT)
mean, deviation = measured[: ends[0]].mean(axis=0), measured[: ends[0]].std(axis=0)
series, measured = (((values - mean) / deviation).astype("float32") for values in (series, measured))

# The target of the window that starts at i: the change from its last measurement to AHEAD steps later.
last = np.arange(COUNT - PAST - AHEAD + 1) + PAST - 1
targets = series[last + AHEAD] - measured[last]


def windows(start, end, shuffle=False):
    return graphc.utils.timeseries_dataset_from_array(
        measured[:-AHEAD],
        targets,
        sequence_length=PAST,
        batch_size=64,
        shuffle=shuffle,
        seed=0,
        start_index=start,
        end_index=end,
    )


train = windows(0, ends[0], shuffle=True)
validation, test = windows(ends[0], ends[1]), windows(ends[1], None)

model = graphc.Sequential(
    [
        graphc.Input((PAST, 3)),
        layers.GRU(32),
        layers.Dense(32, activation="relu"),
        layers.Dense(3),
    ]
)
model.compile(graphc.optimizers.Adam(0.003), loss="mae")
model.fit(
    train,
    validation_data=validation,
    epochs=8,
    callbacks=[callbacks.ReduceLROnPlateau(factor=0.3, patience=1)],
    verbose=2,
)

error = model.evaluate(test, verbose=0)
wanted = np.concatenate([np.asarray(changes) for _, changes in test])
baseline = np.abs(wanted).mean()  # the change of "as it is now" is zero
print(f"test windows: {len(wanted)}; mean absolute error {error:.3f}, as it is now: {baseline:.3f}")
by_coordinate = np.abs(model.predict(test, verbose=0) - wanted).mean(axis=0) * deviation
print("error of x, y, z in their own units:", by_coordinate.round(2))
print(f"relative to the baseline: {error / baseline:.3f}")
