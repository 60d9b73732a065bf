//! McGill Billboard: chords and tonics of songs from the charts (Burgoyne, Wild and Fujinaga, "An Expert Ground Truth Set for
//! Audio Chord Recognition and Music Analysis", ISMIR 2011; CC0).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::progression::{DiatonicMode, LabelledChord, LabelledProgression, Progressions};
use super::{SetInfo, Split};
use crate::error::{Error, Result};
use crate::music::chord::ChordLabel;
use crate::music::roman::{LocalKey, Mode};
use crate::music::{N_PITCH_CLASSES, NoteName, SoundingChord};

pub const INFO: SetInfo = SetInfo {
    name: "billboard",
    licence: "CC0",
    may_train: true,
    layout: "NNNN/salami_chords.txt and index.csv (id, split)",
};

/// The entries of a folder.
#[derive(Debug, Clone)]
pub struct Billboard {
    entries: Vec<(PathBuf, Split)>,
}

#[derive(Deserialize)]
struct Row {
    id: u32,
    split: Split,
}

impl Billboard {
    /// # Errors
    /// When `index.csv` cannot be read or names no entry.
    pub fn open(folder: &Path) -> Result<Self> {
        let index = folder.join("index.csv");
        let file = std::fs::File::open(&index).map_err(|e| Error::io(&index, e))?;
        let rows: Vec<Row> = csv::Reader::from_reader(file)
            .deserialize()
            .collect::<std::result::Result<_, _>>()
            .map_err(|e: csv::Error| Error::input(&index, e.to_string()))?;
        if rows.is_empty() {
            return Err(Error::input(&index, "expected entries, found none"));
        }
        let entry = |row: Row| {
            let path = folder
                .join(format!("{:04}", row.id))
                .join("salami_chords.txt");
            (path, row.split)
        };
        Ok(Self {
            entries: rows.into_iter().map(entry).collect(),
        })
    }

    /// The songs of one side, or of both.
    ///
    /// A repeated chord counts once. The key is the tonic that the file states, in the mode of the chords until it states
    /// another; the degree is that of the root's letter.
    pub fn progressions(&self, split: Option<Split>) -> Progressions {
        let mut found = Progressions::default();
        for (path, side) in &self.entries {
            if split.is_some_and(|split| split != *side) {
                continue;
            }
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => {
                    found.skipped.push(Error::io(path, error).to_string());
                    continue;
                }
            };
            let folder = path.parent().map(super::stem).unwrap_or_default();
            let song = song(&folder, &text, &mut found);
            found.progressions.extend(song);
        }
        found
    }
}

/// What is known of a chord before its section's mode is.
struct Heard {
    onset: f64,
    root: NoteName,
    chord: SoundingChord,
}

fn song(name: &str, text: &str, found: &mut Progressions) -> Option<LabelledProgression> {
    let mut chords: Vec<LabelledChord> = Vec::new();
    let mut tonic: Option<NoteName> = None;
    let mut section: Vec<Heard> = Vec::new();
    let mut bar = 0.0;
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('#') {
            if let Some(stated) = header.trim_start().strip_prefix("tonic:") {
                close(tonic, &mut section, &mut chords, found);
                tonic = stated.trim().parse().ok();
            }
            continue;
        }
        let (Some(first), Some(last)) = (line.find('|'), line.rfind('|')) else {
            continue;
        };
        for words in line[first..last].split('|').skip(1) {
            let words: Vec<&str> = words
                .split_whitespace()
                // A bar of another metre says so in brackets.
                .filter(|word| !word.starts_with('('))
                .collect();
            for (place, word) in words.iter().enumerate() {
                if matches!(*word, "." | "N" | "&pause" | "*") {
                    continue;
                }
                let label = word.parse::<ChordLabel>().ok();
                let Some(root) = label.as_ref().and_then(|l| Some(l.chord()?.root)) else {
                    found.leave_out("labels not understood", 1);
                    continue;
                };
                let chord = label
                    .as_ref()
                    .map_or(SoundingChord::NONE, SoundingChord::of_label);
                let same = |last: &Heard| last.root == root && last.chord == chord;
                if section.last().is_some_and(same) {
                    continue;
                }
                section.push(Heard {
                    onset: bar + place as f64 / words.len() as f64,
                    root,
                    chord,
                });
            }
            bar += 1.0;
        }
    }
    close(tonic, &mut section, &mut chords, found);
    let mut progression = LabelledProgression {
        name: name.to_owned(),
        chords,
        mode: DiatonicMode::Ionian,
    };
    progression.mode = DiatonicMode::of_key_mode(progression.main_key()?.mode());
    Some(progression)
}

/// Ends what is in one key: its mode is that of the thirds above the tonic, in tonic chords if there are any.
fn close(
    tonic: Option<NoteName>,
    section: &mut Vec<Heard>,
    chords: &mut Vec<LabelledChord>,
    found: &mut Progressions,
) {
    let heard = std::mem::take(section);
    let Some(tonic) = tonic else {
        found.leave_out("chords before a tonic is stated", heard.len());
        return;
    };
    let thirds = |of_tonic_only: bool| {
        let chords = heard.iter();
        let chords =
            chords.filter(|h| !of_tonic_only || h.root.pitch_class() == tonic.pitch_class());
        let has = |chord: &Heard, semitones: u8| {
            let tone = (tonic.pitch_class() + semitones) % N_PITCH_CLASSES as u8;
            i32::from(chord.chord.pitch_classes().contains(tone))
        };
        chords.map(|h| has(h, 4) - has(h, 3)).sum::<i32>()
    };
    let balance = match thirds(true) {
        0 => thirds(false),
        balance => balance,
    };
    let mode = if balance < 0 {
        Mode::Minor
    } else {
        Mode::Major
    };
    let key = LocalKey::new(tonic.pitch_class(), mode);
    chords.extend(heard.into_iter().map(|h| LabelledChord {
        onset: h.onset,
        chord: h.chord,
        root: h.root.pitch_class(),
        key,
        degree: (h.root.letter() as u8 + 7 - tonic.letter() as u8) % 7 + 1,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::music::PitchClassSet;

    #[test]
    fn a_song_is_read_in_its_keys() {
        let text = "# title: A\n# metre: 4/4\n# tonic: Eb\n\n0.0\tsilence\n\
                    1.0\tA, intro, | Eb:maj | Eb:maj Bb:7/3 . . | C:min7 Db:maj |, (piano\n\
                    9.0\t| (2/4) Ab:sus4(b7,9) N | X |\n# tonic: A\n\
                    12.0\tB, | A:min | D:min/b3 E:7(b9) |, voice)\n20.0\tend\n";
        let mut found = Progressions::default();
        let song = song("0001", text, &mut found).unwrap();
        let rows: Vec<_> = (song.chords.iter())
            .map(|c| (c.key.to_string(), c.degree, c.chord.bass(), c.onset))
            .collect();
        let row = |key: &str, degree, bass, onset: f64| (key.to_owned(), degree, Some(bass), onset);
        assert_eq!(
            rows,
            [
                row("Eb", 1, 3, 0.0),
                row("Eb", 5, 2, 1.25),
                row("Eb", 6, 0, 2.0),
                row("Eb", 7, 1, 2.5),
                row("Eb", 4, 8, 3.0),
                row("a", 1, 9, 5.0),
                row("a", 4, 5, 6.0),
                row("a", 5, 4, 6.5),
            ]
        );
        let tones = |at: usize| song.chords[at].chord.pitch_classes();
        assert_eq!(tones(1), PitchClassSet::new([10, 2, 5, 8]).unwrap());
        assert_eq!(tones(4), PitchClassSet::new([8, 1, 3, 6, 10]).unwrap());
        assert_eq!(tones(7), PitchClassSet::new([4, 8, 11, 2, 5]).unwrap());
        assert_eq!(song.mode, DiatonicMode::Ionian);
        assert_eq!(found.left_out["labels not understood"], 1);
    }
}
