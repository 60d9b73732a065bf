"""The MIDI folder on which the sequence models are trained, made from collections that allow shipping the weights.

    pop909        POP909 (Wang et al., ISMIR 2020), MIT: unchanged
    pop909_beats  the same notes at the same seconds, with a tempo map whose quarter notes are the annotated beats
    giantmidi     GiantMIDI-Piano (Kong et al., TISMIR 2022), CC BY 4.0: the files of its index.csv, unchanged
    chorales      JSB Chorales (Boulanger-Lewandowski et al., ICML 2012): music in the public domain
    openewld      OpenEWLD (Simonetta, 2018), MIT: only works all of whose authors died before 1948, melody and chords
    lieder        OpenScore Lieder Corpus, CC0: 500 scores, through MuseScore
    quartets      OpenScore String Quartets, CC0: all, 21 movements, through MuseScore

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
import zlib
from pathlib import Path

import mido

from lead_sheets import lead_sheet
from midi_files import part, signature, tempo, write_midi

LIST = Path(__file__).parents[2] / "recipes" / "symbolic.csv"
COLUMNS = ["file", "split", "style", "set", "work"]
COMMITS = {
    "lieder": "bca122458de6da362abe62dd6aec62e25d7759b1",
    "quartets": "2c723a5b7b4ea5420826116dfa912956c6a022c2",
}
# MuseScore takes half a second for a song, a quarter to a whole minute for a quartet.
MOST_SCORES = {"lieder": 500, "quartets": 122}
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
    r"borodin.*petite|bergamasque|debussy.*clair de lune|grieg.*op\W*(43|71)\b|mendelssohn.*(op\W*62\b|ohne worte)"
    r"|liszt.*(transc|feux)"
    r"|schubert.*(d\W*7[68]0\b|wanderer.?fant|moments? mus)|chopin.*(impromptu|op\W*(66|28|33|7)\b)"
    r"|chopin.*(op\W*10 (?!.*no 9\b)|op\W*25\b)|alb.niz.*(espa|op\W*47\b)|beethoven.*(op\W*13\b|path.tique)"
    r"|mussorgsky.*(pictures|exhibition)|tcha?ikovsky.*(seasons|op\W*37)|schumann.*(op\W*1[56]\b|kindersz|kreisler)"
    r"|mozart.*\bk\W*(311|331|332|545)\b"
)
# The reserved test has a Christmas carol that its list does not name.
CAROLS = re.compile(
    r"noel|christmas|angels|midnight clear|housetop|bleak midwinter|bring a torch|come all ye|joy to the"
    r"|jingle bells|three kings|wenceslas|christian men|little town|what child|three ships|still still|holly|wexford"
    r"|coventry|toyland"
)
# Rows of OpenEWLD whose author lived after 1948 against what its column says.
NOT_FREE = re.compile(r"lloyd webber|campino|vavilov|don george")
FOLK = re.compile(
    r"traditional|annie laurie|soldiers .*sabine|rock of ages|home on the range|in the garden|friend we have|dixie"
    r"|nearer|marseillaise|internationale|danny boy|yellow ribbon|battle|home sweet home|sacred head|calon|simple gifts"
    r"|brown jug|america the|singing|stephen foster|ash grove|hour of prayer|jerusalem|happy birthday|aloha|condor"
)

# `make` gives the bytes of the MIDI file.
Item = collections.namedtuple("Item", COLUMNS + ["make"])


def plain(text):
    """Small ASCII words."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.replace("'", "")).split())


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
        make = lambda path=folder / row["file"], metre=row["metre"]: lead_sheet(path, metre)
        yield Item(f"openewld/{name}.mid", row["split"], style, "openewld", work, make)


# OpenScore


def openscore(name, clone, wanted, scratch):
    """The scores of a clone; those whose file is `wanted` are converted into `scratch`, many in one run."""
    git = ["git", "-C", clone]
    command = [*git, "ls-tree", "-r", "-z", "--name-only", COMMITS[name], "scores"]
    listing = subprocess.run(command, capture_output=True, check=True)
    paths = [path for path in listing.stdout.decode().split("\0") if path.endswith(".mxl")]
    paths = sorted(paths, key=lambda path: zlib.crc32(path.encode()))[: MOST_SCORES[name]]
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
    parser.add_argument("--scratch", type=Path, help="folder that keeps what MuseScore made, for a later run")
    parser.add_argument("--list", type=Path, default=LIST)
    parser.add_argument("--make-list", action="store_true", help="write the list instead of following it")
    options = parser.parse_args()

    listed = None
    if not options.make_list:
        with open(options.list, encoding="utf-8", newline="") as file:
            listed = {row["file"] for row in csv.DictReader(file)}
    rows, failed = [], set()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = options.scratch or Path(scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        items = []
        if options.sources:
            for read in (pop909, giantmidi, chorales, openewld):
                items += read(options.sources / read.__name__)
        for name in COMMITS:
            if getattr(options, name):
                items += openscore(name, getattr(options, name), listed, scratch)
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
    tried = {item.set for item in items}
    missing = sorted(file for file in listed - {row[0] for row in rows} if file.split("/")[0] in tried)
    for file in missing:
        print(f"not made: {file}")
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
