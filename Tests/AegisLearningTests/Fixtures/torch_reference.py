"""Writes torch_reference.json: what PyTorch makes of our two larger models.

  python torch_reference.py > torch_reference.json        (torch 2.x, numpy)

Parameters and records come from SplitMix64, as the Swift test makes them: bytes of the records
first, then labels. Gradients are those of the summed loss, and of the sum with each record's own
gradient clipped; every 97th value of each tensor is kept.
"""

import json

import numpy
import torch
from torch import nn

MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)


def initialise(net, gain, seed):
    generator = SplitMix64(seed)
    for parameter in net.parameters():
        if parameter.dim() == 1:
            parameter.data.zero_()
            continue
        inputs = parameter[0].numel()
        bound = numpy.sqrt(numpy.float32(gain) / numpy.float32(inputs))
        values = [
            numpy.float32(2 * (generator.next() >> 40) + 1 - 0x1000000) * numpy.float32(2**-24) * bound
            for _ in range(parameter.numel())
        ]
        parameter.data = torch.tensor(numpy.array(values)).reshape(parameter.shape)


def reference(name, net, gain, shape):
    count, clip = 8, 1.0
    initialise(net, gain, 5)
    generator = SplitMix64(9)
    pixels = numpy.array([generator.next() & 0xFF for _ in range(count * 784)], numpy.float32)
    labels = torch.tensor([generator.next() % 10 for _ in range(count)])
    x = torch.tensor(pixels / 255 * 2 - 1).reshape(count, *shape)
    logits = net(x)
    losses = nn.functional.cross_entropy(logits, labels, reduction="none")
    parameters = list(net.parameters())
    each = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    norms = [torch.sqrt(sum((g**2).sum() for g in gradient)) for gradient in each]
    total = [sum(gradient[i] for gradient in each) for i in range(len(parameters))]
    clipped = [
        sum(gradient[i] * min(1.0, clip / float(norm)) for gradient, norm in zip(each, norms))
        for i in range(len(parameters))
    ]

    def kept(gradients):
        return [float(v) for v in torch.cat([g.flatten() for g in gradients])[::97]]

    return {
        "model": name, "clip": clip, "parameters": sum(p.numel() for p in parameters),
        "logits": [float(v) for v in logits.flatten()], "loss": float(losses.mean()),
        "norms": [float(n) for n in norms], "gradient": kept(total), "clipped": kept(clipped),
    }


mlp = nn.Sequential(
    nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
)
cnn = nn.Sequential(
    nn.Conv2d(1, 16, 8, 2, padding=3), nn.Tanh(), nn.MaxPool2d(2, 1),
    nn.Conv2d(16, 32, 4, 2), nn.Tanh(), nn.MaxPool2d(2, 1),
    nn.Flatten(), nn.Linear(512, 32), nn.Tanh(), nn.Linear(32, 10),
)
print(json.dumps([reference("mlp", mlp, 6, (784,)), reference("cnn", cnn, 3, (1, 28, 28))]))
