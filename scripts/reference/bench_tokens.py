"""MIDI files to tokens with MidiTok on symusic, on one thread: the peer of `cargo bench --bench tokens -- FOLDER`.

    python scripts/reference/bench_tokens.py FOLDER

Needs miditok and symusic. MIDILike is the tokenisation that is nearest to performance events: note-on, note-off, time
shift and velocity, the sustain pedal applied. symusic's own reading is told apart.
"""

import argparse
import statistics
import time
from pathlib import Path

from miditok import MIDILike, TokenizerConfig
from symusic import Score

ROUNDS = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    files = sorted(path for path in parser.parse_args().folder.rglob("*.mid"))
    tokenizer = MIDILike(TokenizerConfig(num_velocities=32, use_programs=False, use_sustain_pedals=False))

    def tokenise():
        count = 0
        for path in files:
            tokens = tokenizer(Score(path))
            for track in tokens if isinstance(tokens, list) else [tokens]:
                count += len(track.ids)
        return count

    def read():
        return sum(len(track.notes) for path in files for track in Score(path).tracks)

    for name, run in [("symusic, reading alone", read), ("MidiTok on symusic", tokenise)]:
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            count = run()
            seconds.append(time.perf_counter() - start)
        each = statistics.median(seconds) / len(files) * 1e3
        print(f"{name}: {len(files)} files, {count} notes or tokens, {each:.3f} ms a file")


if __name__ == "__main__":
    main()
