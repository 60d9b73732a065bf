"""Beats that librosa and madmom find in every recording of a folder, one time in seconds a line.

    python scripts/reference/beat_peers.py librosa RECORDINGS OUT
    python scripts/reference/beat_peers.py madmom RECORDINGS OUT
    hemiola evaluate beat REFERENCES OUT

Needs librosa (its dynamic programming, after Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music Research
36(1), 2007), or madmom with soundfile and scipy (recurrent networks and a dynamic Bayesian network, as its program
DBNBeatTracker has them: Böck, Krebs and Widmer, "A Multi-model Approach to Beat Tracking Considering Heterogeneous Music
Styles", ISMIR 2014). Both run with the settings that they are published with; nothing is tuned.

How madmom is built stands in onset_peers.py. Its models are under CC BY-NC-SA 4.0.

POP909 has its beats in beat_midi.txt, with two more columns; references.py of the same text:

    python scripts/reference/beat_peers.py pop909 POP909 OUT        # OUT/NNN.txt: the times alone
"""

import argparse
import time
from pathlib import Path

MADMOM_RATE = 44100
ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".m4a"}


def librosa_tracker():
    import librosa

    def track(path):
        samples, rate = librosa.load(path)
        return librosa.beat.beat_track(y=samples, sr=rate, units="time")[1], len(samples) / rate

    return track


def madmom_tracker():
    import numpy
    import soundfile
    from madmom.audio.signal import Signal
    from madmom.features.beats import DBNBeatTrackingProcessor, RNNBeatProcessor
    from scipy.signal import resample_poly

    activations = RNNBeatProcessor()
    decode = DBNBeatTrackingProcessor(fps=100)

    def track(path):
        samples, rate = soundfile.read(path, always_2d=True)
        mono = resample_poly(samples.mean(axis=1), MADMOM_RATE, rate)
        # Its spectra are of 16-bit numbers.
        mono = (mono.clip(-1, 1) * 32767).astype(numpy.int16)
        return decode(activations(Signal(mono, sample_rate=MADMOM_RATE, num_channels=1))), len(samples) / rate

    return track


TRACKERS = {"librosa": librosa_tracker, "madmom": madmom_tracker}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=TRACKERS)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()

    track = TRACKERS[arguments.peer]()
    seconds = heard = 0.0
    for path in sorted(arguments.recordings.rglob("*")):
        if path.suffix.lower() not in ENDINGS:
            continue
        out = (arguments.out / path.relative_to(arguments.recordings)).with_suffix(".txt")
        if out.exists():
            continue
        before = time.perf_counter()
        beats, length = track(path)
        seconds += time.perf_counter() - before
        heard += length
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("".join(f"{beat:.4f}\n" for beat in beats))
        print(f"{path}: {len(beats)} beats", flush=True)
    print(f"{seconds:.1f} s for {heard:.1f} s of sound")


if __name__ == "__main__":
    main()
