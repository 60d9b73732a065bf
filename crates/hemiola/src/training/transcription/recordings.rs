//! Recordings with notes: rendered caches, the MAPS layout, and anybody's pairs of audio and MIDI.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::audio::{WavFormat, read_mono, write_wav};
use crate::datasets::cache::{self, LabelledNote};
use crate::datasets::maps::Maps;
use crate::datasets::pairs::Pairs;
use crate::datasets::{DataSet, Item, Split};
use crate::error::{Error, Result};
use crate::music::Note;

/// A recording to learn from: 16-bit mono WAV at the model's rate, and its notes in order of onset.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    path: PathBuf,
    pub n_samples: usize,
    pub notes: Vec<LabelledNote>,
}

impl Recording {
    fn open(path: PathBuf, sample_rate: u32, notes: Vec<LabelledNote>) -> Result<Self> {
        let reader =
            hound::WavReader::open(&path).map_err(|e| Error::input(&path, e.to_string()))?;
        let spec = reader.spec();
        if spec.sample_rate != sample_rate || spec.channels != 1 || spec.bits_per_sample != 16 {
            return Err(Error::input(
                &path,
                format!(
                    "expected 16-bit mono at {sample_rate} Hz, found {} bits, {} channels, {} Hz; \
                     render the cache with that sample_rate",
                    spec.bits_per_sample, spec.channels, spec.sample_rate
                ),
            ));
        }
        Ok(Self {
            n_samples: reader.duration() as usize,
            path,
            notes,
        })
    }

    /// `length` samples from `first` on, with silence before the beginning and after the end.
    pub fn read(&self, first: i64, length: usize) -> Result<Vec<f32>> {
        let fail = |e: hound::Error| Error::input(&self.path, e.to_string());
        let mut samples = vec![0.0; (-first).clamp(0, length as i64) as usize];
        let mut reader = hound::WavReader::open(&self.path).map_err(fail)?;
        let start = first.max(0) as usize;
        if start < self.n_samples {
            reader
                .seek(start as u32)
                .map_err(|e| Error::io(&self.path, e))?;
            for sample in reader.samples::<i16>().take(length - samples.len()) {
                samples.push(f32::from(sample.map_err(fail)?) / 32768.0);
            }
        }
        samples.resize(length, 0.0);
        Ok(samples)
    }
}

/// The training part of a folder: a cache that `hemiola data render` made, or recordings with notes.
///
/// Of recordings with notes, all; where the same folder serves as dev set (`shared`), all but every tenth.
/// Recordings in other formats are decoded once into `decoded`.
pub(super) fn training(
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
                Recording::open(folder.join(&entry.audio), sample_rate, notes)
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
            let path = decoded.join(decoded_name(item, audio)?);
            if !path.is_file() {
                let samples = read_mono(audio, sample_rate)?;
                write_wav(&path, &samples, 1, sample_rate, WavFormat::Int16)?;
            }
            Recording::open(path, sample_rate, notes)
        })
        .collect()
}

/// A name that no other recording has, nor the same one once its file has changed.
fn decoded_name(item: &Item, audio: &Path) -> Result<String> {
    let fail = |e| Error::io(audio, e);
    let file = std::fs::metadata(audio).map_err(fail)?;
    let mut hasher = DefaultHasher::new();
    audio.canonicalize().map_err(fail)?.hash(&mut hasher);
    (file.len(), file.modified().map_err(fail)?).hash(&mut hasher);
    Ok(format!("{}-{:016x}.wav", item.name, hasher.finish()))
}

/// A recording with the notes that a transcription is measured against.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub name: String,
    pub audio: PathBuf,
    /// Ends include the sustain pedal.
    pub notes: Vec<Note>,
}

/// All recordings of a folder; of one that serves as training set too (`shared`), every tenth.
pub(super) fn references(folder: &Path, shared: bool) -> Result<Vec<Reference>> {
    let set = recordings(folder)?;
    set.items()
        .iter()
        .filter(|item| !shared || item.split == Split::Dev)
        .map(|item| {
            let notes = match Maps::pedal_notes(item) {
                Some(path) => Maps::read_notes(&path)?,
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
        .collect()
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
