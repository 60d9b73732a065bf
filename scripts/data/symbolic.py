"""The MIDI folder on which the sequence models are trained, made from collections that allow shipping the weights.

    pop909        POP909 (Wang et al., ISMIR 2020), MIT: unchanged
    pop909_beats  the same notes at the same seconds, with a tempo map whose quarter notes are the annotated beats
    giantmidi     GiantMIDI-Piano (Kong et al., TISMIR 2022), CC BY 4.0: the files of its index.csv, unchanged
    chorales      JSB Chorales (Boulanger-Lewandowski et al., ICML 2012): music in the public domain
    openewld      OpenEWLD (Simonetta, 2018), MIT: only works all of whose authors died before 1948, melody and chords
    lieder        OpenScore Lieder Corpus, CC0: 500 songs, through MuseScore
    quartets      OpenScore String Quartets, CC0: all, through MuseScore

Needs Python 3.11, mido 1.3.3, git, and for the last two MuseScore 3.2.3 (`mscore3`).

    symbolic.py --sources DATA/symbolic --lieder CLONE --quartets CLONE OUT              the files of the list
    symbolic.py --make-list --sources DATA/symbolic --lieder CLONE --quartets CLONE OUT  the files and the list

CLONE is a clone of github.com/OpenScore/Lieder or .../StringQuartets that has the commit below. A set without a
source is passed over. Works of a reserved test (RESERVED), and files that do not parse, have too few notes or last
over 40 minutes, are left out; --make-list says which.
"""

import argparse
import collections
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import mido

LIST = Path(__file__).parents[2] / "recipes" / "symbolic.csv"
COLUMNS = ["file", "split", "style", "set", "work"]
COMMITS = {
    "lieder": "bca122458de6da362abe62dd6aec62e25d7759b1",
    "quartets": "2c723a5b7b4ea5420826116dfa912956c6a022c2",
}
LIEDER = 500
LEAST_NOTES = collections.defaultdict(lambda: 50, chorales=20, openewld=20)
LONGEST_S = 40 * 60

STYLES = {
    "baroque": "bach handel scarlatti",
    "classical": "haydn mozart beethoven clementi",
    "romantic": "schubert schumann mendelssohn chopin liszt brahms tchaikovsky grieg",
    "modern": "debussy ravel scriabin rachmaninoff prokofiev",
}
# Whole works or cycles where one piece is reserved, unless its number is certain in every file name.
RESERVED = re.compile(
    r"borodin.*petite|bergamasque|clair de lune|grieg.*op\W*(43|71)\b|mendelssohn.*(op\W*62\b|without words|ohne worte)"
    r"|liszt.*(transc|feux)|schubert.*(d\W*7[68]0\b|wanderer.?fant|moments? mus)|chopin.*(impromptu|op\W*(66|28|33|7)\b)"
    r"|chopin.*(op\W*10 (?!.*no 9\b)|op\W*25\b)|alb.niz.*(espa|op\W*47\b)|beethoven.*(op\W*13\b|path.tique)"
    r"|mussorgsky.*(pictures|exhibition)|tcha?ikovsky.*(seasons|op\W*37)|schumann.*(op\W*1[56]\b|kindersz|kreisler)"
    r"|mozart.*\bk\W*(311|331|332|545)\b"
)
# The reserved test has a Christmas carol that its list does not name.
CAROLS = re.compile(
    r"noel|christmas|angels|midnight clear|housetop|bleak midwinter|bring a torch|come all ye|joy to the|jingle bells"
    r"|three kings|wenceslas|christian men|little town|what child|three ships|still still|holly|coventry|wexford|toyland"
)
# Rows of OpenEWLD whose author lived after 1948 against what its column says.
NOT_FREE = re.compile(r"lloyd webber|campino|vavilov|don george")
FOLK = re.compile(
    r"traditional|annie laurie|soldiers .*sabine|rock of ages|home on the range|in the garden|friend we have|dixie|nearer"
    r"|marseillaise|internationale|danny boy|yellow ribbon|battle|home sweet home|sacred head|calon|simple gifts|brown jug"
    r"|america the|singing|stephen foster|ash grove|hour of prayer|jerusalem|happy birthday|aloha|condor"
)

STEPS = dict(C=0, D=2, E=4, F=5, G=7, A=9, B=11)
KINDS = {
    "major": [0, 4, 7],
    "minor": [0, 3, 7],
    "augmented": [0, 4, 8],
    "diminished": [0, 3, 6],
    "power": [0, 7],
    "suspended-fourth": [0, 5, 7],
    "suspended-second": [0, 2, 7],
    "major-sixth": [0, 4, 7, 9],
    "minor-sixth": [0, 3, 7, 9],
    "maj69": [0, 4, 7, 9, 14],
    "dominant": [0, 4, 7, 10],
    "major-seventh": [0, 4, 7, 11],
    "minor-seventh": [0, 3, 7, 10],
    "minor-major": [0, 3, 7, 11],
    "major-minor": [0, 3, 7, 11],
    "diminished-seventh": [0, 3, 6, 9],
    "half-diminished": [0, 3, 6, 10],
    "augmented-seventh": [0, 4, 8, 10],
    "dominant-ninth": [0, 4, 7, 10, 14],
    "major-ninth": [0, 4, 7, 11, 14],
    "minor-ninth": [0, 3, 7, 10, 14],
    "augmented-ninth": [0, 4, 8, 10, 14],
    "dominant-11th": [0, 7, 10, 14, 17],
    "minor-11th": [0, 3, 7, 10, 14, 17],
    "dominant-13th": [0, 4, 10, 14, 21],
    "minor-13th": [0, 3, 10, 14, 21],
}
DEGREES = {2: 14, 4: 17, 5: 7, 6: 9, 7: 10, 9: 14, 11: 17, 13: 21}

# `make` gives the bytes of the MIDI file.
Item = collections.namedtuple("Item", COLUMNS + ["make"])


def plain(text):
    """Small ASCII words."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.replace("'", "")).split())


def write_midi(ticks_per_beat, conductor, parts):
    """Tracks of (tick, message), in any order; at equal ticks the order given stays, except that ends come first."""
    midi = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    for events in [conductor, *parts]:
        track = mido.MidiTrack()
        now = 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        midi.tracks.append(track)
    data = io.BytesIO()
    midi.save(file=data)
    return data.getvalue()


def part(name, channel, notes):
    """A track of notes (start, end, pitch, velocity), in ticks."""
    events = [(0, 0, mido.MetaMessage("track_name", name=name))]
    for start, end, pitch, velocity in notes:
        events.append((start, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        events.append((end, 1, mido.Message("note_off", channel=channel, note=pitch, velocity=0)))
    return [(tick, message) for tick, _, message in sorted(events, key=lambda event: event[:2])]


def signature(tick, beats, unit=4):
    return tick, mido.MetaMessage("time_signature", numerator=beats, denominator=unit)


def tempo(tick, microseconds):
    return tick, mido.MetaMessage("set_tempo", tempo=microseconds)


def notes_and_seconds(data):
    midi = mido.MidiFile(file=io.BytesIO(data))
    return sum(m.type == "note_on" and m.velocity > 0 for track in midi.tracks for m in track), midi.length


# POP909


def beat_grid(text):
    """Beats in microseconds from 0, which is a bar line, and the lengths of the bars in beats."""
    rows = [[float(x) for x in line.split()] for line in text.splitlines()]
    times = [row[0] for row in rows]
    gaps = [b - a for a, b in zip(times, times[1:])]
    usual = sorted(gaps)[len(gaps) // 2]
    if times[0] < 0 or min(gaps) < usual / 2 or max(gaps) > usual * 2.5:
        raise ValueError(f"beats from {min(gaps):.2f} to {max(gaps):.2f} s, usually {usual:.2f} s")
    halves, bars = ([i for i, row in enumerate(rows) if row[flag]] for flag in (1, 2))
    triple = sum(b - a == 3 for a, b in zip(halves, halves[1:])) > len(halves) / 2
    metre, downbeats = (3, halves) if triple else (4, bars)

    # Whole beats between time 0 and the first annotated one, so many that the first downbeat begins a bar. Where there
    # is no time for them, the first bar is short.
    front = max(round((times[0] / usual + downbeats[0]) / metre) * metre - downbeats[0], 0)
    if times[0] < 0.001:
        front, times[0] = 0, 0.0
    else:
        while front == 0 or (front + downbeats[0]) % metre:
            front += 1
    beats = [times[0] * i / front for i in range(front)] + times
    whole, pickup = divmod(front + downbeats[0], metre)
    lengths = [pickup] * (pickup > 0) + [metre] * whole
    for gap in (b - a for a, b in zip(downbeats, downbeats[1:])):
        while gap == metre or gap > metre + 1:
            lengths.append(metre)
            gap -= metre
        lengths += [gap] if gap else []
    if sum(length != metre for length in lengths) > len(lengths) / 5:
        raise ValueError("over a fifth of the bars are irregular")
    return [round(beat * 1e6) for beat in beats], lengths + [metre]


def on_beats(data, text, ticks_per_beat=960):
    beats, lengths = beat_grid(text)
    conductor = []
    for i, (start, end) in enumerate(zip(beats, beats[1:])):
        conductor.append(tempo(i * ticks_per_beat, end - start))
    bar = 0
    for i, length in enumerate(lengths):
        if i == 0 or length != lengths[i - 1]:
            conductor.append(signature(bar * ticks_per_beat, length))
        bar += length

    def tick(microseconds):
        while tick.beat < len(beats) - 2 and microseconds >= beats[tick.beat + 1]:
            tick.beat += 1
        start, end = beats[tick.beat : tick.beat + 2]
        return round((tick.beat + (microseconds - start) / (end - start)) * ticks_per_beat)

    midi = mido.MidiFile(file=io.BytesIO(data))
    tempos = [(at, m.tempo) for at, m in absolute(mido.merge_tracks(midi.tracks)) if m.type == "set_tempo"]
    parts = []
    for track in midi.tracks:
        events, tick.beat = [], 0
        changes, now, origin, pace = iter(tempos + [(1 << 40, 0)]), 0.0, 0, 500_000
        change = next(changes)
        for at, message in absolute(track):
            while change[0] <= at:
                now += (change[0] - origin) * pace / midi.ticks_per_beat
                (origin, pace), change = change, next(changes)
            if message.type not in ("set_tempo", "time_signature", "end_of_track"):
                event = tick(now + (at - origin) * pace / midi.ticks_per_beat), message
                (conductor if message.type == "key_signature" else events).append(event)
        if events:
            parts.append(events)
    return write_midi(ticks_per_beat, conductor, parts)


def absolute(track):
    now = 0
    for message in track:
        now += message.time
        yield now, message


def pop909(folder):
    for song in sorted(folder.glob("[0-9]*")):
        number = song.name
        split = "dev" if int(number) % 10 == 3 else "train"
        path, beats = song / f"{number}.mid", song / "beat_midi.txt"
        row = [split, "pop"]
        yield Item(f"pop909/{number}.mid", *row, "pop909", number, path.read_bytes)
        make = lambda path=path, beats=beats: on_beats(path.read_bytes(), beats.read_text())
        yield Item(f"pop909_beats/{number}.mid", *row, "pop909_beats", number, make)


def giantmidi(folder):
    with open(folder / "index.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name = row["giantmidi_file"]
        composer = plain(name).split()[0]
        style = next(style for style, composers in STYLES.items() if composer in composers.split())
        path = folder / "giantmidi" / name
        yield Item(f"giantmidi/{name}", row["split"], style, "giantmidi", path.stem, path.read_bytes)


def chorale(steps):
    parts = []
    for channel, name in enumerate(["Soprano", "Alto", "Tenor", "Bass"]):
        pitches = [int(step[channel]) for step in steps]
        edges = [i for i in range(len(pitches) + 1) if i in (0, len(pitches)) or pitches[i] != pitches[i - 1]]
        notes = [(a * 120, b * 120, pitches[a], 64) for a, b in zip(edges, edges[1:]) if pitches[a] >= 0]
        parts.append(part(name, channel, notes))
    return write_midi(480, [tempo(0, 750_000), signature(0, 4)], parts)


def chorales(folder):
    for split, songs in json.loads((folder / "Jsb16thSeparated.json").read_text()).items():
        for i, steps in enumerate(songs):
            name = f"{split}-{i:03}"
            side = "train" if split == "train" else "dev"
            yield Item(f"chorales/{name}.mid", side, "chorale", "chorales", name, lambda steps=steps: chorale(steps))


# Lead sheets


def order(measures):
    """The measures as played: repeats and their endings, no da capo."""
    endings, open_ending = [], []
    for measure in measures:
        marks = list(measure.iter("ending"))
        starts = [[int(n) for n in re.findall(r"\d+", m.get("number"))] for m in marks if m.get("type") == "start"]
        open_ending = starts[0] if starts else open_ending
        endings.append(open_ending)
        if any(m.get("type") != "start" for m in marks):
            open_ending = []
    start, turn, i = 0, 1, 0
    while i < len(measures):
        repeats = [repeat.get("direction") for repeat in measures[i].iter("repeat")]
        after_ending = turn > 1 and i and endings[i - 1] and not endings[i]
        if i != start and ("forward" in repeats or after_ending):
            start, turn = i, 1
        if not endings[i] or turn in endings[i]:
            yield measures[i]
            later = list(endings[i])
            for numbers in endings[i + 1 :] if endings[i] else []:
                if not numbers:
                    break
                later += numbers
            if "backward" in repeats:
                if turn < max(later, default=2):
                    i, turn = start, turn + 1
                    continue
                start, turn = i + 1, 1
        i += 1


def pitch_class(element, name):
    return STEPS[element.findtext(f"{name}-step")] + int(float(element.findtext(f"{name}-alter") or 0))


def chord(harmony):
    """Root from C3 to B3, the other pitches in close position above it, another bass below it."""
    kind = harmony.findtext("kind")
    if kind in (None, "", "none"):
        return []
    intervals = list(KINDS[kind])
    for degree in harmony.iter("degree"):
        value, alter = DEGREES[int(degree.findtext("degree-value"))], int(degree.findtext("degree-alter"))
        if degree.findtext("degree-type") != "add":
            intervals = [interval for interval in intervals if interval % 12 != value % 12]
        if degree.findtext("degree-type") != "subtract":
            intervals.append(value + alter)
    root = 48 + pitch_class(harmony.find("root"), "root") % 12
    pitches = {root + interval for interval in intervals}
    if harmony.find("bass") is not None:
        pitches.add(root - (root - pitch_class(harmony.find("bass"), "bass") - 1) % 12 - 1)
    return sorted(pitches)


def lead_sheet(path, ticks_per_beat=480):
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".xml") and not n.startswith("META-INF"))
        score = ElementTree.fromstring(archive.read(name))
    per_minute = next((float(sound.get("tempo")) for sound in score.iter("sound") if sound.get("tempo")), 120.0)
    conductor = [tempo(0, round(60e6 / per_minute))]
    melody, chords, tied, divisions, now = [], [], set(), 1, Fraction(0)
    metre = None
    for count, measure in enumerate(order(score.find("part").findall("measure"))):
        begin = now
        for element in measure:
            duration = Fraction(element.findtext("duration") or 0) / Fraction(divisions)
            if element.tag == "attributes":
                divisions = element.findtext("divisions") or divisions
                time = element.find("time")
                if time is not None:
                    new = int(time.findtext("beats")), int(time.findtext("beat-type"))
                    if new != metre:
                        conductor.append(signature(round(begin * ticks_per_beat), *new))
                    metre = new
            elif element.tag == "harmony":
                offset = Fraction(element.findtext("offset") or 0) / Fraction(divisions)
                chords.append((now + offset, chord(element)))
            elif element.tag == "note" and element.find("grace") is None:
                if element.find("pitch") is not None:
                    octave = int(element.findtext("pitch/octave")) + 1
                    alter = int(float(element.findtext("pitch/alter") or 0))
                    pitch = 12 * octave + STEPS[element.findtext("pitch/step")] + alter
                    ties = {tie.get("type") for tie in element.findall("tie")}
                    if "stop" in ties and melody and melody[-1][1:3] == [now, pitch]:
                        melody[-1][1] = now + duration
                    else:
                        melody.append([now, now + duration, pitch, 85])
                now += duration
        if count == 0 and metre:
            # An upbeat stands at the end of its bar.
            pickup = Fraction(4 * metre[0], metre[1]) - (now - begin)
            if pickup > 0:
                melody = [[a + pickup, b + pickup, *rest] for a, b, *rest in melody]
                chords = [(at + pickup, pitches) for at, pitches in chords]
                now += pickup
    ends = [at for at, _ in chords[1:]] + [now]
    blocks = [(at, end, pitch, 60) for (at, pitches), end in zip(chords, ends) if at < end for pitch in pitches]
    in_ticks = lambda notes: [(round(a * ticks_per_beat), round(b * ticks_per_beat), *rest) for a, b, *rest in notes]
    parts = [part("Melody", 0, in_ticks(melody)), part("Chords", 1, in_ticks(blocks))]
    return write_midi(ticks_per_beat, conductor, parts)


def openewld(folder):
    with open(folder / "index.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["all_authors_died_before_1948_or_traditional"] == "yes"]
    for row in rows:
        work = row["file"].removesuffix(".mxl").replace("_", " ")
        words = plain(work)
        if NOT_FREE.search(words):
            continue
        style = "folk" if FOLK.search(words) or CAROLS.search(words) else "songbook"
        name = "-".join(plain(half).replace(" ", "_") for half in work.split("/"))
        make = lambda path=folder / row["file"]: lead_sheet(path)
        yield Item(f"openewld/{name}.mid", row["split"], style, "openewld", work, make)


# OpenScore


def openscore(name, clone, wanted, scratch):
    """The scores of a clone; those whose file is `wanted` are converted into `scratch`, many in one run."""
    git = ["git", "-C", clone]
    listing = subprocess.run([*git, "ls-tree", "-r", "-z", "--name-only", COMMITS[name], "scores"], capture_output=True, check=True)
    paths = [path for path in listing.stdout.decode().split("\0") if path.endswith(".mxl")]
    if name == "lieder":
        paths = sorted(paths, key=lambda path: zlib.crc32(path.encode()))[:LIEDER]
    jobs, items = [], []
    for path in sorted(paths):
        _, composer, *folders, file = path.split("/")
        stem = file.removesuffix(".mxl")
        # scores/COMPOSER/CYCLE/SONG/ID.mxl, where CYCLE is _ for a single song, and scores/COMPOSER/QUARTET/ID.mxl
        work = "/".join(["scores", composer, *folders[: 2 if folders[0] == "_" else 1]])
        split = "dev" if zlib.crc32(work.encode()) % 10 == 3 else "train"
        title = "/".join([composer, *folders]).replace("_", " ")
        item = Item(f"{name}/{stem}.mid", split, {"lieder": "lied", "quartets": "quartet"}[name], name, title,
                    (scratch / f"{stem}.mid").read_bytes)
        items.append(item)
        score = subprocess.run([*git, "show", f"{COMMITS[name]}:{path}"], capture_output=True)
        if score.returncode == 0 and (wanted is None or item.file in wanted):
            (scratch / file).write_bytes(score.stdout)
            jobs.append({"in": str(scratch / file), "out": str(scratch / f"{stem}.mid")})
    # A score that crashes MuseScore takes the rest of its batch along: these are tried again one by one.
    for size in (20, 1):
        todo = [job for job in jobs if not Path(job["out"]).exists()]
        for i in range(0, len(todo), size):
            (scratch / "jobs.json").write_text(json.dumps(todo[i : i + size]))
            subprocess.run(["nice", "-n", "10", "mscore3", "-j", str(scratch / "jobs.json")], capture_output=True,
                           env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    return items


def reasons_against(item, data):
    words = plain(item.work)
    if item.set != "pop909" and RESERVED.search(words):
        return "reserved"
    if item.set == "openewld" and CAROLS.search(words):
        return "a carol may be the reserved one"
    notes, seconds = notes_and_seconds(data)
    if notes < LEAST_NOTES[item.set]:
        return f"{notes} notes"
    if seconds > LONGEST_S:
        return f"{seconds / 60:.0f} minutes"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sources", type=Path, help="folder with pop909, giantmidi, chorales and openewld")
    parser.add_argument("--lieder", metavar="CLONE")
    parser.add_argument("--quartets", metavar="CLONE")
    parser.add_argument("--list", type=Path, default=LIST)
    parser.add_argument("--make-list", action="store_true", help="write the list instead of following it")
    options = parser.parse_args()

    listed = None
    if not options.make_list:
        with open(options.list, encoding="utf-8", newline="") as file:
            listed = {row["file"] for row in csv.DictReader(file)}
    rows, failed = [], set()
    with tempfile.TemporaryDirectory() as scratch:
        items = []
        if options.sources:
            for read in (pop909, giantmidi, chorales, openewld):
                items += read(options.sources / read.__name__)
        for name in COMMITS:
            if getattr(options, name):
                items += openscore(name, getattr(options, name), listed, Path(scratch))
        for item in items:
            if listed is not None and item.file not in listed:
                continue
            try:
                data = item.make()
                reason = reasons_against(item, data) if listed is None else None
            except (OSError, ValueError, KeyError, EOFError, StopIteration) as error:
                reason = f"{type(error).__name__}: {error}"
            if reason:
                failed.add(item.file)
                print(f"left out: {item.file} ({item.work}): {reason}")
                continue
            path = options.out / item.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            rows.append(item[: len(COLUMNS)])
    if options.make_list:
        with open(options.list, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(sorted(rows))
        return
    missing = sorted(listed - {row[0] for row in rows})
    for file in missing:
        print(f"not made: {file}")
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
