//! Recordings with notes: rendered caches, the MAPS layout, and anybody's pairs of audio and MIDI.

use std::path::{Path, PathBuf};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::decoded::Decoded;
use crate::augment::WaveformAugment;
use crate::datasets::cache::{self, LabelledNote};
use crate::datasets::maps::Maps;
use crate::datasets::pairs::Pairs;
use crate::datasets::{DataSet, Item, Split};
use crate::error::{Error, Result};
use crate::features::{FrameExtractor, extract};
use crate::music::Note;

/// A recording to learn from, and its notes in order of onset.
#[derive(Debug, Clone)]
struct Recording {
    sound: Decoded,
    notes: Vec<LabelledNote>,
}

/// The training part of a folder: a cache that `hemiola data render` made, or recordings with notes.
///
/// Of recordings with notes, all; where the same folder serves as dev set (`shared`), all but every tenth.
/// Recordings in other formats are decoded once into `decoded`.
fn training(
    folder: &Path,
    shared: bool,
    sample_rate: u32,
    decoded: &Path,
) -> Result<Vec<Recording>> {
    if !folder.is_dir() {
        return Err(Error::input(
            folder,
            "there is no such folder; `hemiola data render` makes one, or name your own recordings \
             with --set data.renditions=FOLDER",
        ));
    }
    if folder.join("index.json").is_file() {
        return cache::read_index(folder)?
            .renditions
            .iter()
            .filter(|entry| entry.rendition.split == Split::Train)
            .map(|entry| {
                let notes = cache::read_notes(folder, entry)?;
                Ok(Recording {
                    sound: Decoded::open(folder.join(&entry.audio), sample_rate)?,
                    notes,
                })
            })
            .collect();
    }
    let set = recordings(folder)?;
    std::fs::create_dir_all(decoded).map_err(|e| Error::io(decoded, e))?;
    set.items()
        .iter()
        .filter(|item| !shared || item.split == Split::Train)
        .map(|item| {
            let performance = set.read(item)?;
            let notes = performance
                .notes
                .iter()
                .zip(performance.sounding_ends())
                .map(|(&note, sounding_s)| LabelledNote { note, sounding_s })
                .collect();
            let audio = audio_of(item)?;
            Ok(Recording {
                sound: Decoded::of(audio, &item.name, decoded, sample_rate)?,
                notes,
            })
        })
        .collect()
}

/// Music to draw excerpts from.
#[derive(Debug)]
pub(super) struct Excerpts {
    recordings: Vec<Recording>,
    /// Running total of samples, for choosing in proportion to length.
    ends: Vec<u64>,
}

/// Some frames of a recording.
#[derive(Debug)]
pub(super) struct Excerpt<'a> {
    /// Row-major [frames, bins].
    pub features: Vec<f32>,
    /// Of the whole recording.
    pub notes: &'a [LabelledNote],
    /// When the first frame is.
    pub start_s: f64,
}

/// How excerpts are cut.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub frames: usize,
    /// Samples under the longest window: frames at the edges see the sound around the excerpt, as they do in a recording.
    pub longest_window: usize,
    pub augment: WaveformAugment,
}

impl Excerpts {
    /// Finds and checks the training part of folders of renditions or pairs, of which `dev` may be one.
    ///
    /// # Errors
    /// When a folder cannot be read, or there is no music in them.
    pub fn open(folders: &[PathBuf], dev: &Path, sample_rate: u32, decoded: &Path) -> Result<Self> {
        let mut recordings = Vec::new();
        for folder in folders {
            recordings.extend(training(folder, *folder == *dev, sample_rate, decoded)?);
        }
        recordings.retain(|r| r.sound.len() > 0);
        if recordings.is_empty() {
            return Err(Error::config(format!(
                "data.renditions: no recordings with notes in {folders:?}; render some with \
                 `hemiola data render`, or name a folder of x.wav + x.mid pairs"
            )));
        }
        let mut total = 0;
        let ends = recordings
            .iter()
            .map(|r| {
                total += r.sound.len() as u64;
                total
            })
            .collect();
        Ok(Self { recordings, ends })
    }

    /// How many samples there are.
    pub fn n_samples(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// An excerpt from anywhere, varied.
    pub fn draw(
        &self,
        cut: &Cut,
        extractor: &mut impl FrameExtractor,
        rng: &mut ChaCha8Rng,
    ) -> Result<Excerpt<'_>> {
        let (hop, sample_rate) = (extractor.hop_length(), extractor.sample_rate());
        let at = rng.random_range(0..self.n_samples());
        let recording = &self.recordings[self.ends.partition_point(|&end| end <= at)];
        let context = cut.longest_window.div_ceil(2 * hop);
        let length = (cut.frames + 2 * context) * hop;
        let latest = recording.sound.len().saturating_sub(cut.frames * hop);
        let first = rng.random_range(0..=latest);
        let mut samples = recording
            .sound
            .read(first as i64 - (context * hop) as i64, length)?;
        cut.augment.apply(&mut samples, sample_rate, rng);
        samples.resize(length, 0.0);
        let frames = extract(extractor, &samples).into_vec();
        let bins = extractor.n_bins();
        Ok(Excerpt {
            features: frames[context * bins..(context + cut.frames) * bins].to_vec(),
            notes: &recording.notes,
            start_s: first as f64 / f64::from(sample_rate),
        })
    }
}

/// A recording with the notes that a transcription is measured against.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub name: String,
    pub audio: PathBuf,
    /// Their ends are as asked for.
    pub notes: Vec<Note>,
}

/// When a note ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// When its key is released.
    Released,
    /// When the sound is damped, be it by the key or by the sustain pedal.
    Damped,
}

/// All recordings of a folder; of one that serves as training set too (`shared`), every tenth.
///
/// # Errors
/// When the folder cannot be read, or none of its recordings is of the dev part.
pub(super) fn references(folder: &Path, shared: bool, ends: Ends) -> Result<Vec<Reference>> {
    let set = recordings(folder)?;
    let references: Vec<Reference> = set
        .items()
        .iter()
        .filter(|item| !shared || item.split == Split::Dev)
        .map(|item| {
            let pedal_notes = Maps::pedal_notes(item).filter(|_| ends == Ends::Damped);
            let notes = match pedal_notes {
                Some(path) => Maps::read_notes(&path)?,
                None if ends == Ends::Released => set.read(item)?.notes,
                None => {
                    let performance = set.read(item)?;
                    let ends = performance.sounding_ends();
                    performance
                        .notes
                        .iter()
                        .zip(ends)
                        .map(|(&note, offset_s)| Note { offset_s, ..note })
                        .collect()
                }
            };
            Ok(Reference {
                name: item.name.clone(),
                audio: audio_of(item)?.to_path_buf(),
                notes,
            })
        })
        .collect::<Result<_>>()?;
    if references.is_empty() {
        return Err(Error::input(
            folder,
            "data.dev holds no recording of the dev part; of x.wav + x.mid pairs every tenth from the fourth on is",
        ));
    }
    Ok(references)
}

/// Pairs where the folder holds MIDI files, the MAPS layout otherwise.
fn recordings(folder: &Path) -> Result<Box<dyn DataSet>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let has_notes_table = entries.flatten().any(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|e| e == "tsv" || e == "txt")
    });
    let has_midi = std::fs::read_dir(folder)
        .map_err(|e| Error::io(folder, e))?
        .flatten()
        .any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|e| e == "mid" || e == "midi")
        });
    if has_midi && !has_notes_table {
        Ok(Box::new(Pairs::open(folder)?))
    } else {
        Ok(Box::new(Maps::open(folder)?))
    }
}

fn audio_of(item: &Item) -> Result<&Path> {
    item.audio
        .as_deref()
        .ok_or_else(|| Error::config(format!("{}: there is no recording of this item", item.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    use crate::audio::{WavFormat, read_mono, write_wav};
    use crate::features::{FrontEnd, MelConfig};

    const RATE: u32 = 8000;

    /// Four pairs of a tone that rises and a key held for half a second, its pedal for a second.
    fn write_pairs(folder: &Path) {
        let track = [
            0x00, 0xB0, 0x40, 0x7F, 0x00, 0x90, 0x3C, 0x50, 0x83, 0x60, 0x80, 0x3C, 0x00, 0x83,
            0x60, 0xB0, 0x40, 0x00, 0x00, 0xFF, 0x2F, 0x00,
        ];
        let mut midi = b"MThd\0\0\0\x06\0\0\0\x01\x01\xE0MTrk\0\0\0".to_vec();
        midi.push(track.len() as u8);
        midi.extend(track);
        let time_s = |i: u32| f64::from(i) / f64::from(RATE);
        let sample = |i| (0.5 * (2000.0 * time_s(i) * time_s(i)).sin()) as f32;
        let samples: Vec<f32> = (0..2 * RATE).map(sample).collect();
        for i in 0..4 {
            std::fs::write(folder.join(format!("{i}.mid")), &midi).unwrap();
            let path = folder.join(format!("{i}.wav"));
            write_wav(path, &samples, 1, RATE, WavFormat::Int16).unwrap();
        }
    }

    #[test]
    fn a_note_ends_with_its_key_or_with_its_pedal() {
        let at = tempfile::tempdir().unwrap();
        write_pairs(at.path());
        let end_s = |ends| {
            let found = references(at.path(), true, ends).unwrap();
            assert_eq!((found.len(), found[0].name.as_str()), (1, "3"));
            found[0].notes[0].offset_s
        };
        assert!((end_s(Ends::Released) - 0.5).abs() < 1e-9);
        assert!((end_s(Ends::Damped) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_excerpt_is_what_the_whole_recording_has_there() {
        let at = tempfile::tempdir().unwrap();
        write_pairs(at.path());
        let folders = [at.path().to_path_buf()];
        let decoded = at.path().join("decoded");
        let excerpts = Excerpts::open(&folders, at.path(), RATE, &decoded).unwrap();
        assert_eq!(excerpts.n_samples(), 3 * 2 * u64::from(RATE));
        let silent = WaveformAugment::none();
        let config = MelConfig {
            sample_rate: RATE,
            fmax: 4000.0,
            n_fft: 512,
            hop_length: 1,
            n_mels: 8,
            ..MelConfig::default()
        };
        let cut = Cut {
            frames: 20,
            longest_window: config.n_fft,
            augment: silent,
        };
        // With a hop of one sample an excerpt begins at a frame of the whole recording, wherever it begins.
        let mut extractor = config.extractor().unwrap();
        let whole = extract(
            &mut extractor,
            &read_mono(at.path().join("0.wav"), RATE).unwrap(),
        );
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..5 {
            let excerpt = excerpts.draw(&cut, &mut extractor, &mut rng).unwrap();
            let first = (excerpt.start_s * f64::from(RATE)).round() as usize;
            let inside = 256 <= first && first + 20 + 256 <= 2 * RATE as usize;
            assert!(
                inside,
                "the seed draws from the inside, where nothing is mirrored"
            );
            let expected = &whole.as_slice()[first * 8..(first + 20) * 8];
            assert_eq!(excerpt.features.len(), expected.len());
            for (found, expected) in excerpt.features.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-3, "{found} {expected}");
            }
            assert_eq!(excerpt.notes.len(), 1);
            assert!((excerpt.notes[0].sounding_s - 1.0).abs() < 1e-9);
        }
    }
}
