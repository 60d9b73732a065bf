//! Notes to sound with a SoundFont.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};

use crate::audio::resample;
use crate::error::{Error, Result};
use crate::midi::PedalEvent;
use crate::music::{Note, end_s};

/// Samples between two moments at which the synthesizer accepts events: 1 ms at 32 kHz, so that an event is at most
/// half of that off its time.
const BLOCK: usize = 32;
/// Synthesis below this rate folds the top of bright samples into the audible range, so lower output rates are
/// synthesized at a multiple and band-limited.
const MIN_SYNTH_RATE: u32 = 32_000;
/// The synthesizer does not strike notes at all that would be 60 dB below full level: velocity 8 in some fonts.
const SOFTEST: f64 = 10.0;
/// The synthesizer's own choice.
const MASTER_VOLUME: f32 = 0.5;
/// The synthesizer drops voices once they are 60 dB below full level, soft notes soon after their beginning; it works
/// this much louder, so that this never happens, and the result is divided by it.
const HEADROOM: f32 = 1024.0;
const DRUM_CHANNEL: i32 = 9;

/// What one instrument plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    /// Notes in any order. Where two of one pitch overlap, the earlier is released at the onset of the later.
    pub notes: &'a [Note],
    /// Sustain pedal, in order of time; empty for none.
    pub pedal: &'a [PedalEvent],
    /// SoundFont bank.
    pub bank: u8,
    /// SoundFont program, 0–127.
    pub program: u8,
    /// Whether this is the percussion channel (bank 128).
    pub is_drum: bool,
}

/// How to render.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderOptions {
    /// Rate of the result, 8000–96000 Hz.
    pub sample_rate: u32,
    /// Length of the result in seconds; `None` for the end of the last note and [`RenderOptions::tail_s`].
    pub duration_s: Option<f64>,
    /// Seconds after the last note when the length is not given.
    pub tail_s: f64,
    /// Semitones added to every pitch; notes that leave 0–127 are an error.
    pub transpose: i8,
    /// Tuning of the whole instrument in cents.
    ///
    /// The synthesizer is told a sample rate lower by the factor 2^(cents/1200) than that at which its samples are
    /// read, so that all partials, decays and noises move together, as with a tape that runs faster; the times of the
    /// notes do not change.
    pub detune_cents: f64,
    /// Velocities become 127·(v/127)^exponent; above 1 soft notes get softer. None gets below 10,
    /// where the synthesizer would leave notes out.
    pub velocity_exponent: f64,
    /// The synthesizer's own reverberation and chorus.
    pub effects: bool,
    /// Share of the left channel in the result, 0–1; the rest is the right one.
    pub left_share: f32,
    /// Seconds by which every event is sent early, for samples that begin with silence.
    pub advance_s: f64,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            sample_rate: 44_100,
            duration_s: None,
            tail_s: 2.0,
            transpose: 0,
            detune_cents: 0.0,
            velocity_exponent: 1.0,
            effects: false,
            left_share: 0.5,
            advance_s: 0.0,
        }
    }
}

/// An instrument of a SoundFont.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    pub bank: i32,
    pub program: i32,
    pub name: String,
}

/// A SoundFont in memory; cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct Renderer {
    font: Arc<SoundFont>,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Action {
    // The order is that of events at one moment: a release comes before the next stroke of the same key.
    Release(u8),
    Pedal(u8),
    Strike(u8, u8),
}

impl Renderer {
    /// Reads an SF2 file.
    ///
    /// # Errors
    /// When the file cannot be read or is no uncompressed SoundFont 2 (SF3 is compressed: convert it).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        let font =
            SoundFont::new(&mut BufReader::with_capacity(1 << 20, file)).map_err(|error| {
                Error::input(
                    path,
                    format!("expected an SF2 SoundFont with uncompressed samples: {error}"),
                )
            })?;
        Ok(Self {
            font: Arc::new(font),
            path: path.to_path_buf(),
        })
    }

    /// The instruments of the font, by bank and program.
    pub fn presets(&self) -> Vec<Preset> {
        let mut presets: Vec<Preset> = self
            .font
            .get_presets()
            .iter()
            .map(|preset| Preset {
                bank: preset.get_bank_number(),
                program: preset.get_patch_number(),
                name: preset.get_name().to_string(),
            })
            .collect();
        presets.sort_by_key(|preset| (preset.bank, preset.program));
        presets
    }

    /// Renders parts together to mono.
    ///
    /// # Errors
    /// When an option is out of its range, a preset is not in the font, or a transposed pitch leaves 0–127.
    pub fn render(&self, parts: &[Part<'_>], options: &RenderOptions) -> Result<Vec<f32>> {
        let factor = synth_factor(options)?;
        let synth_rate = options.sample_rate * factor as u32;
        let told_rate = f64::from(synth_rate) * (-options.detune_cents / 1200.0).exp2();
        let mut settings = SynthesizerSettings::new(told_rate.round() as i32);
        settings.block_size = BLOCK;
        settings.maximum_polyphony = 160;
        settings.enable_reverb_and_chorus = options.effects;
        let mut synth = Synthesizer::new(&self.font, &settings).map_err(|error| {
            Error::config(format!("cannot synthesize at {told_rate:.0} Hz: {error}"))
        })?;

        synth.set_master_volume(MASTER_VOLUME * HEADROOM);

        let mut events = VecDeque::new();
        for (part, channel) in parts.iter().zip(self.set_up_channels(&mut synth, parts)?) {
            for (time_s, action) in part_events(part, options)? {
                let block =
                    ((time_s - options.advance_s) * f64::from(synth_rate) / BLOCK as f64).round();
                events.push_back((block.max(0.0) as usize, channel, action));
            }
        }
        events.make_contiguous().sort_by(|a, b| {
            a.0.cmp(&b.0)
                .then(a.2.partial_cmp(&b.2).unwrap_or(std::cmp::Ordering::Equal))
        });

        let length = output_length(parts, options);
        let blocks = (length * factor).div_ceil(BLOCK) + 2;
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        let mut mono = Vec::with_capacity(blocks * BLOCK);
        for block in 0..blocks {
            while let Some(&(due, channel, action)) = events.front()
                && due <= block
            {
                events.pop_front();
                match action {
                    Action::Release(key) => synth.note_off(channel, i32::from(key)),
                    Action::Pedal(value) => {
                        synth.process_midi_message(channel, 0xB0, 0x40, i32::from(value));
                    }
                    Action::Strike(key, velocity) => {
                        synth.note_on(channel, i32::from(key), i32::from(velocity));
                    }
                }
            }
            synth.render(&mut left, &mut right);
            mono.extend(left.iter().zip(&right).map(|(left, right)| {
                (options.left_share * left + (1.0 - options.left_share) * right) / HEADROOM
            }));
        }
        let mut samples = resample(&mono, synth_rate, options.sample_rate)?;
        samples.truncate(length);
        Ok(samples)
    }

    /// Gives every part a channel with its preset.
    fn set_up_channels(&self, synth: &mut Synthesizer, parts: &[Part<'_>]) -> Result<Vec<i32>> {
        let presets = self.presets();
        let mut melodic = (0..16).filter(|channel| *channel != DRUM_CHANNEL);
        let mut channels = Vec::with_capacity(parts.len());
        for part in parts {
            if part.is_drum {
                synth.process_midi_message(DRUM_CHANNEL, 0xC0, i32::from(part.program), 0);
                channels.push(DRUM_CHANNEL);
                continue;
            }
            let wanted = (i32::from(part.bank), i32::from(part.program));
            if !presets
                .iter()
                .any(|preset| (preset.bank, preset.program) == wanted)
            {
                return Err(Error::input(
                    &self.path,
                    format!(
                        "bank {} has no program {}; choose one of the font's {} presets",
                        part.bank,
                        part.program,
                        presets.len()
                    ),
                ));
            }
            let channel = melodic.next().ok_or_else(|| {
                Error::config("at most 15 melodic instruments can be rendered together")
            })?;
            synth.process_midi_message(channel, 0xB0, 0x00, i32::from(part.bank));
            synth.process_midi_message(channel, 0xC0, i32::from(part.program), 0);
            channels.push(channel);
        }
        Ok(channels)
    }
}

/// How many times the output rate to synthesize at.
fn synth_factor(options: &RenderOptions) -> Result<usize> {
    if !(8000..=96_000).contains(&options.sample_rate) {
        return Err(Error::config(format!(
            "cannot render at {} Hz; choose 8000 to 96000",
            options.sample_rate
        )));
    }
    if !(-1200.0..=1200.0).contains(&options.detune_cents) {
        return Err(Error::config(format!(
            "detune_cents is {}; choose -1200 to 1200",
            options.detune_cents
        )));
    }
    if options.velocity_exponent.is_nan() || options.velocity_exponent <= 0.0 {
        return Err(Error::config(format!(
            "velocity_exponent is {}; it must be above 0",
            options.velocity_exponent
        )));
    }
    Ok(MIN_SYNTH_RATE.div_ceil(options.sample_rate) as usize)
}

fn output_length(parts: &[Part<'_>], options: &RenderOptions) -> usize {
    let seconds = options
        .duration_s
        .unwrap_or_else(|| end_s(parts.iter().flat_map(|part| part.notes)) + options.tail_s);
    (seconds.max(0.0) * f64::from(options.sample_rate)).round() as usize
}

fn part_events(part: &Part<'_>, options: &RenderOptions) -> Result<Vec<(f64, Action)>> {
    let mut notes = part.notes.to_vec();
    notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s));
    let mut events = Vec::with_capacity(2 * notes.len() + part.pedal.len());
    // The next onset of each key, met from the end backwards.
    let mut next_onset = [f64::INFINITY; 128];
    for note in notes.iter().rev() {
        let key =
            i16::from(note.pitch) + i16::from(if part.is_drum { 0 } else { options.transpose });
        let key = u8::try_from(key)
            .ok()
            .filter(|key| *key < 128)
            .ok_or_else(|| {
                Error::config(format!(
                    "pitch {} transposed by {} semitones leaves the MIDI range 0 to 127",
                    note.pitch, options.transpose
                ))
            })?;
        let next = &mut next_onset[usize::from(key)];
        let loudness = (f64::from(note.velocity) / 127.0).powf(options.velocity_exponent);
        let velocity = (127.0 * loudness).round().clamp(SOFTEST, 127.0) as u8;
        events.push((note.onset_s, Action::Strike(key, velocity)));
        events.push((note.offset_s.min(*next), Action::Release(key)));
        *next = note.onset_s;
    }
    events.extend(
        part.pedal
            .iter()
            .map(|change| (change.time_s, Action::Pedal(change.value))),
    );
    Ok(events)
}
