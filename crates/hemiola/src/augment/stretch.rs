//! Time stretch and pitch shift, each without the other.

use timestretch::{
    Backend, DurationRatio, Parameters, PitchRatio, PreparedSession, ProcessStatus,
    RatioConstraint, SessionConfig, SessionError, StreamSession,
};

use crate::audio::Resampler;
use crate::error::{Error, Result};
use crate::music::Note;

/// Factors of length that can be asked for.
const FACTORS: std::ops::RangeInclusive<f64> = 0.25..=4.0;
/// Shifts of pitch that can be asked for, in semitones.
const SEMITONES: std::ops::RangeInclusive<f64> = -24.0..=24.0;
/// The least product of the factors of length and of frequency.
const LEAST_PRODUCT: f64 = 0.25;

/// The rate that the session is told. At this one its windows have 8192 samples, 170 to 256 ms at the rates at which
/// it really works: they part notes that are 34 Hz apart, as in a chord on C3, which half as long ones do not; onsets
/// hardly suffer, since phases start anew there.
const SESSION_RATE: u32 = 96_000;

/// Stages of work between two looks at what came out.
const WORK: usize = 32;
/// Silence behind the end, in samples, that outweighs the rounding of the session's factor over days of sound.
const TAIL: usize = 1024;
const BLOCK: usize = 4096;

/// How much longer and how much higher a sound becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// The new length over the old one: 1.1 makes it a tenth longer, and so slower. From 0.25 to 4.
    pub factor: f64,
    /// The shift of pitch in semitones, from -24 to 24.
    pub semitones: f64,
}

impl Stretch {
    /// No change.
    pub const NONE: Self = Self {
        factor: 1.0,
        semitones: 0.0,
    };

    /// # Errors
    /// When a value is out of range, or the sound would become both very short and very low: `factor` times
    /// 2^(`semitones` / 12) is at least 0.25.
    pub fn check(&self) -> Result<()> {
        let Self { factor, semitones } = *self;
        if !FACTORS.contains(&factor) {
            return Err(Error::config(format!(
                "the time stretch is {factor}; expected a factor from {} to {}, where 2 is twice as long",
                FACTORS.start(),
                FACTORS.end()
            )));
        }
        if !SEMITONES.contains(&semitones) {
            return Err(Error::config(format!(
                "the pitch shift is {semitones}; expected semitones from {} to {}",
                SEMITONES.start(),
                SEMITONES.end()
            )));
        }
        if self.pitch_ratio() / (1.0 / factor) < LEAST_PRODUCT {
            return Err(Error::config(format!(
                "{factor} times as long and {semitones} semitones higher is too short and too low together: with this \
                 pitch the factor is at least {:.3}",
                LEAST_PRODUCT / self.pitch_ratio()
            )));
        }
        Ok(())
    }

    /// The factor by which frequencies grow.
    pub fn pitch_ratio(&self) -> f64 {
        (self.semitones / 12.0).exp2()
    }

    /// The number of samples that `length` samples become.
    pub fn length(&self, length: u64) -> u64 {
        (length as f64 * self.factor).round() as u64
    }

    /// Labels follow: the notes of the changed sound. Times grow by the factor, pitches by the semitones, rounded;
    /// notes that leave the range of MIDI are left out.
    pub fn notes(&self, notes: &[Note]) -> Vec<Note> {
        let moved = |note: &Note| {
            let pitch = (f64::from(note.pitch) + self.semitones).round();
            (0.0..=127.0).contains(&pitch).then_some(Note {
                onset_s: note.onset_s * self.factor,
                offset_s: note.offset_s * self.factor,
                pitch: pitch as u8,
                ..*note
            })
        };
        notes.iter().filter_map(moved).collect()
    }
}

/// `factor` times as many samples at the same pitch; see [`Stretcher`].
///
/// # Errors
/// As [`stretch`].
pub fn time_stretch(samples: &[f32], sample_rate: u32, factor: f64) -> Result<Vec<f32>> {
    let change = Stretch {
        factor,
        ..Stretch::NONE
    };
    stretch(samples, sample_rate, change)
}

/// As many samples, `semitones` higher; see [`Stretcher`].
///
/// # Errors
/// As [`stretch`].
pub fn pitch_shift(samples: &[f32], sample_rate: u32, semitones: f64) -> Result<Vec<f32>> {
    let change = Stretch {
        semitones,
        ..Stretch::NONE
    };
    stretch(samples, sample_rate, change)
}

/// Stretches and shifts a whole mono signal: [`Stretcher`] fed with one block.
///
/// # Errors
/// As [`Stretcher::new`] and [`Stretcher::push`].
pub fn stretch(samples: &[f32], sample_rate: u32, change: Stretch) -> Result<Vec<f32>> {
    let mut stretcher = Stretcher::new(sample_rate, change)?;
    let mut output = Vec::with_capacity(change.length(samples.len() as u64) as usize);
    stretcher.push(samples, &mut output)?;
    stretcher.finish(&mut output)?;
    Ok(output)
}

/// Stretches and shifts mono audio in blocks of any size, in constant memory.
///
/// What sounded at time t sounds at t times the factor; n samples become n times the factor, rounded. However the input
/// is cut into blocks, the output is the same. Without a change, samples pass through as they are.
///
/// The pitch is exact to a cent or two: the phase vocoder beneath moves by whole samples, and where a factor is no
/// ratio of its steps, it keeps the time and lets the pitch give way. Tones keep their level; noise becomes up to
/// 2 dB softer. Above 24 kHz nothing is kept.
pub struct Stretcher {
    change: Stretch,
    engine: Option<Engine>,
    consumed: u64,
    produced: u64,
}

impl Stretcher {
    /// `sample_rate` in Hz, 1000 to 768000.
    ///
    /// # Errors
    /// As [`Stretch::check`] and [`Resampler::new`].
    pub fn new(sample_rate: u32, change: Stretch) -> Result<Self> {
        change.check()?;
        let engine = match change == Stretch::NONE {
            true => None,
            false => Some(Engine::new(sample_rate, change)?),
        };
        Ok(Self {
            change,
            engine,
            consumed: 0,
            produced: 0,
        })
    }

    /// Takes samples and appends to `output` what is ready.
    ///
    /// # Errors
    /// When a sample is not a finite number.
    pub fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) -> Result<()> {
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::config(format!(
                "sample {} of the sound to stretch is {}; expected finite numbers",
                self.consumed + at as u64,
                samples[at]
            )));
        }
        let before = output.len();
        match &mut self.engine {
            None => output.extend_from_slice(samples),
            Some(engine) => engine.push(samples, output)?,
        }
        self.consumed += samples.len() as u64;
        self.produced += (output.len() - before) as u64;
        Ok(())
    }

    /// Ends the signal: appends what is still inside.
    ///
    /// # Errors
    /// When the session beneath fails.
    pub fn finish(mut self, output: &mut Vec<f32>) -> Result<()> {
        let Some(engine) = &mut self.engine else {
            return Ok(());
        };
        let missing = self
            .change
            .length(self.consumed)
            .saturating_sub(self.produced);
        let end = output.len() + missing as usize;
        engine.finish(output)?;
        output.resize(end, 0.0);
        Ok(())
    }
}

/// The session between two resamplers.
struct Engine {
    to_session: Resampler,
    session: StreamSession,
    from_session: Resampler,
    waiting: Vec<f32>,
    block: Vec<f32>,
    stretched: Vec<f32>,
}

impl Engine {
    fn new(sample_rate: u32, change: Stretch) -> Result<Self> {
        let rate = working_rate(sample_rate);
        let factor = DurationRatio::new(change.factor).map_err(failed)?;
        let config = SessionConfig {
            source_sample_rate: SESSION_RATE,
            output_sample_rate: SESSION_RATE,
            channels: 1,
            backend: Backend::Portable,
            parameters: Parameters {
                tempo: factor.tempo(),
                pitch: PitchRatio::new(change.pitch_ratio()).map_err(failed)?,
                // Labels follow the time to the sample; a few cents of pitch move none.
                constraint: RatioConstraint::PreserveDuration,
            },
            ..SessionConfig::default()
        };
        Ok(Self {
            to_session: Resampler::new(sample_rate, rate)?,
            session: PreparedSession::new(config).map_err(failed)?.activate(),
            from_session: Resampler::new(rate, sample_rate)?,
            waiting: Vec::new(),
            block: vec![0.0; BLOCK],
            stretched: Vec::new(),
        })
    }

    fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) -> Result<()> {
        // Small pieces keep the session's output small, however much comes at once.
        for piece in samples.chunks(BLOCK) {
            self.to_session.push(piece, &mut self.waiting)?;
            self.work()?;
            self.from_session.push(&self.stretched, output)?;
            self.stretched.clear();
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut Vec<f32>) -> Result<()> {
        self.to_session.finish(&mut self.waiting)?;
        self.waiting.extend([0.0; TAIL]);
        self.work()?;
        self.session.finish_input().map_err(failed)?;
        self.work()?;
        self.from_session.push(&self.stretched, output)?;
        self.from_session.finish(output)
    }

    /// Lets the session have what waits, and takes what it has made, until it wants more or has ended.
    fn work(&mut self) -> Result<()> {
        let mut supplied = 0;
        loop {
            let status = self.session.advance(WORK).status;
            self.collect()?;
            match status {
                ProcessStatus::Fault => {
                    let fault = self.session.fault().unwrap_or(SessionError::InvalidState);
                    return Err(failed(fault));
                }
                ProcessStatus::NeedSource if supplied == self.waiting.len() => break,
                ProcessStatus::NeedSource => {
                    let request = self
                        .session
                        .source_request()
                        .ok_or_else(|| failed(SessionError::InvalidState))?;
                    let rest = &self.waiting[supplied..];
                    let piece = &rest[..rest.len().min(request.frames)];
                    supplied += self.session.supply(request, piece).map_err(failed)?;
                }
                _ if self.session.finished() => break,
                _ => {}
            }
        }
        self.waiting.clear();
        Ok(())
    }

    fn collect(&mut self) -> Result<()> {
        loop {
            let stamp = self.session.read_output(&mut self.block).map_err(failed)?;
            if stamp.frames == 0 {
                return Ok(());
            }
            self.stretched
                .extend_from_slice(&self.block[..stamp.frames]);
            let receipt = stamp.consumed(stamp.frames).map_err(failed)?;
            self.session.acknowledge(receipt).map_err(failed)?;
        }
    }
}

/// The rate at which the session works: the sound's own or a multiple between 32 and 48 kHz; less for what is above.
fn working_rate(sample_rate: u32) -> u32 {
    match sample_rate {
        // The resampler says what is wrong with it.
        0 => 0,
        48_001.. if sample_rate.is_multiple_of(44_100) => 44_100,
        48_001.. => 48_000,
        _ => {
            let multiple = sample_rate * 32_000u32.div_ceil(sample_rate);
            if multiple <= 48_000 {
                multiple
            } else {
                sample_rate
            }
        }
    }
}

fn failed(error: SessionError) -> Error {
    Error::config(format!("time stretch or pitch shift failed: {error}"))
}
