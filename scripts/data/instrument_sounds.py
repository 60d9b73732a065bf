"""What an instrument plays and how it sounds: phrases, a player of sampled notes, drums, an amplifier, a singer.

Used by instruments.py. All audio is mono float at RATE; every choice comes from the generator that is handed in.
"""

import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import soundfile as sf
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt

from instrument_sources import WORDS, named_pitch

RATE = 22050
LONGEST_S = 4.0
SCALES = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 3, 5, 7, 10], [0, 2, 4, 7, 9], [0, 3, 5, 6, 7, 10]]
CHORDS = [[0, 4, 7], [0, 3, 7], [0, 4, 7, 10], [0, 3, 7, 10], [0, 4, 7, 11], [0, 5, 7]]


@dataclass
class Note:
    start: float
    length: float
    pitch: int
    velocity: float


@dataclass
class Phrase:
    notes: list = field(default_factory=list)
    legato: bool = False
    ring: bool = False
    swell: tuple = None

    def add(self, start, length, pitch, velocity):
        if start < LONGEST_S - 0.3:
            length = max(0.05, min(length, LONGEST_S - start))
            self.notes.append(Note(start, length, int(pitch), float(np.clip(velocity, 0.15, 1))))

    def curve(self, count):
        """The gain over the clip: a crescendo, a diminuendo or both, or none."""
        if not self.swell:
            return np.ones(count)
        top, floor = self.swell
        t = np.arange(count) / RATE / LONGEST_S
        return floor + (1 - floor) * np.where(t < top, t / max(top, 1e-3), np.maximum(0, 1 - (t - top) / (1.01 - top)))


def near_middle(rng, low, high):
    return int(np.clip(round(rng.normal((low + high) / 2, (high - low) / 5)), low, high))


def scale_walk(rng, low, high, count, key, scale, step=1.6):
    ladder = [p for p in range(low, high + 1) if (p - key) % 12 in scale] or [low]
    at = int(np.argmin(np.abs(np.array(ladder) - near_middle(rng, low, high))))
    for _ in range(count):
        yield ladder[at]
        move = int(round(rng.normal(0, step))) if rng.random() < 0.9 else int(rng.integers(-6, 7))
        at = int(np.clip(at + move, 0, len(ladder) - 1))


def phrase(rng, manner, low, high, key=None, tempo=None, kind=None):
    """One thing to play. `manner`: keys, strum, power, bass, bow, wind."""
    kind = rng.choice(["note", "melody", "figure"], p=[0.45, 0.35, 0.20]) if kind is None else kind
    key = int(rng.integers(12)) if key is None else key
    beat = 60 / (rng.uniform(60, 180) if tempo is None else tempo)
    scale = SCALES[rng.integers(len(SCALES))]
    loud = rng.uniform(0.35, 1)
    made = Phrase(ring=bool(rng.random() < (0.45 if manner in ("keys", "strum") else 0.1)))
    if kind == "note":
        pitch = near_middle(rng, low, high)
        lengths = [rng.uniform(0.08, 0.3), rng.uniform(0.3, 1.2), rng.uniform(1.2, 3.6)]
        length = lengths[rng.choice(3, p=[0.25, 0.4, 0.35])]
        made.add(0, length, pitch, loud)
        if length < 0.5 and rng.random() < 0.35:
            gap = rng.uniform(0.6, 1.4)
            for i in range(1, int(rng.integers(2, 4))):
                made.add(i * gap, length, pitch, loud * rng.uniform(0.7, 1.2))
        elif length > 1.2 and manner in ("bow", "wind") and rng.random() < 0.3:
            made.swell = (rng.uniform(0, 0.9), rng.uniform(0.1, 0.5))
    elif kind == "melody":
        hold = rng.choice([1.03, 0.85, 0.4], p=[0.45, 0.3, 0.25])
        made.legato = hold > 1
        lengths = [0.25, 0.5, 0.75, 1, 1.5, 2]
        chance = np.array([0.2, 0.38, 0.08, 0.22, 0.07, 0.05])
        start = 0.0
        for pitch in scale_walk(rng, low, high, 40, key, scale):
            length = beat * rng.choice(lengths, p=chance)
            if rng.random() > 0.12 or start == 0:
                made.add(start, length * hold, pitch, loud * rng.uniform(0.75, 1.2))
            start += length
    else:
        figure(rng, made, manner, low, high, key, beat, scale, loud)
    return made


def figure(rng, made, manner, low, high, key, beat, scale, loud):
    """Chords and arpeggios, double stops, trills, runs, repeated notes, swells: what the instrument can do."""
    if manner in ("keys", "strum", "power"):
        start, spread = 0.0, rng.uniform(0.008, 0.035) if manner != "keys" else rng.uniform(0, 0.012)
        broken = manner != "power" and rng.random() < 0.4
        roots = list(scale_walk(rng, low, max(low + 6, int(low + (high - low) * 0.55)), 16, key, scale))
        muted = manner == "power" and rng.random() < 0.4
        for root in roots:
            if start > LONGEST_S:
                break
            tones = CHORDS[rng.integers(len(CHORDS))]
            if manner == "power":
                tones = [[0, 7], [0, 7, 12], [0, 5]][rng.integers(3)]
            elif rng.random() < 0.6:
                tones = sorted(tones + [12] + ([19] if manner == "strum" else []))
            pitches = [root + t for t in tones if low <= root + t <= high] or [root]
            if broken:
                for pitch in pitches + pitches[-2:0:-1]:
                    made.add(start, beat, pitch, loud * rng.uniform(0.8, 1.1))
                    start += beat / 2
                continue
            length = beat * rng.choice([0.5, 1, 2, 4])
            times = int(rng.integers(2, 7)) if muted or rng.random() < 0.3 else 1
            for _ in range(times):
                order = pitches if rng.random() < 0.7 else pitches[::-1]
                hold = 0.09 if muted else length * (0.95 if times == 1 else 0.8)
                for i, pitch in enumerate(order):
                    made.add(start + i * spread, hold, pitch, loud * rng.uniform(0.8, 1.1))
                start += beat / 2 if times > 1 else length
        made.ring = made.ring and not muted
    elif manner == "bass":
        root, start = near_middle(rng, low, min(high, low + 18)), 0.0
        pattern = [[0], [0, 12], [0, 7, 12, 7], [0, 0, 7, 5], [0, 3, 5, 3], [0, 4, 7, 9]][rng.integers(6)]
        for i in range(40):
            pitch = root + pattern[i % len(pattern)]
            length, pitch = beat / 2 * rng.choice([0.5, 0.9]), pitch if pitch <= high else root
            made.add(start, length, pitch, loud * rng.uniform(0.8, 1.1))
            start += beat / 2
    else:
        bowed = ["swell", "stops", "stops", "trill", "repeat"]
        what = rng.choice(["swell", "run", "trill", "repeat"] if manner == "wind" else bowed)
        pitch, start = near_middle(rng, low, high), 0.0
        if what == "swell":
            made.swell = (rng.uniform(0.2, 1), rng.uniform(0.02, 0.25))
            made.add(0, rng.uniform(1.8, 3.8), pitch, loud)
        elif what == "stops":
            while start < LONGEST_S:
                length, other = beat * rng.choice([1, 2, 3]), pitch + rng.choice([3, 4, 5, 7, 8, 9, 12])
                made.add(start, length, pitch, loud)
                made.add(start, length, min(other, high), loud)
                start, pitch = start + length, int(np.clip(pitch + rng.integers(-4, 5), low, high))
        elif what == "run":
            quick, up, made.legato = rng.uniform(0.07, 0.14), rng.random() < 0.5, bool(rng.random() < 0.7)
            ladder = [p for p in range(low, high + 1) if (p - key) % 12 in scale]
            cut = int(rng.integers(0, max(1, len(ladder) - 8)))
            ladder = ladder[cut:cut + int(rng.integers(6, 16))][:: 1 if up else -1]
            for pitch in ladder + ladder[-2::-1]:
                made.add(start, quick * 1.05, pitch, loud)
                start += quick
            made.add(start, rng.uniform(0.3, 1.2), ladder[0], loud)
        else:
            other = min(high, pitch + int(rng.integers(1, 3))) if what == "trill" else pitch
            made.legato = what == "trill"
            quick = rng.uniform(0.055, 0.09) if made.legato else rng.uniform(0.09, 0.3)
            end = rng.uniform(1, 3.5)
            while start < end:
                for each in (pitch, other):
                    made.add(start, quick * (1.1 if what == "trill" else 0.7), each, loud * rng.uniform(0.85, 1.1))
                    start += quick


def heard_pitch(x, rate, highest=2500):
    """The MIDI pitch of a note and how periodic it is, by normalised autocorrelation a moment after the attack."""
    down = max(1, int(rate // 11000))
    x = resample_poly(x[int(0.06 * rate):int(0.46 * rate)], 1, down)
    rate, n = rate / down, len(x)
    if n < 800:
        return None, 0
    x = x - x.mean()
    half = n // 2
    spectrum = np.fft.rfft(x, 2 * n)
    together = np.fft.irfft(np.abs(spectrum) ** 2)[:half]
    power = np.concatenate([[0], np.cumsum(x**2)])
    lags = np.arange(half)
    both = power[n - lags] + power[n] - power[lags]
    clear = 2 * together / np.maximum(both, 1e-9)
    first = max(2, int(rate / highest))
    start = first + int(np.argmax(clear[first:] < 0.3))
    peaks = [i for i in range(start + 1, half - 1) if clear[i] >= clear[i - 1] and clear[i] > clear[i + 1]]
    if not peaks:
        return None, 0
    best = max(clear[i] for i in peaks)
    lag = next(i for i in peaks if clear[i] > 0.93 * best)
    a, b, c = clear[lag - 1:lag + 2]
    lag = lag + 0.5 * (a - c) / (a - 2 * b + c - 1e-12)
    return 69 + 12 * np.log2(rate / lag / 440), best


def read_mono(path, most_s=4.8):
    with sf.SoundFile(path) as file:
        x = file.read(int(most_s * file.samplerate), dtype="float32", always_2d=True)
        return x.mean(axis=1), file.samplerate


def trimmed(x, rate, below=0.04):
    """From just before the first moment that is loud: some recordings begin with a second of the room."""
    step = rate // 100
    power = np.sqrt(np.mean(x[:len(x) // step * step].reshape(-1, step) ** 2, axis=1)) if len(x) > step else np.zeros(1)
    return x[max(0, int(np.argmax(power > below * power.max())) - 1) * step:]


def resampled(x, ratio):
    part = Fraction(ratio).limit_denominator(160)
    return resample_poly(x, part.numerator, part.denominator)


@dataclass
class Sample:
    pitch: float
    sounding: float
    rate: int
    audio: np.ndarray
    peak: float


class Sampler:
    """Plays phrases on recorded notes. Octaves of the file names are put right by listening."""

    def __init__(self, files, pitch_from, rng, release=0.12, most=100):
        files = sorted(files)
        if len(files) > most:
            files = [files[i] for i in sorted(rng.choice(len(files), most, replace=False))]
        self.samples, self.release, found = [], release, []
        pitch_from, _, fixed = pitch_from.partition("+")
        for path in files:
            x, rate = read_mono(path)
            x = trimmed(x, rate)
            if len(x) < 0.15 * rate or not np.abs(x).max() > 1e-4:
                continue
            heard, clear = heard_pitch(x, rate)
            named = heard if pitch_from == "heard" else named_pitch(path.name, pitch_from)
            if named is not None and (pitch_from != "heard" or clear > 0.8):
                self.samples.append(Sample(named, named, rate, x, float(np.abs(x).max())))
                found.append(heard - named if heard is not None and clear > 0.8 else np.nan)
        found = np.array(found)
        octaves = Counter(np.round(found[np.isfinite(found)] / 12).astype(int))
        self.octaves = int(fixed) // 12 if fixed else octaves.most_common(1)[0][0] if octaves else 0
        # Some files run fast or slow by a tone: a sample is chosen by its name and tuned by what is heard.
        away = (found + 6) % 12 - 6
        good = np.abs(away) < 2.3
        self.heard_share = float(np.mean(good & (np.round(found / 12) == self.octaves)))
        usual = float(np.median(away[good])) if good.any() else 0.0
        for sample, off, sure in zip(self.samples, away, good, strict=True):
            sample.pitch += 12 * self.octaves
            sample.sounding = sample.pitch + (off if sure else usual)
        pitches = [s.pitch for s in self.samples]
        self.low, self.high = int(np.ceil(min(pitches))) - 1, int(max(pitches)) + 1

    def play(self, made, rng, cents):
        out = np.zeros(int((LONGEST_S + 0.7) * RATE))
        layer = rng.random()
        for i, note in enumerate(made.notes):
            away = np.array([abs(s.pitch - note.pitch) for s in self.samples])
            near = np.flatnonzero(away <= away.min() + 0.8)
            near = near[np.argsort([self.samples[j].peak for j in near])]
            place = np.clip(layer + rng.normal(0, 0.12), 0, 0.999) * len(near)
            sample = self.samples[near[int(place)]]
            ratio = RATE / sample.rate / 2 ** ((note.pitch + cents / 100 - sample.sounding) / 12)
            skip = int(rng.uniform(0.03, 0.06) * sample.rate) if made.legato and i else 0
            seconds = LONGEST_S - note.start if made.ring else note.length + self.release + 0.02
            y = resampled(sample.audio[skip:skip + int((seconds * RATE) / ratio) + 1], ratio)
            y = y / sample.peak**0.75
            if skip:
                y[:500] *= np.linspace(0, 1, 500)[:len(y)]
            hold = int(note.length * RATE)
            if not made.ring and len(y) > hold:
                y[hold:] *= np.exp(-np.arange(len(y) - hold) / RATE * 5 / self.release)
            tail = min(len(y), 200)
            y[len(y) - tail:] *= np.linspace(1, 0, tail)
            at = int(note.start * RATE)
            y = y[:len(out) - at]
            out[at:at + len(y)] += y * (0.3 + 0.7 * note.velocity)
        return out * made.curve(len(out))


def beats(rng):
    """Hits of one drum: (seconds, velocity)."""
    kind = rng.choice(["hit", "hits", "roll", "groove"], p=[0.45, 0.15, 0.12, 0.28])
    loud = rng.uniform(0.3, 1)
    if kind == "hit":
        return [(0.0, loud)]
    if kind == "hits":
        gap = rng.uniform(0.4, 1.2)
        return [(i * gap, loud * rng.uniform(0.6, 1.2)) for i in range(int(rng.integers(2, 6))) if i * gap < 3.6]
    if kind == "roll":
        gap, count, grow = rng.uniform(0.055, 0.13), int(rng.integers(6, 30)), rng.uniform(-0.5, 0.8)
        return [(i * gap * rng.uniform(0.97, 1.03), loud * (1 + grow * i / count))
                for i in range(count) if i * gap < 3.5]
    step, swing = 60 / rng.uniform(70, 170) / rng.choice([2, 4]), rng.choice([0, 0, 0.15, 0.3])
    pattern = rng.random(16) < rng.uniform(0.2, 0.8)
    pattern[0] = True
    accents = rng.uniform(0.4, 1.1, 16)
    return [((i + swing * (i % 2)) * step + max(0, rng.normal(0, 0.004)), loud * accents[i % 16])
            for i in range(64) if pattern[i % 16] and i * step < 3.6]


class Drum:
    """Recorded hits, in a list for each part of the drum, soft to loud.

    A hit is a list of (channel, file) recorded together, mixed with the gains of `balance`.
    """

    def __init__(self, parts):
        self.parts, self.read = parts, {}

    def channel(self, path):
        if path not in self.read:
            x, rate = read_mono(path, 4.2)
            self.read[path] = resampled(x, RATE / rate)
        return self.read[path]

    def play(self, times, rng, cents, balance):
        out = np.zeros(int((LONGEST_S + 0.7) * RATE))
        pool = self.parts[rng.integers(len(self.parts))]
        for start, velocity in times:
            hit = pool[min(len(pool) - 1, int(np.clip(velocity + rng.normal(0, 0.1), 0, 0.999) * len(pool)))]
            parts = [(balance(channel), self.channel(path)) for channel, path in hit]
            y = np.zeros(max(len(x) for _, x in parts))
            for gain, x in parts:
                y[:len(x)] += gain * x
            y = trimmed(resampled(y, 2 ** (cents / 1200)), RATE, 0.03)
            at = int(start * RATE)
            y = y[:max(0, len(out) - at)]
            out[at:at + len(y)] += y / (np.abs(y).max() + 1e-9) ** 0.7 * (0.2 + 0.8 * velocity)
        return out


def amplified(x, rng, drive_db):
    """A guitar amplifier: high-pass, clipping at four times the rate, a loudspeaker."""
    x = x / (np.abs(x).max() + 1e-9) * 0.5
    x = sosfilt(butter(2, rng.uniform(80, 160), "high", fs=RATE, output="sos"), x)
    x = resample_poly(x, 4, 1) * 10 ** (drive_db / 20)
    bias = rng.uniform(0, 0.35)
    x = np.tanh(x + bias) - np.tanh(bias) if rng.random() < 0.6 else np.clip(x + bias, -0.8, 1) - bias
    x = resample_poly(x, 1, 4)
    x = sosfilt(butter(4, rng.uniform(4500, 6000), fs=RATE, output="sos"), x)
    x = sosfilt(butter(2, 80, "high", fs=RATE, output="sos"), x)
    middle = sosfilt(butter(1, [rng.uniform(500, 900), rng.uniform(1400, 2800)], "band", fs=RATE, output="sos"), x)
    return x + rng.uniform(-0.3, 1.2) * middle


class Singer:
    """A speech synthesiser made to sing: its words analysed with WORLD, given new lengths and a sung melody."""

    def __init__(self, command):
        import pyworld

        self.world, self.words = pyworld, []
        for word in WORDS:
            with tempfile.NamedTemporaryFile(suffix=".wav") as file:
                subprocess.run([part.format(word=word, file=file.name) for part in command], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                x, rate = read_mono(file.name)
            x = np.ascontiguousarray(resampled(x, RATE / rate), dtype=np.float64)
            f0, t = pyworld.dio(x, RATE)
            f0 = pyworld.stonemask(x, f0, t, RATE)
            voiced = np.flatnonzero(f0 > 0)
            if len(voiced) > 12:
                spectrum, noise = pyworld.cheaptrick(x, f0, t, RATE), pyworld.d4c(x, f0, t, RATE)
                self.words.append((f0, spectrum, noise, voiced[0], voiced[-1] + 1))

    def sing(self, made, rng, cents):
        """The notes of a melody, a word for one to three notes; frames are 5 ms."""
        warp, speed = rng.uniform(0.9, 1.1), rng.uniform(5, 6.2)
        depth = rng.choice([0, rng.uniform(30, 60)], p=[0.25, 0.75])
        f0s, spectra, noises, at, i = [], [], [], 0, 0
        while i < len(made.notes):
            f0, spectrum, noise, first, last = self.words[rng.integers(len(self.words))]
            run = [made.notes[i]]
            while made.legato and len(run) < 3 and i + len(run) < len(made.notes) and rng.random() < 0.45:
                run.append(made.notes[i + len(run)])
            i += len(run)
            start, end = int(run[0].start * 200), int((run[-1].start + run[-1].length) * 200)
            if start > at:
                f0s.append(np.zeros(start - at))
                spectra.append(np.full((start - at, spectrum.shape[1]), 1e-12))
                noises.append(np.ones((start - at, spectrum.shape[1])))
                at = start
            count = max(10, end - at)
            edge = min((last - first) // 4, count // 4)
            where = np.concatenate([np.arange(max(0, first - 20), first + edge),
                                    np.linspace(first + edge, last - edge - 1, max(1, count - 2 * edge)),
                                    np.arange(last - edge, min(len(f0), last + 15))]).round().astype(int)
            if i < len(made.notes):
                where = where[:max(10, count)]
            pitch = np.concatenate([np.full(max(1, int(n.length * 200)), n.pitch + cents / 100) for n in run])
            pitch = np.resize(np.concatenate([pitch, np.full(max(0, len(where) - len(pitch)), pitch[-1])]), len(where))
            pitch[:6] -= rng.uniform(0, 1.5)
            wide = int(rng.integers(10, 20))
            pitch = np.convolve(np.pad(pitch, wide, mode="edge"), np.ones(wide) / wide, "same")[wide:-wide]
            t = np.arange(len(where)) / 200
            pitch = pitch + depth / 100 * np.clip((t - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * speed * t)
            pitch = pitch + lfilter([0.05], [1, -0.95], rng.normal(0, 0.25, len(where)))
            f0s.append(np.where(f0[where] > 0, 440 * 2 ** ((pitch - 69) / 12), 0))
            spectra.append(spectrum[where] * (0.4 + 0.6 * run[0].velocity) ** 2)
            noises.append(noise[where])
            at += len(where)
        f0, spectrum, noise = np.concatenate(f0s), np.concatenate(spectra), np.concatenate(noises)
        bins = np.arange(spectrum.shape[1])
        from_bin = np.minimum(bins / warp, bins[-1])
        low = from_bin.astype(int)
        share = from_bin - low
        high = np.minimum(low + 1, bins[-1])
        spectrum = np.ascontiguousarray(spectrum[:, low] * (1 - share) + spectrum[:, high] * share)
        y = self.world.synthesize(f0, spectrum, np.ascontiguousarray(noise), RATE, 5.0)
        return y * made.curve(len(y))


def finished(x, rng, room=0.35):
    """A clip: some silence before, perhaps a room and a little noise, a length of 2 to 4 s, a peak of 0.3 to 0.95."""
    if rng.random() < room:
        length = rng.uniform(0.15, 1.2)
        t = np.arange(int(length * RATE)) / RATE
        tail = rng.normal(size=len(t)) * np.exp(-6.9 * t / length) * np.minimum(1, t / 0.004)
        tail = sosfilt(butter(1, rng.uniform(2500, 7000), fs=RATE, output="sos"), tail)
        wet = fftconvolve(x, tail / np.sqrt(np.sum(tail**2) + 1e-9))[:len(x)]
        x = x + rng.uniform(0.08, 0.45) * wet
    if rng.random() < 0.35:
        x = np.concatenate([np.zeros(int(rng.uniform(0, 0.3) * RATE)), x])
    loud = np.flatnonzero(np.abs(x) > 0.004 * np.abs(x).max())
    end = (loud[-1] if len(loud) else 0) / RATE
    count = int(np.clip(rng.uniform(2, 4) if end < 2 else min(end + 0.1, rng.uniform(2.2, 4.6)), 2, LONGEST_S) * RATE)
    x = np.pad(x, (0, max(0, count - len(x))))[:count]
    x[-600:] *= np.linspace(1, 0, 600)
    peak = np.abs(x).max()
    if not peak > 1e-5:
        return None
    x = x / peak
    if rng.random() < 0.5:
        x = x + lfilter([0.3], [1, -0.7], rng.normal(size=count)) * 10 ** (rng.uniform(-75, -52) / 20)
    x = x / np.abs(x).max() * rng.uniform(0.3, 0.95)
    return x if np.sqrt(np.mean(x[:2 * RATE] ** 2)) > 10 ** (-46 / 20) else None
