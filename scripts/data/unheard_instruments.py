"""Ten instruments that the built-in recogniser has no label for, with few examples: a folder to try `hemiola finetune` on.

    unheard_instruments.py --soundfonts SF2 OUT

writes OUT/<instrument>/*.flac (22050 Hz, mono, 2 to 4 s) and OUT/table.csv (file,group,split): 20 clips of each to learn from,
played by two SoundFonts, and 20 to measure by, played by two others. SF2 is the folder of the SoundFonts of the Debian
packages musescore-general-soundfont-lossless, fluid-soundfont-gm, timgm6mb-soundfont and csound-soundfont. Needs what
instruments.py needs.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile

import instrument_sounds as sounds
from instrument_sources import SOUNDFONTS
from instruments import rendered

EACH = 20
# instrument: manner of playing, lowest and highest MIDI pitch, General MIDI program
INSTRUMENTS = {
    "harpsichord": ("keys", 36, 86, 6), "accordion": ("keys", 53, 86, 21), "harmonica": ("wind", 60, 90, 22),
    "bassoon": ("wind", 36, 70, 70), "tuba": ("wind", 30, 58, 58), "pan flute": ("wind", 60, 91, 75),
    "sitar": ("strum", 48, 77, 104), "banjo": ("strum", 50, 84, 105), "bagpipe": ("wind", 60, 78, 109),
    "steel drums": ("keys", 52, 81, 114),
}
SPLITS = {"train": ["musescore", "fluid"], "dev": ["timgm", "gmbank"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soundfonts", type=Path, required=True)
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    rows = []
    for name, (manner, low, high, program) in INSTRUMENTS.items():
        (args.out / name).mkdir(parents=True, exist_ok=True)
        for split, fonts in SPLITS.items():
            for font in fonts:
                made = []
                while len(made) < EACH // len(fonts):
                    slots = [{0: (program, sounds.phrase(rng, manner, low, high).notes)} for _ in range(EACH)]
                    played = rendered(str(args.soundfonts / SOUNDFONTS[font][0]), slots, rng.random() < 0.4)
                    made += [clip for clip in (sounds.finished(x, rng, 0.2) for x in played) if clip is not None]
                for i, clip in enumerate(made[:EACH // len(fonts)]):
                    file = f"{name}/{font}_{i:02d}.flac"
                    soundfile.write(args.out / file, clip, sounds.RATE, subtype="PCM_16")
                    rows.append((file, font, split))
    with open(args.out / "table.csv", "w", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([("file", "group", "split"), *rows])


if __name__ == "__main__":
    main()
