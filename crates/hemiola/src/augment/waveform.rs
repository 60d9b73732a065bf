//! What happens to a sound between the piano and the file: room, microphone, noise, level, recorder.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::filter::{Biquad, Shape, random_equaliser};
use super::noise::Noise;
use super::reverb::{Convolver, Room, RoomRange};
use crate::error::{Error, Result};

/// Which variations, how often and how strong. Every probability is of one call; every value is drawn evenly from its
/// range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WaveformAugment {
    /// Of a room.
    pub room_probability: f64,
    pub room: RoomRange,
    /// Rooms made from `room_seed`; each call takes one.
    pub rooms: usize,
    pub room_seed: u64,
    /// Of an equaliser of two to five peaks and shelves.
    pub equaliser_probability: f64,
    /// Largest rise or fall of each, in dB.
    pub equaliser_db: f64,
    /// Of a tilt of the whole spectrum about 1 kHz, and its largest strength in dB at either end.
    pub tilt_probability: f64,
    pub tilt_db: f64,
    /// Of a microphone that loses the bottom, and the range of its corner in Hz.
    pub high_pass_probability: f64,
    pub high_pass_hz: [f64; 2],
    /// Of one that loses the top, or of lossy coding.
    pub low_pass_probability: f64,
    pub low_pass_hz: [f64; 2],
    /// Of each of one or two noises.
    pub noise_probability: f64,
    pub snr_db: [f32; 2],
    /// Of compression as recorders do it.
    pub compression_probability: f64,
    /// Of clipping, and how far the peaks are driven into it, in dB.
    pub clipping_probability: f64,
    pub clipping_db: [f32; 2],
    /// Of a change of level.
    pub gain_probability: f64,
    pub gain_db: [f32; 2],
}

impl Default for WaveformAugment {
    fn default() -> Self {
        Self {
            room_probability: 0.6,
            room: RoomRange::default(),
            rooms: 64,
            room_seed: 0,
            equaliser_probability: 0.7,
            equaliser_db: 12.0,
            tilt_probability: 0.4,
            tilt_db: 9.0,
            high_pass_probability: 0.25,
            high_pass_hz: [30.0, 180.0],
            low_pass_probability: 0.25,
            low_pass_hz: [3000.0, 7500.0],
            noise_probability: 0.6,
            snr_db: [15.0, 50.0],
            compression_probability: 0.2,
            clipping_probability: 0.1,
            clipping_db: [0.0, 6.0],
            gain_probability: 0.9,
            gain_db: [-18.0, 6.0],
        }
    }
}

/// Rooms ready to convolve with, for one sample rate.
type Rooms = Arc<Vec<Convolver>>;

/// Rooms made so far, so that a description is turned into rooms once: by seed, number, sample rate and ranges.
static ROOMS: Mutex<BTreeMap<String, Rooms>> = Mutex::new(BTreeMap::new());

impl WaveformAugment {
    /// Leaves everything as it is.
    pub fn none() -> Self {
        Self {
            room_probability: 0.0,
            equaliser_probability: 0.0,
            tilt_probability: 0.0,
            high_pass_probability: 0.0,
            low_pass_probability: 0.0,
            noise_probability: 0.0,
            compression_probability: 0.0,
            clipping_probability: 0.0,
            gain_probability: 0.0,
            ..Self::default()
        }
    }

    /// # Errors
    /// When a probability is not from 0 to 1 or a range goes from high to low; the message names it.
    pub fn check(&self) -> Result<()> {
        let probabilities = [
            ("room_probability", self.room_probability),
            ("equaliser_probability", self.equaliser_probability),
            ("tilt_probability", self.tilt_probability),
            ("high_pass_probability", self.high_pass_probability),
            ("low_pass_probability", self.low_pass_probability),
            ("noise_probability", self.noise_probability),
            ("compression_probability", self.compression_probability),
            ("clipping_probability", self.clipping_probability),
            ("gain_probability", self.gain_probability),
        ];
        if let Some((name, value)) = probabilities
            .iter()
            .find(|(_, value)| !(0.0..=1.0).contains(value))
        {
            return Err(Error::config(format!(
                "augmentation: {name} is {value}; expected 0 to 1"
            )));
        }
        let wide = |[low, high]: [f32; 2]| [f64::from(low), f64::from(high)];
        let ranges = [
            ("room.rt60_s", self.room.rt60_s),
            (
                "room.direct_to_reverberant_db",
                self.room.direct_to_reverberant_db,
            ),
            ("room.pre_delay_s", [0.0, self.room.pre_delay_s]),
            ("high_pass_hz", self.high_pass_hz),
            ("low_pass_hz", self.low_pass_hz),
            ("snr_db", wide(self.snr_db)),
            ("clipping_db", wide(self.clipping_db)),
            ("gain_db", wide(self.gain_db)),
            ("equaliser_db", [0.0, self.equaliser_db]),
            ("tilt_db", [0.0, self.tilt_db]),
        ];
        if let Some((name, range)) = ranges
            .iter()
            .find(|(_, [low, high])| low.is_nan() || high.is_nan() || low > high)
        {
            return Err(Error::config(format!(
                "augmentation: {name} is {range:?}; expected two numbers, the lower first"
            )));
        }
        if self.room.rt60_s[0] <= 0.0 || self.room.rt60_s[1] > 20.0 {
            return Err(Error::config(format!(
                "augmentation: room.rt60_s is {:?}; expected times above 0 and up to 20 s",
                self.room.rt60_s
            )));
        }
        Ok(())
    }

    /// Varies a segment in place. What sounds stays where it was in time, and the length is kept.
    ///
    /// The description must have passed [`WaveformAugment::check`].
    pub fn apply(&self, samples: &mut [f32], sample_rate: u32, rng: &mut ChaCha8Rng) {
        if self.rooms > 0 && rng.random_bool(self.room_probability) {
            let rooms = self.rooms_at(sample_rate);
            let before = peak(samples);
            rooms[rng.random_range(0..rooms.len())].apply(samples);
            restore_peak(samples, before);
        }
        let before = peak(samples);
        for section in self.draw_filters(sample_rate, rng) {
            section.apply(samples);
        }
        // A filter changes colour; level is a matter of its own.
        restore_peak(samples, before);
        for _ in 0..2 {
            if rng.random_bool(self.noise_probability) {
                let kind = Noise::ALL[rng.random_range(0..Noise::ALL.len())];
                let snr_db = rng.random_range(self.snr_db[0]..=self.snr_db[1]);
                kind.add(samples, snr_db, sample_rate, rng);
            }
        }
        if rng.random_bool(self.compression_probability) {
            compress(samples, rng.random_range(0.4..0.9), sample_rate);
        }
        if rng.random_bool(self.clipping_probability) {
            let drive_db = rng.random_range(self.clipping_db[0]..=self.clipping_db[1]);
            soft_clip(samples, drive_db);
        }
        if rng.random_bool(self.gain_probability) {
            let gain_db = rng.random_range(self.gain_db[0]..=self.gain_db[1]);
            scale(samples, 10f32.powf(gain_db / 20.0));
        }
    }

    fn draw_filters(&self, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<Biquad> {
        let mut sections = Vec::new();
        if rng.random_bool(self.equaliser_probability) {
            sections = random_equaliser(self.equaliser_db, sample_rate, rng);
        }
        let mut add = |shape, hz| sections.push(Biquad::new(shape, hz, sample_rate));
        if rng.random_bool(self.tilt_probability) {
            let tilt_db = rng.random_range(-self.tilt_db..=self.tilt_db);
            add(Shape::LowShelf { gain_db: -tilt_db }, 400.0);
            add(Shape::HighShelf { gain_db: tilt_db }, 2500.0);
        }
        if rng.random_bool(self.high_pass_probability) {
            let hz = rng.random_range(self.high_pass_hz[0]..=self.high_pass_hz[1]);
            add(
                Shape::HighPass {
                    q: rng.random_range(0.5..1.0),
                },
                hz,
            );
        }
        if rng.random_bool(self.low_pass_probability) {
            let hz = rng.random_range(self.low_pass_hz[0]..=self.low_pass_hz[1]);
            add(
                Shape::LowPass {
                    q: rng.random_range(0.5..1.0),
                },
                hz,
            );
        }
        sections
    }

    fn rooms_at(&self, sample_rate: u32) -> Rooms {
        let key = format!(
            "{} {} {sample_rate} {:?}",
            self.room_seed, self.rooms, self.room
        );
        let mut known = ROOMS
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let rooms = known.entry(key).or_insert_with(|| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.room_seed);
            let convolver =
                |_| Convolver::new(&Room::draw(&self.room, sample_rate, &mut rng).response);
            Arc::new((0..self.rooms).map(convolver).collect())
        });
        Arc::clone(rooms)
    }
}

fn peak(samples: &[f32]) -> f32 {
    samples
        .iter()
        .fold(0.0, |peak, sample| peak.max(sample.abs()))
}

fn restore_peak(samples: &mut [f32], wanted: f32) {
    let found = peak(samples);
    if found > 0.0 {
        scale(samples, wanted / found);
    }
}

fn scale(samples: &mut [f32], gain: f32) {
    samples.iter_mut().for_each(|sample| *sample *= gain);
}

/// Brings loud and soft together: the gain follows the envelope to the power of `strength` - 1.
fn compress(samples: &mut [f32], strength: f32, sample_rate: u32) {
    let top = peak(samples);
    if top <= 0.0 {
        return;
    }
    let attack = 1.0 - (-1.0 / (0.005 * sample_rate as f32)).exp();
    let release = 1.0 - (-1.0 / (0.2 * sample_rate as f32)).exp();
    // Nothing below a hundredth of the peak is raised further, or pauses would roar.
    let floor = 0.01 * top;
    let mut envelope = samples
        .iter()
        .take(256)
        .fold(floor, |peak, sample| peak.max(sample.abs()));
    for block in samples.chunks_mut(16) {
        let level = peak(block).max(floor);
        let speed = if level > envelope { attack } else { release };
        envelope += 1.0f32.min(16.0 * speed) * (level - envelope);
        scale(block, (envelope / top).powf(strength - 1.0));
    }
    restore_peak(samples, top);
}

/// Drives the peaks `drive_db` above full scale into a curve that is straight for soft samples and never exceeds the
/// old peak.
fn soft_clip(samples: &mut [f32], drive_db: f32) {
    let top = peak(samples);
    if top <= 0.0 {
        return;
    }
    let drive = 10f32.powf(drive_db / 20.0) / top;
    for sample in samples {
        let x = *sample * drive;
        // x / (1 + |x|^3)^(1/3)
        *sample = top * x / (1.0 + (x * x * x).abs()).cbrt();
    }
}
