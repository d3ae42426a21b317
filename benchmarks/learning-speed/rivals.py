"""Training speed of other libraries on the models of `learning-speed`; one JSON line for each peer,
model and batch.

  rivals.py --data FOLDER --peers torch-sgd,opacus-ghost,opacus-hooks,opacus-functorch,jax-vmap
            --models softmax,mlp,cnn --batches 256,2048 [--threads 1] [--repetitions 3]

Fashion-MNIST in memory as float32, Poisson samples drawn outside the timing, noise multiplier 1,
clip norm 1. A repetition times some steps and scales to an epoch. JAX pads each batch to one size,
so that it compiles once. glibc keeps freed memory, which is where these libraries are at their best.
"""

import argparse
import json
import os
import sys
import time
import warnings

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--peers", required=True)
parser.add_argument("--models", default="softmax,mlp,cnn")
parser.add_argument("--batches", default="256,2048")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--repetitions", type=int, default=3)
options = parser.parse_args()
if os.environ.get("MALLOC_MMAP_MAX_") != "0":
    os.environ.update(
        MALLOC_MMAP_MAX_="0",
        MALLOC_TRIM_THRESHOLD_=str(1 << 40),
        MALLOC_TOP_PAD_=str(64 << 20),
        MALLOC_ARENA_MAX="1",
    )
    os.execv(sys.executable, [sys.executable, *sys.argv])
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(options.threads)
os.environ["JAX_PLATFORMS"] = "cpu"
if options.threads == 1:
    os.environ["XLA_FLAGS"] = (
        "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
warnings.filterwarnings("ignore")
import numpy  # noqa: E402

COUNT = 60_000


def load(name, offset):
    return numpy.fromfile(os.path.join(options.data, name), numpy.uint8, offset=offset)


images = load("train-images-idx3-ubyte", 16).reshape(COUNT, 784).astype(numpy.float32)
images = (images / 255 - 0.286) / 0.353
labels = load("train-labels-idx1-ubyte", 8).astype(numpy.int64)
random = numpy.random.default_rng(1)


def memory(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith(key))


def torch_step(peer, model, batch):
    import torch
    from torch import nn

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    net = {
        "softmax": lambda: nn.Sequential(nn.Linear(784, 10)),
        "mlp": lambda: nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
        ),
        "cnn": lambda: nn.Sequential(
            nn.Conv2d(1, 16, 8, 2, padding=3), nn.Tanh(), nn.MaxPool2d(2, 1),
            nn.Conv2d(16, 32, 4, 2), nn.Tanh(), nn.MaxPool2d(2, 1),
            nn.Flatten(), nn.Linear(512, 32), nn.Tanh(), nn.Linear(32, 10),
        ),
    }[model]()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    features = torch.from_numpy(images.reshape(-1, 1, 28, 28) if model == "cnn" else images)
    targets = torch.from_numpy(labels)
    if peer != "torch-sgd":
        from opacus import PrivacyEngine

        mode = peer.split("-")[1]
        data = torch.utils.data.TensorDataset(features, targets)
        made = PrivacyEngine(accountant="rdp").make_private(
            module=net, optimizer=optimizer, noise_multiplier=1.0, max_grad_norm=1.0,
            data_loader=torch.utils.data.DataLoader(data, batch_size=batch),
            grad_sample_mode=mode, poisson_sampling=True,
            **({"criterion": criterion} if mode == "ghost" else {}),
        )
        net, optimizer = made[0], made[1]
        if mode == "ghost":
            criterion = made[2]

    def step(drawn):
        index = torch.from_numpy(drawn)
        x, y = features.index_select(0, index), targets.index_select(0, index)
        optimizer.zero_grad()
        criterion(net(x), y).backward()
        optimizer.step()

    return step, lambda: None


def jax_step(peer, model, batch):
    import jax
    import jax.numpy as jnp

    size = int(batch + 5 * batch**0.5)
    features = images.reshape(-1, 1, 28, 28) if model == "cnn" else images
    keys = jax.random.split(jax.random.PRNGKey(0), 4)

    def dense(key, inputs, outputs):
        return [jax.random.uniform(key, (inputs, outputs), minval=-1) / inputs**0.5,
                jnp.zeros(outputs)]

    def convolution(key, inputs, outputs, kernel):
        shape = (outputs, inputs, kernel, kernel)
        return [jax.random.uniform(key, shape, minval=-1) / (inputs * kernel**2) ** 0.5,
                jnp.zeros(outputs)]

    parameters = {
        "softmax": lambda: [dense(keys[0], 784, 10)],
        "mlp": lambda: [dense(keys[0], 784, 256), dense(keys[1], 256, 128), dense(keys[2], 128, 10)],
        "cnn": lambda: [convolution(keys[0], 1, 16, 8), convolution(keys[1], 16, 32, 4),
                        dense(keys[2], 512, 32), dense(keys[3], 32, 10)],
    }[model]()

    def logits(p, x):
        if model == "cnn":
            def layer(x, weights, padding):
                x = jax.lax.conv_general_dilated(
                    x, weights[0], (2, 2), (padding, padding),
                    dimension_numbers=("NCHW", "OIHW", "NCHW"))
                x = jnp.tanh(x + weights[1][None, :, None, None])
                return jax.lax.reduce_window(
                    x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 1, 1), "VALID")

            x = layer(layer(x, p[0], (3, 3)), p[1], (0, 0))
            x = jnp.tanh(x.reshape(x.shape[0], -1) @ p[2][0] + p[2][1])
            return x @ p[3][0] + p[3][1]
        for weights in p[:-1]:
            x = jax.nn.relu(x @ weights[0] + weights[1])
        return x @ p[-1][0] + p[-1][1]

    def loss(p, x, y):
        z = logits(p, x)
        return jax.nn.logsumexp(z, -1) - jnp.take_along_axis(z, y[:, None], 1)[:, 0]

    def one(p, x, y, mask):
        g = jax.grad(lambda w: loss(w, x[None], y[None])[0])(p)
        norm = jnp.sqrt(sum(jnp.vdot(t, t) for t in jax.tree_util.tree_leaves(g)))
        scale = mask * jnp.minimum(1.0, 1.0 / (norm + 1e-6))
        return jax.tree_util.tree_map(lambda t: t * scale, g)

    def private(p, key, x, y, mask):
        g = jax.vmap(one, (None, 0, 0, 0))(p, x, y, mask)
        leaves, tree = jax.tree_util.tree_flatten(jax.tree_util.tree_map(lambda t: t.sum(0), g))
        leaves = [leaf + jax.random.normal(k, leaf.shape)
                  for k, leaf in zip(jax.random.split(key, len(leaves)), leaves)]
        g = jax.tree_util.tree_unflatten(tree, leaves)
        return jax.tree_util.tree_map(lambda w, d: w - 0.1 * d / batch, p, g)

    compiled = jax.jit(private, donate_argnums=0)
    state = {"p": parameters, "steps": 0}
    key = jax.random.PRNGKey(1)

    def step(drawn):
        drawn = drawn[:size]
        index = numpy.zeros(size, numpy.int64)
        index[: len(drawn)] = drawn
        mask = numpy.zeros(size, numpy.float32)
        mask[: len(drawn)] = 1
        state["steps"] += 1
        state["p"] = compiled(state["p"], jax.random.fold_in(key, state["steps"]),
                              features[index], labels[index], mask)

    return step, lambda: jax.block_until_ready(state["p"])


def measure(peer, model, batch):
    epoch = round(COUNT / batch)
    share = {"softmax": 8192, "mlp": 6144, "cnn": 3072}[model]
    steps = max(2, min(epoch, share // batch))
    make = jax_step if peer.startswith("jax") else torch_step
    step, wait = make(peer, model, batch)

    def draw():
        return numpy.flatnonzero(random.random(COUNT) < batch / COUNT)

    for _ in range(2):
        step(draw())
    wait()
    times = []
    for _ in range(options.repetitions):
        drawn = [draw() for _ in range(steps)]
        wall, processor = time.perf_counter(), time.process_time()
        for index in drawn:
            step(index)
        wait()
        times.append((time.process_time() - processor, time.perf_counter() - wall))
    scale = epoch / steps
    processor, wall = ([t[i] * scale for t in times] for i in (0, 1))
    print(json.dumps({
        "peer": peer, "model": model, "batch": batch, "threads": options.threads,
        "epoch_cpu_s_min": round(min(processor), 3), "epoch_cpu_s_max": round(max(processor), 3),
        "epoch_wall_s_min": round(min(wall), 3), "epoch_wall_s_max": round(max(wall), 3),
        "peak_rss_mb": memory("VmHWM"),
    }), flush=True)


for model in options.models.split(","):
    for batch in map(int, options.batches.split(",")):
        for peer in options.peers.split(","):
            try:
                measure(peer, model, batch)
            except Exception as error:
                print(json.dumps({"peer": peer, "model": model, "batch": batch,
                                  "error": f"{type(error).__name__}: {error}"[:200]}), flush=True)
