#!/usr/bin/env python3
"""Writes the fixtures beside it with numpy 2 and Python's sqlite3."""
import os
import sqlite3

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
at = lambda name: os.path.join(here, name)

features = (np.arange(24, dtype=np.float32).reshape(6, 4) - 12) / 8
labels = np.array([0, 1, 2, 0, 1, 2])
np.savez(at("stored.npz"), x=features, y=labels)
np.savez_compressed(at("packed.npz"), x=features.astype(np.float64), y=labels.astype(np.uint8))
np.save(at("half.npy"), features.astype(np.float16))
np.save(at("bytes.npy"), np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
np.save(at("labels.npy"), labels[:3].astype(np.int32))
np.save(at("columns.npy"), np.asfortranarray(features))
np.save(at("objects.npy"), np.array([{"a": 1}], dtype=object), allow_pickle=True)
np.save(at("big-endian.npy"), features.astype(">f4"))

if os.path.exists(at("visits.db")):
    os.remove(at("visits.db"))
with sqlite3.connect(at("visits.db")) as db:
    db.execute("PRAGMA page_size = 1024")
    db.execute('CREATE TABLE "visit list" (age REAL, sex TEXT, stay INTEGER, back TEXT)')
    db.executemany(
        'INSERT INTO "visit list" VALUES (?, ?, ?, ?)',
        [(71.5, "F", 3, "no"), (None, "M", 10, "yes"), (40, "F", 1, "no")],
    )
