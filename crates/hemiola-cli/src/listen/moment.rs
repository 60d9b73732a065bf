//! From frames to what is told of each moment.

use std::collections::VecDeque;

use hemiola::music::{N_PITCH_CLASSES, PITCH_CLASS_NAMES};
use serde::Serialize;

/// What digital silence is called, and what is quieter, in decibels of full scale.
const LOWEST_DB: f64 = -120.0;

/// All that is told of a moment; a line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// Of the last frame of those that it sums up.
    pub time_s: f64,
    /// The mean of those frames, 0–1, from C to B.
    pub chroma: [f64; N_PITCH_CLASSES],
    /// Root mean square of the sound in decibels of full scale; a sine of full scale has −3.
    pub level_db: f64,
    /// The chord that sounds, in Harte's syntax.
    pub chord: String,
    /// The key of late; `None` where no pitch stands out.
    pub key: Option<String>,
    /// From a sound until it shows: windows of the front end and of the change of the sample rate.
    pub latency_s: f64,
    /// Sound that has been received and not yet heard.
    pub lag_s: f64,
    /// Sound that could not be heard in time, so far.
    pub lost_s: f64,
}

impl Moment {
    /// Four decimals: more would say what nobody knows.
    pub fn rounded(&self) -> Self {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        Self {
            time_s: round(self.time_s),
            chroma: self.chroma.map(round),
            level_db: (self.level_db * 10.0).round() / 10.0,
            latency_s: round(self.latency_s),
            lag_s: round(self.lag_s),
            lost_s: round(self.lost_s),
            ..self.clone()
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let mut line = format!("{:8.2} s {:6.1} dB", self.time_s, self.level_db);
        for (name, value) in PITCH_CLASS_NAMES.iter().zip(self.chroma) {
            line.push_str(&format!("  {name} {value:.2}"));
        }
        line.push_str(&format!("  chord {}", self.chord));
        if let Some(key) = &self.key {
            line.push_str(&format!("  key {key}"));
        }
        if self.lost_s > 0.0 {
            line.push_str(&format!("  lost {:.2} s", self.lost_s));
        }
        line
    }
}

/// What frames and samples say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub time_s: f64,
    pub chroma: [f64; N_PITCH_CLASSES],
    pub level_db: f64,
}

/// Gathers frames and samples into a summary for each interval.
#[derive(Debug)]
pub struct Gatherer {
    hop_length: usize,
    sample_rate: u32,
    interval_s: f64,
    /// Where the interval ends.
    until_s: f64,
    frames: u64,
    /// For each hop whose frame is still to come: the sum of squares of its samples, and how many they are.
    hops: VecDeque<(f64, usize)>,
    /// Samples that were lost, each with the sample before which they are missing.
    gaps: VecDeque<(u64, u64)>,
    samples: u64,
    lost: u64,
    chroma: [f64; N_PITCH_CLASSES],
    count: usize,
    squares: f64,
    counted: usize,
    level_db: f64,
    time_s: f64,
}

impl Gatherer {
    pub fn new(hop_length: usize, sample_rate: u32, interval_s: f64) -> Self {
        Self {
            hop_length,
            sample_rate,
            interval_s,
            until_s: interval_s,
            frames: 0,
            hops: VecDeque::new(),
            gaps: VecDeque::new(),
            samples: 0,
            lost: 0,
            chroma: [0.0; N_PITCH_CLASSES],
            count: 0,
            squares: 0.0,
            counted: 0,
            level_db: LOWEST_DB,
            time_s: 0.0,
        }
    }

    /// Samples that the frames to come are made of.
    pub fn hear(&mut self, samples: &[f32]) {
        for &sample in samples {
            if self.samples.is_multiple_of(self.hop_length as u64) {
                self.hops.push_back((0.0, 0));
            }
            if let Some((squares, count)) = self.hops.back_mut() {
                *squares += f64::from(sample) * f64::from(sample);
                *count += 1;
            }
            self.samples += 1;
        }
    }

    /// So many samples are missing from here on.
    pub fn miss(&mut self, samples: u64) {
        self.gaps.push_back((self.samples, samples));
    }

    /// The next frame; a summary where it is the last of an interval.
    pub fn frame(&mut self, frame: &[f32; N_PITCH_CLASSES]) -> Option<Summary> {
        let place = self.frames * self.hop_length as u64;
        while let Some((_, missing)) = self.gaps.pop_front_if(|(at, _)| *at <= place) {
            self.lost += missing;
        }
        self.frames += 1;
        for (sum, &value) in self.chroma.iter_mut().zip(frame) {
            *sum += f64::from(value);
        }
        self.count += 1;
        if let Some((squares, count)) = self.hops.pop_front() {
            self.squares += squares;
            self.counted += count;
        }
        self.time_s = (place + self.lost) as f64 / f64::from(self.sample_rate);
        // An interval has no frame that begins at its end; what rounding does to a product of seconds is far below this.
        const ROUNDING_S: f64 = 1e-9;
        let next_s = self.time_s + self.hop_length as f64 / f64::from(self.sample_rate);
        if next_s < self.until_s - ROUNDING_S {
            return None;
        }
        self.until_s = (((next_s + ROUNDING_S) / self.interval_s).floor() + 1.0) * self.interval_s;
        self.rest()
    }

    /// What has come since the last summary; `None` where no frame has.
    pub fn rest(&mut self) -> Option<Summary> {
        if self.count == 0 {
            return None;
        }
        if self.counted > 0 {
            let power = self.squares / self.counted as f64;
            self.level_db = (10.0 * power.log10()).max(LOWEST_DB);
        }
        let count = self.count as f64;
        let summary = Summary {
            time_s: self.time_s,
            chroma: self.chroma.map(|sum| sum / count),
            level_db: self.level_db,
        };
        self.chroma = [0.0; N_PITCH_CLASSES];
        (self.count, self.counted, self.squares) = (0, 0, 0.0);
        Some(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_sums_up_its_frames_and_its_samples() {
        // Frames at 0, 0.01, 0.02 … s; intervals of 50 ms.
        let mut gatherer = Gatherer::new(80, 8000, 0.05);
        gatherer.hear(&[0.5; 400]);
        gatherer.hear(&[0.0; 400]);
        let summaries: Vec<Summary> = (0..11)
            .filter_map(|i| gatherer.frame(&[i as f32; N_PITCH_CLASSES]))
            .collect();
        let [first, second] = summaries.as_slice() else {
            panic!("{summaries:?}");
        };
        assert!((first.time_s - 0.04).abs() < 1e-9 && (second.time_s - 0.09).abs() < 1e-9);
        assert_eq!((first.chroma[0], second.chroma[11]), (2.0, 7.0));
        // Half of full scale all the time, and silence.
        assert!((first.level_db - 20.0 * 0.5f64.log10()).abs() < 1e-9);
        assert_eq!(second.level_db, LOWEST_DB);
        // The frame at the end, after the last sample.
        let rest = gatherer.rest().unwrap();
        assert!((rest.time_s - 0.1).abs() < 1e-9);
        assert_eq!((rest.chroma[3], gatherer.rest()), (10.0, None));
    }

    #[test]
    fn intervals_below_a_frame_tell_every_frame() {
        let mut gatherer = Gatherer::new(512, 22_050, 0.001);
        gatherer.hear(&[0.1; 5120]);
        let found = (0..10).filter_map(|_| gatherer.frame(&[0.0; N_PITCH_CLASSES]));
        assert_eq!(found.count(), 10);
    }

    #[test]
    fn what_is_lost_moves_the_time_of_what_follows() {
        let mut gatherer = Gatherer::new(100, 1000, 0.1);
        gatherer.hear(&[0.0; 300]);
        gatherer.miss(2000);
        gatherer.hear(&[0.0; 300]);
        let times: Vec<f64> = (0..6)
            .filter_map(|_| gatherer.frame(&[0.0; N_PITCH_CLASSES]))
            .map(|summary| (summary.time_s * 1000.0).round())
            .collect();
        assert_eq!(times, [0.0, 100.0, 200.0, 2300.0, 2400.0, 2500.0]);
    }
}
