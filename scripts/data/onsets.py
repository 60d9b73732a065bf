"""Recordings with the times of their onsets, on which the onset detector is trained, rendered from MIDI.

    OUT/train/NAME.flac  16 kHz, mono, 16 bit, 30 s    OUT/train/NAME.txt  onsets in seconds, one a line    OUT/dev/...

    drums_gm        Groove MIDI (Gillick et al., ICML 2019), CC BY 4.0, on the drum kits of the SoundFonts
    drums_muldjord  the same on MuldjordKit, a recorded kit, CC BY 4.0: github.com/sfzinstruments/DrumGizmo.MuldjordKit
    pitched_piano   GiantMIDI-Piano (Kong et al., TISMIR 2022), CC BY 4.0, on piano and other struck or plucked strings
    pitched_solo    POP909 (Wang et al., ISMIR 2020), MIT: one of its three parts on any instrument
    pitched_band    POP909: all parts, each on any instrument
    pitched_legato  JSB Chorales (Boulanger-Lewandowski et al., ICML 2012), public domain, on strings, choir and winds
    mixed           drums_gm and one of the others, pitched, at -6 to +6 dB

Debian packages: fluidsynth; musescore-general-soundfont-lossless and fluid-soundfont-gm (MIT), for training;
csound-soundfont (public domain) and timgm6mb-soundfont (GPL-2), for the dev side. The two of a pair share
most of their drum samples, the pairs none, so a whole pair has to be on one side for the dev side to be unheard.
Python 3.11 with mido, numpy, scipy, soundfile.

    onsets.py --midi DATA/symbolic --muldjord CLONE OUT \\
        --train-font MuseScore_General_Full.sf2 --train-font FluidR3_GM.sf2 \\
        --dev-font TimGM6mb.sf2 --dev-font sf_GMbank.sf2

DATA/symbolic has the collections as published, in groove, pop909, giantmidi and chorales; CLONE is a clone, bare or
not. Dev: the splits validation and test of Groove, the songs of POP909 whose number ends in 3. The works of a reserved
test (RESERVED in symbolic.py) stay out.

An onset is the time of a MIDI note plus the time its instrument takes, alone, to a tenth of its first peak, at most
30 ms. That includes the latency of the synthesizer; its block of 64 samples leaves an error of about 1 ms.
Keys that an instrument does not have are left out, and so is an onset after which the part is silent for 100 ms.
"""

import argparse
import collections
import csv
import functools
import json
import multiprocessing
import subprocess
import tempfile
import zlib
from pathlib import Path

import mido
import numpy as np
import soundfile
from scipy.signal import resample_poly

from symbolic import RESERVED, plain

RATE, SYNTH_RATE, SECONDS = 16_000, 44_100, 30
MERGE_S, SLOWEST_S, SILENT = 0.03, 0.03, 1e-3
FILES = {
    "train": dict(drums_gm=480, drums_muldjord=120, mixed=360)
    | dict(pitched_piano=210, pitched_solo=90, pitched_band=240, pitched_legato=60),
    "dev": dict(drums_gm=40, pitched_solo=8, pitched_band=12),
}

# General MIDI, from 0. No SoundFont here has program 26 of the drum bank.
DRUMS = -1
KITS = [0, 8, 16, 24, 25, 32, 40, 48]
PIANOS = [0, 0, 0, 0, 1, 1, 2, 3, 4, 5]
PLUCKED = [6, 6, 24, 24, 25, 46, 46, 11, 11]
SLOW = {44, 48, 49, 50, 51, 52, 53, 54}
ANY = [p for p in range(88) if p not in SLOW and p not in (47, 55)] + [104, 105, 106, 107, 108]
FAVOURED = [*range(8), *range(8, 15), *range(16, 40), 40, 41, 42, 45, 46, *range(56, 75)]
BASSES = [32, 33, 34, 35, 36, 38, 43]
LEGATO = [*sorted(SLOW - {54}), 40, 41, 42, 60, 68, 70, 71, 73]

# Groove's own keys, for the rims and edges of its kit, and now and then other percussion.
GROOVE_KEYS = {22: 42, 26: 46, 58: 43}
OTHER_KEYS = [{42: 54}, {42: 70}, {42: 69}, {38: 39, 40: 39}, {38: 37}, {51: 56}, {48: 60, 47: 61, 45: 64}, {51: 76}]
MULDJORD = {35: "KdrumL", 36: "KdrumR", 37: "SnareRest", 38: "Snare", 39: "Snare", 40: "Snare", 41: "Tom4", 43: "Tom4"}
MULDJORD |= {45: "Tom3", 47: "Tom2", 48: "Tom1", 50: "Tom1", 42: "HihatClosed", 44: "HihatClosed", 46: "HihatOpen"}
MULDJORD |= {49: "CrashL", 52: "China", 53: "RideRBell", 55: "CrashR", 57: "CrashR", 51: "RideR", 59: "RideL"}

# Times in seconds; `part` is an index. A piece has notes and (time, value) of the sustain pedal.
Note = collections.namedtuple("Note", "start end pitch velocity part")
Piece = collections.namedtuple("Piece", "notes pedal")


@functools.lru_cache(maxsize=64)
def read(path):
    midi = mido.MidiFile(path)
    changes = ((at, m.tempo) for track in midi.tracks for at, m in absolute(track) if m.type == "set_tempo")
    tempos = [(0, 500_000), *sorted(changes)]
    ticks, seconds = [at for at, _ in tempos] + [tempos[-1][0] + 10_000_000], [0.0]
    for (at, tempo), after in zip(tempos, ticks[1:]):
        seconds.append(seconds[-1] + (after - at) * tempo / midi.ticks_per_beat / 1e6)
    time = lambda tick: float(np.interp(tick, ticks, seconds))

    notes, pedal, parts = [], [], 0
    for track in midi.tracks:
        sounding = {}
        for at, message in absolute(track):
            if message.is_cc(64):
                pedal.append((time(at), message.value))
            elif message.type in ("note_on", "note_off"):
                for start, velocity in sounding.pop(message.note, []):
                    notes.append(Note(start, max(time(at), start + 0.03), message.note, velocity, parts))
                if message.type == "note_on" and message.velocity:
                    sounding[message.note] = [(time(at), message.velocity)]
        parts += bool(notes) and notes[-1].part == parts
    return Piece(sorted(notes), sorted(pedal))


def absolute(track):
    return zip(np.cumsum([message.time for message in track]).tolist(), track)


def excerpt(rng, piece, seconds, shift=0.0, humanise=0.0):
    """Some seconds of a piece, faster or slower, moved to `shift`, with another curve of velocities."""
    pace, curve = np.exp(rng.uniform(np.log(0.8), np.log(1.25))), np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
    first, last = piece.notes[0].start, piece.notes[-1].start
    first = rng.uniform(first, last - seconds * pace) if last - first > seconds * pace else first
    inside = [n for n in piece.notes if n.start >= first - 1e-9]
    origin, notes = inside[0].start, []
    move = lambda time: shift + (time - origin) / pace
    for n in inside:
        if move(n.start) < shift + seconds:
            start = max(move(n.start) + rng.uniform(-humanise, humanise), 0.0)
            velocity = int(np.clip(np.round(127 * (n.velocity / 127) ** curve), 1, 127))
            notes.append(Note(start, min(max(move(n.end), start + 0.03), SECONDS), n.pitch, velocity, n.part))
    pedal = [(0.0, value) for time, value in piece.pedal if time < origin][-1:]
    pedal += [(move(time), value) for time, value in piece.pedal if time >= origin and move(time) < SECONDS]
    return Piece(notes, pedal)


def chorale(rng, steps):
    """Legato; one step is a sixteenth."""
    step, notes = 15 / rng.uniform(60, 100), []
    for part in range(4):
        pitches = [int(s[part]) for s in steps]
        edges = [i for i in range(len(pitches) + 1) if i in (0, len(pitches)) or pitches[i] != pitches[i - 1]]
        for a, b in zip(edges, edges[1:]):
            if pitches[a] >= 0:
                notes.append(Note(a * step, b * step, pitches[a], int(rng.integers(60, 110)), part))
    return Piece(sorted(notes), [])


def sources(folder):
    """Side and set to what to choose from."""
    found = collections.defaultdict(list)
    with open(folder / "groove" / "info.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            side = "train" if row["split"] == "train" else "dev"
            found[side, row["beat_type"]].append(folder / "groove" / row["midi_filename"])
    for song in sorted((folder / "pop909").glob("[0-9]*/[0-9]*.mid")):
        found["dev" if int(song.stem) % 10 == 3 else "train", "pop909"].append(song)
    with open(folder / "giantmidi" / "index.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            words = plain(row["giantmidi_file"]) + " / " + plain(row["work"])
            if row["split"] == "train" and not RESERVED.search(words):
                found["train", "giantmidi"].append(folder / "giantmidi" / "giantmidi" / row["giantmidi_file"])
    found["train", "chorales"] = json.loads((folder / "chorales" / "Jsb16thSeparated.json").read_text())["train"]
    return found


def synthesize(font, programs, notes, pedal, seconds, effects=(0, 0), volumes=None, stops=()):
    """Mono at SYNTH_RATE. `stops` are times at which everything is cut off."""
    events = []
    for part, (bank, program) in enumerate(programs):
        message = functools.partial(mido.Message, channel=9 if bank == DRUMS else part + (part >= 9))
        events.append((0, 0, message("program_change", program=program)))
        controls = [(0, 7, volumes[part])] if volumes else []
        controls += [(time, 64, value) for time, value in pedal] + [(time, 120, 0) for time in stops]
        events += [(time, 1, message("control_change", control=c, value=value)) for time, c, value in controls]
        for n in (n for n in notes if n.part == part):
            events.append((n.start, 3, message("note_on", note=n.pitch, velocity=n.velocity)))
            events.append((n.end, 2, message("note_off", note=n.pitch, velocity=0)))
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted([(round(e[0] * 2000), *e[1:]) for e in events], key=lambda e: e[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(round(seconds * 2000) - now, 0)))
    with tempfile.TemporaryDirectory() as scratch:
        score, sound = f"{scratch}/in.mid", f"{scratch}/out.wav"
        mido.MidiFile(type=0, ticks_per_beat=1000, tracks=[track]).save(score)
        command = f"fluidsynth -ni -q -g 0.3 -r {SYNTH_RATE} -R {effects[0]} -C {effects[1]} -O float -T wav -F".split()
        command += [sound, "-o", "synth.dynamic-sample-loading=1", str(font), score]
        subprocess.run(command, check=True, capture_output=True)
        audio = soundfile.read(sound)[0].mean(axis=1)
    return np.pad(audio, (0, round(seconds * SYNTH_RATE)))[: round(seconds * SYNTH_RATE)]


@functools.lru_cache(maxsize=None)
def delays(font, program):
    """Pitch to the time from a note to its onset in the audio; pitches that do not sound are missing."""
    starts = {pitch: 0.25 * (i + 1) + 0.0007 * i for i, pitch in enumerate(range(21, 109))}
    notes = [Note(start, start + 0.15, pitch, 96, 0) for pitch, start in starts.items()]
    stops = [n.start - 0.02 for n in notes]
    audio = np.abs(synthesize(font, [program], notes, [], 0.3 * len(starts), stops=stops))
    found = ((pitch, rise(audio[round(start * SYNTH_RATE) :])) for pitch, start in starts.items())
    return {pitch: delay for pitch, delay in found if delay is not None}


def rise(sound):
    first = sound[: SYNTH_RATE // 10]
    return min(int(np.argmax(first >= first.max() / 10)) / SYNTH_RATE, SLOWEST_S) if first.max() >= SILENT else None


@functools.lru_cache(maxsize=1)
def muldjord(clone):
    """Piece of the kit to its hits from soft to loud: (overhead, close) at RATE, and the onset in them."""
    root, kit = "DrumGizmo/MuldjordKit/Samples", collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        archive = subprocess.run(["git", "-C", clone, "archive", "HEAD", root], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", scratch], input=archive, check=True)
        for folder in sorted(Path(scratch, root).iterdir()):
            for hit in sorted(folder.glob("*-OHL.flac")):
                load = lambda mic: soundfile.read(str(hit).replace("-OHL.", f"-{mic}."))[0]
                close = ["KdrumL", "KdrumR", "Snare_top", "Tom1", "Tom2", "Tom3", "Tom4", "Hihat", "RideL", "RideR"]
                pair = np.stack([sum(map(load, mics)) for mics in (["OHL", "OHR"], close)])[:, : 4 * SYNTH_RATE]
                onset = rise(np.abs(pair.sum(axis=0))) or 0.0
                kit[folder.name].append((resample_poly(pair, 160, 441, axis=1).astype("float32"), onset))
    return {name: sorted(hits, key=lambda hit: float((hit[0] ** 2).sum())) for name, hits in kit.items()}


def sample_drums(rng, clone, notes):
    """Audio and onsets of notes on MuldjordKit; a closed hi-hat stops an open one."""
    kit, gains = muldjord(clone), 10 ** (rng.uniform([-6, -12], [6, 3]) / 20)
    audio, onsets, fade = np.zeros(RATE * (SECONDS + 5)), [], np.linspace(1, 0, RATE // 20)
    hats = [n.start for n in notes if n.pitch in (42, 44, 46)]
    for n in (n for n in notes if n.pitch in MULDJORD):
        hits = kit[MULDJORD[n.pitch]]
        layer = round(n.velocity / 127 * (len(hits) - 1) + rng.uniform(-1.5, 1.5))
        pair, onset = hits[int(np.clip(layer, 0, len(hits) - 1))]
        sound = gains @ pair
        stop = min((hat for hat in hats if hat > n.start + 0.01), default=None) if n.pitch == 46 else None
        if stop is not None and (cut := round((stop - n.start) * RATE)) + len(fade) < len(sound):
            sound = np.concatenate([sound[:cut], sound[cut : cut + len(fade)] * fade])
        start = round(n.start * RATE)
        audio[start : start + len(sound)] += sound[: len(audio) - start]
        onsets.append(start / RATE + onset)
    return audio[: RATE * SECONDS], onsets


def drum_notes(rng, found, side):
    """Several beats or fills, one after the other."""
    notes, now = [], rng.uniform(0.05, 0.5)
    keys = OTHER_KEYS[rng.integers(len(OTHER_KEYS))] if rng.random() < 0.25 else {}
    while now < SECONDS - 2:
        paths = found[side, "beat" if rng.random() < 0.75 else "fill"]
        if (piece := read(paths[rng.integers(len(paths))])).notes:
            notes += excerpt(rng, piece, min(SECONDS - 0.2 - now, rng.uniform(10, 30)), now).notes
            now = notes[-1].start + rng.uniform(0.15, 0.6)
    pitches = [GROOVE_KEYS.get(n.pitch, n.pitch) for n in notes]
    return [n._replace(pitch=keys.get(p, p), part=0, end=n.start + 0.1) for n, p in zip(notes, pitches)]


def pitched_notes(rng, found, side, kind):
    """A piece and the program of each part."""
    one = lambda choice: choice[rng.integers(len(choice))]
    instrument = lambda: one(FAVOURED if rng.random() < 0.75 else ANY)
    lead, length = rng.uniform(0.05, 0.5), SECONDS - 0.7
    if kind == "pitched_piano":
        piece = excerpt(rng, read(one(found[side, "giantmidi"])), length, lead)
        programs = [one(PIANOS if rng.random() < 0.65 else PLUCKED)]
    elif kind == "pitched_legato":
        piece = excerpt(rng, chorale(rng, one(found[side, "chorales"])), length, lead, 0.008)
        programs = [one(LEGATO)] * 4 if rng.random() < 0.6 else [one(LEGATO) for _ in range(4)]
    else:
        piece = read(one(found[side, "pop909"]))
        if kind == "pitched_solo":
            counts = collections.Counter(n.part for n in piece.notes)
            part = one([part for part, count in sorted(counts.items()) if count >= 80] or sorted(counts))
            piece = Piece([n for n in piece.notes if n.part == part], [])
        else:
            # The low notes of the piano of POP909 are a bass most of the time.
            last, low = max(n.part for n in piece.notes), 50 if rng.random() < 0.6 else 0
            piece = Piece([n._replace(part=last + 1) if n.pitch < low else n for n in piece.notes], [])
        piece = excerpt(rng, piece, length, lead, 0.008)
        programs = [instrument() for _ in range(1 + max(n.part for n in piece.notes))]
        if kind == "pitched_band" and len(programs) > last + 1:
            programs[last + 1] = one(BASSES)
    steps = int(rng.integers(-5, 7))
    notes = [n._replace(pitch=n.pitch + steps) for n in piece.notes if 21 <= n.pitch + steps <= 108]
    return Piece(notes, piece.pedal), [(0, program) for program in programs]


def stem(rng, found, side, kind, fonts, clone):
    """Audio, its peak 1, and onsets."""
    if kind == "drums_muldjord":
        audio, onsets = sample_drums(rng, clone, drum_notes(rng, found, side))
    else:
        if kind == "drums_gm":
            piece, programs = Piece(drum_notes(rng, found, side), []), [(DRUMS, KITS[rng.integers(len(KITS))])]
        else:
            piece, programs = pitched_notes(rng, found, side, kind)
        font = fonts[rng.integers(len(fonts))]
        effects, volumes = rng.integers(0, 2, 2), [int(v) for v in rng.integers(70, 120, len(programs))]
        after = [delays(font, program) for program in programs]
        notes = [n for n in piece.notes if n.pitch in after[n.part]]
        audio = resample_poly(synthesize(font, programs, notes, piece.pedal, SECONDS, effects, volumes), 160, 441)
        onsets = [n.start + after[n.part][n.pitch] for n in notes]
    audio = audio / max(np.abs(audio).max(), 1e-9)
    windows = [(t, audio[round(t * RATE) : round((t + 0.1) * RATE)]) for t in onsets if t < SECONDS - 0.05]
    return audio, [t for t, window in windows if np.abs(window).max() >= SILENT]


def make(job, found, seed, fonts, clone, out):
    side, kind, number = job
    name = f"{kind}_{number:04}"
    rng = np.random.default_rng([seed, zlib.crc32(f"{side}/{name}".encode())])
    if kind == "mixed":
        other = rng.choice(["pitched_piano", "pitched_solo", "pitched_band", "pitched_legato"], p=[0.2, 0.2, 0.5, 0.1])
        (a, ours), (b, others) = (stem(rng, found, side, k, fonts[side], clone) for k in ("drums_gm", other))
        level = lambda x: np.sqrt((x**2).mean()) + 1e-9
        audio = a / level(a) + b / level(b) * 10 ** (rng.uniform(-6, 6) / 20)
        onsets = ours + others
    else:
        audio, onsets = stem(rng, found, side, kind, fonts[side], clone)
    audio = audio / max(np.abs(audio).max(), 1e-9) * 10 ** (rng.uniform(-14, -1) / 20)
    merged = []
    for time in sorted(onsets):
        merged += [time] if not merged or time - merged[-1] >= MERGE_S else []
    soundfile.write(out / side / f"{name}.flac", audio, RATE, subtype="PCM_16")
    (out / side / f"{name}.txt").write_text("".join(f"{time:.4f}\n" for time in merged))
    return side, kind, merged


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--midi", type=Path, required=True)
    for name, action in {"muldjord": "store", "train-font": "append", "dev-font": "append"}.items():
        parser.add_argument(f"--{name}", action=action, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the files, for a trial")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    jobs = []
    for side, kinds in FILES.items():
        (args.out / side).mkdir(parents=True, exist_ok=True)
        jobs += [(side, kind, i) for kind, count in kinds.items() for i in range(max(round(count * args.share), 1))]
    options = dict(found=sources(args.midi), seed=args.seed, clone=args.muldjord, out=args.out)
    work = functools.partial(make, fonts={"train": args.train_font, "dev": args.dev_font}, **options)
    totals = collections.defaultdict(list)
    with multiprocessing.Pool(args.jobs) as pool:
        for done, (side, kind, onsets) in enumerate(pool.imap_unordered(work, jobs, chunksize=4), 1):
            totals[side, kind].append(onsets)
            if done % 50 == 0:
                print(f"{done} of {len(jobs)}", flush=True)
    for (side, kind), files in sorted(totals.items()):
        hours, gaps = len(files) * SECONDS / 3600, np.concatenate([np.diff(onsets) for onsets in files])
        print(f"{side:5} {kind:14} {hours:6.3f} h {sum(map(len, files)):7} onsets, {np.median(gaps):.3f} s apart")


if __name__ == "__main__":
    main()
