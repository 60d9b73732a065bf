//! What tracking beats takes for granted.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How beats are told from onsets; the defaults were tuned on rendered songs and drums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeatConfig {
    /// The slowest pulse, beats a minute.
    pub min_bpm: f64,
    /// The fastest pulse, beats a minute.
    pub max_bpm: f64,
    /// The likeliest tempo, the middle of a log-normal prior.
    pub usual_bpm: f64,
    /// The prior's standard deviation in octaves.
    pub tempo_octaves: f64,
    /// The prior's weight for each second.
    pub tempo_weight: f64,
    /// The standard deviation of the change of the distance from one beat to the next, as a share of it.
    pub drift: f64,
    /// What it costs to change the tempo at once, in nats.
    pub jump_cost: f64,
    /// The standard deviation of an onset's place, seconds.
    pub onset_width_s: f64,
    /// Onsets on beats.
    pub beat: PlaceConfig,
    /// Onsets half-way between beats.
    pub half: PlaceConfig,
    /// Onsets at quarters of the way between beats.
    pub quarter: PlaceConfig,
    /// Onsets at thirds of the way between beats, of music whose beats have three parts.
    pub third: PlaceConfig,
    /// What beats of three parts cost against beats of two, in nats.
    pub third_cost: f64,
    /// The strength that is expected anywhere, a frame.
    pub background: f64,
    /// The weight of onsets against all else.
    pub evidence_weight: f64,
    /// What a change of chord on a beat is worth, in nats.
    pub change_weight: f64,
    /// The standard deviation of the times of such changes, seconds.
    pub change_width_s: f64,
    /// How much likelier beats make the onsets than their mean rate does, in nats for an onset of strength 1; with less
    /// there is no pulse. Chance lies below 0.
    pub least_clarity: f64,
    /// The least activation, 0–1, of an onset that the music begins or ends with.
    pub threshold: f32,
    pub bars: BarConfig,
}

/// Which onsets are expected at a place between two beats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceConfig {
    /// How strong an onset is, summed over its frames: one that is certain has about 5.
    pub strength: f64,
    /// At how many of these places there is one, 0–1.
    pub share: f64,
}

/// How bars are told from beats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarConfig {
    /// The lengths of bars that are tried, in beats.
    pub beats_per_bar: Vec<u8>,
    /// How much stronger first beats are expected, in standard deviations of the strength of beats.
    pub accent: f64,
    /// What a bar of another length among the others costs, in nats.
    pub slip_cost: f64,
    /// What music that does not begin with a first beat costs, in nats.
    pub pickup_cost: f64,
    /// What bars of another length than 4 cost, in nats.
    pub unusual_cost: f64,
}

impl Default for BeatConfig {
    fn default() -> Self {
        Self {
            min_bpm: 45.0,
            max_bpm: 240.0,
            usual_bpm: 97.0,
            tempo_octaves: 0.7,
            tempo_weight: 1.9,
            drift: 0.016,
            jump_cost: 14.0,
            onset_width_s: 0.011,
            beat: PlaceConfig {
                strength: 4.7,
                share: 0.96,
            },
            half: PlaceConfig {
                strength: 1.3,
                share: 0.42,
            },
            quarter: PlaceConfig {
                strength: 0.72,
                share: 0.2,
            },
            third: PlaceConfig {
                strength: 0.7,
                share: 0.2,
            },
            third_cost: 8.0,
            background: 0.037,
            evidence_weight: 0.4,
            change_weight: 3.0,
            change_width_s: 0.05,
            least_clarity: -0.12,
            threshold: 0.3,
            bars: BarConfig::default(),
        }
    }
}

impl Default for BarConfig {
    fn default() -> Self {
        Self {
            beats_per_bar: vec![3, 4],
            accent: 0.3,
            slip_cost: 8.0,
            pickup_cost: 2.0,
            unusual_cost: 4.0,
        }
    }
}

/// Tempi beyond are none that anybody taps, and periods of many frames exhaust the memory.
const POSSIBLE_BPM: std::ops::RangeInclusive<f64> = 20.0..=400.0;

impl BeatConfig {
    /// Refuses impossible values.
    pub fn validate(&self) -> Result<()> {
        let [slow, fast] = [self.min_bpm, self.max_bpm];
        if !(POSSIBLE_BPM.contains(&slow) && POSSIBLE_BPM.contains(&fast) && slow < fast) {
            return Err(Error::config(format!(
                "tempi from {slow} (min_bpm) to {fast} BPM (max_bpm); expected rising ones from {} to {}",
                POSSIBLE_BPM.start(),
                POSSIBLE_BPM.end()
            )));
        }
        for (name, value) in [
            ("usual_bpm", self.usual_bpm),
            ("tempo_octaves", self.tempo_octaves),
            ("drift", self.drift),
            ("onset_width_s", self.onset_width_s),
            ("background", self.background),
            ("evidence_weight", self.evidence_weight),
            ("change_width_s", self.change_width_s),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "{name} is {value}; expected more than 0"
                )));
            }
        }
        for (name, value) in [
            ("tempo_weight", self.tempo_weight),
            ("jump_cost", self.jump_cost),
            ("beat.strength", self.beat.strength),
            ("half.strength", self.half.strength),
            ("quarter.strength", self.quarter.strength),
            ("third.strength", self.third.strength),
            ("third_cost", self.third_cost),
            ("change_weight", self.change_weight),
            ("bars.accent", self.bars.accent),
            ("bars.slip_cost", self.bars.slip_cost),
            ("bars.pickup_cost", self.bars.pickup_cost),
            ("bars.unusual_cost", self.bars.unusual_cost),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "{name} is {value}; expected 0 or more"
                )));
            }
        }
        for (name, value) in [
            ("onset_width_s", self.onset_width_s),
            ("change_width_s", self.change_width_s),
            ("drift", self.drift),
        ] {
            if value > 1.0 {
                return Err(Error::config(format!(
                    "{name} is {value}; expected 1 at most"
                )));
            }
        }
        for (name, place) in [
            ("beat", self.beat),
            ("half", self.half),
            ("quarter", self.quarter),
            ("third", self.third),
        ] {
            if !(0.0..1.0).contains(&place.share) {
                return Err(Error::config(format!(
                    "{name}.share is {}; expected 0 or more and less than 1",
                    place.share
                )));
            }
        }
        let lengths = &self.bars.beats_per_bar;
        if lengths.is_empty() || lengths.iter().any(|length| !(2..=16).contains(length)) {
            return Err(Error::config(format!(
                "bars.beats_per_bar is {lengths:?}; expected one length or several from 2 to 16"
            )));
        }
        Ok(())
    }
}
