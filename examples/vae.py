"""A variational autoencoder (Kingma and Welling, 2013) that learns to draw clothes, with a training step of its own.

The encoder gives a mean and a variance for each image, the decoder draws an image from a random point near the mean.
Gradients pass through the random point since it is written as `mean + deviation * noise`.

Run: `python examples/vae.py [picture.png] [epochs]`. It writes a grid of images that the decoder draws.
"""

import sys

import numpy as np

import graphc
from graphc import layers, losses, metrics, ops, optimizers, random

LATENT = 8
PICTURE = sys.argv[1] if len(sys.argv) > 1 else "vae.png"
EPOCHS = int(sys.argv[2]) if len(sys.argv) > 2 else 6


class Sampling(layers.Layer):
    """A random point of the normal distribution with a mean and the logarithm of a variance."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_variance = inputs
        noise = random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


images = layers.Input((28, 28, 1))
x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(images)
x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
mean, log_variance = layers.Dense(LATENT, name="mean")(x), layers.Dense(LATENT, name="log_variance")(x)
encoder = graphc.Model(images, [mean, log_variance, Sampling()([mean, log_variance])], name="encoder")

decoder = graphc.Sequential(
    [
        layers.Input((LATENT,)),
        layers.Dense(7 * 7 * 32, activation="relu"),
        layers.Reshape((7, 7, 32)),
        layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ],
    name="decoder",
)


class VAE(graphc.Model):
    """An encoder and a decoder that are trained together; the two parts of the loss are shown in the logs."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.loss_tracker = metrics.Mean(name="loss")
        self.reconstruction_tracker = metrics.Mean(name="reconstruction_loss")
        self.kl_tracker = metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.loss_tracker, self.reconstruction_tracker, self.kl_tracker]

    def train_step(self, images):
        with graphc.GradientTape() as tape:
            mean, log_variance, z = self.encoder(images, training=True)
            drawn = self.decoder(z, training=True)
            errors = losses.binary_crossentropy(images, drawn)  # of each pixel
            reconstruction_loss = ops.mean(ops.sum(errors, axis=(1, 2)))
            kl = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
            kl_loss = ops.mean(ops.sum(kl, axis=1))
            loss = reconstruction_loss + kl_loss
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.loss_tracker.update_state(loss)
        self.reconstruction_tracker.update_state(reconstruction_loss)
        self.kl_tracker.update_state(kl_loss)
        return {metric.name: metric.result() for metric in self.metrics}


graphc.utils.set_random_seed(0)
(x_train, _), _ = graphc.datasets.fashion_mnist.load_data()
x_train = x_train[:10000, :, :, None].astype("float32") / 255

vae = VAE(encoder, decoder)
vae.compile(optimizers.Adam(0.002))
vae.fit(x_train, batch_size=64, epochs=EPOCHS, verbose=2)

drawn = decoder.predict(np.random.normal(size=(100, LATENT)), verbose=0)
grid = drawn.reshape(10, 10, 28, 28).transpose(0, 2, 1, 3).reshape(280, 280, 1)
graphc.utils.save_img(PICTURE, grid)
print("images drawn from random points:", PICTURE)
