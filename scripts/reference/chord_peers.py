"""Chords that other programs hear in a folder, scored as BENCHMARKS.md scores hemiola's.

    python scripts/reference/chord_peers.py FOLDER [--peers madmom-deep madmom-cnn chordino crema] [--out OUT]

FOLDER has recordings and beside each its chords: x.flac and x.lab, in Harte's syntax. Printed for every peer: majmin and
sevenths of mir_eval.chord, the pieces weighed by the length of their reference, and the seconds that it took, reading and
resampling included. OUT gets a folder of .lab files for each peer, fit for `hemiola evaluate chord FOLDER OUT/PEER`.
A peer that cannot be imported is named and passed over, so that each may have an environment to itself.

Nothing is tuned; all peers run with the settings that their packages have of themselves:

  madmom-deep  DeepChromaProcessor, DeepChromaChordRecognitionProcessor (Korzeniowski and Widmer, ISMIR 2016); triads alone
  madmom-cnn   CNNChordFeatureProcessor, CRFChordRecognitionProcessor (the same, MLSP 2016); triads alone
  chordino     the Vamp plugin nnls-chroma:chordino (Mauch and Dixon, ISMIR 2010), as chord-extractor sets it
  crema        its chord model (McFee and Bello, ISMIR 2017); sevenths and more

All need numpy, scipy, soundfile and mir_eval. madmom is installed as scripts/reference/onset_peers.py says. chord-extractor
has the plugin for Linux inside; its dependency vamp is built from source, so that numpy below 2, Cython, setuptools and wheel
have to be there first, and pip gets --no-build-isolation.
"""

import argparse
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mir_eval
import numpy as np
import soundfile
from scipy.signal import resample_poly

MADMOM_RATE = 44100
ENDINGS = {".wav", ".flac", ".ogg"}
# What Chordino writes after a root, and Harte's shorthand for it.
CHORDINO_QUALITIES = {
    "": "maj", "m": "min", "6": "maj6", "m6": "min6", "7": "7", "maj7": "maj7", "m7": "min7",
    "dim": "dim", "dim7": "dim7", "m7b5": "hdim7", "aug": "aug",
}  # fmt: skip
# Of the bass above the root, semitone by semitone.
DEGREES = "1 b2 2 b3 3 4 b5 5 b6 6 b7 7".split()


def madmom_signal(path):
    """One channel of 16-bit numbers at the rate that the networks were taught with."""
    from madmom.audio.signal import Signal

    samples, rate = soundfile.read(path, always_2d=True)
    mono = resample_poly(samples.mean(axis=1), MADMOM_RATE, rate)
    return Signal((mono.clip(-1, 1) * 32767).astype(np.int16), sample_rate=MADMOM_RATE, num_channels=1)


def of_madmom(features, decoder):
    def recognize(path):
        rows = decoder(features(madmom_signal(path)))
        return [(float(start), float(end), str(label)) for start, end, label in rows]

    return recognize


def madmom_deep():
    from madmom.audio.chroma import DeepChromaProcessor
    from madmom.features.chords import DeepChromaChordRecognitionProcessor

    return of_madmom(DeepChromaProcessor(), DeepChromaChordRecognitionProcessor())


def madmom_cnn():
    from madmom.features.chords import CNNChordFeatureProcessor, CRFChordRecognitionProcessor

    return of_madmom(CNNChordFeatureProcessor(), CRFChordRecognitionProcessor())


def harte(name):
    """Chordino's name of a chord in Harte's syntax; its bass is a note, Harte's a degree."""
    if name == "N":
        return name
    chord, _, bass = name.partition("/")
    letters = 2 if chord[1:2] in ("b", "#") else 1
    root, quality = chord[:letters], CHORDINO_QUALITIES[chord[letters:]]
    if not bass:
        return f"{root}:{quality}"
    semitones = mir_eval.chord.pitch_class_to_semitone(bass) - mir_eval.chord.pitch_class_to_semitone(root)
    return f"{root}:{quality}/{DEGREES[semitones % 12]}"


def chordino():
    from chord_extractor.extractors import Chordino

    extractor = Chordino()

    def recognize(path):
        # A chord lasts until the next one, the last until the recording ends.
        found = extractor.extract(str(path))
        ends = [change.timestamp for change in found[1:]] + [soundfile.info(path).duration]
        spans = ((change.timestamp, end, harte(change.chord)) for change, end in zip(found, ends))
        return [span for span in spans if span[0] < span[1]]

    return recognize


def crema():
    from crema.models.chord import ChordModel

    model = ChordModel()

    def recognize(path):
        intervals, labels = model.predict(filename=str(path)).to_interval_values()
        return [(start, end, label) for (start, end), label in zip(intervals.tolist(), labels)]

    return recognize


PEERS = {
    "madmom-deep": ("madmom", madmom_deep),
    "madmom-cnn": ("madmom", madmom_cnn),
    "chordino": ("chord-extractor", chordino),
    "crema": ("crema", crema),
}


def version_of(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package}, not as a package"


def measure(recognize, pieces, out):
    """Weighted majmin and sevenths of all pieces, and how long the recognition took."""
    weights, scores, spent = [], [], 0.0
    for audio, (intervals, labels) in pieces:
        before = time.perf_counter()
        found = recognize(audio)
        spent += time.perf_counter() - before
        if out:
            rows = (f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label in found)
            (out / f"{audio.stem}.lab").write_text("".join(rows))
        spans = np.array([(start, end) for start, end, _ in found])
        result = mir_eval.chord.evaluate(intervals, labels, spans, [label for _, _, label in found])
        scores.append((result["majmin"], result["sevenths"]))
        weights.append(intervals[:, 1].sum() - intervals[:, 0].sum())
    return np.average(scores, axis=0, weights=weights), spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.folder.iterdir() if path.suffix.lower() in ENDINGS)
    pieces = [(path, mir_eval.io.load_labeled_intervals(str(path.with_suffix(".lab")))) for path in files]
    if not pieces:
        parser.error(f"{arguments.folder}: expected recordings ({', '.join(sorted(ENDINGS))}), found none")
    heard = sum(soundfile.info(path).duration for path in files)
    print(f"{len(pieces)} recordings, {heard:.1f} s of music; {version_of('mir_eval')}")
    for peer in arguments.peers:
        package, build = PEERS[peer]
        try:
            recognize = build()
        except ImportError as error:
            print(f"{peer}: left out: {error}")
            continue
        out = arguments.out / peer if arguments.out else None
        if out:
            out.mkdir(parents=True, exist_ok=True)
        (majmin, sevenths), spent = measure(recognize, pieces, out)
        line = f"{peer}: majmin {majmin:.4f} sevenths {sevenths:.4f} in {spent:.1f} s ({version_of(package)})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
