#!/usr/bin/env python3
"""Single notes of instruments, joined to one recording for each instrument of each source.

    python scripts/data/instrument_solos.py data/instruments/clips.csv data/solos

reads the table that scripts/data/instruments.py makes (columns file, tags, group) and writes data/solos/TAG/GROUP.flac, about four
minutes of each. Two places of such a recording are two notes of one instrument, so a model that learns which places are of one
recording (recipes/contrastive.toml) learns timbre from them. Needs numpy and soundfile.
"""

import csv
import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050
# No clip is added to a recording of this length.
ENOUGH_S = 240
GAP_S = 0.1


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    table, out = Path(sys.argv[1]), Path(sys.argv[2])
    solos = defaultdict(list)
    with table.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["tags"] and ";" not in row["tags"]:
                solos[row["tags"], row["group"]].append(table.parent / row["file"])
    for (tag, group), files in sorted(solos.items()):
        random.Random(group).shuffle(files)
        parts, length_s = [], 0.0
        for file in files:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
            if rate != RATE:
                sys.exit(f"{file}: expected {RATE} Hz, found {rate}")
            parts += [samples.mean(1), np.zeros(int(GAP_S * RATE), np.float32)]
            length_s += len(samples) / RATE + GAP_S
            if length_s > ENOUGH_S:
                break
        path = out / tag / f"{group}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.concatenate(parts), RATE)
        print(path, f"{len(parts) // 2} notes, {length_s:.0f} s")


if __name__ == "__main__":
    main()
