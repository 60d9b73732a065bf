"""Recordings with their notes, on which the model of chroma is trained, and whole songs with their chords, rendered from MIDI.

    OUT/train/NAME.flac, NAME.mid   22050 Hz, mono, 16 bit, 30 s, and the pitched notes that sound in it    OUT/dev/...
    OUT/songs_train/NNN.flac, NNN.mid, NNN.lab, NNN.txt   songs of POP909 from beginning to end, their chords and the key that
                                                          lasts longest (tonic, tab, mode)
    OUT/songs_dev/...

    piano    GiantMIDI-Piano (Kong et al., TISMIR 2022), CC BY 4.0, on piano and other struck or plucked strings
    solo     POP909 (Wang et al., ISMIR 2020), MIT: one of its three parts on any instrument
    band     POP909: all parts, each on any instrument
    legato   JSB Chorales (Boulanger-Lewandowski et al., ICML 2012), public domain, on strings, choir and winds

Three of five excerpts of `band` and `solo` and every other song have drums: of the Groove MIDI Dataset (Gillick et al., ICML
2019), CC BY 4.0, at -14 to +3 dB; in songs a plain pattern on POP909's beats.

Needs what onsets.py needs, with the same SoundFonts; one pair of them is for training, the other for dev, as are the songs
of POP909 whose number ends in 3.

    chroma.py --midi DATA/symbolic OUT --train-font MuseScore_General_Full.sf2 --train-font FluidR3_GM.sf2 \\
        --dev-font TimGM6mb.sf2 --dev-font sf_GMbank.sf2
"""

import argparse
import collections
import functools
import multiprocessing
import zlib
from pathlib import Path

import mido
import numpy as np
import soundfile
from scipy.signal import resample_poly

import onsets
from onsets import BASSES, DRUMS, FAVOURED, KITS, SECONDS, Note, Piece

RATE = 22_050
FILES = {
    "train": dict(band=600, solo=120, piano=180, legato=120),
    "dev": dict(band=44, solo=16),
    "songs_train": dict(song=40),
    "songs_dev": dict(song=30),
}
WITH_DRUMS, DRUM_DB = 0.6, (-14, 3)


def played(font, programs, notes, pedal, seconds, rng):
    effects, volumes = rng.integers(0, 2, 2), [int(v) for v in rng.integers(70, 120, len(programs))]
    audio = onsets.synthesize(font, programs, notes, pedal, seconds, effects, volumes)
    return resample_poly(audio, 1, 2)


def level(audio):
    return np.sqrt((audio**2).mean()) + 1e-9


def together(rng, font, audio, drums, seconds):
    if not drums:
        return audio
    kit = [(DRUMS, KITS[rng.integers(len(KITS))])]
    beaten = played(font, kit, drums, [], seconds, rng)
    return audio / level(audio) + beaten / level(beaten) * 10 ** (rng.uniform(*DRUM_DB) / 20)


def write(folder, name, audio, notes, pedal, rng):
    audio = audio / max(np.abs(audio).max(), 1e-9) * 10 ** (rng.uniform(-14, -1) / 20)
    soundfile.write(folder / f"{name}.flac", audio, RATE, subtype="PCM_16")
    midi = mido.MidiFile(ticks_per_beat=500)
    for part in sorted({n.part for n in notes}):
        mine = [n for n in notes if n.part == part]
        events = [(n.start, 1, ("note_on", n.pitch, n.velocity)) for n in mine]
        events += [(n.end, 0, ("note_off", n.pitch, 0)) for n in mine]
        track, now = mido.MidiTrack(), 0
        controls = [(time, 2, value) for time, value in pedal]
        for time, _, event in sorted(events + controls, key=lambda e: e[:2]):
            tick = round(time * 1000)
            channel = part % 9
            if isinstance(event, tuple):
                kind, pitch, velocity = event
                track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
            else:
                track.append(mido.Message("control_change", channel=channel, control=64, value=event, time=tick - now))
            now = tick
        midi.tracks.append(track)
    midi.save(folder / f"{name}.mid")


def excerpt(rng, found, side, kind, fonts, folder, name):
    piece, programs = onsets.pitched_notes(rng, found, side, f"pitched_{kind}")
    font = fonts[rng.integers(len(fonts))]
    heard = [onsets.delays(font, program) for program in programs]
    notes = [n for n in piece.notes if n.pitch in heard[n.part]]
    audio = played(font, programs, notes, piece.pedal, SECONDS, rng)
    drums = onsets.drum_notes(rng, found, side) if kind in ("band", "solo") and rng.random() < WITH_DRUMS else []
    write(folder, name, together(rng, font, audio, drums, SECONDS), notes, piece.pedal, rng)


def beats(path):
    """Times and which are the first of a bar, as POP909 gives them."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(float(time), float(bar) > 0.5) for time, _, bar in rows]


def pattern(rows):
    """Kick, snare and hi-hat on the beats."""
    notes, place = [], 0
    for (time, bar), (after, _) in zip(rows, rows[1:]):
        place = 0 if bar else place + 1
        notes.append(Note(time, time + 0.1, 38 if place % 2 else 36, 96, 0))
        notes += [Note(t, t + 0.1, 42, 72, 0) for t in (time, (time + after) / 2)]
    return notes


def song(rng, path, fonts, folder, drums):
    piece = onsets.read(path)
    last = max(n.part for n in piece.notes)
    notes = [n._replace(part=last + 1) if n.pitch < 50 else n for n in piece.notes]
    one = lambda choice: choice[rng.integers(len(choice))]
    programs = [(0, one(FAVOURED)) for _ in range(last + 1)] + [(0, one(BASSES))]
    font = fonts[rng.integers(len(fonts))]
    heard = [onsets.delays(font, program) for program in programs]
    notes = [n for n in notes if n.pitch in heard[n.part]]
    seconds = max(n.end for n in notes) + 1
    audio = played(font, programs, notes, piece.pedal, seconds, rng)
    struck = [n for n in pattern(beats(path.with_name("beat_midi.txt"))) if n.start < seconds - 0.2] if drums else []
    write(folder, path.stem, together(rng, font, audio, struck, seconds), notes, piece.pedal, rng)
    (folder / f"{path.stem}.lab").write_text(path.with_name("chord_midi.txt").read_text())
    (folder / f"{path.stem}.txt").write_text(longest_key(path.with_name("key_audio.txt")))


def longest_key(path):
    lengths = collections.Counter()
    for line in path.read_text().splitlines():
        if line.strip():
            start, end, key = line.split()[:3]
            lengths[key] += float(end) - float(start)
    tonic, mode = lengths.most_common(1)[0][0].split(":")
    return f"{tonic}\t{dict(maj='major', min='minor')[mode]}\n"


def make(job, found, seed, fonts, out):
    side, kind, number = job
    name = f"{kind}_{number:04}"
    rng = np.random.default_rng([seed, zlib.crc32(f"chroma/{side}/{name}".encode())])
    if kind == "song":
        half = side.removeprefix("songs_")
        songs = found[half, "pop909"]
        song(rng, songs[number * len(songs) // FILES[side][kind]], fonts[half], out / side, number % 2 == 0)
    else:
        excerpt(rng, found, side, kind, fonts[side], out / side, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi", type=Path, required=True)
    for name in ("train-font", "dev-font"):
        parser.add_argument(f"--{name}", action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="the folder to make, such as songs_dev")
    parser.add_argument("--share", type=float, default=1.0, help="of the files, for a trial")
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    jobs = []
    order = ["songs_train", "songs_dev", "dev", "train"]
    for side in order:
        (args.out / side).mkdir(parents=True, exist_ok=True)
        for kind, count in FILES[side].items():
            jobs += [(side, kind, i) for i in range(max(round(count * args.share), 1))]
    # The kinds in turn, so that a run that is stopped has some of each.
    jobs.sort(key=lambda job: (order.index(job[0]), job[2] / FILES[job[0]][job[1]]))
    jobs = [job for job in jobs if args.only in job[0]]
    fonts = {"train": args.train_font, "dev": args.dev_font}
    work = functools.partial(make, found=onsets.sources(args.midi), seed=args.seed, fonts=fonts, out=args.out)
    with multiprocessing.Pool(args.jobs) as pool:
        for done, _ in enumerate(pool.imap(work, jobs, chunksize=2), 1):
            if done % 50 == 0:
                print(f"{done} of {len(jobs)}", flush=True)


if __name__ == "__main__":
    main()
