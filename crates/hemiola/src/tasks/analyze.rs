//! All that the models hear in a recording, in one reading of it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::thread::ScopedJoinHandle;

use burn::tensor::Device;

use super::beats::{BeatTracker, changes_s};
use super::chords::{ChordReader, spell_by_key};
use super::chroma::ChromaExtractor;
use super::embed::Embedder;
use super::harmony::HarmonyAnalyser;
use super::key::keys_of_chroma;
use super::onsets::OnsetDetector;
use super::peak_picking::PeakPicker;
use super::tag::{Tagger, Tagging};
use super::transcribe::Transcriber;
use crate::analysis::{Analysis, Function, LabelCurves, LabelWindow, ModelOf, Recording};
use crate::audio::{SharedReading, Source};
use crate::checkpoint::CheckpointFiles;
use crate::error::{Error, Result};
use crate::music::chord::{ChordLabel, Vocabulary};
use crate::music::key::{Key, KeyLabel};
use crate::music::{Chroma, Segment, SoundingChord};

/// What can be listened for: the fields of [`Analysis`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Notes,
    Onsets,
    Beats,
    Instruments,
    Chroma,
    Chords,
    Key,
    Harmony,
    Embedding,
}

impl Part {
    pub const ALL: [Self; 9] = [
        Self::Notes,
        Self::Onsets,
        Self::Beats,
        Self::Instruments,
        Self::Chroma,
        Self::Chords,
        Self::Key,
        Self::Harmony,
        Self::Embedding,
    ];

    /// As the field of [`Analysis`] is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Onsets => "onsets",
            Self::Beats => "beats",
            Self::Instruments => "instruments",
            Self::Chroma => "chroma",
            Self::Chords => "chords",
            Self::Key => "key",
            Self::Harmony => "harmony",
            Self::Embedding => "embedding",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|part| part.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::config(format!(
                "{text} is no part of an analysis; expected {names}"
            ))
        })
    }
}

/// The names of the models, built in or checkpoint folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyserConfig {
    pub parts: BTreeSet<Part>,
    pub notes: String,
    /// Of onsets and beats.
    pub onsets: String,
    pub instruments: String,
    /// Of chroma, and of the key.
    pub chroma: String,
    /// Of chords, with major and minor triads.
    pub chords: String,
    pub harmony: String,
    pub embedding: String,
}

impl Default for AnalyserConfig {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            parts: BTreeSet::from(Part::ALL),
            notes: name("piano"),
            onsets: name("onsets"),
            instruments: name("instruments"),
            chroma: name("chroma"),
            chords: name("triads"),
            harmony: name("harmony"),
            embedding: name("embedding"),
        }
    }
}

impl AnalyserConfig {
    /// The model that hears a part.
    pub fn model(&self, part: Part) -> &str {
        match part {
            Part::Notes => &self.notes,
            Part::Onsets | Part::Beats => &self.onsets,
            Part::Instruments => &self.instruments,
            Part::Chroma | Part::Key => &self.chroma,
            Part::Chords => &self.chords,
            Part::Harmony => &self.harmony,
            Part::Embedding => &self.embedding,
        }
    }

    fn wants(&self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.parts.contains(part))
    }
}

/// What is told while a recording is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Heard {
    /// A part, or what it depends on, has heard so many seconds.
    Until(Part, f64),
    /// All there is has been heard for a part.
    All(Part),
}

/// Every model that an analysis takes, opened once for any number of recordings.
pub struct Analyser {
    config: AnalyserConfig,
    transcriber: Option<Transcriber>,
    onsets: Option<OnsetDetector>,
    tagger: Option<Tagger>,
    chroma: Option<ChromaExtractor>,
    chords: Option<ChordReader>,
    harmony: Option<HarmonyAnalyser>,
    embedder: Option<Embedder>,
}

impl Analyser {
    /// Opens the models of the parts that are asked for, and of those that they depend on.
    ///
    /// # Errors
    /// When nothing is asked for, or a model cannot be opened.
    pub fn open(config: AnalyserConfig, device: &Device) -> Result<Self> {
        use Part::{Beats, Chords, Chroma, Embedding, Harmony, Instruments, Key, Notes, Onsets};
        if config.parts.is_empty() {
            return Err(Error::config(
                "an analysis of nothing: expected at least one part",
            ));
        }
        let wants = |parts: &[Part]| config.wants(parts);
        Ok(Self {
            transcriber: opened(wants(&[Notes]), &config.notes, |files| {
                let (model, _, task) = files.assemble(device)?;
                let transcriber = Transcriber::new(model, task);
                transcriber.validate()?;
                Ok(transcriber)
            })?,
            onsets: opened(wants(&[Onsets, Beats]), &config.onsets, |files| {
                let (model, _, task) = files.assemble(device)?;
                OnsetDetector::new(model, task)
            })?,
            tagger: opened(wants(&[Instruments]), &config.instruments, |files| {
                Tagger::of(files, device)
            })?,
            chroma: opened(
                wants(&[Chroma, Chords, Key, Harmony]),
                &config.chroma,
                |files| {
                    let (model, _, task) = files.assemble(device)?;
                    ChromaExtractor::new(&model, &task)
                },
            )?,
            chords: opened(wants(&[Chords, Harmony]), &config.chords, |files| {
                let (model, _, task) = files.assemble(device)?;
                ChordReader::new(&model, task)
            })?,
            harmony: opened(wants(&[Harmony]), &config.harmony, |files| {
                let (model, _, task) = files.assemble(device)?;
                HarmonyAnalyser::new(model, task)
            })?,
            embedder: opened(wants(&[Embedding]), &config.embedding, |files| {
                Embedder::of(files, &config.embedding, device)
            })?,
            config,
        })
    }

    pub fn config(&self) -> &AnalyserConfig {
        &self.config
    }

    /// Decodes a recording once, each model listening on a thread of its own; `also` gets the same stream at `also_rate` Hz, such as
    /// [`OverviewBuilder`](crate::analysis::OverviewBuilder). `progress` is told how far each part is.
    ///
    /// Memory is that of what is found and of five minutes of audio. The result does not depend on how threads take turns.
    ///
    /// # Errors
    /// When the recording cannot be decoded.
    pub fn analyse(
        &self,
        source: &Source,
        also_rate: u32,
        mut also: impl FnMut(&[f32]) + Send,
        progress: &(dyn Fn(Heard) + Sync),
    ) -> Result<Analysis> {
        let mut reading = SharedReading::open(source)?;
        let mut rest = reading.listen(also_rate)?;
        let mut listen = |rate: Option<u32>| rate.map(|rate| reading.listen(rate)).transpose();
        let notes = listen(self.transcriber.as_ref().map(Transcriber::sample_rate))?;
        let onsets = listen(self.onsets.as_ref().map(OnsetDetector::sample_rate))?;
        let tags = listen(self.tagger.as_ref().map(Tagger::sample_rate))?;
        let chroma = listen(self.chroma.as_ref().map(ChromaExtractor::sample_rate))?;
        let passages = listen(self.embedder.as_ref().map(Embedder::sample_rate))?;
        let until = |part: Part| move |seconds: f64| progress(Heard::Until(part, seconds));
        let (read, heard) = std::thread::scope(|scope| {
            let notes = self.transcriber.as_ref().zip(notes).map(|(model, mut s)| {
                scope.spawn(move || {
                    finished(
                        model.transcribe(&mut s, until(Part::Notes)),
                        Part::Notes,
                        progress,
                    )
                })
            });
            let onsets = self.onsets.as_ref().zip(onsets).map(|(model, mut s)| {
                scope.spawn(move || {
                    let heard = model.activations(&mut s, until(Part::Onsets));
                    finished(heard, Part::Onsets, progress)
                })
            });
            let tags = self.tagger.as_ref().zip(tags).map(|(model, mut s)| {
                scope.spawn(move || {
                    let heard = model.tag(&mut s, until(Part::Instruments));
                    finished(heard, Part::Instruments, progress)
                })
            });
            let chroma = self.chroma.as_ref().zip(chroma).map(|(model, mut s)| {
                scope.spawn(move || {
                    let heard = model.extract(&mut s, until(Part::Chroma));
                    finished(heard, Part::Chroma, progress)
                })
            });
            let passages = self.embedder.as_ref().zip(passages).map(|(model, mut s)| {
                scope.spawn(move || {
                    let heard = model.embed(&mut s, until(Part::Embedding));
                    finished(heard, Part::Embedding, progress)
                })
            });
            let rest = scope.spawn(move || -> Result<()> {
                while let Some(block) = rest.next_block()? {
                    also(block);
                }
                Ok(())
            });
            let read = reading.read(|_| ());
            let heard = (
                joined(notes),
                joined(onsets),
                joined(tags),
                joined(chroma),
                joined(passages),
                joined(Some(rest)),
            );
            (read, heard)
        });
        // The reader knows best why nothing more came.
        let read = read?;
        let (notes, activations, tags, chroma, passages, rest) = heard;
        rest?;
        let (notes, activations, tags, chroma, passages) =
            (notes?, activations?, tags?, chroma?, passages?);

        let mut analysis = Analysis {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            recording: Recording {
                name: name_of(source),
                duration_s: read.duration_s,
                sample_rate: read.sample_rate,
                channels: read.channels,
                sha256: None,
                warnings: read.warnings,
            },
            models: self.models(),
            notes,
            instruments: tags.map(curves),
            embedding: passages.map(|found| found.passages.mean().unwrap_or_default()),
            ..Analysis::default()
        };
        if let Some(chroma) = chroma {
            self.read_harmony(chroma, &mut analysis)?;
        }
        if let Some((detector, activations)) = self.onsets.as_ref().zip(activations) {
            self.read_pulse(detector, &activations, &mut analysis);
        }
        Ok(analysis)
    }

    /// Which model hears which part of those asked for.
    pub fn models(&self) -> Vec<ModelOf> {
        let parts = self.config.parts.iter();
        let models = parts.map(|&part| ModelOf {
            part: part.name().to_owned(),
            model: self.config.model(part).to_owned(),
        });
        models.collect()
    }

    fn wants(&self, part: Part) -> bool {
        self.config.parts.contains(&part)
    }

    /// Key, chords and what they are in their keys.
    fn read_harmony(&self, chroma: Chroma, analysis: &mut Analysis) -> Result<()> {
        let keys = keys_of_chroma(&chroma).unwrap_or_default();
        let key = keys.first().map(|fit| fit.key);
        if self.wants(Part::Key) {
            analysis.key = Some(key.map_or(KeyLabel::Unknown, KeyLabel::Key));
        }
        if let Some(reader) = &self.chords {
            let mut chords = reader.read(&chroma, Vocabulary::MajMin)?;
            spell_by_key(&mut chords, key);
            if let Some(analyser) = &self.harmony {
                analysis.harmony = Some(functions(analyser, &chords)?);
            }
            // What a harmony is said of belongs to it.
            analysis.chords = Some(chords);
        }
        if self.wants(Part::Chroma) {
            let mut chroma = chroma;
            // Four decimals are more than it is sure of, and half of the bytes of an analysis that is written.
            for value in chroma.frames.as_flattened_mut() {
                *value = (f64::from(*value) * 1e4).round() as f32 / 1e4;
            }
            analysis.chroma = Some(chroma);
        }
        Ok(())
    }

    /// Onsets and beats.
    fn read_pulse(&self, detector: &OnsetDetector, activations: &[f32], analysis: &mut Analysis) {
        let fps = detector.frames_per_second();
        if self.wants(Part::Onsets) {
            let mut picker = PeakPicker::new(detector.peak_picking(), fps);
            let mut onsets = Vec::new();
            for &activation in activations {
                picker.push(activation, &mut onsets);
            }
            picker.finish(&mut onsets);
            analysis.onsets = Some(onsets);
        }
        if self.wants(Part::Beats) {
            let changes_s = analysis.chords.as_deref().map(changes_s);
            let track = BeatTracker::default().track(activations, fps, changes_s.as_deref());
            analysis.beats = Some(track);
        }
    }
}

fn functions(analyser: &HarmonyAnalyser, chords: &[Segment<ChordLabel>]) -> Result<Vec<Function>> {
    if chords.is_empty() {
        return Ok(Vec::new());
    }
    let sounding = chords.iter().map(|c| SoundingChord::of_label(&c.label));
    let harmony = analyser.analyse(&sounding.collect::<Vec<_>>())?;
    let functions = harmony.chords.into_iter().map(|chord| Function {
        key: Key::from(chord.key),
        numeral: chord.numeral.map(|numeral| numeral.to_string()),
    });
    Ok(functions.collect())
}

fn curves(tagging: Tagging) -> LabelCurves {
    let labels = tagging.labels().to_vec();
    let windows = tagging.windows.into_iter().map(|window| LabelWindow {
        start_s: window.start_s,
        end_s: window.end_s,
        scores: window.scores,
    });
    LabelCurves {
        labels,
        windows: windows.collect(),
        scores: tagging.scores,
    }
}

fn name_of(source: &Source) -> String {
    match source {
        Source::Stdin => source.to_string(),
        Source::File(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy().into_owned()
        }
    }
}

/// A model that is wanted, with its name in the error where it cannot be opened.
fn opened<T>(
    is_wanted: bool,
    name: &str,
    open: impl FnOnce(&CheckpointFiles) -> Result<T>,
) -> Result<Option<T>> {
    if !is_wanted {
        return Ok(None);
    }
    let files = CheckpointFiles::open(name)?;
    let opened = open(&files);
    let named = opened.map_err(|error| match error {
        error @ Error::Checkpoint { .. } => error,
        error => Error::checkpoint(&files.origin, error.to_string()),
    });
    named.map(Some)
}

fn finished<T>(heard: Result<T>, part: Part, progress: &(dyn Fn(Heard) + Sync)) -> Result<T> {
    progress(Heard::All(part));
    heard
}

fn joined<T>(thread: Option<ScopedJoinHandle<'_, Result<T>>>) -> Result<Option<T>> {
    thread.map(super::beats::joined).transpose()
}
