"""Onsets that librosa and madmom find in every recording of a folder, one time in seconds a line.

    python scripts/reference/onset_peers.py librosa RECORDINGS OUT
    python scripts/reference/onset_peers.py madmom RECORDINGS OUT
    hemiola evaluate onset RECORDINGS OUT

Needs librosa (spectral flux and its default peak picking), or madmom with soundfile and scipy (the convolutional network of
Schlüter and Böck, "Improved Musical Onset Detection with Convolutional Neural Networks", ICASSP 2014, and the peak picking
of its program CNNOnsetDetector). Both run with the settings that they are published with; nothing is tuned.

madmom 0.16.1 does not build with current pip, numpy and Python. What does: Python 3.11, numpy 1.23.5, scipy 1.10.1 and
Cython 0.29, its main branch on GitHub with the folder madmom/models of the release, built with --no-build-isolation. Its
models are under CC BY-NC-SA 4.0.
"""

import argparse
import time
from pathlib import Path

MADMOM_RATE = 44100
ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".m4a"}


def librosa_detector():
    import librosa

    def detect(path):
        samples, rate = librosa.load(path)
        return librosa.onset.onset_detect(y=samples, sr=rate, units="time"), len(samples) / rate

    return detect


def madmom_detector():
    import numpy
    import soundfile
    from madmom.audio.signal import Signal
    from madmom.features.onsets import CNNOnsetProcessor, OnsetPeakPickingProcessor
    from scipy.signal import resample_poly

    activations = CNNOnsetProcessor()
    # As the program CNNOnsetDetector sets it.
    pick = OnsetPeakPickingProcessor(threshold=0.54, smooth=0.05, fps=100)

    def detect(path):
        samples, rate = soundfile.read(path, always_2d=True)
        mono = resample_poly(samples.mean(axis=1), MADMOM_RATE, rate)
        # Its spectra are of 16-bit numbers.
        mono = (mono.clip(-1, 1) * 32767).astype(numpy.int16)
        return pick(activations(Signal(mono, sample_rate=MADMOM_RATE, num_channels=1))), len(samples) / rate

    return detect


DETECTORS = {"librosa": librosa_detector, "madmom": madmom_detector}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=DETECTORS)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.recordings.rglob("*") if path.suffix.lower() in ENDINGS)
    if not files:
        parser.error(f"{arguments.recordings}: expected recordings ({', '.join(sorted(ENDINGS))}), found none")
    detect = DETECTORS[arguments.peer]()
    detect(files[0])  # compiles what is compiled at the first call
    heard = spent = 0.0
    for path in files:
        before = time.perf_counter()
        onsets, seconds = detect(path)
        spent += time.perf_counter() - before
        heard += seconds
        target = (arguments.out / path.relative_to(arguments.recordings)).with_suffix(".txt")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(f"{onset:.4f}\n" for onset in onsets))
    print(f"{arguments.peer}: {len(files)} recordings, {heard:.1f} s of music in {spent:.1f} s")


if __name__ == "__main__":
    main()
