"""librosa's chroma as a peer: frame-wise average precision against the pitch classes that sound.

Usage: python chroma_peers.py FOLDER
  FOLDER   recordings with notes: x.flac and x.mid, or the MAPS layout: x.flac and x.pedal.tsv

Every frame of librosa 0.11's chroma_cqt (22,050 Hz, hop 512, its own settings) is compared with the pitch classes whose notes
sound at its time, held by the sustain pedal too. Average precision is scikit-learn's over all frames and pitch classes of the
folder, what `hemiola evaluate chroma` prints. Needs librosa, mido, numpy, scikit-learn.
"""

import sys
from pathlib import Path

import librosa
import mido
import numpy as np
from sklearn.metrics import average_precision_score

RATE, HOP = 22050, 512


def notes_of_midi(path):
    """Onset, end and pitch; a note sounds until its key and the pedal of its channel are up."""
    notes, held, waiting, pedal, now = [], {}, {}, {}, 0.0
    for message in mido.MidiFile(path):
        now += message.time
        if message.is_cc(64):
            pedal[message.channel] = message.value >= 64
            if message.value < 64:
                for pitch, onset in waiting.pop(message.channel, []):
                    notes.append((onset, now, pitch))
        elif message.type in ("note_on", "note_off"):
            key = message.channel, message.note
            if key in held:
                onset = held.pop(key)
                if pedal.get(message.channel) and message.type == "note_off":
                    waiting.setdefault(message.channel, []).append((message.note, onset))
                else:
                    notes.append((onset, now, message.note))
            if message.type == "note_on" and message.velocity:
                held[key] = now
    for channel, rest in waiting.items():
        notes += [(onset, now, pitch) for pitch, onset in rest]
    return notes


def notes_of(audio):
    table = audio.with_suffix("").with_suffix(".pedal.tsv")
    if table.exists():
        rows = [line.split() for line in table.read_text().splitlines()]
        return [(float(r[0]), float(r[1]), int(r[2])) for r in rows if r and r[0].replace(".", "").isdigit()]
    return notes_of_midi(audio.with_suffix(".mid"))


def main():
    scores, truth = [], []
    for audio in sorted(Path(sys.argv[1]).glob("*.flac")):
        samples, _ = librosa.load(audio, sr=RATE)
        chroma = librosa.feature.chroma_cqt(y=samples, sr=RATE, hop_length=HOP).T
        sounding = np.zeros_like(chroma, dtype=bool)
        for onset, end, pitch in notes_of(audio):
            first, last = (int(np.ceil(time * RATE / HOP)) for time in (onset, end))
            sounding[first:last, pitch % 12] = True
        scores.append(chroma.ravel())
        truth.append(sounding.ravel())
    scores, truth = np.concatenate(scores), np.concatenate(truth)
    print(f"average_precision {average_precision_score(truth, scores):.4f} of {len(scores) // 12} frames, "
          f"{truth.mean():.4f} of the pitch classes sound")


if __name__ == "__main__":
    main()
