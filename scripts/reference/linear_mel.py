"""The simplest instrument recogniser: a linear model on mean and deviation of log-mel spectra.

Usage: python linear_mel.py CLIPS TABLE DEV_ROOT DEV_TABLE
  CLIPS, TABLE          what recipes/instruments.toml trains on
  DEV_ROOT, DEV_TABLE   recordings with one tag each, what it is measured by
Needs numpy, soundfile, scipy and scikit-learn. Prints the accuracy among the labels of the dev table.

Spectra are those of the recipe: 22,050 Hz, windows of 2048, hop 512, 128 HTK mel bands, ln(power + 1e-9). The mean over all
bands is taken off, so that the level does not matter.
"""

import argparse
import csv
import pathlib
from math import gcd

import numpy as np
import soundfile
from scipy.signal import resample_poly
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

RATE, N_FFT, HOP, BANDS = 22050, 2048, 512, 128


def mel_filters():
    mel = lambda hz: 2595 * np.log10(1 + hz / 700)
    edges = 700 * (10 ** (np.linspace(0, mel(RATE / 2), BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


FILTERS = mel_filters()
WINDOW = np.hanning(N_FFT + 1)[:-1]


def features(path):
    samples, rate = soundfile.read(path, always_2d=True)
    samples = samples.mean(1)
    if rate != RATE:
        factor = gcd(rate, RATE)
        samples = resample_poly(samples, RATE // factor, rate // factor)
    samples = np.pad(samples, N_FFT // 2, mode="reflect" if len(samples) > N_FFT else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP] * WINDOW
    log_mel = np.log(np.abs(np.fft.rfft(frames)) ** 2 @ FILTERS.T + 1e-9)
    mean = log_mel.mean(0)
    return np.concatenate([mean - mean.mean(), log_mel.std(0)])


def read(root, table):
    rows = [row for row in csv.DictReader(open(table)) if ";" not in row["tags"]]
    return np.array([features(pathlib.Path(root) / row["file"]) for row in rows]), [row["tags"] for row in rows]


def main():
    parser = argparse.ArgumentParser()
    for name in ("clips", "table", "dev_root", "dev_table"):
        parser.add_argument(name)
    args = parser.parse_args()
    train, labels = read(args.clips, args.table)
    dev, truth = read(args.dev_root, args.dev_table)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    model.fit(train, labels)
    known = sorted(set(truth))
    columns = [list(model.classes_).index(label) for label in known]
    found = [known[i] for i in model.predict_log_proba(dev)[:, columns].argmax(1)]
    right = sum(a == b for a, b in zip(found, truth))
    print(f"{len(train)} clips of {len(set(labels))} labels; accuracy {right / len(truth):.4f} ({right} of {len(truth)})")


if __name__ == "__main__":
    main()
