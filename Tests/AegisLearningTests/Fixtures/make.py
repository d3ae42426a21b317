#!/usr/bin/env python3
"""Writes the fixtures beside it: kymatio 0.3.0 (with scipy 1.14), scikit-learn 1.9, numpy 2.

  make.py DIRECTORY-OF-FASHION-MNIST
"""
import gzip
import json
import os
import sys

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))


def scattering():
    from kymatio.numpy import Scattering2D

    path = os.path.join(sys.argv[1], "t10k-images-idx3-ubyte.gz")
    pixels = np.frombuffer(gzip.open(path).read(), np.uint8, offset=16, count=2 * 784)
    images = pixels.reshape(2, 28, 28).astype(np.float32) / 255
    maps = Scattering2D(J=2, shape=(28, 28), L=8)(images).astype(np.float32)
    np.concatenate([images.ravel(), maps.ravel()]).astype("<f4").tofile(
        os.path.join(here, "scattering.f32")
    )


def calibration_error(scores, labels, bins=15):
    """Guo et al. 2017, equation 3."""
    confidence, correct = scores.max(1), scores.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return float(error)


def metrics():
    from sklearn import metrics as m

    rng = np.random.default_rng(7)
    cases = []
    for classes, count in ((2, 60), (2, 200), (3, 90), (10, 300)):
        logits = rng.normal(size=(count, classes))
        labels = rng.integers(classes, size=count)
        logits[np.arange(count), labels] += 1.0
        scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        # Few digits, so that there are ties and the numbers are exact in the file.
        scores = np.round(scores * 64).clip(1) / 64
        scores = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
        best = scores.argmax(1)
        two = classes == 2
        one_hot = np.eye(classes)[labels]
        area = [m.roc_auc_score(one_hot[:, k], scores[:, k]) for k in range(classes)]
        cases.append(
            {
                "classes": classes,
                "probabilities": [float(x) for x in scores.ravel()],
                "labels": labels.tolist(),
                "accuracy": m.accuracy_score(labels, best),
                "f1": m.f1_score(labels, best) if two else m.f1_score(labels, best, average="macro"),
                "loss": float(-np.log(scores[np.arange(count), labels].astype(float)).mean()),
                "calibration_error": calibration_error(scores.astype(float), labels),
                "auc": area[1] if two else float(np.mean(area)),
            }
        )
    with open(os.path.join(here, "metrics.json"), "w") as file:
        json.dump(cases, file)


scattering()
metrics()
