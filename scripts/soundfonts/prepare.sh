#!/bin/sh
# Makes the SF2 pianos that the piano recipes render with, into a folder.
# usage: prepare.sh OUT_DIR UPRIGHT_PIANO_KW_DIR OLD_PIANO_FB_DIR
#
# The last two are checkouts of github.com/freepats/upright-piano-KW and github.com/freepats/old-piano-FB (CC0).
# Debian: apt-get install --no-install-recommends polyphone fluid-soundfont-gm timgm6mb-soundfont \
#         musescore-general-soundfont-lossless
set -eu
out=$(realpath "$1")
upright=$(realpath "$2")
old=$(realpath "$3")
here=$(dirname "$(realpath "$0")")

# With -1 polyphone converts and ends; without it, it opens a window and waits.
cd "$upright"
QT_QPA_PLATFORM=offscreen polyphone -1 -i UprightPianoKW-20220221.sfz -d "$out" -o upright_piano_kw </dev/null
cd "$old"
QT_QPA_PLATFORM=offscreen polyphone -1 -i "PianoFB 20200401.sfz" -d "$out" -o old_piano_fb </dev/null

python3 "$here/musescore_pianos.py" /usr/share/sounds/sf2/MuseScore_General_Full.sf2 "$out/musescore_pianos.sf2"
