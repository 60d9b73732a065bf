"""Free music on which the audio encoder is pretrained, and what it is measured by: recordings and MIDI whose licences allow
weights under CC BY 4.0: public domain, CC0, CC BY, MIT, BSD, zlib. What is CC BY-SA, GPL, NC or ND stays out, file by file.

    OUT/SOURCE/NAME.flac, HELDOUT/SOURCE/NAME.flac   22050 Hz, mono, 16 bit, 20 s to 6 min, a recording as loud as it came
    OUT/index.csv, HELDOUT/index.csv                 file, source, title, artist, licence, evidence, seconds

TABLE names each source: a Debian package or a commit of a public repository, the file that states the licence, and patterns of
paths with their licence and credit. Modules (.xm, .it) are played by libopenmpt; MIDI by fluidsynth on one of the SoundFonts,
with other instruments in two of five parts. From other scripts' data:

    openscore       OpenScore Lieder (100 songs) and String Quartets, CC0: --symbolic, what symbolic.py writes
    groove          Groove MIDI Dataset (Gillick et al., ICML 2019), CC BY 4.0: --groove, the drums alone, its split train
    rendered...     POP909, GiantMIDI, JSB Chorales: --rendered, what chroma.py writes (its folders dev are only held out)

Held out: the sources of HELDOUT, and of the others a file where crc32 of SOURCE/NAME, modulo 10, is 3.

Needs apt-get, dpkg-deb, git, ffmpeg with libopenmpt, fluidsynth; Python 3.11 with mido, numpy, soundfile. The SoundFonts, MIT,
are of the Debian packages musescore-general-soundfont-lossless and fluid-soundfont-gm. CLONES has OWNER+NAME, clones of the
repositories, bare or not; what is missing, a package, a clone or a file in it, is passed over. Nothing is made twice.

    free_music.py --clones CLONES --packages SCRATCH --symbolic SYMBOLIC --groove GROOVE --rendered CHROMA \\
        --font MuseScore_General_Full.sf2 --font FluidR3_GM.sf2 OUT HELDOUT
"""

import argparse
import collections
import csv
import functools
import multiprocessing
import os
import re
import subprocess
import tempfile
import zlib
from pathlib import Path

import mido
import numpy as np
import soundfile

RATE, SHORTEST_S, LONGEST_S = 22_050, 20, 360
DEBIAN, GITHUB = "debian:", "github:"
PLAYED = (".mid", ".midi")
COLUMNS = ["file", "source", "title", "artist", "licence", "evidence", "seconds"]
HELDOUT = {"super_tux_party", "opensurge", "lofi", "easyrpg", "blasphemer", "rendered_dev", "rendered_songs_dev"}
LIEDER, GROOVE_LEAST_S, GROOVES = 100, 60, 40
# General MIDI, from 0.
PROGRAMS = [*range(0, 8), 11, 12, *range(16, 40), *range(40, 47), 48, 49, 52, *range(56, 75), 79, 80, 81, 88, 89]
KITS, OTHERS = [0, 8, 16, 24, 25, 32, 40], 0.4

BY3, BY4, CC0, PD = "CC BY 3.0", "CC BY 4.0", "CC0", "public domain"
MACLEOD, KRUX, SHAW, LUODE = "Kevin MacLeod", "Rafael Krux", "Jason Shaw", "Antti Luode"
Source = collections.namedtuple("Source", "name origin statement tracks")
NAEV = "usr/share/naev/dat/snd/music/"
TUXEMON, BGM = "mods/tuxemon/music/", "Assets/Resources/Audio/BGMs/"
BACH = "bach-violin/audio/"
# A track: pattern of the path, from its start; licence; artist; title, where the name of the file is not one.
TABLE = [
    Source("naev", DEBIAN + "naev-data", "usr/share/naev/dat/snd/SOUND_LICENSE.yaml", [
        (NAEV + r"(ambient[123]|ambient2_5|collective[12]|landing_sinister|tension|intro|empire[12]|nebu_battle[12]|upbeat"
         r"|flf_battle1|sirius1|battlesomething[12]|zalek[12]|intrigue|automat)\.ogg",
         "CC BY 3.0 (of CC BY 3.0 or GPL-3)", "Nikola Whallon"),
        (NAEV + r"(void_sensor|ambiphonic)\.ogg", BY3, "Zeropage"),
        (NAEV + r"pirate1_theme1\.ogg", CC0, "Olivier Bérubé"),
        (NAEV + r"pirates_orchestra\.ogg", CC0, "Dizzy Crow"),
        (NAEV + r"heartofmachine\.ogg", BY3, "Alexandr Zhelanov"),
        (NAEV + r"dark_city\.ogg", BY3, "Muncheybobo"),
        (NAEV + r"(blackmoor_tides|imminent_threat)\.ogg", BY3, "Matthew Pablo"),
    ]),
    Source("tomatoes", DEBIAN + "tomatoes-data", "usr/share/doc/tomatoes-data/copyright", [
        (r".*/IHaveNoTomatoes\.it", "zlib", "Mika Halttunen"),
    ]),
    Source("openclonk", DEBIAN + "openclonk-data", "usr/share/games/openclonk/Music.ocg/authors.txt", [
        (r".*/Music\.ocg/@?(IslandDreams|Motorway|TheSkylands|UrbanBolero|LucidDream|Offshore|CrushedIceCocktail)\.ogg",
         BY3, "K-Pone"),
    ]),
    Source("pax_britannica", DEBIAN + "pax-britannica-data", "usr/share/doc/pax-britannica-data/copyright", [
        (r".*/audio/music\.ogg", "MIT", "Ben Abraham"),
    ]),
    Source("vonsh", DEBIAN + "vonsh", "usr/share/doc/vonsh/copyright", [
        (r".*/play_tune\.mp3", BY3, "Przemyslaw Sikorski"),
        (r".*/idle_tune\.mp3", CC0, "Juhani Junkala"),
    ]),
    Source("tps_demo", GITHUB + "godotengine/tps-demo@117eca00206e", "LICENSE.md", [
        (r"(level/level_music|menu/menu_intro_music)\.ogg", BY3, "Christian Fernando Perucchi"),
    ]),
    Source("holizna", GITHUB + "C-C-Minetest-Server/phonograph_albumm_holiznacc0@ce09fb19ea9a", "LICENSE.md", [
        (r"phonographs/.*(?<!_ch[01])\.ogg", CC0, "HoliznaCC0"),
    ]),
    Source("jukebox", GITHUB + "Minetest-JMA-group/jma-mineclone2@04d5f2695770", "mods/ITEMS/mcl_jukebox/README.md", [
        (r".*/mcl_jukebox_track_1\.ogg", CC0, "SoundHelix, Jordach", "The Evil Sister"),
        (r".*/mcl_jukebox_track_2\.ogg", CC0, "SoundHelix, Jordach", "The Energetic Rat"),
        (r".*/mcl_jukebox_track_3\.ogg", CC0, "Jordach", "Eastern Feeling"),
        (r".*/mcl_jukebox_track_4\.ogg", CC0, "Jordach", "Minetest"),
        (r".*/mcl_jukebox_track_5\.ogg", BY3, "mactonite", "Soaring over the sea"),
        (r".*/mcl_jukebox_track_7\.ogg", CC0, "HeroOfTheWinds, Jordach", "Synthgroove"),
        (r".*/mcl_jukebox_track_8\.ogg", CC0, "SoundHelix, Jordach", "The Clueless Frog"),
    ]),
    Source("super_tux_party", GITHUB + "viniciusmioto/super_tux_party@2b42088e1d7e", "stk/licenses/LICENSE-MUSIC.md", [
        (r"stk/assets/music/menus/Red Curtain\.ogg", BY3, "Horror Pen"),
        (r"stk/assets/music/menus/Steppin Up\.ogg", BY3, "Dan Knoflicek"),
        (r"stk/assets/music/minigames/escape from lava\.ogg", CC0, "cynicmusic"),
        (r"stk/assets/music/minigames/haunted dreams\.ogg", BY4, "Wolfgang"),
        (r"stk/plugins/.*/Wind Run\.ogg", BY4, "TAD"),
        (r"stk/plugins/minigames/forest_run/Avgvst - Mushrooms\.ogg", BY3, "t4ngr4m"),
    ]),
    Source("tuxemon", GITHUB + "Tuxemon/Tuxemon@ca9b3362e158", "ATTRIBUTIONS.md", [
        (TUXEMON + r"(JRPGCollection2?/ogg/)?JRPG_(?!mysticIsle_reverse|battle_loop_slow).*\.ogg", BY3, "Yubatake"),
        (TUXEMON + r"JRPG-OSTR2/.*\.ogg", BY3, "t4ngr4m"),
        (TUXEMON + r"8bit airship\.ogg", BY3, "bart", "Through Pixelated Clouds"),
        (TUXEMON + r"TheAdventureBegins8bitRemix\.ogg", BY3, "bart"),
        (TUXEMON + r"(boss  introduction\.mp3|peasant_kingdom\.ogg)", BY3, "Spring"),
        (TUXEMON + r"lunar_joyride\.mp3", BY3, "FoxSynergy"),
    ]),
    Source("opensurge", GITHUB + "alemart/opensurge@bcb3466e1091", "src/misc/copyright_data.csv", [
        (r"musics/(drowning|speed|title)\.ogg", BY4, "Alexandre Almeida"),
        (r"musics/sunshine\.ogg", BY3, "Victor Seven"),
        (r"musics/gimacian\.ogg", BY3, "Colin Beard"),
        (r"musics/citychill\.ogg", BY3, "Mateus Reis"),
        (r"musics/waterworks\.ogg", CC0, "cynicmusic"),
        (r"musics/options\.ogg", BY3, "Viktor Kraus", "Birthday Cake"),
    ]),
    Source("valyria_tear", GITHUB + "ValyriaTear/ValyriaTear@1c882efff325", "LICENSES.txt", [
        (r"data/music/Battle_lost-OGA-Mumu\.ogg", CC0, "Mumu"),
        (r"data/music/dont_close_your_eyes\.ogg", BY3, "Alexandr Zhelanov"),
        (r"data/music/(house_in_a_forest_loop_horrorpen_oga|overworld_present)\.ogg", BY3, "Horror Pen"),
        (r"data/music/icy_wind\.ogg", CC0, "Ecrivain"),
        (r"data/music/Ove Melaa - Rainy\.ogg", CC0, "Ove Melaa"),
        (r"data/music/sad_moment\.ogg", BY3, "lasercheese"),
        (r"data/music/shrine-OGA-yd\.ogg", CC0, "yd"),
        (r"data/music/the_recon_mission\.ogg", BY3, "Zander Noriega"),
        (r"data/music/Welcome to Com-Mecha-Mattew_Pablo_OGA\.ogg", BY3, "Matthew Pablo"),
    ]),
    Source("open_dungeons", GITHUB + "OpenDungeons/OpenDungeons@c83d4496b361", "CREDITS", [
        (r"music/TheDarkAmulet_MP\.ogg", BY3, "Matthew Pablo"),
        (r"music/Searching_yd\.ogg", CC0, "yd"),
    ]),
    Source("open_hv", GITHUB + "OpenHV/OpenHV@d507035349b0", "mods/hv/bits/audio/timbeek/README.md", [
        (r"mods/hv/bits/audio/timbeek/.*\.ogg", BY4, "Tim Beek"),
    ]),
    Source("bach_violin", GITHUB + "salu133445/bach-violin-dataset@36d687439af2", BACH + "*/LICENSE", [
        (BACH + r"john-garner/.*\.mp3", BY3, "John Garner"),
        (BACH + r"minji-kim/.*\.opus", BY3, "MinJi Kim"),
        (BACH + r"ko-donghwi/.*\.opus", BY3, "Ko Donghwi, Team DR"),
    ]),
    Source("lofi", GITHUB + "1olegshev/clue-cards@69a674ca6108", "public/sounds/music/ATTRIBUTION.md", [
        (r"public/sounds/music/lobby\.mp3", CC0, "TAD", "Cat Caffe"),
        (r"public/sounds/music/game-30s\.mp3", CC0, "TAD", "Cue"),
        (r"public/sounds/music/game-60s\.mp3", CC0, "TAD", "Florist"),
        (r"public/sounds/music/game-90s\.mp3", CC0, "TAD", "Oceanside"),
        (r"public/sounds/music/victory\.mp3", CC0, "Tarush Singhal", "Happy Lofi Day"),
    ]),
    Source("open_rpg", GITHUB + "GDQuest/godot-open-rpg@180c9155e31e", "CREDITS.md", [
        (r"assets/music/.*\.mp3", CC0, "Zane Little"),
    ]),
    Source("raylib", GITHUB + "raysan5/raylib@abe23bf82dca", "examples/audio/resources/LICENSE.md", [
        (r"examples/audio/resources/country\.mp3", CC0, "emegeme"),
    ]),
    Source("lol_373", GITHUB + "apparos09/LOL-373@5cf99383e717", "Assets/Resources/Audio/AUDIO_CREDITS_-_README.txt", [
        (BGM + r"bgm_title\.ogg", BY4, KRUX, "Inspiration and Success"),
        (BGM + r"bgm_world\.ogg", BY4, SHAW, "A View From Earth"),
        (BGM + r"bgm_stage_-_action_-_theme_01\.ogg", BY4, SHAW, "Thought Bot"),
        (BGM + r"bgm_stage_-_action_-_theme_02\.ogg", BY4, SHAW, "Code Blue"),
        (BGM + r"bgm_stage_-_knowledge_-_theme_01\.ogg", BY4, MACLEOD, "Limit 70"),
        (BGM + r"bgm_stage_-_knowledge_-_theme_02\.ogg", BY4, MACLEOD, "Mesmerizing Galaxy"),
    ]),
    Source("lol_1777", GITHUB + "apparos09/LOL-1777@c4ce5b6449a0", "Assets/Resources/Audio/AUDIO_README.txt", [
        (BGM + r"bgm_title\.ogg", BY3, LUODE, "Space Dominator Squadron"),
        (BGM + r"bgm_world\.ogg", BY4, MACLEOD, "Galactic Rap"),
        (BGM + r"bgm_stage_-_theme01\.ogg", BY4, SHAW, "Vanishing Horizon"),
        (BGM + r"bgm_stage_-_theme02\.ogg", BY4, SHAW, "Thump"),
        (BGM + r"bgm_stage_-_theme03\.ogg", BY4, SHAW, "Sports Action"),
    ]),
    Source("lol_1894", GITHUB + "apparos09/LOL-1894@829f954150e2", "README.md", [
        (BGM + r"bgm_title_overworld_results\.ogg", BY4, "Ross Bugden", "Ascension"),
        (BGM + r"bgm_battle_treasure\.ogg", BY3, MACLEOD, "Goodnightmare"),
        (BGM + r"bgm_question\.ogg", BY4, KRUX, "Action Strike"),
        (BGM + r"bgm_boss\.ogg", BY4, "Ross Bugden", "Welcome to Chaos"),
    ]),
    Source("lol_1903", GITHUB + "apparos09/LOL-1903@c77cbb7c7191", "README.md", [
        (r"Assets/Audio/BGMs/bgm_world_area\.ogg", BY3, LUODE, "Abracadabra"),
        (r"Assets/Audio/BGMs/bgm_match_normal\.ogg", BY4, KRUX, "Monsters in Hotel"),
        (r"Assets/Audio/BGMs/bgm_match_boss\.ogg", BY4, KRUX, "Ghost Town"),
        (r"Assets/Audio/BGMs/bgm_match_results\.ogg", CC0, MACLEOD, "Funky Energy Loop"),
        (r"Assets/Audio/BGMs/bgm_game_results\.ogg", BY3, LUODE, "Beach Walk"),
    ]),
    Source("vlg", GITHUB + "apparos09/VLG@430890940f1f", "Assets/Resources/Audio/AUDIO_CREDITS.txt", [
        (BGM + r"bgm_title\.ogg", BY4, SHAW, "Middle Earth"),
        (BGM + r"bgm_area01\.ogg", BY4, MACLEOD, "Magic Escape Room"),
        (BGM + r"bgm_area02\.ogg", BY4, KRUX, "Dream Fantasy"),
        (BGM + r"bgm_area03\.ogg", BY4, MACLEOD, "Witch Waltz"),
        (BGM + r"bgm_area05\.ogg", BY4, KRUX, "Fantasy Adventure"),
        (BGM + r"bgm_area06\.ogg", BY4, MACLEOD, "Nightmare Machine"),
        (BGM + r"bgm_results\.ogg", BY4, SHAW, "Act Three"),
    ]),
    Source("freedoom", GITHUB + "freedoom/freedoom@d14dbbee3b6f", "COPYING.adoc", [
        (r"musics/.*\.mid", "BSD-3-Clause", "Freedoom, see its CREDITS-MUSIC"),
    ]),
    Source("blasphemer", GITHUB + "Catoptromancy/blasphemer@6d93526dc315", "COPYING.md", [
        (r"musics/.*\.mid", "BSD-3-Clause", "Blasphemer, see its CREDITS.md"),
    ]),
    Source("easyrpg", GITHUB + "EasyRPG/RTP@993d88cbc78c", "AUTHORS.md", [
        (r"Music/Boss 3\.mid", CC0, "Someoneman"),
        (r"Music/.*\.mid", BY4, "Juan Manuel Nigretti"),
    ]),
]
RENDERED = {  # folder of chroma.py: source
    "train": "rendered", "songs_train": "rendered_songs", "dev": "rendered_dev", "songs_dev": "rendered_songs_dev",
}
RENDERED_OF = {
    "piano": (BY4, "GiantMIDI-Piano (Kong et al., TISMIR 2022)"),
    "legato": (PD, "JSB Chorales (Boulanger-Lewandowski et al., ICML 2012)"),
    "": ("MIT; drums of the Groove MIDI Dataset, CC BY 4.0", "POP909 (Wang et al., ISMIR 2020)"),
}


def unpacked(package, scratch):
    """The folder of a Debian package's files, or None."""
    folder = scratch / package
    if not folder.exists():
        with tempfile.TemporaryDirectory() as empty:
            if subprocess.run(["apt-get", "download", package], cwd=empty, capture_output=True).returncode:
                return None
            subprocess.run(["dpkg-deb", "-x", *map(str, Path(empty).iterdir()), str(folder)], check=True)
    return folder


def git(clone, *command):
    # A clone that lacks a large file is not to ask its origin for it.
    return subprocess.run(["git", "-C", clone, *command], capture_output=True, env=os.environ | {"GIT_NO_LAZY_FETCH": "1"})


def listed(source, args):
    """Paths of a source's tracks and how to have the bytes of one, or None if the source is not there."""
    if source.origin.startswith(DEBIAN):
        folder = unpacked(source.origin.removeprefix(DEBIAN), args.packages)
        if folder is None:
            return None
        paths = [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()]
        return paths, functools.partial(content, folder)
    name, commit = source.origin.removeprefix(GITHUB).split("@")
    clone = args.clones / name.replace("/", "+")
    found = git(clone, "ls-tree", "-r", "-z", "--name-only", commit) if clone.exists() else None
    if found is None or found.returncode:
        return None
    return found.stdout.decode().split("\0"), functools.partial(blob, clone, commit)


def content(folder, path):
    return (folder / path).read_bytes()


def blob(clone, commit, path):
    shown = git(clone, "show", f"{commit}:{path}")
    return None if shown.returncode else shown.stdout


def tracks(args):
    """Each recording to make: (source, name, title, artist, licence, evidence, suffix, how to have its bytes)."""
    for source in TABLE:
        found = listed(source, args)
        if found is None:
            print("not there:", source.origin)
            continue
        paths, read = found
        for path in sorted(paths):
            match = next((t for t in source.tracks if re.fullmatch(t[0], path)), None)
            if match:
                _, licence, artist, *title = match
                stem = Path(path).stem
                name = re.sub(r"\W+", "_", stem).strip("_").lower()
                evidence = f"{source.origin} {source.statement}"
                yield source.name, name, title[0] if title else stem, artist, licence, evidence, Path(path).suffix, (read, path)
    yield from of_folders(args)


def of_folders(args):
    if args.symbolic:
        songs = sorted((args.symbolic / "lieder").glob("*.mid"), key=lambda p: zlib.crc32(p.stem.encode()))[:LIEDER]
        for path in [*sorted(songs), *sorted((args.symbolic / "quartets").glob("*.mid"))]:
            evidence = f"github.com/OpenScore/{'Lieder' if path.parent.name == 'lieder' else 'StringQuartets'} LICENSE"
            yield "openscore", path.stem, path.stem, "OpenScore", CC0, evidence, path.suffix, (Path.read_bytes, path)
    if args.groove:
        rows = list(csv.DictReader((args.groove / "info.csv").read_text().splitlines()))
        rows = [r for r in rows if r["split"] == "train" and float(r["duration"]) > GROOVE_LEAST_S]
        for r in sorted(rows, key=lambda r: zlib.crc32(r["id"].encode()))[:GROOVES]:
            path, title = args.groove / r["midi_filename"], f"{r['style']}, {r['bpm']} per minute"
            name = r["id"].replace("/", "_")
            yield "groove", name, title, r["drummer"], BY4, "Groove MIDI Dataset LICENSE", path.suffix, (Path.read_bytes, path)


def arranged(midi, rng):
    """The first minutes of a piece, with another program for some channels and a kit for the drums."""
    change = lambda channel, program: mido.Message("program_change", channel=channel, program=int(program))
    programs = {c: rng.choice(PROGRAMS) for c in range(16) if c != 9 and rng.random() < OTHERS} | {9: rng.choice(KITS)}
    track, now, tick = mido.MidiTrack([change(*pair) for pair in programs.items()]), 0.0, 0
    for message in midi:
        now += message.time
        if now > LONGEST_S:
            break
        if not message.is_meta and not (message.type == "program_change" and message.channel in programs):
            track.append(message.copy(time=round(now * 2000) - tick))
            tick = round(now * 2000)
    return mido.MidiFile(type=0, ticks_per_beat=1000, tracks=[track])


def played(path, sound, name, fonts):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    arranged(mido.MidiFile(path, clip=True), rng).save(path)
    command = "fluidsynth -ni -q -g 0.4 -r 44100 -O float -T wav -F".split()
    command += [sound, "-o", "synth.dynamic-sample-loading=1", fonts[rng.integers(len(fonts))], path]
    subprocess.run(command, check=True, capture_output=True, timeout=900)


def made(track, fonts, folders):
    """A row of an index, or what is wrong."""
    source, name, title, artist, licence, evidence, suffix, (read, path) = track
    file = f"{source}/{name}.flac"
    target = folders[heldout(source, file)] / file
    if not target.exists():
        data = read(path)
        if not data:
            return f"not in the clone: {file}"
        with tempfile.TemporaryDirectory() as scratch:
            given, sound, flac = f"{scratch}/in{suffix}", f"{scratch}/sound.wav", f"{scratch}/out.flac"
            Path(given).write_bytes(data)
            try:
                if suffix in PLAYED:
                    played(given, sound, file, fonts)
                    given = sound
                command = ["ffmpeg", "-v", "error", "-i", given, "-map", "0:a:0", "-t", str(LONGEST_S)]
                command += ["-ac", "1", "-ar", str(RATE), "-sample_fmt", "s16", flac]
                subprocess.run(command, check=True, capture_output=True)
                if soundfile.info(flac).duration < SHORTEST_S:
                    return f"under {SHORTEST_S} s: {file}"
            except (subprocess.SubprocessError, OSError, ValueError, EOFError) as error:
                return f"{file}: {type(error).__name__}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(Path(flac).read_bytes())
    return row(target, file, source, title, artist, licence, evidence)


def row(target, file, *cells):
    return heldout(cells[0], file), [file, *cells, round(soundfile.info(target).duration, 2)]


def heldout(source, file):
    return source in HELDOUT or zlib.crc32(file.encode()) % 10 == 3


def linked(folder, folders):
    """The recordings of chroma.py, and their rows."""
    for part, source in RENDERED.items():
        for path in sorted((folder / part).glob("*.flac")):
            kind = path.stem.split("_")[0]
            licence, artist = RENDERED_OF.get(kind, RENDERED_OF[""])
            file = f"{source}/{path.name}"
            target = folders[heldout(source, file)] / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.link(path, target)
            yield row(target, file, source, path.stem, artist, licence, "chroma.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clones", "packages"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("symbolic", "groove", "rendered"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--font", action="append", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    for name in ("out", "heldout"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    args = parser.parse_args()
    folders = [args.out, args.heldout]
    rows = list(linked(args.rendered, folders)) if args.rendered else []
    with multiprocessing.Pool(args.jobs) as pool:
        for found in pool.imap(functools.partial(made, fonts=args.font, folders=folders), tracks(args)):
            if isinstance(found, str):
                print(found, flush=True)
            else:
                rows.append(found)
    for side, folder in enumerate(folders):
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *sorted(r for half, r in rows if half == side)])
        print(folder.name, sum(r[-1] for half, r in rows if half == side) / 3600, "hours")


if __name__ == "__main__":
    main()
