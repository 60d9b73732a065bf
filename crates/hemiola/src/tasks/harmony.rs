//! What the chords of a progression are in their keys, told by a [`ChordProgressionGnn`].

mod graph;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::datasets::progression::DiatonicMode;
use crate::error::{Error, Result};
use crate::evaluation::harmony::ChordReading;
use crate::models::chord_gnn::{ChordProgressionGnn, HarmonyLogits};
use crate::music::chord_graph::ChordGraphConfig;
use crate::music::roman::{
    KeyTransitions, LocalKey, N_DEGREES, RomanNumeral, likeliest_keys, name_chord,
};
use crate::music::{N_PITCH_CLASSES, SoundingChord};

/// The task settings of a model of progressions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProgressionTask {
    /// Where the model names harmony: how it reads chords and decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harmony: Option<HarmonyConfig>,
}

/// How chords become a graph, and how keys are decided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HarmonyConfig {
    pub graph: ChordGraphConfig,
    /// What a change of key costs, in nats; on top of what the model has learned of changes, where it has.
    pub change_cost: f64,
    /// What it costs more for each step between the signatures, in nats.
    pub step_cost: f64,
}

impl Default for HarmonyConfig {
    fn default() -> Self {
        Self {
            graph: ChordGraphConfig::default(),
            change_cost: 2.0,
            step_cost: 0.0,
        }
    }
}

impl HarmonyConfig {
    /// # Errors
    /// When a cost is below 0 or no number.
    pub fn validate(&self) -> Result<()> {
        for (name, cost) in [
            ("change_cost", self.change_cost),
            ("step_cost", self.step_cost),
        ] {
            if !(cost >= 0.0 && cost.is_finite()) {
                return Err(Error::config(format!(
                    "harmony.{name} is {cost}; it must be 0 or more"
                )));
            }
        }
        Ok(())
    }

    /// Keys and degrees of `chords` chords, which are all that the logits are of: the likeliest way through keys.
    ///
    /// A model that knows how keys follow one another tells the keys of all chords together. Of another, at each chord a
    /// key counts as likely as it and its likeliest degree are together.
    pub fn decode(&self, logits: &HarmonyLogits, chords: usize) -> Vec<ChordReading> {
        let (keys, degrees) = logits.log_probabilities();
        let best_degree = |chord: usize, key: LocalKey| -> (u8, f64) {
            let of_key = degrees[logits.row(key.tonic(), chord, chords)];
            (0..N_DEGREES).fold((1, f64::NEG_INFINITY), |best, degree| {
                match of_key[degree] > best.1 {
                    true => (degree as u8 + 1, of_key[degree]),
                    false => best,
                }
            })
        };
        let mut transitions = KeyTransitions::by_distance(self.change_cost, self.step_cost);
        let emissions = match logits.known_transitions() {
            Some(known) => {
                transitions.add(&known);
                keys
            }
            None => {
                let with_degree = |chord: usize, key: usize| {
                    keys[chord][key] + best_degree(chord, LocalKey::of_index(key)).1
                };
                (0..keys.len())
                    .map(|chord| std::array::from_fn(|key| with_degree(chord, key)))
                    .collect()
            }
        };
        let path = likeliest_keys(&emissions, &transitions);
        let readings = path.into_iter().enumerate();
        readings
            .map(|(chord, key)| ChordReading {
                key,
                degree: best_degree(chord, key).0,
            })
            .collect()
    }
}

/// A chord's place in its key.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedChord {
    pub key: LocalKey,
    /// Degree of the root in the key, 1 to 7.
    pub degree: u8,
    /// `None` for no chord.
    pub numeral: Option<RomanNumeral>,
}

/// What a progression is.
#[derive(Debug, Clone, PartialEq)]
pub struct Harmony {
    /// One for each chord.
    pub chords: Vec<NamedChord>,
    /// The mode of the whole, seen from the tonic that most chords have.
    pub mode: DiatonicMode,
}

/// A model with the settings of its decisions.
#[derive(Debug, Clone)]
pub struct HarmonyAnalyser {
    model: ChordProgressionGnn,
    config: HarmonyConfig,
}

impl HarmonyAnalyser {
    /// # Errors
    /// When the model lacks the heads, or says nothing, or something impossible, on how it decides.
    pub fn new(model: ChordProgressionGnn, task: ProgressionTask) -> Result<Self> {
        let Some(config) = task.harmony else {
            return Err(Error::config(
                "the model's configuration has no section task.harmony; the recipe architecture \
                 chord-progression-gnn-harmony trains a model that has one",
            ));
        };
        config.validate()?;
        let analyser = Self { model, config };
        analyser.logits(&[SoundingChord::NONE])?;
        Ok(analyser)
    }

    /// The built-in model of that name, on the processor.
    pub fn bundled(name: &str) -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in(name)?;
        Self::new(model, task)
    }

    /// The model of a checkpoint folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(model, task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    pub fn config(&self) -> &HarmonyConfig {
        &self.config
    }

    /// The same model with other settings.
    ///
    /// # Errors
    /// As [`HarmonyConfig::validate`].
    pub fn with_config(mut self, config: HarmonyConfig) -> Result<Self> {
        config.validate()?;
        self.config = config;
        Ok(self)
    }

    /// Key and degree of every chord; none for none.
    ///
    /// # Errors
    /// When the model refuses the chords.
    pub fn read(&self, chords: &[SoundingChord]) -> Result<Vec<ChordReading>> {
        if chords.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.config.decode(&self.logits(chords)?, chords.len()))
    }

    /// Key, degree and Roman numeral of every chord, and the mode of the whole.
    ///
    /// # Errors
    /// When there is no chord, or the model refuses them.
    pub fn analyse(&self, chords: &[SoundingChord]) -> Result<Harmony> {
        if chords.is_empty() {
            return Err(Error::config(
                "a progression without chords has no harmony; expected at least one chord",
            ));
        }
        let logits = self.logits(chords)?;
        let readings = self.config.decode(&logits, chords.len());
        let mode = mode_of(&logits, &readings);
        let chords = chords.iter().zip(readings).map(|(chord, reading)| {
            let sounding = chord.bass().zip(root_on(*chord, reading));
            NamedChord {
                key: reading.key,
                degree: reading.degree,
                numeral: sounding.map(|(bass, root)| {
                    let set = chord.pitch_classes();
                    name_chord(set, bass, root, reading.degree, reading.key)
                }),
            }
        });
        Ok(Harmony {
            chords: chords.collect(),
            mode,
        })
    }

    fn logits(&self, chords: &[SoundingChord]) -> Result<HarmonyLogits> {
        self.model.harmony(&[chords], &self.config.graph)
    }
}

/// The tone of the chord that is on the degree: its probable root, or else one of its tones there.
fn root_on(chord: SoundingChord, reading: ChordReading) -> Option<u8> {
    let root = chord.probable_root()?;
    let fits = |&tone: &u8| reading.key.degree_of(tone) == reading.degree;
    if fits(&root) {
        return Some(root);
    }
    chord.pitch_classes().iter().find(fits).or(Some(root))
}

/// The tonic that most chords have; of several, the lowest above C.
fn commonest_tonic(keys: impl Iterator<Item = LocalKey>) -> u8 {
    let mut counts = [0; N_PITCH_CLASSES];
    keys.for_each(|key| counts[usize::from(key.tonic())] += 1);
    let tonics = (0..N_PITCH_CLASSES).rev();
    tonics.max_by_key(|&tonic| counts[tonic]).unwrap_or(0) as u8
}

/// The likeliest mode under the tonic that most chords have.
fn mode_of(logits: &HarmonyLogits, readings: &[ChordReading]) -> DiatonicMode {
    let tonic = commonest_tonic(readings.iter().map(|reading| reading.key));
    let row = logits.modes.clone().narrow(0, logits.row(tonic, 0, 1), 1);
    let scores: Vec<f64> = row.into_data().iter::<f64>().collect();
    let modes = DiatonicMode::ALL.into_iter().zip(scores);
    modes
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(DiatonicMode::Ionian, |(mode, _)| mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::music::roman::N_KEYS;
    use burn::tensor::Tensor;

    /// Logits of two chords: the first is surely I of C major, the second V of C or I of G major by so much more.
    fn logits(more: f32) -> HarmonyLogits {
        let device = Device::flex();
        let mut keys = [[0.0f32; N_KEYS]; 3];
        keys[0][0] = 9.0;
        keys[1][0] = 4.0;
        keys[1][7] = 4.0 + more;
        keys[2][0] = 9.0;
        let mut degrees = vec![[0.0f32; N_DEGREES]; 36];
        for (tonic, chord, degree) in [(0, 0, 0), (0, 1, 4), (7, 1, 0), (0, 2, 5)] {
            degrees[tonic * 3 + chord][degree] = 5.0;
        }
        let flat = degrees.as_flattened();
        let degrees = Tensor::<1>::from_floats(flat, &device).reshape([36, N_DEGREES]);
        let mut modes = [[0.0f32; 7]; 12];
        modes[0][4] = 1.0;
        modes[7][2] = 1.0;
        HarmonyLogits {
            keys: Tensor::from_floats(keys, &device),
            degrees,
            modes: Tensor::from_floats(modes, &device),
            transitions: None,
            turns: 12,
        }
    }

    #[test]
    fn a_key_for_one_chord_must_be_worth_the_way() {
        let config = HarmonyConfig {
            change_cost: 1.0,
            step_cost: 0.5,
            ..HarmonyConfig::default()
        };
        let read = |more| {
            let found = config.decode(&logits(more), 3);
            let rows = found.iter().map(|r| (r.key.to_string(), r.degree));
            rows.collect::<Vec<_>>()
        };
        let row = |key: &str, degree| (key.to_owned(), degree);
        // There and back costs 2 · 1.5.
        assert_eq!(read(2.5), [row("C", 1), row("C", 5), row("C", 6)]);
        assert_eq!(read(3.5), [row("C", 1), row("G", 1), row("C", 6)]);
    }

    #[test]
    fn the_mode_is_that_of_the_commonest_tonic() {
        let config = HarmonyConfig::default();
        let logits = logits(0.0);
        let readings = config.decode(&logits, 3);
        assert_eq!(mode_of(&logits, &readings), DiatonicMode::Mixolydian);
    }
}
