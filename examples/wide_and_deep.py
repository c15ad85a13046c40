"""A wide and deep model (Cheng et al., 2016) on a pandas table: crosses of categories beside a network on numbers.

Data: scikit-learn's diabetes data, 442 patients, with groups of age, weight and blood pressure derived from numbers.
The target is how far the disease has come a year later; the last 132 patients, in random order, are for the test.
The wide part is linear in the crosses of categories, the deep part gets the numbers and vectors for the categories.
Prints the mean absolute error, and R2 on the test (about 0.5). Takes about 5 seconds.

Run: `python examples/wide_and_deep.py`.
"""

import pandas as pd
from sklearn.datasets import load_diabetes

import graphc
from graphc import layers, metrics, regularizers

NUMBERS = ["age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
CATEGORIES = ["sex", "generation", "weight", "pressure"]
CROSSES = [("sex", "generation"), ("weight", "pressure"), ("generation", "weight")]


def table():
    """The patients in random order, with the derived categories as strings."""
    frame = load_diabetes(as_frame=True, scaled=False).frame.astype("float32")
    frame["sex"] = frame["sex"].map({1: "one", 2: "two"}).astype(str)
    frame["generation"] = pd.cut(frame["age"], [0, 35, 50, 65, 120], labels=["young", "middle", "older", "old"]).astype(
        str
    )
    frame["weight"] = pd.cut(frame["bmi"], [0, 22, 25, 30, 99], labels=["light", "usual", "heavy", "obese"]).astype(str)
    frame["pressure"] = pd.cut(frame["bp"], [0, 85, 100, 200], labels=["low", "usual", "high"]).astype(str)
    return frame.sample(frac=1, random_state=0)


graphc.utils.set_random_seed(0)
frame = table()
train, test = frame.iloc[:310], frame.iloc[310:]
print(train[["age", "generation", "bmi", "weight", "bp", "pressure", "target"]].head().to_string(index=False))

numbers = {name: graphc.Input((1,), name=name) for name in NUMBERS}
categories = {name: graphc.Input((1,), dtype="string", name=name) for name in CATEGORIES}

# Deep: normalized numbers, and a vector for each category.
normalization = layers.Normalization()
normalization.adapt(train[NUMBERS].to_numpy())
deep = [normalization(layers.Concatenate()(list(numbers.values())))]
for name, column in categories.items():
    lookup = layers.StringLookup(num_oov_indices=1)
    lookup.adapt(train[name].to_numpy())
    deep.append(layers.Flatten()(layers.Embedding(lookup.vocabulary_size(), 2, name=f"{name}_vectors")(lookup(column))))
x = layers.Concatenate()(deep)
for units in (32, 16):
    x = layers.Dense(units, activation="relu", kernel_regularizer=regularizers.L2(0.01))(x)
    x = layers.Dropout(0.2)(x)

# Wide: one weight for each pair of categories.
wide = layers.Concatenate()(
    [
        layers.HashedCrossing(num_bins=32, output_mode="one_hot")(tuple(categories[name] for name in pair))
        for pair in CROSSES
    ]
)
wide = layers.Dense(1, use_bias=False, kernel_regularizer=regularizers.L2(0.01), name="wide")(wide)
outputs = layers.Add()([wide, layers.Dense(1, name="deep")(x)])
model = graphc.Model(numbers | categories, outputs, name="wide_and_deep")

mean, deviation = train["target"].mean(), train["target"].std()
columns = {
    part: {name: values[name] for name in NUMBERS + CATEGORIES} for part, values in (("train", train), ("test", test))
}
model.compile(graphc.optimizers.Adam(0.005), loss="mse", metrics=[metrics.R2Score(name="r2")])
history = model.fit(columns["train"], (train["target"] - mean) / deviation, batch_size=32, epochs=40, verbose=0)
print(f"training: R2 {history.history['r2'][0]:.3f} -> {history.history['r2'][-1]:.3f}")

results = model.evaluate(columns["test"], (test["target"] - mean) / deviation, verbose=0, return_dict=True)
predicted = model.predict(columns["test"], verbose=0)[:, 0] * deviation + mean
error, baseline = (predicted - test["target"]).abs().mean(), (test["target"] - mean).abs().mean()
print(f"mean absolute error: {error:.1f}, of the training mean: {baseline:.1f}")
print(f"test R2: {results['r2']:.3f}")
