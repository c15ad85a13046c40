"""A layer, a loss, a metric, a schedule and a callback of one's own, in a model that is saved and trained further.

Data: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels; the last 597 are for the test.
All parts but the callback are registered, so that `load_model` needs no `custom_objects`; the loaded model's optimizer
goes on where the saved one was. Prints the test accuracy (about 0.94), and how often the label is among the two best
guesses (about 0.97). Takes about 5 seconds.

Run: `python examples/custom_parts.py`.
"""

import tempfile

import numpy as np
from sklearn.datasets import load_digits

import graphc
from graphc import callbacks, layers, losses, metrics, ops, optimizers

registered = graphc.saving.register_keras_serializable("custom_parts")


@registered
class Maxout(layers.Layer):
    """The largest of several linear maps of the input (Goodfellow et al., 2013)."""

    def __init__(self, units, pieces=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.pieces = units, pieces

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units * self.pieces), name="kernel")
        self.bias = self.add_weight(shape=(self.units * self.pieces,), initializer="zeros", name="bias")

    def call(self, inputs):
        values = ops.matmul(inputs, self.kernel) + self.bias
        return ops.max(ops.reshape(values, (-1, self.units, self.pieces)), axis=-1)

    def get_config(self):
        return super().get_config() | {"units": self.units, "pieces": self.pieces}


@registered
class FocalLoss(losses.Loss):
    """Cross-entropy in which examples that are already right count less (Lin et al., 2017)."""

    def __init__(self, gamma=1.0, name="focal_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        log_probabilities = ops.log_softmax(y_pred)
        chosen = ops.sum(ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1]) * log_probabilities, axis=-1)
        return -((1 - ops.exp(chosen)) ** self.gamma) * chosen

    def get_config(self):
        return super().get_config() | {"gamma": self.gamma}


@registered
class BestTwo(metrics.Metric):
    """How often the label is among the two classes with the highest scores."""

    def __init__(self, name="best_two", **kwargs):
        super().__init__(name=name, **kwargs)
        self.right = self.add_weight(shape=(), initializer="zeros", name="right")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        found = ops.cast(ops.in_top_k(ops.cast(y_true, "int32"), y_pred, 2), "float32")
        self.right.assign_add(ops.sum(found))
        self.count.assign_add(ops.cast(ops.size(found), "float32"))

    def result(self):
        return self.right / ops.maximum(self.count, 1.0)


@registered
class Triangle(optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises and falls linearly, again and again (Smith, 2017)."""

    def __init__(self, lowest, highest, period):
        self.lowest, self.highest, self.period = lowest, highest, period

    def __call__(self, step):
        phase = ops.mod(ops.cast(step, "float32"), self.period) / self.period
        return self.lowest + (self.highest - self.lowest) * (1 - ops.abs(2 * phase - 1))

    def get_config(self):
        return {"lowest": self.lowest, "highest": self.highest, "period": self.period}


class StopAt(callbacks.Callback):
    """Ends the training when a metric is high enough, and keeps what it was after each epoch."""

    def __init__(self, metric, enough):
        super().__init__()
        self.metric, self.enough, self.seen = metric, enough, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(logs[self.metric])
        self.model.stop_training = logs[self.metric] >= self.enough


graphc.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]

model = graphc.Sequential([graphc.Input((64,)), Maxout(64), layers.Dropout(0.3), Maxout(32), layers.Dense(10)])
steps = -(-len(x_train) // 32)
model.compile(optimizers.Adam(Triangle(0.0005, 0.005, 4 * steps)), FocalLoss(), metrics=["accuracy", BestTwo()])
stop = StopAt("accuracy", 0.99)
model.fit(x_train, y_train, batch_size=32, epochs=40, callbacks=[stop], verbose=0)
print(f"epochs: {len(stop.seen)}, training accuracy {stop.seen[0]:.3f} -> {stop.seen[-1]:.3f}")
before = model.evaluate(x_test, y_test, verbose=0, return_dict=True)

with tempfile.TemporaryDirectory() as folder:
    model.save(f"{folder}/model.keras")
    loaded = graphc.models.load_model(f"{folder}/model.keras")
after = loaded.evaluate(x_test, y_test, verbose=0, return_dict=True)
print("parts:", [type(part).__name__ for part in (loaded.layers[0], loaded.loss, loaded.optimizer)])
print("the same results after loading:", all(np.isclose(before[name], after[name]) for name in before))
for one in (model, loaded):
    one.fit(x_train, y_train, batch_size=32, epochs=1, shuffle=False, verbose=0)
print(f"optimizer steps: {int(model.optimizer.iterations)}, of the loaded one {int(loaded.optimizer.iterations)}")
print(f"test accuracy: {before['accuracy']:.3f}, among the two best: {before['best_two']:.3f}")
