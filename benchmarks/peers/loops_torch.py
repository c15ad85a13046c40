"""Loops of PyTorch, eager: `python -m benchmarks.peers.loops_torch SECONDS ROW`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.loops_rows import CODE, DAMPING, FEATURES, HIDDEN, MLP, NOISE, PARAMETERS, RATE, UNITS, Step, main


def _adam(parameters: Iterable[Any]) -> Any:
    return torch.optim.Adam(parameters, RATE, eps=1e-7)


def _updated(optimizer: Any, loss: Any) -> Any:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _mlp() -> Step:
    layers: list[Any] = []
    for a, b in pairwise(MLP):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = _adam(model.parameters())

    def step(x: Any, y: Any) -> Any:
        labels = torch.from_numpy(y).long()
        return _updated(optimizer, functional.cross_entropy(model(torch.from_numpy(x)), labels))

    return step


def _dcgan() -> Step:
    generator = nn.Sequential(
        nn.Linear(NOISE, 7 * 7 * 64, bias=False),
        nn.BatchNorm1d(7 * 7 * 64),
        nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1, bias=False),
        nn.Sigmoid(),
    )
    critic = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 64, 1),
    )
    of_generator, of_critic = _adam(generator.parameters()), _adam(critic.parameters())

    def step(images: Any, noise: Any) -> Any:
        real = torch.from_numpy(images).reshape(-1, 1, 28, 28)  # one channel: the same memory
        fakes = generator(torch.from_numpy(noise))
        on_fakes, on_images = critic(fakes), critic(real)
        loss = functional.softplus(-on_fakes).mean()
        other = functional.softplus(on_fakes).mean() + functional.softplus(-on_images).mean()
        slopes = torch.autograd.grad(loss, list(generator.parameters()), retain_graph=True)
        others = torch.autograd.grad(other, list(critic.parameters()))
        for model, optimizer, found in ((generator, of_generator, slopes), (critic, of_critic, others)):
            for parameter, slope in zip(model.parameters(), found, strict=True):
                parameter.grad = slope
            optimizer.step()
        return (loss + other).detach()

    return step


def _vae() -> Step:
    encoder = nn.Sequential(nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * CODE))
    decoder = nn.Sequential(nn.Linear(CODE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784))
    optimizer = _adam([*encoder.parameters(), *decoder.parameters()])

    def step(x: Any, noise: Any) -> Any:
        inputs = torch.from_numpy(x)
        mean, log_variance = encoder(inputs).chunk(2, -1)
        logits = decoder(mean + torch.exp(0.5 * log_variance) * torch.from_numpy(noise))
        error = (functional.softplus(logits) - inputs * logits).sum(-1)
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(-1)
        return _updated(optimizer, (error + divergence).mean())

    return step


def _lstm() -> Step:
    shapes = ((FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS, 1))
    weights = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
    for weight in (weights[0], weights[1], weights[3]):
        nn.init.xavier_uniform_(weight)
    kernel, recurrent, bias, head = weights
    optimizer = _adam(weights)

    def step(x: Any, y: Any) -> Any:
        inputs = torch.from_numpy(x)
        h = c = torch.zeros(len(x), UNITS)
        for t in range(inputs.shape[1]):
            i, f, g, o = (inputs[:, t] @ kernel + h @ recurrent + bias).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return _updated(optimizer, (((h @ head)[:, 0] - torch.from_numpy(y)) ** 2).mean())

    return step


def _newton() -> Step:
    state = [torch.zeros(PARAMETERS)]

    def loss_of(w: Any, x: Any, y: Any) -> Any:
        logits = x @ w
        return (functional.softplus(logits) - y * logits).mean() + 0.5 * DAMPING * (w**2).sum()

    derivatives = torch.func.grad_and_value(loss_of)
    hessian = torch.func.hessian(loss_of)

    def step(x: Any, y: Any) -> Any:
        batch = torch.from_numpy(x), torch.from_numpy(y)
        gradient, loss = derivatives(state[0], *batch)
        factor = torch.linalg.cholesky(hessian(state[0], *batch))
        state[0] = state[0] - torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        return loss

    return step


def _call() -> Step:
    weight = torch.ones(4)
    return lambda x: (torch.from_numpy(x) * weight)[0]


if __name__ == "__main__":
    MAKERS = {"mlp": _mlp, "dcgan": _dcgan, "vae": _vae, "lstm": _lstm, "newton": _newton, "call": _call}
    main(MAKERS, *sys.argv[1:])
