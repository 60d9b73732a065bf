//! Gaps filled by a model that sees what stands before and behind them: a [`MusicBert`].
//!
//! ```
//! use hemiola::music::Note;
//! use hemiola::tasks::infill::{InfillOptions, Infiller};
//!
//! # fn main() -> hemiola::Result<()> {
//! # if hemiola::checkpoint::bundled("bert").is_none() { return Ok(()); }
//! let piece: Vec<Note> = (0..16)
//!     .map(|n| Note {
//!         onset_s: f64::from(n) * 0.5,
//!         offset_s: f64::from(n) * 0.5 + 0.4,
//!         pitch: [60, 64, 67, 72][n as usize % 4],
//!         velocity: 80,
//!     })
//!     .collect();
//! let infiller = Infiller::bundled()?;
//! let made = infiller.fill(&piece, 3.0..4.0, &InfillOptions::default(), &mut |_| {})?;
//! assert!(made.iter().all(|note| note.onset_s >= 3.0 && note.offset_s <= 4.0));
//! # Ok(())
//! # }
//! ```

use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::sampling::{Sampler, SamplerConfig};
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::models::music_bert::MusicBert;
use crate::music::{Note, QuantizedNote, end_s, separated};
use crate::tokens::{
    EVENTS, Event, EventState, LONGEST_SHIFT, MASK, PAIR_TOKENS, STEPS_PER_SECOND, TokenOptions,
    VOCABULARY, decode, encode, last_velocity, pair, quantize,
};

/// Of a window, the share that stands for what is still to be filled at most.
const MASKED_SHARE: f64 = 1.0 / 3.0;
/// Events of a second where the piece does not tell.
const USUAL_DENSITY: f64 = 25.0;

/// The language of a model that fills gaps; part of its checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InfillerConfig {
    /// How pieces became events.
    pub tokens: TokenOptions,
    /// Events and special tokens of the pairs of phrases that the model learned from, which are as many as it is shown;
    /// without, its max_seq_len.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
}

/// How a gap is filled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InfillOptions {
    pub sampler: SamplerConfig,
}

/// A model with its language.
#[derive(Debug, Clone)]
pub struct Infiller {
    model: MusicBert,
    config: InfillerConfig,
    device: Device,
}

impl Infiller {
    /// # Errors
    /// When the model knows too few events or its window is too short.
    pub fn new(model: MusicBert, config: InfillerConfig) -> Result<Self> {
        let sizes = model.config();
        if sizes.vocab_size < VOCABULARY || sizes.n_events < EVENTS || sizes.max_seq_len < 16 {
            return Err(Error::config(format!(
                "filling gaps needs a model with a vocab_size of {VOCABULARY}, n_events of {EVENTS} and a max_seq_len \
                 of 16 or more; this one has {}, {} and {}",
                sizes.vocab_size, sizes.n_events, sizes.max_seq_len
            )));
        }
        if let Some(window) = config
            .window
            .filter(|n| !(16..=sizes.max_seq_len).contains(n))
        {
            return Err(Error::config(format!(
                "task.window is {window}; expected from 16 to max_seq_len, {}",
                sizes.max_seq_len
            )));
        }
        let device = model.devices()[0].clone();
        Ok(Self {
            model,
            config,
            device,
        })
    }

    /// Events and special tokens that the model is shown at most.
    fn window(&self) -> usize {
        self.config
            .window
            .unwrap_or(self.model.config().max_seq_len)
    }

    /// The built-in model, on the processor.
    ///
    /// # Errors
    /// When the library was built without its weights.
    pub fn bundled() -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in("bert")?;
        Self::new(model, task)
    }

    /// The model of a checkpoint folder.
    ///
    /// # Errors
    /// When the checkpoint cannot be read or its model cannot fill gaps; see [`Self::new`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(model, task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    /// How it reads pieces.
    pub fn tokens(&self) -> &TokenOptions {
        &self.config.tokens
    }

    pub fn model(&self) -> &MusicBert {
        &self.model
    }

    /// Refuses a gap that cannot be filled.
    ///
    /// # Errors
    /// When the gap is not within the piece, or shorter than 10 ms; the message says where the piece lies.
    pub fn check(piece: &[Note], gap: &Range<f64>) -> Result<()> {
        let end_s = end_s(piece);
        if !(gap.start >= 0.0 && gap.start < gap.end && gap.end <= end_s) {
            return Err(Error::config(format!(
                "the gap from {} to {} s; expected one within the piece, which lasts from 0 to {end_s:.2} s",
                gap.start, gap.end
            )));
        }
        let [start, end] = steps(gap);
        if start == end {
            return Err(Error::config(format!(
                "the gap from {} to {} s is shorter than 10 ms, the least that can be filled",
                gap.start, gap.end
            )));
        }
        Ok(())
    }

    /// New notes for a gap in a piece, in seconds: they begin and end in it, to 10 ms. Notes of the piece that begin in
    /// the gap are not looked at; those from before that sound into it are not struck again while they do.
    ///
    /// From the left, each event is drawn from what the model thinks of the first hidden event, given what was filled
    /// and what stands on both sides; how many events stay hidden follows from the piece's density. `progress` is told
    /// the seconds that are done.
    ///
    /// # Errors
    /// As [`Self::check`], or when the model's output is no number.
    pub fn fill(
        &self,
        piece: &[Note],
        gap: Range<f64>,
        options: &InfillOptions,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Note>> {
        let mut sampler = Sampler::new(options.sampler)?;
        let mut filling = Filling::new(piece, gap)?;
        while filling.now < filling.end {
            let (input, position) = filling.input(self.window());
            let mut logits = self.logits(&input, position)?;
            filling.restrict(&mut logits);
            let id = sampler.sample(&logits).ok_or_else(|| {
                Error::config("the model's output is no number; its weights are damaged")
            })? as u16;
            filling.take(id);
            let done = filling.now.saturating_sub(filling.start);
            progress(f64::from(done) / f64::from(STEPS_PER_SECOND));
        }
        Ok(filling.notes())
    }

    /// The likeliest event at each of the `hidden` places of a piece, which are in rising order, all of them behind masks.
    ///
    /// # Errors
    /// When an event is not in the vocabulary, or a place is not in the piece.
    pub fn predict(&self, ids: &[u16], hidden: &[usize]) -> Result<Vec<u16>> {
        let window = self.window() - PAIR_TOKENS;
        let mut found = Vec::with_capacity(hidden.len());
        if let Some(id) = ids.iter().find(|&&id| usize::from(id) >= VOCABULARY) {
            return Err(Error::config(format!(
                "event {id} is not in the vocabulary of {VOCABULARY}"
            )));
        }
        if let Some(place) = hidden.iter().find(|&&place| place >= ids.len()) {
            return Err(Error::config(format!(
                "place {place} is not in a piece of {} events, counted from 0",
                ids.len()
            )));
        }
        let mut masked = ids.to_vec();
        hidden.iter().for_each(|&place| masked[place] = MASK);
        for (number, events) in masked.chunks(window).enumerate() {
            let first = number * window;
            let places = hidden
                .iter()
                .filter(|&&p| p >= first && p < first + events.len());
            let (a, b) = events.split_at(events.len() / 2);
            let input = pair(a, b);
            let logits = self.forward(&input)?;
            let classes = logits.len() / input.len();
            for place in places {
                let at = place - first;
                let row = at + 1 + usize::from(at >= a.len());
                let row = &logits[row * classes..][..EVENTS];
                let likeliest = (0..EVENTS).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                found.push(likeliest.unwrap_or(0) as u16);
            }
        }
        Ok(found)
    }

    /// What the model thinks of one position of an input.
    fn logits(&self, input: &[u16], position: usize) -> Result<Vec<f32>> {
        let logits = self.forward(input)?;
        let classes = logits.len() / input.len();
        Ok(logits[position * classes..][..EVENTS].to_vec())
    }

    /// Of every position, one after the other.
    fn forward(&self, input: &[u16]) -> Result<Vec<f32>> {
        let values: Vec<i64> = input.iter().map(|&id| i64::from(id)).collect();
        let tokens: Tensor<2, Int> =
            Tensor::from_data(TensorData::new(values, [1, input.len()]), &self.device);
        Ok(self
            .model
            .forward(tokens, None)?
            .events
            .into_data()
            .iter()
            .collect())
    }
}

/// A gap that is being filled.
struct Filling {
    /// Steps at which the gap starts and ends.
    start: u32,
    end: u32,
    /// The step of the last event before the gap, and that up to which it is filled.
    origin: u32,
    now: u32,
    /// Events before the gap, those made, and those behind it.
    left: Vec<u16>,
    made: Vec<u16>,
    right: Vec<u16>,
    state: EventState,
    /// When the notes from before end that end in the gap; the earliest last.
    ending: Vec<(u32, u8)>,
    /// Pitches from before that sound on at the gap's end.
    lasting: Vec<u8>,
    /// Events of a step.
    density: f64,
}

impl Filling {
    fn new(piece: &[Note], gap: Range<f64>) -> Result<Self> {
        Infiller::check(piece, &gap)?;
        let outside = piece.iter().filter(|note| !gap.contains(&note.onset_s));
        let kept: Vec<Note> = outside.copied().collect();
        let kept = separated(quantize(&kept)?);
        let [start, end] = steps(&gap);
        let before = |note: &&QuantizedNote| note.start < end && note.start <= start;
        let (left, sounding): (Vec<QuantizedNote>, Vec<QuantizedNote>) = kept
            .iter()
            .filter(before)
            .partition(|note| note.end <= start);
        let mut ending: Vec<(u32, u8)> = sounding
            .iter()
            .filter(|note| note.end < end)
            .map(|note| (note.end, note.pitch))
            .collect();
        ending.sort_unstable_by(|a, b| b.cmp(a));
        let lasting = sounding.iter().filter(|note| note.end >= end);
        // What sounds into the gap has begun but not ended.
        let open: Vec<QuantizedNote> = sounding
            .iter()
            .map(|note| QuantizedNote { end, ..*note })
            .collect();
        let (left, now) = up_to(encode(&[left, open].concat()), start);
        let behind: Vec<QuantizedNote> = kept
            .iter()
            .filter(|note| note.start >= end)
            .map(|note| QuantizedNote {
                start: note.start - end,
                end: note.end - end,
                ..*note
            })
            .collect();
        let right = encode(&behind);
        let state = EventState::after(&left);
        let seconds = end_s(piece) - (gap.end - gap.start);
        let density = match seconds > 1.0 {
            true => (left.len() + right.len()) as f64 / seconds,
            false => USUAL_DENSITY,
        };
        Ok(Self {
            start,
            end,
            origin: now,
            now,
            lasting: lasting.map(|note| note.pitch).collect(),
            left,
            made: Vec::new(),
            right,
            state,
            ending,
            density: density / f64::from(STEPS_PER_SECOND),
        })
    }

    /// What the model is shown, and the position of the first hidden event.
    fn input(&self, longest: usize) -> (Vec<u16>, usize) {
        let room = longest - PAIR_TOKENS;
        let hidden = (f64::from(self.end - self.now) * self.density)
            .ceil()
            .max(1.0);
        let most = (room as f64 * MASKED_SHARE).max(1.0);
        let masks = hidden.min(most) as usize;
        // What lies beyond more than the masks that fit is too far away to be shown next to them.
        let behind = if hidden > most { &[][..] } else { &self.right };
        let known = [self.left.as_slice(), &self.made].concat();
        let half = (room - masks) / 2;
        let right = behind
            .len()
            .min(half.max((room - masks).saturating_sub(known.len())));
        let known = &known[known.len().saturating_sub(room - masks - right)..];
        let hidden = vec![MASK; masks];
        let input = pair(&[known, &hidden].concat(), &behind[..right]);
        (input, 1 + known.len())
    }

    /// Leaves what keeps the rules and does not touch the notes from before.
    fn restrict(&self, logits: &mut [f32]) {
        self.state.allowed().restrict(logits);
        if self.now < self.start {
            // The first event leads into the gap.
            let first = Event::TimeShift((self.start - self.now) as u8).id();
            let into = usize::from(first)..=usize::from(Event::TimeShift(LONGEST_SHIFT).id());
            for (id, logit) in logits.iter_mut().enumerate() {
                if !into.contains(&id) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let kept = self
            .ending
            .iter()
            .map(|(_, pitch)| pitch)
            .chain(&self.lasting);
        for &pitch in kept {
            logits[usize::from(Event::NoteOff(pitch).id())] = f32::NEG_INFINITY;
        }
    }

    fn take(&mut self, id: u16) {
        let Some(Event::TimeShift(shift)) = Event::from_id(id) else {
            self.push(id);
            return;
        };
        let mut until = (self.now + u32::from(shift)).min(self.end);
        if let Some((next, _)) = self.ending.last() {
            until = until.min(*next);
        }
        if until > self.now {
            self.push(Event::TimeShift((until - self.now) as u8).id());
            self.now = until;
        }
        while let Some((_, pitch)) = self.ending.pop_if(|(step, _)| *step <= until) {
            self.push(Event::NoteOff(pitch).id());
        }
    }

    fn push(&mut self, id: u16) {
        self.state.advance(id);
        self.made.push(id);
    }

    /// The notes that were made, ended where the gap ends.
    fn notes(mut self) -> Vec<Note> {
        let kept = |pitch: &u8| self.lasting.contains(pitch);
        let open = self.state.sounding().filter(|pitch| !kept(pitch));
        let closing: Vec<u16> = open.map(|pitch| Event::NoteOff(pitch).id()).collect();
        self.made.extend(closing);
        let loud = last_velocity(&self.left);
        let mut notes = decode(&[loud.as_slice(), &self.made].concat()).to_notes();
        let origin_s = f64::from(self.origin) / f64::from(STEPS_PER_SECOND);
        for note in &mut notes {
            note.onset_s += origin_s;
            note.offset_s += origin_s;
        }
        notes
    }
}

/// Where a stretch of seconds starts and ends on the grid.
fn steps(stretch: &Range<f64>) -> [u32; 2] {
    [stretch.start, stretch.end].map(|time_s| (time_s * f64::from(STEPS_PER_SECOND)).round() as u32)
}

/// The events that happen up to a step, and the step of the last of them or, if that is more than the longest shift
/// before, one that is not, behind shifts that lead there.
fn up_to(mut ids: Vec<u16>, until: u32) -> (Vec<u16>, u32) {
    let mut now = 0;
    let mut kept = ids.len();
    for (index, &id) in ids.iter().enumerate() {
        if let Some(Event::TimeShift(shift)) = Event::from_id(id) {
            if now + u32::from(shift) > until {
                kept = index;
                break;
            }
            now += u32::from(shift);
        }
    }
    ids.truncate(kept);
    while until - now > u32::from(LONGEST_SHIFT) {
        ids.push(Event::TimeShift(LONGEST_SHIFT).id());
        now += u32::from(LONGEST_SHIFT);
    }
    (ids, now)
}
