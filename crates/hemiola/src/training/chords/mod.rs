//! Counting of the [`ChordHmm`] from chroma with chords, and from chords alone.

mod estimate;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub use estimate::{ChordCounts, VocabularyChord};

use crate::checkpoint::{self, Card, Precision};
use crate::error::{Error, Result};
use crate::evaluation::chord;
use crate::formats::{ChromaFrames, read_chord_lab, read_chroma};
use crate::models::chord_hmm::{ChordHmm, ChordHmmConfig};
use crate::music::chord::{ChordLabel, Vocabulary};
use crate::music::{N_PITCH_CLASSES, Segment};
use crate::tasks::chords::{ChordConfig, ChordReader, ChromaKind, Pace};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState};

/// Weights of a frame that are tried.
const WEIGHTS: [f32; 6] = [0.05, 0.1, 0.2, 0.3, 0.5, 1.0];
/// How much it counts how common a chord is: what is tried.
const PRIORS: [f32; 4] = [0.0, 0.5, 1.0, 1.5];
/// Mean lengths of chords that are tried, in seconds.
const CHORD_S: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];

/// A recipe for [`ChordHmm`]. Nothing is learned step by step: of `run`, `output` alone counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChordRecipe {
    #[serde(default)]
    pub run: RunConfig,
    /// Qualities by Harte's shorthands.
    #[serde(default = "default_qualities")]
    pub qualities: Vec<String>,
    /// What the numbers of the chroma are.
    #[serde(default)]
    pub chroma: ChromaKind,
    /// Seconds of chroma that one decision is about.
    #[serde(default = "default_frame_s")]
    pub frame_s: f64,
    pub data: ChordData,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Where the chords are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChordData {
    /// A folder of `x.csv`, chroma as `hemiola chroma` writes it or with bass and treble apart, and `x.lab` beside each.
    pub chroma: PathBuf,
    /// Another such folder, by which the weight of a frame and the length of chords are chosen.
    pub dev: PathBuf,
    /// Folders of more `.lab` files, from which it is learned too how chords follow one another.
    #[serde(default)]
    pub labels: Vec<PathBuf>,
}

fn default_qualities() -> Vec<String> {
    ["maj", "min", "maj7", "7", "min7"]
        .map(str::to_owned)
        .into()
}

fn default_frame_s() -> f64 {
    0.1
}

/// Chroma with its chords.
struct Labelled {
    frames: ChromaFrames,
    chords: Vec<Segment<ChordLabel>>,
}

/// All pairs of a folder.
fn labelled(folder: &Path) -> Result<Vec<Labelled>> {
    let tables = crate::datasets::files_in(folder, &["csv"])?;
    if tables.is_empty() {
        return Err(Error::input(
            folder,
            "expected chroma as x.csv with chords as x.lab beside it; found no .csv file",
        ));
    }
    let pair = |table: PathBuf| {
        Ok(Labelled {
            frames: read_chroma(&table)?,
            chords: read_chord_lab(table.with_extension("lab"))?,
        })
    };
    tables.into_iter().map(pair).collect()
}

impl ChordRecipe {
    fn sizes(&self, n_features: usize) -> ChordHmmConfig {
        ChordHmmConfig {
            n_qualities: self.qualities.len(),
            n_features,
        }
    }

    fn config(&self, triads: Pace, sevenths: Pace) -> ChordConfig {
        ChordConfig {
            qualities: self.qualities.clone(),
            chroma: self.chroma,
            frame_s: self.frame_s,
            triads,
            sevenths,
        }
    }

    /// What a label is in the recipe's vocabulary, its bass and what it has beyond left aside; `None` for what it has no
    /// word for.
    fn word(&self, label: &ChordLabel) -> Option<VocabularyChord> {
        match label {
            ChordLabel::Unknown => None,
            ChordLabel::NoChord => Some(VocabularyChord {
                quality: self.qualities.len(),
                root: 0,
            }),
            ChordLabel::Chord(_) => [Vocabulary::Sevenths, Vocabulary::MajMin]
                .into_iter()
                .find_map(|vocabulary| {
                    let reduced = vocabulary.reduce(&label.in_root_position());
                    let chord = reduced.chord()?;
                    let name = chord.shorthand?.as_str();
                    Some(VocabularyChord {
                        quality: self.qualities.iter().position(|q| q == name)?,
                        root: usize::from(chord.root.pitch_class()),
                    })
                }),
        }
    }

    fn count_changes(&self, chords: &[Segment<ChordLabel>], counts: &mut ChordCounts) {
        let words: Vec<_> = chords.iter().map(|chord| self.word(&chord.label)).collect();
        for pair in words.windows(2) {
            if let [Some(from), Some(to)] = pair
                && from != to
            {
                counts.change(*from, *to);
            }
        }
    }

    fn count_frames(&self, piece: &Labelled, counts: &mut ChordCounts) {
        let ChromaFrames { fps, width, values } = &piece.frames;
        let pool = ((self.frame_s * fps).round() as usize).max(1);
        let features = self.chroma.features(values, *width, pool);
        let mut chords = piece.chords.iter().peekable();
        for (index, frame) in features.chunks_exact(*width).enumerate() {
            let middle_s = (index as f64 + 0.5) * pool as f64 / fps;
            while chords.next_if(|chord| chord.end_s <= middle_s).is_some() {}
            let sounding = chords.peek().filter(|chord| chord.start_s <= middle_s);
            if let Some(word) = sounding.and_then(|chord| self.word(&chord.label)) {
                counts.frame(frame, word);
            }
        }
    }

    /// The share of time in which a vocabulary's chords are right, as mir_eval compares them, over the pieces by their
    /// length.
    fn score(reader: &ChordReader, dev: &[Labelled], vocabulary: Vocabulary) -> Result<f64> {
        let (mut right, mut all) = (0.0, 0.0);
        for piece in dev {
            let ChromaFrames { fps, values, .. } = &piece.frames;
            let found = reader.read_frames(values, *fps, vocabulary)?;
            let length_s: f64 = piece.chords.iter().map(Segment::duration_s).sum();
            let scores = chord::evaluate(&piece.chords, &found);
            right += length_s
                * match vocabulary {
                    Vocabulary::MajMin => scores.majmin,
                    Vocabulary::Sevenths => scores.sevenths,
                };
            all += length_s;
        }
        Ok(right / f64::max(all, 1e-9))
    }

    /// The pace with the best score in a vocabulary.
    fn tuned(
        &self,
        model: &ChordHmm,
        dev: &[Labelled],
        vocabulary: Vocabulary,
    ) -> Result<(f64, Pace)> {
        let mut best = (f64::NEG_INFINITY, Pace::default());
        for weight in WEIGHTS {
            for chord_s in CHORD_S {
                for prior in PRIORS {
                    let pace = Pace {
                        chord_s,
                        weight,
                        prior,
                    };
                    let reader = ChordReader::new(model, self.config(pace, pace))?;
                    let score = Self::score(&reader, dev, vocabulary)?;
                    if score > best.0 {
                        best = (score, pace);
                    }
                }
            }
        }
        Ok(best)
    }
}

impl ModelRecipe for ChordRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        let sizes = self.sizes(N_PITCH_CLASSES);
        sizes.validate()?;
        self.config(Pace::default(), Pace::default())
            .shorthands(&sizes)
            .map(drop)
    }

    fn train(
        &self,
        device: &Device,
        _resume: bool,
        _dashboard: bool,
        report: Report,
    ) -> Result<RunState> {
        self.validate()?;
        run::prepare(&self.run.output, false)?;
        let (train, dev) = (labelled(&self.data.chroma)?, labelled(&self.data.dev)?);
        let width = train[0].frames.width;
        if let Some(other) = train.iter().chain(&dev).find(|p| p.frames.width != width) {
            return Err(Error::config(format!(
                "some chroma has frames of {width} numbers, some of {}; expected one kind",
                other.frames.width
            )));
        }
        let sizes = self.sizes(width);
        let mut counts = ChordCounts::new(&sizes);
        for piece in &train {
            self.count_frames(piece, &mut counts);
            self.count_changes(&piece.chords, &mut counts);
        }
        for folder in &self.data.labels {
            for path in crate::datasets::files_in(folder, &["lab"])? {
                match read_chord_lab(path) {
                    Ok(chords) => self.count_changes(&chords, &mut counts),
                    Err(error) => report(RunEvent::Note(&format!("left out: {error}"))),
                }
            }
        }
        let model = ChordHmm::from_statistics(&sizes, counts.statistics(), device)?;
        let (score, triads) = self.tuned(&model, &dev, Vocabulary::MajMin)?;
        let (sevenths_score, sevenths) = self.tuned(&model, &dev, Vocabulary::Sevenths)?;
        let config = self.config(triads, sevenths);
        let figures = [("majmin", score), ("sevenths", sevenths_score)].into();
        report(RunEvent::Evaluated {
            step: 1,
            train: &Default::default(),
            dev: &figures,
            best: true,
        });
        let mut card = self.card.clone();
        let named = figures
            .iter()
            .map(|(&name, &value)| (name.to_owned(), value));
        card.figures.extend(named);
        let folder = self.run.output.join("best");
        checkpoint::save(&folder, &model, &sizes, &config, &card, Precision::Float32)?;
        Ok(RunState {
            step: 1,
            best_score: Some(score),
            best_step: 1,
            evaluations_without_gain: 0,
            finished: true,
        })
    }
}
