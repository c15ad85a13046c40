"""Reinforcement learning: an actor and a critic learn to keep a pole upright on a cart.

Data: none but a simulation in NumPy of 32 carts (Barto, Sutton and Anderson, 1983), each pushed left or right at every
step; an episode ends when the pole falls, the cart leaves the track, or after 500 steps.
The update (proximal policy optimization, Schulman et al., 2017) is one compiled function with a tape.
Prints the mean length of the last episodes during training, and of 32 test episodes with the most probable action
(about 500; pushes at random last about 20). Takes about 5 seconds.

Run: `python examples/actor_critic.py`.
"""

import numpy as np

import graphc
from graphc import layers, ops, optimizers

CARTS, STEPS, ROUNDS, LIMIT = 32, 64, 120, 500
GAMMA, LAMBDA, CLIP, BATCH = 0.99, 0.95, 0.2, 512


class Carts:
    """Carts with poles: position, velocity, angle and angular velocity of each; those that fail start again."""

    def __init__(self, count, rng):
        self.rng, self.length = rng, np.zeros(count, int)
        self.state = self.start(count)

    def start(self, count):
        return self.rng.uniform(-0.05, 0.05, (count, 4)).astype("float32")

    def step(self, right):
        """Pushes all carts; returns which of them have failed, and which have reached the limit."""
        _, v, angle, turn = self.state.T
        force = np.where(right, 10.0, -10.0)
        sine, cosine = np.sin(angle), np.cos(angle)
        push = (force + 0.05 * turn**2 * sine) / 1.1
        bend = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        slopes = np.stack([v, push - 0.05 * bend * cosine / 1.1, turn, bend], axis=1)
        self.state = (self.state + 0.02 * slopes).astype("float32")
        self.length += 1
        failed = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 0.21)
        return failed, (self.length >= LIMIT) & ~failed

    def restart(self, which):
        self.state[which], self.length[which] = self.start(int(which.sum())), 0


graphc.utils.set_random_seed(0)
rng = np.random.default_rng(0)
inputs = graphc.Input((4,))
x = layers.Dense(64, activation="tanh")(inputs)
actor = layers.Dense(2, name="actor")(layers.Dense(64, activation="tanh")(x))
critic = layers.Dense(1, name="critic")(layers.Dense(64, activation="tanh")(x))
model = graphc.Model(inputs, [actor, critic])
rate = optimizers.schedules.PolynomialDecay(0.002, ROUNDS * 4 * CARTS * STEPS // BATCH)
optimizer = optimizers.Adam(rate, global_clipnorm=0.5)


@graphc.function
def act(states):
    logits, values = model(states)
    return ops.softmax(logits), values[:, 0]


@graphc.function
def update(states, actions, before, advantages, returns):
    """Makes good actions more probable, unless they already are by a fifth, and corrects the critic."""
    with graphc.GradientTape() as tape:
        logits, values = model(states, training=True)
        log_probabilities = ops.log_softmax(logits)
        chosen = ops.sum(ops.one_hot(actions, 2) * log_probabilities, axis=1)
        ratio = ops.exp(chosen) / before
        gain = ops.minimum(ratio * advantages, ops.clip(ratio, 1 - CLIP, 1 + CLIP) * advantages)
        entropy = -ops.mean(ops.sum(ops.exp(log_probabilities) * log_probabilities, axis=1))
        error = ops.mean(ops.square(returns - values[:, 0]))
        loss = -ops.mean(gain) + 0.5 * error - 0.01 * entropy
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    return loss


carts, lengths = Carts(CARTS, rng), []
for number in range(1, ROUNDS + 1):
    steps = []
    for _ in range(STEPS):
        states = carts.state
        probabilities, values = (np.asarray(part) for part in act(states))
        actions = rng.random(CARTS) < probabilities[:, 1]
        failed, late = carts.step(actions)
        reached = np.asarray(act(carts.state)[1]) if late.any() else values  # an episode cut short goes on in theory
        rewards = 0.05 + np.where(late, GAMMA * reached, 0)  # small, so that values are of the order of 1
        before = np.where(actions, probabilities[:, 1], probabilities[:, 0])
        steps.append((states, actions.astype("int32"), before, rewards, values, failed | late))
        lengths.extend(carts.length[failed | late])
        carts.restart(failed | late)
    states, actions, before, rewards, values, ended = (np.array(column) for column in zip(*steps, strict=True))
    following = np.concatenate([values[1:], np.asarray(act(carts.state)[1])[None]])
    surprises = rewards + GAMMA * np.where(ended, 0, following) - values
    advantages, later = np.zeros_like(surprises), np.zeros(CARTS)
    for step in reversed(range(STEPS)):
        later = advantages[step] = surprises[step] + GAMMA * LAMBDA * np.where(ended[step], 0, later)
    returns = advantages + values
    scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-6)
    columns = (states, actions, before, scaled.astype("float32"), returns.astype("float32"))
    columns = [column.reshape(-1, *column.shape[2:]) for column in columns]
    for _ in range(4):
        for rows in np.split(rng.permutation(CARTS * STEPS), CARTS * STEPS // BATCH):
            update(*(column[rows] for column in columns))
    if number % 20 == 0:
        print(f"round {number}: {np.mean(lengths[-CARTS:]):.0f} steps in the last {CARTS} episodes")

tested, alive = Carts(CARTS, rng), np.ones(CARTS, bool)
survived = np.zeros(CARTS, int)
while alive.any():
    failed, late = tested.step(np.asarray(act(tested.state)[0]).argmax(axis=1) == 1)
    survived += alive
    alive &= ~(failed | late)
print(f"steps of a test episode: {survived.mean():.0f}")
