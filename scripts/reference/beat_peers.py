"""References of beats and tempi, and the beats that librosa and madmom find in every recording of a folder.

    python scripts/reference/beat_peers.py pop909 POP909 REFERENCES    # of the songs NNN/beat_midi.txt
    python scripts/reference/beat_peers.py groove GROOVE REFERENCES    # and NAME.mid, to render
    python scripts/reference/beat_peers.py librosa RECORDINGS OUT
    python scripts/reference/beat_peers.py madmom RECORDINGS OUT
    hemiola evaluate beat REFERENCES OUT
    hemiola evaluate tempo REFERENCES OUT

REFERENCES gets NAME.beats and, with one tempo, NAME.lab; OUT gets NAME.json, as `hemiola beats --format json` writes it.

Needs librosa (its dynamic programming, after Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music Research
36(1), 2007), or madmom with soundfile and scipy (recurrent networks and a dynamic Bayesian network, as its program
DBNBeatTracker has them: Böck, Krebs and Widmer, "A Multi-model Approach to Beat Tracking Considering Heterogeneous Music
Styles", ISMIR 2014). Both run with the settings that they are published with; nothing is tuned. How madmom is built stands
in onset_peers.py. Its models are under CC BY-NC-SA 4.0.
"""

import argparse
import csv
import json
import shutil
import statistics
import time
from pathlib import Path

MADMOM_RATE = 44100
ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".m4a"}
# Of Groove, takes so long are references, up to so late.
SHORTEST_S, LATEST_S = 15.0, 90.0
# Distances between beats that differ by less, as a share, are of one tempo.
SAME_TEMPO = 0.08


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


def tempo_bpm(beats):
    """The tempo of most beats, as hemiola tells it."""
    distances = [after - before for before, after in zip(beats, beats[1:])]
    if not distances:
        return None
    median = statistics.median(distances)
    near = [distance for distance in distances if abs(distance / median - 1) < SAME_TEMPO]
    return 60 / statistics.mean(near)


def run_peer(name, recordings, out_folder):
    track = TRACKERS[name]()
    seconds = heard = 0.0
    for path in sorted(recordings.rglob("*")):
        if path.suffix.lower() not in ENDINGS:
            continue
        out = (out_folder / path.relative_to(recordings)).with_suffix(".json")
        if out.exists():
            continue
        before = time.perf_counter()
        beats, length = track(path)
        seconds += time.perf_counter() - before
        heard += length
        beats = [float(beat) for beat in beats]
        found = {
            "model": name,
            "tempo_bpm": tempo_bpm(beats),
            "beats_per_bar": 0,
            "beats": [{"time_s": beat, "number": 0} for beat in beats],
        }
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found))
        print(f"{path}: {len(beats)} beats", flush=True)
    print(f"{seconds:.1f} s for {heard:.1f} s of sound")


def write_reference(out, beats, bpm):
    """Beats are a time and whether a bar begins."""
    lines, number = [], 0
    for beat, begins in beats:
        # Beats before the first bar line have no number.
        number = 1 if begins else number + 1 if number else 0
        lines.append(f"{beat:.6f}\t{number}\n")
    out.with_suffix(".beats").write_text("".join(lines))
    out.with_suffix(".lab").write_text(f"{bpm:.3f}\t0\t1\n")


def pop909(source, out):
    for path in sorted(source.glob("*/beat_midi.txt")):
        rows = [[float(cell) for cell in line.split()] for line in path.read_text().splitlines()]
        bpm = tempo_bpm([row[0] for row in rows])
        write_reference(out / path.parent.name, [(row[0], row[2] > 0) for row in rows], bpm)


def groove(source, out):
    with (source / "info.csv").open() as table:
        takes = [row for row in csv.DictReader(table) if row["split"] == "validation"]
    takes = [take for take in takes if float(take["duration"]) >= SHORTEST_S]
    for index, take in enumerate(sorted(takes, key=lambda take: take["midi_filename"])):
        bpm, end_s = float(take["bpm"]), min(float(take["duration"]), LATEST_S)
        per_bar = int(take["time_signature"].split("-")[0])
        count = int(end_s * bpm / 60) + 1
        beats = [(k * 60 / bpm, k % per_bar == 0) for k in range(count)]
        name = f"g{index:03}"
        write_reference(out / name, beats, bpm)
        shutil.copyfile(source / take["midi_filename"], out / f"{name}.mid")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["pop909", "groove", *TRACKERS])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()

    arguments.out.mkdir(parents=True, exist_ok=True)
    match arguments.what:
        case "pop909":
            pop909(arguments.source, arguments.out)
        case "groove":
            groove(arguments.source, arguments.out)
        case peer:
            run_peer(peer, arguments.source, arguments.out)


if __name__ == "__main__":
    main()
