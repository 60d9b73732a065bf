"""The stored chroma of McGill Billboard as tables for `hemiola train recipes/chords-billboard.toml`.

    billboard_chroma.py BILLBOARD OUT

BILLBOARD has index.csv, NNNN/full.lab and chroma_u8/NNNN.npy with chroma_u8/index.csv: NNLS bass and treble chroma (Mauch and
Dixon, ISMIR 2010) of the McGill Billboard corpus (Burgoyne, Wild and Fujinaga, ISMIR 2011; CC0). Writes OUT/train and OUT/dev,
x.csv (time_s, twelve of the bass and twelve of the treble, from C) and x.lab beside each. Needs numpy.
"""

import csv
import sys
from pathlib import Path

import numpy as np

HOP_S = 2048 / 44100
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main():
    root, out = map(Path, sys.argv[1:3])
    splits = {int(row["id"]): row["split"] for row in rows_of(root / "index.csv")}
    for row in rows_of(root / "chroma_u8" / "index.csv"):
        quantised = np.load(root / "chroma_u8" / f"{row['id']}.npy").astype(float)
        chroma = float(row["scale"]) * (quantised / 255) ** 2
        # Stored from A: C is the fourth.
        chroma = np.concatenate([np.roll(chroma[:, :12], -3, axis=1), np.roll(chroma[:, 12:], -3, axis=1)], axis=1)
        folder = out / splits[int(row["id"])]
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{row['id']}.csv", "w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["time_s", *(f"bass {name}" for name in NAMES), *NAMES])
            for index, frame in enumerate(chroma):
                table.writerow([f"{index * HOP_S:.6f}", *(f"{value:.5f}" for value in frame)])
        labels = (root / row["id"] / "full.lab").read_text()
        (folder / f"{row['id']}.lab").write_text(labels)


if __name__ == "__main__":
    main()
