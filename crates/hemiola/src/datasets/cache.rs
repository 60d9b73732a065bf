//! A folder of rendered training audio with exact notes.
//!
//! ```text
//! index.json          what there is: Index
//! audio/000000.wav    mono, 16 bit
//! notes/000000.csv    onset_s,offset_s,sounding_s,pitch,velocity
//! ```
//! `offset_s` is the release of the key, `sounding_s` the end under the pedal (the same without pedal). Velocities are
//! those before the piano's curve.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::plan::{Piano, RenderRecipe, Rendition};
use super::reserved::Reserved;
use super::{DataSet, Performance, expression};
use crate::audio::render::{Part, RenderOptions, Renderer};
use crate::audio::{WavFormat, write_wav};
use crate::error::{Error, Result};
use crate::midi::PedalEvent;
use crate::music::Note;

/// Finished renditions between two writings of the index.
const INDEX_EVERY: usize = 25;
/// The keys of a piano.
const KEYS: std::ops::RangeInclusive<i32> = 21..=108;
const HEADER: &str = "onset_s,offset_s,sounding_s,pitch,velocity";

/// The contents of `index.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub sample_rate: u32,
    /// In order of their ids; only what is complete.
    pub renditions: Vec<Entry>,
}

/// A finished rendition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(flatten)]
    pub rendition: Rendition,
    /// Relative to the folder.
    pub audio: String,
    pub notes: String,
    pub duration_s: f64,
    pub note_count: usize,
}

/// A note with both of its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledNote {
    /// With the release of the key as its end.
    pub note: Note,
    /// When a damper ends it, in seconds.
    pub sounding_s: f64,
}

/// Renders what a recipe asks for into a folder with `jobs` threads, and returns the index.
///
/// What the folder's index lists unchanged is kept, so that an interrupted run goes on where it was. `progress` is told the number
/// of finished renditions and of all.
///
/// # Errors
/// When the recipe is impossible, a data set or a SoundFont cannot be read, or the folder cannot be written.
pub fn render(
    recipe: &RenderRecipe,
    folder: &Path,
    jobs: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Index> {
    let reserved = recipe.reserved.as_deref().map(Reserved::read).transpose()?;
    let sets = recipe
        .sources
        .iter()
        .map(|source| super::open(&source.set, &source.folder, reserved.as_ref()))
        .collect::<Result<Vec<_>>>()?;
    let plan = recipe.plan(&sets)?;
    let sets: HashMap<&str, &dyn DataSet> =
        sets.iter().map(|set| (set.name(), set.as_ref())).collect();
    let pianos = load_pianos(&recipe.pianos)?;
    for part in ["audio", "notes"] {
        let path = folder.join(part);
        std::fs::create_dir_all(&path).map_err(|source| Error::io(&path, source))?;
    }

    let known: HashMap<String, Entry> = read_index(folder)
        .unwrap_or_default()
        .renditions
        .into_iter()
        .map(|entry| (entry.rendition.id.clone(), entry))
        .collect();
    let kept = |rendition: &Rendition| {
        known
            .get(&rendition.id)
            .filter(|entry| entry.rendition == *rendition)
            .filter(|entry| {
                folder.join(&entry.audio).is_file() && folder.join(&entry.notes).is_file()
            })
    };
    let mut finished = BTreeMap::new();
    let mut missing = Vec::new();
    for rendition in &plan {
        match kept(rendition) {
            Some(entry) => drop(finished.insert(rendition.id.clone(), entry.clone())),
            None => missing.push(rendition),
        }
    }

    let next = AtomicUsize::new(0);
    let finished = Mutex::new(finished);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(rendition) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done =
                        render_one(rendition, recipe, &sets, &pianos, folder).and_then(|entry| {
                            let mut finished = finished
                                .lock()
                                .unwrap_or_else(|poisoned| poisoned.into_inner());
                            if let Some(entry) = entry {
                                finished.insert(rendition.id.clone(), entry);
                            }
                            progress(finished.len(), plan.len());
                            if finished.len().is_multiple_of(INDEX_EVERY) {
                                write_index(folder, recipe.sample_rate, &finished)?;
                            }
                            Ok(())
                        });
                    if let Err(error) = done {
                        next.store(missing.len(), Ordering::Relaxed);
                        *failure
                            .lock()
                            .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(error);
                    }
                }
            });
        }
    });
    let finished = finished
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let index = write_index(folder, recipe.sample_rate, &finished)?;
    match failure
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
    {
        Some(error) => Err(error),
        None => Ok(index),
    }
}

/// Reads a cache's index.
///
/// # Errors
/// When the file cannot be read or is no index.
pub fn read_index(folder: &Path) -> Result<Index> {
    let path = folder.join("index.json");
    let text = std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
    serde_json::from_str(&text).map_err(|error| Error::input(&path, error.to_string()))
}

/// Reads the notes of an entry, sorted by onset, then pitch.
///
/// # Errors
/// When the file cannot be read or a line is no note.
pub fn read_notes(folder: &Path, entry: &Entry) -> Result<Vec<LabelledNote>> {
    let path = folder.join(&entry.notes);
    let text = std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
    text.lines()
        .skip(1)
        .enumerate()
        .map(|(number, line)| {
            parse_note(line).ok_or_else(|| {
                Error::input(
                    &path,
                    format!("line {}: expected {HEADER}; found {line:?}", number + 2),
                )
            })
        })
        .collect()
}

fn parse_note(line: &str) -> Option<LabelledNote> {
    let mut fields = line.split(',');
    let mut number = || fields.next()?.trim().parse::<f64>().ok();
    let (onset_s, offset_s, sounding_s) = (number()?, number()?, number()?);
    let (pitch, velocity) = (number()?, number()?);
    Some(LabelledNote {
        note: Note {
            onset_s,
            offset_s,
            pitch: (0.0..128.0).contains(&pitch).then_some(pitch as u8)?,
            velocity: (0.0..128.0).contains(&velocity).then_some(velocity as u8)?,
        },
        sounding_s,
    })
}

struct LoadedPiano {
    renderer: Renderer,
    bank: u8,
    program: u8,
}

fn load_pianos(pianos: &[Piano]) -> Result<HashMap<String, LoadedPiano>> {
    let mut fonts: HashMap<&Path, Renderer> = HashMap::new();
    let mut loaded = HashMap::new();
    for piano in pianos {
        let renderer = match fonts.get(piano.soundfont.as_path()) {
            Some(renderer) => renderer.clone(),
            None => Renderer::open(&piano.soundfont)?,
        };
        fonts.insert(&piano.soundfont, renderer.clone());
        let known = LoadedPiano {
            renderer,
            bank: piano.bank,
            program: piano.program,
        };
        if loaded.insert(piano.name.clone(), known).is_some() {
            return Err(Error::config(format!(
                "two pianos are called {}",
                piano.name
            )));
        }
    }
    Ok(loaded)
}

/// Renders one excerpt; `None` where no note begins in it.
fn render_one(
    rendition: &Rendition,
    recipe: &RenderRecipe,
    sets: &HashMap<&str, &dyn DataSet>,
    pianos: &HashMap<String, LoadedPiano>,
    folder: &Path,
) -> Result<Option<Entry>> {
    let piano = pianos
        .get(&rendition.piano)
        .ok_or_else(|| Error::config(format!("there is no piano {}", rendition.piano)))?;
    let set = sets
        .get(rendition.set.as_str())
        .ok_or_else(|| Error::config(format!("there is no data set {}", rendition.set)))?;
    let performance = perform(rendition, recipe, *set)?;
    if performance.notes.is_empty() {
        return Ok(None);
    }
    let length_s = rendition.length_s / rendition.tempo;
    let mut samples = sound(rendition, &performance, piano, recipe.sample_rate, length_s)?;
    let highest = samples
        .iter()
        .fold(0.0, |highest: f32, sample| highest.max(sample.abs()));
    if highest <= 0.0 {
        return Err(Error::config(format!(
            "{} of {} is silent on the piano {}",
            rendition.item, rendition.set, rendition.piano
        )));
    }
    let gain = rendition.peak as f32 / highest;
    samples.iter_mut().for_each(|sample| *sample *= gain);

    let entry = Entry {
        rendition: rendition.clone(),
        audio: format!("audio/{}.wav", rendition.id),
        notes: format!("notes/{}.csv", rendition.id),
        duration_s: samples.len() as f64 / f64::from(recipe.sample_rate),
        note_count: performance.notes.len(),
    };
    let audio = folder.join(&entry.audio);
    write_wav(&audio, &samples, 1, recipe.sample_rate, WavFormat::Int16)?;
    write_whole(&folder.join(&entry.notes), table(&performance).as_bytes())?;
    Ok(Some(entry))
}

/// The excerpt as it is to be played: tempo, pitches, pedal.
fn perform(rendition: &Rendition, recipe: &RenderRecipe, set: &dyn DataSet) -> Result<Performance> {
    let item = set
        .items()
        .iter()
        .find(|item| item.name == rendition.item)
        .ok_or_else(|| {
            Error::config(format!("{} has no item {}", rendition.set, rendition.item))
        })?;
    let mut rng = ChaCha8Rng::seed_from_u64(rendition.seed);
    let mut played = set.read(item)?;
    if set.is_deadpan() {
        played = expression::play(&played, &mut rng);
    }
    let mut played = played
        .excerpt(rendition.start_s, rendition.length_s)
        .stretched(1.0 / rendition.tempo);
    for note in &mut played.notes {
        // At the ends of the keyboard a transposed note stays where it was.
        let moved = i32::from(note.pitch) + i32::from(rendition.transpose);
        if KEYS.contains(&moved) {
            note.pitch = moved as u8;
        }
    }
    played.notes.retain(|note| {
        let key = i32::from(note.pitch);
        KEYS.contains(&key) && KEYS.contains(&(key + i32::from(rendition.body_semitones)))
    });
    played.notes = super::performance::one_keyboard(played.notes);
    if !rendition.pedal {
        played.pedal.clear();
    } else if played.pedal.iter().all(|change| change.value < 64)
        && rng.random_bool(recipe.variation.added_pedal.clamp(0.0, 1.0))
    {
        played.pedal = expression::legato_pedal(&played.notes, &mut rng);
    }
    if played.pedal.last().is_some_and(|change| change.value >= 64) {
        // So that what the pedal holds counts as sounding to the end.
        played.pedal.push(PedalEvent {
            time_s: rendition.length_s / rendition.tempo,
            value: 0,
        });
    }
    Ok(played)
}

fn sound(
    rendition: &Rendition,
    performance: &Performance,
    piano: &LoadedPiano,
    sample_rate: u32,
    length_s: f64,
) -> Result<Vec<f32>> {
    let part = Part {
        notes: &performance.notes,
        pedal: &performance.pedal,
        bank: piano.bank,
        program: piano.program,
        is_drum: false,
    };
    let options = RenderOptions {
        sample_rate,
        duration_s: Some(length_s),
        transpose: rendition.body_semitones,
        detune_cents: rendition.detune_cents - 100.0 * f64::from(rendition.body_semitones),
        velocity_exponent: rendition.velocity_exponent,
        left_share: rendition.left_share as f32,
        ..RenderOptions::default()
    };
    piano.renderer.render(&[part], &options)
}

fn table(performance: &Performance) -> String {
    let mut table = format!("{HEADER}\n");
    for (note, sounding_s) in performance.notes.iter().zip(performance.sounding_ends()) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "{:.5},{:.5},{sounding_s:.5},{},{}",
            note.onset_s, note.offset_s, note.pitch, note.velocity
        );
    }
    table
}

fn write_index(
    folder: &Path,
    sample_rate: u32,
    finished: &BTreeMap<String, Entry>,
) -> Result<Index> {
    let index = Index {
        sample_rate,
        renditions: finished.values().cloned().collect(),
    };
    let path = folder.join("index.json");
    let text =
        serde_json::to_string(&index).map_err(|error| Error::input(&path, error.to_string()))?;
    write_whole(&path, text.as_bytes())?;
    Ok(index)
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("part");
    std::fs::write(&unfinished, bytes).map_err(|source| Error::io(&unfinished, source))?;
    std::fs::rename(&unfinished, path).map_err(|source| Error::io(path, source))
}
