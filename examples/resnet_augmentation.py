"""A small residual network whose first layers change each image at random, so that it sees no image twice.

Data: 10,000 of Fashion-MNIST's images, resized to 32 x 32, and 4,000 test images.
The learning rate rises linearly for an epoch, then falls along a cosine; labels are smoothed.
Prints the test accuracy (about 0.88). Takes about 15 seconds.

Run: `python examples/resnet_augmentation.py`.
"""

import graphc
from graphc import layers, losses, ops, optimizers
from graphc.datasets import fashion_mnist

BATCH, EPOCHS = 64, 7

graphc.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
x_train, y_train = x_train[:10000, :, :, None], graphc.utils.to_categorical(y_train[:10000], 10)
x_test, y_test = x_test[:4000, :, :, None], graphc.utils.to_categorical(y_test[:4000], 10)
x_train, x_test = (ops.convert_to_numpy(ops.image.resize(x / 255.0, (32, 32))) for x in (x_train, x_test))

augmentation = graphc.Sequential(
    [
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(0.06, 0.06, fill_mode="constant"),
        layers.RandomZoom(0.08, fill_mode="constant"),
    ],
    name="augmentation",
)


def normalized(x, filters, strides, size=3, activation=True):
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation("relu")(x) if activation else x


def residual(x, filters, strides=1):
    """Two convolutions, whose result is added to the input, or to its projection where the shape changes."""
    y = normalized(x, filters, strides)
    y = normalized(y, filters, 1, activation=False)
    if strides > 1 or x.shape[-1] != filters:
        x = normalized(x, filters, strides, size=1, activation=False)
    return layers.Activation("relu")(layers.Add()([x, y]))


inputs = graphc.Input((32, 32, 1))
x = augmentation(inputs)  # at random in training; passes images on as they are otherwise
x = normalized(x, 16, 2)
x = residual(x, 16)
x = residual(x, 32, 2)
x = residual(x, 64, 2)
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(10)(x)
model = graphc.Model(inputs, outputs, name="resnet")

steps = -(-len(x_train) // BATCH)
schedule = optimizers.schedules.CosineDecay(
    1e-4, decay_steps=(EPOCHS - 1) * steps, warmup_target=4e-3, warmup_steps=steps
)
model.compile(
    optimizers.AdamW(schedule, weight_decay=1e-3),
    losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, batch_size=BATCH, epochs=EPOCHS, verbose=2)
print(f"parameters: {model.count_params():,}; learning rates: ", end="")
print(", ".join(f"{float(schedule(step)):.4f}" for step in range(0, (EPOCHS + 1) * steps, steps)))
results = model.evaluate(x_test, y_test, batch_size=256, verbose=0, return_dict=True)
print(f"test accuracy: {results['accuracy']:.3f}")
