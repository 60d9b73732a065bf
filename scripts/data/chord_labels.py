"""The chords of songs, for `data.labels` of recipes/chords.toml.

    chord_labels.py --pop909 POP909 --billboard BILLBOARD OUT

copies chord_midi.txt of POP909's training songs (those whose number does not end in 3) to OUT/pop909/NNN.lab, and full.lab of
the training part of McGill Billboard (its index.csv) to OUT/billboard/NNNN.lab.
"""

import argparse
import csv
import shutil
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pop909", type=Path, required=True)
    parser.add_argument("--billboard", type=Path, required=True)
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    for name in ("pop909", "billboard"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    for song in sorted(args.pop909.glob("[0-9]*")):
        if int(song.name) % 10 != 3:
            shutil.copyfile(song / "chord_midi.txt", args.out / "pop909" / f"{song.name}.lab")
    with open(args.billboard / "index.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            labels = args.billboard / f"{int(row['id']):04}" / "full.lab"
            if row["split"] == "train" and labels.exists():
                shutil.copyfile(labels, args.out / "billboard" / f"{int(row['id']):04}.lab")


if __name__ == "__main__":
    main()
