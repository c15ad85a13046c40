"""A small U-Net that says of each pixel which kind of clothes it belongs to, if any.

Data: canvases of 48 x 48 pixels, on which one to three of Fashion-MNIST's images of four classes are put at random
places over a noisy background: 1,000 for training, and 300 with test images for the test. The mask has the class where
an image is brighter than a tenth, else 0.
Prints the intersection over union of each class, and their mean (about 0.7). Writes a picture: canvases, predicted
masks, true masks. Takes about 15 seconds.

Run: `python examples/segmentation_unet.py`.
"""

import numpy as np

import graphc
from graphc import layers, metrics, optimizers
from graphc.datasets import fashion_mnist

CHOSEN = [1, 2, 5, 8]  # trousers, pullovers, sandals, bags
SIZE, CLASSES = 48, len(CHOSEN) + 1
BATCH, EPOCHS = 16, 8


def canvases(images, labels, count, rng):
    """Canvases, whose later images cover earlier ones, and masks of classes."""
    rows = np.flatnonzero(np.isin(labels, CHOSEN))
    pictures = rng.uniform(0, 0.3, (count, SIZE, SIZE)).astype("float32")
    masks = np.zeros((count, SIZE, SIZE), "int32")
    for picture, mask in zip(pictures, masks, strict=True):
        for row in rng.choice(rows, rng.integers(1, 4)):
            top, left = rng.integers(0, SIZE - 28 + 1, 2)
            here = np.s_[top : top + 28, left : left + 28]
            image = images[row] / np.float32(255)
            seen = image > 0.1
            picture[here] = np.where(seen, image, picture[here])
            mask[here] = np.where(seen, CHOSEN.index(labels[row]) + 1, mask[here])
    return pictures[..., None], masks


def convolutions(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x


def unet(filters=(8, 16, 32)):
    """Down to a quarter of the size and up again, with what was there on the way down beside what comes up."""
    inputs = graphc.Input((SIZE, SIZE, 1))
    x, skipped = inputs, []
    for number in filters[:-1]:
        x = convolutions(x, number)
        skipped.append(x)
        x = layers.MaxPooling2D()(x)
    x = convolutions(x, filters[-1])
    for number, skip in zip(filters[-2::-1], reversed(skipped), strict=True):
        x = layers.Conv2DTranspose(number, 2, strides=2)(x)
        x = convolutions(layers.Concatenate()([skip, x]), number)
    return graphc.Model(inputs, layers.Conv2D(CLASSES, 1, activation="softmax")(x), name="unet")


graphc.utils.set_random_seed(0)
rng = np.random.default_rng(0)
(train_images, train_labels), (test_images, test_labels) = fashion_mnist.load_data()
x_train, y_train = canvases(train_images, train_labels, 1000, rng)
x_test, y_test = canvases(test_images, test_labels, 300, rng)

model = unet()
steps = EPOCHS * -(-len(x_train) // BATCH)
model.compile(
    optimizers.Adam(optimizers.schedules.CosineDecay(0.005, steps)),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy", metrics.MeanIoU(CLASSES, sparse_y_pred=False, name="iou")],
)
model.fit(x_train, y_train, batch_size=BATCH, epochs=EPOCHS, verbose=2)

predicted = model.predict(x_test, verbose=0).argmax(axis=-1)
for number, name in enumerate(["background", *(fashion_mnist.CLASSES[label] for label in CHOSEN)]):
    iou = metrics.IoU(CLASSES, target_class_ids=[number])
    iou.update_state(y_test, predicted)
    print(f"{name:12} IoU {float(iou.result()):.3f}")
shown = [x_test[:8, :, :, 0], predicted[:8] / (CLASSES - 1), y_test[:8] / (CLASSES - 1)]
picture = np.concatenate([np.concatenate(list(row), axis=1) for row in shown])
graphc.utils.save_img("segmentation_unet.png", picture[:, :, None])
results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
print(f"pixels that are right: {results['accuracy']:.3f}; mean IoU: {results['iou']:.3f}")
