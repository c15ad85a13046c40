"""A generative adversarial network (Goodfellow et al., 2014) for clothes: two networks, two optimizers, one program.

The generator draws images from random numbers; the discriminator tells them from photographs. `train_step` trains one
after the other, with a tape for each, and is compiled as a whole.

Run: `python examples/gan.py [picture.png] [epochs]`. It writes a grid of images that the generator draws.
"""

import sys

import numpy as np

import graphc
from graphc import layers, losses, metrics, ops, optimizers, random

LATENT = 32
PICTURE = sys.argv[1] if len(sys.argv) > 1 else "gan.png"
EPOCHS = int(sys.argv[2]) if len(sys.argv) > 2 else 8

generator = graphc.Sequential(
    [
        layers.Input((LATENT,)),
        layers.Dense(7 * 7 * 32),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Reshape((7, 7, 32)),
        layers.Conv2DTranspose(32, 4, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Conv2DTranspose(1, 6, strides=2, padding="same", activation="sigmoid"),
    ],
    name="generator",
)
discriminator = graphc.Sequential(
    [
        layers.Input((28, 28, 1)),
        layers.Conv2D(16, 4, strides=2, padding="same"),
        layers.LeakyReLU(0.2),
        layers.Conv2D(64, 4, strides=2, padding="same"),
        layers.LeakyReLU(0.2),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(1),
    ],
    name="discriminator",
)


class GAN(graphc.Model):
    """A generator and a discriminator, which are trained against each other."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seed_generator = random.SeedGenerator(1)
        self.g_metric, self.d_metric = metrics.Mean(name="g_loss"), metrics.Mean(name="d_loss")

    def compile(self, g_optimizer, d_optimizer, loss):
        super().compile()
        self.g_optimizer, self.d_optimizer, self.loss_function = g_optimizer, d_optimizer, loss

    @property
    def metrics(self):
        return [self.g_metric, self.d_metric]

    def train_step(self, photographs):
        noise = random.normal((ops.shape(photographs)[0], LATENT), seed=self.seed_generator)

        # The discriminator says 1 for photographs and 0 for what is drawn.
        drawn = self.generator(noise, training=True)
        with graphc.GradientTape() as tape:
            real, fake = self.discriminator(photographs, training=True), self.discriminator(drawn, training=True)
            d_loss = self.loss_function(ops.ones_like(real), real) + self.loss_function(ops.zeros_like(fake), fake)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))

        # The generator wants to hear 1 from the discriminator, which has just been trained.
        with graphc.GradientTape() as tape:
            fake = self.discriminator(self.generator(noise, training=True), training=True)
            g_loss = self.loss_function(ops.ones_like(fake), fake)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))

        self.d_metric.update_state(d_loss)
        self.g_metric.update_state(g_loss)
        return {metric.name: metric.result() for metric in self.metrics}


graphc.utils.set_random_seed(0)
(x_train, _), _ = graphc.datasets.fashion_mnist.load_data()
x_train = x_train[:10000, :, :, None].astype("float32") / 255

gan = GAN(generator, discriminator)
gan.compile(
    g_optimizer=optimizers.Adam(0.001, beta_1=0.5),
    d_optimizer=optimizers.Adam(0.0005, beta_1=0.5),
    loss=losses.BinaryCrossentropy(from_logits=True),
)
gan.fit(x_train, batch_size=32, epochs=EPOCHS, verbose=2)

drawn = generator.predict(np.random.normal(size=(100, LATENT)), verbose=0)
grid = drawn.reshape(10, 10, 28, 28).transpose(0, 2, 1, 3).reshape(280, 280, 1)
graphc.utils.save_img(PICTURE, grid)
print("images drawn from random numbers:", PICTURE)
