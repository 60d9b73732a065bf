//! Which frames are beats: the likeliest sequence of distances between beats.
//!
//! A beat and the distance to the next one are a state, as in Krebs, Böck and Widmer, "An Efficient State-Space Model for
//! Joint Tempo and Meter Tracking" (ISMIR 2015); because nothing happens within a beat, whole beats are the steps here.
//! Onsets are a Poisson process, of which more come on beats than between them.

use super::{BeatConfig, PlaceConfig};

/// How far sounds near a beat reach, in widths of an onset.
const REACH: f64 = 3.0;
/// How far the distance between beats changes from one to the next, in standard deviations.
const MOST_DRIFT: f64 = 3.0;

/// Marks in the table of steps; smaller numbers are changes of the distance.
const FIRST: u8 = u8::MAX;
const JUMP: u8 = u8::MAX - 1;

/// Into what beats are divided, throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// Halves and quarters.
    Two,
    /// Thirds, as in a shuffle or in 12/8.
    Three,
}

/// What a frame says for being on a beat, and at a half, a quarter or a third of one, in nats.
pub(super) struct Evidence {
    beat: Vec<f32>,
    half: Vec<f32>,
    quarter: Vec<f32>,
    third: Vec<f32>,
    /// How well the onsets around a frame fit one there.
    onset: Vec<f32>,
    /// Expected anywhere, a frame.
    background: f64,
}

impl Evidence {
    /// Of the strength of onsets in each frame, 0 where there is none.
    pub(super) fn new(strengths: &[f32], fps: f64, config: &BeatConfig) -> Self {
        let onset = matched(strengths, config.beat.strength, fps, config);
        let of = |place: &PlaceConfig| {
            let mut fit = matched(strengths, place.strength, fps, config);
            fit.iter_mut().for_each(|fit| *fit = place.evidence(*fit));
            fit
        };
        Self {
            beat: onset.iter().map(|&fit| config.beat.evidence(fit)).collect(),
            half: of(&config.half),
            quarter: of(&config.quarter),
            third: of(&config.third),
            onset,
            background: config.background,
        }
    }

    /// Makes beats likelier near these times, in seconds.
    pub(super) fn add(&mut self, times_s: &[f64], fps: f64, weight: f64, width_s: f64) {
        for &time_s in times_s.iter().filter(|time| time.is_finite()) {
            let reach = REACH * width_s;
            let from = ((time_s - reach) * fps).ceil().max(0.0) as usize;
            let to = ((time_s + reach) * fps).floor().max(0.0) as usize;
            let near = self.beat.iter_mut().enumerate().take(to.saturating_add(1));
            for (frame, value) in near.skip(from) {
                let off = (frame as f64 / fps - time_s) / width_s;
                *value += (weight * (-0.5 * off * off).exp()) as f32;
            }
        }
    }

    /// Highest where onsets are.
    pub(super) fn onset(&self) -> &[f32] {
        &self.onset
    }

    /// How much likelier a beat at a frame makes what lies from it to the next one.
    fn of(&self, frame: usize, period: usize, division: Division) -> f64 {
        let between = match division {
            Division::Two => {
                self.half[frame + period / 2]
                    + self.quarter[frame + period / 4]
                    + self.quarter[frame + 3 * period / 4]
            }
            Division::Three => self.third[frame + period / 3] + self.third[frame + 2 * period / 3],
        };
        f64::from(self.beat[frame] + between)
    }
}

/// How much likelier beats make onsets than their mean rate alone does, in nats for each strength of 1; of chance
/// below 0.
pub(super) fn clarity(evidence: &Evidence, strengths: &[f32], pulse: &Pulse) -> f64 {
    let beats = &pulse.beats;
    let (Some(&first), Some(&last)) = (beats.first(), beats.last()) else {
        return f64::NEG_INFINITY;
    };
    let between = beats
        .windows(2)
        .map(|two| evidence.of(two[0], two[1] - two[0], pulse.division));
    let strength: f64 = strengths[first..last].iter().map(|&s| f64::from(s)).sum();
    if strength <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let n_frames = (last - first) as f64;
    let rate = strength / n_frames;
    let even =
        strength * (rate / evidence.background).ln() - (rate - evidence.background) * n_frames;
    (between.sum::<f64>() - even) / strength
}

impl PlaceConfig {
    /// In nats, where onsets fit one here so well: there is one, or there is none.
    fn evidence(&self, fit: f32) -> f32 {
        let with = (fit - self.strength as f32).min(MOST_EVIDENCE);
        let share = self.share as f32;
        (1.0 - share + share * with.exp()).ln()
    }
}

/// Beyond this many nats, the exponential would not be finite.
const MOST_EVIDENCE: f32 = 60.0;

/// Strengths under the logarithm of how many more onsets there are near an expected one than anywhere.
fn matched(strengths: &[f32], strength: f64, fps: f64, config: &BeatConfig) -> Vec<f32> {
    let width = config.onset_width_s * fps;
    let reach = (REACH * width).ceil() as usize;
    let weights: Vec<f32> = (0..=reach)
        .map(|off| {
            let bell = (-0.5 * (off as f64 / width).powi(2)).exp();
            let density = bell / (width * std::f64::consts::TAU.sqrt());
            (strength * density / config.background).ln_1p() as f32
        })
        .collect();
    let mut sums = vec![0.0; strengths.len()];
    for (frame, &found) in strengths.iter().enumerate() {
        if found > 0.0 {
            let from = frame.saturating_sub(reach);
            let to = (frame + reach + 1).min(strengths.len());
            for (near, sum) in (from..to).zip(&mut sums[from..to]) {
                *sum += found * weights[near.abs_diff(frame)];
            }
        }
    }
    sums
}

/// The distances between beats that are possible, in frames, and what they cost in nats.
struct Periods {
    /// Rising by one.
    frames: Vec<usize>,
    prior: Vec<f64>,
    /// For each, what the change from a distance shorter by `band`, …, longer by `band` costs.
    drift: Vec<Vec<f64>>,
    band: usize,
}

impl Periods {
    fn new(fps: f64, config: &BeatConfig) -> Self {
        let shortest = ((60.0 * fps / config.max_bpm).round() as usize).max(1);
        let longest = ((60.0 * fps / config.min_bpm).round() as usize).max(shortest);
        let frames: Vec<usize> = (shortest..=longest).collect();
        let prior = |&period: &usize| {
            let seconds = period as f64 / fps;
            let octaves = (60.0 / seconds / config.usual_bpm).log2() / config.tempo_octaves;
            -0.5 * octaves * octaves * config.tempo_weight * seconds
        };
        let band = (MOST_DRIFT * config.drift * longest as f64).ceil() as usize;
        let band = band.clamp(1, usize::from(JUMP) / 2 - 1);
        let drift = |&period: &usize| {
            let offsets = 0..=2 * band;
            let cost = offsets.map(|offset| {
                let before = (period + offset) as f64 - band as f64;
                match before > 0.0 {
                    true => 0.5 * ((before / period as f64).ln() / config.drift).powi(2),
                    false => f64::INFINITY,
                }
            });
            cost.collect()
        };
        Self {
            prior: frames.iter().map(prior).collect(),
            drift: frames.iter().map(drift).collect(),
            frames,
            band,
        }
    }
}

/// The likeliest beats.
pub(super) struct Pulse {
    pub division: Division,
    /// How likely, in nats.
    score: f64,
    /// Frames, from the first to the last.
    pub beats: Vec<usize>,
}

/// The likeliest beats with the likelier division.
pub(super) fn decode(evidence: &Evidence, fps: f64, config: &BeatConfig) -> Pulse {
    let decoded = |division| decode_divided(evidence, division, fps, config);
    // One after the other: of an hour, each takes the memory of 40 million steps.
    let (two, three) = (decoded(Division::Two), decoded(Division::Three));
    match three.score - config.third_cost > two.score {
        true => three,
        false => two,
    }
}

fn decode_divided(evidence: &Evidence, division: Division, fps: f64, config: &BeatConfig) -> Pulse {
    let periods = Periods::new(fps, config);
    let (n_frames, n_periods) = (evidence.beat.len(), periods.frames.len());
    let longest = periods.frames[n_periods - 1];
    // How good it is that a beat is at a frame and the one before as far away as the period says; of the last frames.
    let mut scores = vec![0.0_f64; (longest + 1) * n_periods];
    let row = |frame: usize| (frame % (longest + 1)) * n_periods;
    // For each frame and period, how the period before differed; and for each frame the best period.
    let mut steps = vec![FIRST; n_frames * n_periods];
    let mut best = vec![(f64::NEG_INFINITY, 0_u32); n_frames];
    for frame in 0..n_frames {
        for (index, &period) in periods.frames.iter().enumerate() {
            // Before there can have been a beat, this one is the first.
            let score = match frame.checked_sub(period) {
                None => periods.prior[index] * frame as f64 / period as f64,
                Some(start) => {
                    let from = index.saturating_sub(periods.band);
                    let to = (index + periods.band + 1).min(n_periods);
                    let before = &scores[row(start) + from..row(start) + to];
                    let costs = &periods.drift[index][from + periods.band - index..];
                    let mut score = best[start].0 - config.jump_cost;
                    let mut step = JUMP;
                    for (offset, (before, cost)) in before.iter().zip(costs).enumerate() {
                        if before - cost > score {
                            score = before - cost;
                            step = (from + periods.band - index + offset) as u8;
                        }
                    }
                    steps[frame * n_periods + index] = step;
                    score
                        + config.evidence_weight * evidence.of(start, period, division)
                        + periods.prior[index]
                }
            };
            scores[row(frame) + index] = score;
            if score > best[frame].0 {
                best[frame] = (score, index as u32);
            }
        }
    }
    // The last beat is in the last possible period.
    let ends = n_frames.saturating_sub(longest)..n_frames;
    let ends = ends.flat_map(|frame| (0..n_periods).map(move |index| (frame, index)));
    let rest = |(frame, index): (usize, usize)| {
        let rest = (n_frames - 1 - frame) as f64 / periods.frames[index] as f64;
        scores[row(frame) + index] + rest * periods.prior[index]
    };
    let Some(mut at) = ends.max_by(|&a, &b| rest(a).total_cmp(&rest(b))) else {
        return Pulse {
            division,
            score: f64::NEG_INFINITY,
            beats: Vec::new(),
        };
    };
    let score = rest(at);
    let mut beats = Vec::new();
    loop {
        let (frame, index) = at;
        beats.push(frame);
        let start = match (steps[frame * n_periods + index], periods.frames[index]) {
            (FIRST, _) => break,
            (_, period) => frame - period,
        };
        at = match steps[frame * n_periods + index] {
            JUMP => (start, best[start].1 as usize),
            step => (start, index + usize::from(step) - periods.band),
        };
    }
    beats.reverse();
    Pulse {
        division,
        score,
        beats,
    }
}
