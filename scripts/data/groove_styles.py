"""Styles of drumming with few examples: a folder to try `hemiola finetune` on.

    groove_styles.py --groove GROOVE --soundfont SF2 OUT

writes OUT/<style>/*.flac (22050 Hz, mono, 6 s) and OUT/table.csv (file,group,split): 20 excerpts of each style to learn from
and 20 to measure by, of different performances. GROOVE is the Groove MIDI Dataset (Gillick et al., ICML 2019; CC BY 4.0),
SF2 a SoundFont with drums, such as the one of the Debian package timgm6mb-soundfont. Needs Python 3, numpy, scipy, mido,
soundfile and fluidsynth.
"""

import argparse
import csv
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import mido
import numpy as np
import soundfile
from scipy.signal import resample_poly

STYLES = ["rock", "funk", "jazz", "latin", "hiphop"]
EACH, SECONDS, KITS = 20, 6.0, [0, 8, 16, 24, 25, 32]


def excerpt(path, start, kit):
    """A MIDI file of the hits from `start` seconds on."""
    track, last, now = mido.MidiTrack(), 0.0, 0.0
    track.append(mido.Message("program_change", channel=9, program=kit))
    for message in mido.MidiFile(path):
        now += message.time
        if message.type in ("note_on", "note_off") and start <= now < start + SECONDS:
            at = now - start
            track.append(message.copy(channel=9, time=round((at - last) * 960)))
            last = at
    return mido.MidiFile(tracks=[track], ticks_per_beat=480)


def rendered(midi, soundfont, folder):
    midi.save(folder / "a.mid")
    command = ["fluidsynth", "-niq", "-g", "0.5", "-r", "44100", "-F", folder / "a.wav", soundfont, folder / "a.mid"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples, _ = soundfile.read(folder / "a.wav", always_2d=True)
    samples = resample_poly(samples.mean(1), 1, 2)[: int(SECONDS * 22050)]
    return np.pad(samples, (0, max(0, int(SECONDS * 22050) - len(samples)))) / max(1e-9, np.abs(samples).max()) * 0.8


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groove", type=Path, required=True)
    parser.add_argument("--soundfont", required=True)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    performances = defaultdict(list)
    for row in csv.DictReader(open(args.groove / "info.csv")):
        style = row["style"].split("/")[0]
        if style in STYLES and float(row["duration"]) > 2 * SECONDS:
            performances[style].append((row["midi_filename"], float(row["duration"])))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for style in STYLES:
            files = sorted(performances[style])
            order = rng.permutation(len(files))
            half = len(files) // 2
            for split, part in (("train", order[:half]), ("dev", order[half:])):
                for i in range(EACH):
                    name, duration = files[part[i % len(part)]]
                    midi = excerpt(args.groove / name, rng.uniform(0, duration - SECONDS), int(rng.choice(KITS)))
                    file = f"{style}/{split}_{i:02d}.flac"
                    (args.out / style).mkdir(parents=True, exist_ok=True)
                    soundfile.write(args.out / file, rendered(midi, args.soundfont, Path(folder)), 22050, "PCM_16")
                    rows.append((file, name, split))
    with open(args.out / "table.csv", "w", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([("file", "group", "split"), *rows])


if __name__ == "__main__":
    main()
