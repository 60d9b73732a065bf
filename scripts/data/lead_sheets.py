"""Lead sheets (MusicXML, one part with chord symbols) as MIDI: the melody, and the chords in blocks."""

import re
import zipfile
from fractions import Fraction
from xml.etree import ElementTree

from midi_files import part, signature, tempo, write_midi

STEPS = dict(C=0, D=2, E=4, F=5, G=7, A=9, B=11)
KINDS = """
major 0 4 7, minor 0 3 7, augmented 0 4 8, diminished 0 3 6, power 0 7, suspended-fourth 0 5 7, suspended-second 0 2 7,
major-sixth 0 4 7 9, minor-sixth 0 3 7 9, maj69 0 4 7 9 14, dominant 0 4 7 10, major-seventh 0 4 7 11,
minor-seventh 0 3 7 10, minor-major 0 3 7 11, major-minor 0 3 7 11, diminished-seventh 0 3 6 9,
half-diminished 0 3 6 10, augmented-seventh 0 4 8 10, dominant-ninth 0 4 7 10 14, major-ninth 0 4 7 11 14,
minor-ninth 0 3 7 10 14, augmented-ninth 0 4 8 10 14, dominant-11th 0 7 10 14 17,
minor-11th 0 3 7 10 14 17, dominant-13th 0 4 10 14 21, minor-13th 0 3 10 14 21
"""
KINDS = {name: [int(x) for x in intervals] for name, *intervals in map(str.split, KINDS.split(","))}
DEGREES = {2: 14, 4: 17, 5: 7, 6: 9, 7: 10, 9: 14, 11: 17, 13: 21}


def order(measures):
    """The measures as played: repeats and their endings, no da capo. A full bar is not followed by the first upbeat."""
    lengths = [sum(int(note.findtext("duration") or 0) for note in measure.iter("note")) for measure in measures]
    full = max(lengths, key=lengths.count)
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
                    i, turn = start + (start == 0 and lengths[0] < full == lengths[i]), turn + 1
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


def lead_sheet(path, metre, ticks_per_beat=480):
    """`metre` as in 3/4, for a score that begins without one."""
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".xml") and not n.startswith("META-INF"))
        score = ElementTree.fromstring(archive.read(name))
    per_minute = next((float(sound.get("tempo")) for sound in score.iter("sound") if sound.get("tempo")), 120.0)
    conductor = [tempo(0, round(60e6 / per_minute))]
    melody, chords, tied, divisions, now = [], [], set(), 1, Fraction(0)
    metre = tuple(int(x) for x in metre.split("/"))
    conductor.append(signature(0, *metre))
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
        if count == 0:
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
