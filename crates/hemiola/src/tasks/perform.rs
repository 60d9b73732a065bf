//! Music from music: a [`MusicTransformer`] that plays, goes on, and judges what is played.
//!
//! ```
//! use hemiola::tasks::perform::{PerformOptions, Performer};
//!
//! # fn main() -> hemiola::Result<()> {
//! # if hemiola::checkpoint::bundled("performer").is_none() { return Ok(()); }
//! let performer = Performer::bundled()?;
//! let options = PerformOptions { seconds: 2.0, ..PerformOptions::default() };
//! let made = performer.generate(&options, &mut |_| {})?;
//! assert!(made.notes.iter().all(|note| note.offset_s <= 2.0));
//! # Ok(())
//! # }
//! ```

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::sampling::{Sampler, SamplerConfig};
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::midi::Score;
use crate::models::music_transformer::{EventDecoder, MusicTransformer};
use crate::music::{Note, end_s};
use crate::tokens::{
    BOS, EVENTS, Event, EventState, STEPS_PER_SECOND, TokenOptions, VOCABULARY, decode, encode,
    last_velocity, quantize, tokenize,
};

/// The longest music that is made, in seconds.
pub const LONGEST_S: f64 = 24.0 * 3600.0;

/// The language of a model that plays; part of its checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerformerConfig {
    /// Names of the styles, in the order of the model's; those beyond were not trained.
    pub styles: Vec<String>,
    /// How pieces became events.
    pub tokens: TokenOptions,
}

/// What is to be played.
#[derive(Debug, Clone, PartialEq)]
pub struct PerformOptions {
    /// One of the model's styles, or none in particular.
    pub style: Option<String>,
    /// How long the new music is, in seconds.
    pub seconds: f64,
    /// Notes end after so many seconds at the latest: a model may forget that a key is down.
    pub longest_note_s: f64,
    pub sampler: SamplerConfig,
}

impl Default for PerformOptions {
    fn default() -> Self {
        Self {
            style: None,
            seconds: 30.0,
            longest_note_s: 8.0,
            sampler: SamplerConfig::default(),
        }
    }
}

/// What was played.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Made {
    /// Sorted by onset, then pitch.
    pub notes: Vec<Note>,
    /// How many events they took.
    pub events: usize,
}

impl Made {
    /// Events that begin at a time, behind a prompt.
    fn of(ids: &[u16], prompt: &[u16], start_s: f64) -> Self {
        let loud = last_velocity(prompt);
        let mut notes = decode(&[loud.as_slice(), ids].concat()).to_notes();
        for note in &mut notes {
            note.onset_s += start_s;
            note.offset_s += start_s;
        }
        Self {
            notes,
            events: ids.len(),
        }
    }
}

/// How likely a model finds a sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct EventScore {
    /// Negative log-likelihood of all events, in nats.
    pub nll: f64,
    pub events: usize,
}

impl EventScore {
    /// NaN without events.
    pub fn nll_per_event(&self) -> f64 {
        self.nll / self.events as f64
    }
}

impl std::ops::AddAssign for EventScore {
    fn add_assign(&mut self, other: Self) {
        self.nll += other.nll;
        self.events += other.events;
    }
}

/// A model with its language.
#[derive(Debug, Clone)]
pub struct Performer {
    model: MusicTransformer,
    config: PerformerConfig,
    device: Device,
}

impl Performer {
    /// # Errors
    /// When the model sees later events, knows too few, or is said to have more styles than it has.
    pub fn new(model: MusicTransformer, config: PerformerConfig) -> Result<Self> {
        let sizes = model.config();
        if !sizes.causal || sizes.vocab_size < EVENTS || sizes.max_seq_len < 4 {
            return Err(Error::config(format!(
                "playing needs a model with causal = true, a vocab_size of {EVENTS} or more and a max_seq_len of 4 or \
                 more; this one has {}, {} and {}",
                sizes.causal, sizes.vocab_size, sizes.max_seq_len
            )));
        }
        if config.styles.len() > sizes.n_styles {
            return Err(Error::config(format!(
                "task.styles names {} styles, but the model has {} (model.n_styles)",
                config.styles.len(),
                sizes.n_styles
            )));
        }
        let device = model.devices()[0].clone();
        Ok(Self {
            model,
            config,
            device,
        })
    }

    /// The built-in model, on the processor.
    ///
    /// # Errors
    /// When the library was built without its weights.
    pub fn bundled() -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in("performer")?;
        Self::new(model, task)
    }

    /// The model of a checkpoint folder.
    ///
    /// # Errors
    /// When the checkpoint cannot be read or its model cannot play; see [`Self::new`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(model, task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    /// The styles it can be asked for.
    pub fn styles(&self) -> &[String] {
        &self.config.styles
    }

    pub fn model(&self) -> &MusicTransformer {
        &self.model
    }

    /// How it reads pieces.
    pub fn tokens(&self) -> &TokenOptions {
        &self.config.tokens
    }

    /// Refuses what it cannot do: a style it does not know, impossible settings.
    ///
    /// # Errors
    /// Says which, and what was expected.
    pub fn check(&self, options: &PerformOptions) -> Result<()> {
        check_seconds(options.seconds)?;
        check_seconds(options.longest_note_s)?;
        Sampler::new(options.sampler)?;
        self.style_index(options.style.as_deref()).map(drop)
    }

    /// Music from nothing: notes from 0 s to `options.seconds` at the latest.
    ///
    /// `progress` is told the seconds that are done.
    ///
    /// # Errors
    /// When there is no such style, a setting is impossible, or the model's output is no number.
    pub fn generate(
        &self,
        options: &PerformOptions,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Made> {
        let ids = self.perform(&[], options, progress)?;
        Ok(Made::of(&ids, &[], 0.0))
    }

    /// How a piece goes on after its last note ended: notes from there for `options.seconds`.
    ///
    /// # Errors
    /// As [`Self::generate`], or when there is no note.
    pub fn continuation(
        &self,
        given: &[Note],
        options: &PerformOptions,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Made> {
        let end_s = end_s(given);
        let prompt = encode(&crate::music::separated(quantize(given)?));
        if prompt.is_empty() {
            return Err(Error::config(
                "there is no note to go on from; use generate for music from nothing",
            ));
        }
        let ids = self.perform(&prompt, options, progress)?;
        Ok(Made::of(&ids, &prompt, end_s))
    }

    /// Events that follow `prompt`, whose notes must have ended; they last `options.seconds` at most and leave no note
    /// open.
    ///
    /// All of them keep the grammar of [`EventState`]. Only the events that fit the model's window are looked at: when it
    /// is full, it slides on by half.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn perform(
        &self,
        prompt: &[u16],
        options: &PerformOptions,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<u16>> {
        let steps = check_seconds(options.seconds)?;
        let mut sampler = Sampler::new(options.sampler)?;
        let decoder = self
            .model
            .decoder(self.style_index(options.style.as_deref())?)?;
        let mut window = Window::new(decoder, self.model.config().max_seq_len, self.framed());
        let mut state = EventState::after(prompt);
        let mut logits = window.push_all(prompt)?;
        let longest = check_seconds(options.longest_note_s)?;
        let mut begun = [0; 128];
        let mut made = Vec::new();
        let mut now = 0;
        loop {
            state.allowed().restrict(&mut logits);
            // The music ends when its time has come.
            logits[EVENTS..].fill(f32::NEG_INFINITY);
            let mut id = sampler.sample(&logits).ok_or_else(|| {
                Error::config("the model's output is no number; its weights are damaged")
            })? as u16;
            if let Some(Event::TimeShift(shift)) = Event::from_id(id) {
                // No further than to where a note has lasted long enough.
                let ends = state.sounding().map(|p| begun[usize::from(p)] + longest);
                let until = ends.fold(now + u32::from(shift), u32::min);
                let shift = until.min(steps) - now;
                id = Event::TimeShift(shift as u8).id();
                now += shift;
                if now == steps {
                    state.advance(id);
                    made.push(id);
                    break;
                }
                progress(f64::from(now) / f64::from(STEPS_PER_SECOND));
            }
            if let Some(Event::NoteOn(pitch)) = Event::from_id(id) {
                begun[usize::from(pitch)] = now;
            }
            state.advance(id);
            made.push(id);
            logits = window.push(id)?;
            if matches!(Event::from_id(id), Some(Event::TimeShift(_))) {
                let forgotten = |pitch: &u8| now - begun[usize::from(*pitch)] >= longest;
                let forgotten: Vec<u8> = state.sounding().filter(forgotten).collect();
                for pitch in forgotten {
                    let end = Event::NoteOff(pitch).id();
                    state.advance(end);
                    made.push(end);
                    logits = window.push(end)?;
                }
            }
        }
        made.extend(state.closing());
        progress(options.seconds);
        Ok(made)
    }

    /// How likely the model finds the events of a piece, none of which sees more than the model's window of those
    /// before it, and none but the first few less than half of it.
    ///
    /// # Errors
    /// When there is no such style or an event is not in the vocabulary.
    pub fn score(&self, ids: &[u16], style: Option<&str>) -> Result<EventScore> {
        let style = self.style_index(style)?;
        let longest = self.model.config().max_seq_len;
        let sequence: Vec<u16> = self
            .framed()
            .then_some(BOS)
            .into_iter()
            .chain(ids.iter().copied())
            .collect();
        let mut score = EventScore {
            nll: 0.0,
            events: sequence.len().saturating_sub(1),
        };
        let mut told = 0; // targets whose likelihood is known
        while told + 1 < sequence.len() {
            let start = (told + 1).saturating_sub(if told == 0 { 1 } else { longest / 2 + 1 });
            let end = (start + longest).min(sequence.len() - 1);
            score.nll += self.nll(&sequence[start..=end], told - start, style)?;
            told = end;
        }
        if !self.framed() && !ids.is_empty() {
            // Nothing stands before the first event to tell it from: every event is as likely.
            score.nll += (EVENTS as f64).ln();
            score.events += 1;
        }
        Ok(score)
    }

    /// Of the events of a window behind the first `skip` + 1.
    fn nll(&self, window: &[u16], skip: usize, style: Option<usize>) -> Result<f64> {
        self.check_events(window)?;
        let time = window.len() - 1;
        let output = self
            .model
            .forward(self.integers(&window[..time]), style.map(|s| self.style(s)))?;
        let logits: Tensor<2> = output.tokens.narrow(1, skip, time - skip).squeeze_dim(0);
        let targets = self.integers(&window[1 + skip..]).swap_dims(0, 1);
        let likelihoods = log_softmax(logits, 1).gather(1, targets);
        Ok(-likelihoods.into_data().iter::<f64>().sum::<f64>())
    }

    /// How much each of the last `n` events of a piece attends to each of them, `[n][n]`, in one layer and head, both counted
    /// from 0. The model sees all that its window holds of the piece; what falls on events before the last `n` is left out.
    ///
    /// # Errors
    /// When there are fewer events or the window holds fewer, one is not in the vocabulary, or there is no such layer, head or
    /// style.
    pub fn attention(
        &self,
        ids: &[u16],
        n: usize,
        style: Option<&str>,
        layer: usize,
        head: usize,
    ) -> Result<Vec<f32>> {
        let heads = self.model.config().n_heads;
        if head >= heads {
            return Err(Error::config(format!(
                "there is no head {head}; the model has {heads}, counted from 0"
            )));
        }
        self.check_events(ids)?;
        let style = self.style_index(style)?.map(|style| self.style(style));
        let begin = self.framed().then_some(BOS);
        let sequence = [begin.as_slice(), ids].concat();
        let longest = self.model.config().max_seq_len;
        let seen = &sequence[sequence.len().saturating_sub(longest)..];
        if n == 0 || n > ids.len().min(seen.len()) {
            return Err(Error::config(format!(
                "the attention of the last {n} of {} events; expected from 1 to {}",
                ids.len(),
                ids.len().min(longest)
            )));
        }
        let weights = self
            .model
            .attention_weights(self.integers(seen), style, layer)?;
        let first = seen.len() - n;
        let last = weights
            .narrow(1, head, 1)
            .narrow(2, first, n)
            .narrow(3, first, n);
        Ok(last.into_data().iter().collect())
    }

    fn check_events(&self, ids: &[u16]) -> Result<()> {
        let vocabulary = self.model.config().vocab_size;
        match ids.iter().find(|&&id| usize::from(id) >= vocabulary) {
            Some(id) => Err(Error::config(format!(
                "event {id} is not in the vocabulary of {vocabulary}"
            ))),
            None => Ok(()),
        }
    }

    /// The notes of a score as the model hears them.
    ///
    /// # Errors
    /// See [`tokenize`].
    pub fn read(&self, score: &Score) -> Result<Vec<u16>> {
        tokenize(score, &self.config.tokens)
    }

    /// Whether the model knows where pieces begin.
    fn framed(&self) -> bool {
        self.model.config().vocab_size >= VOCABULARY
    }

    fn style_index(&self, style: Option<&str>) -> Result<Option<usize>> {
        let Some(style) = style else {
            return Ok(None);
        };
        let styles = &self.config.styles;
        let index = styles.iter().position(|known| known == style);
        index.map(Some).ok_or_else(|| {
            Error::config(match styles.is_empty() {
                true => format!("there is no style {style:?}; this model has no styles"),
                false => format!(
                    "there is no style {style:?}; expected one of {}",
                    styles.join(", ")
                ),
            })
        })
    }

    fn style(&self, index: usize) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(vec![index as i64], [1]), &self.device)
    }

    fn integers(&self, ids: &[u16]) -> Tensor<2, Int> {
        let values: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        Tensor::from_data(TensorData::new(values, [1, ids.len()]), &self.device)
    }
}

/// The steps of so many seconds.
fn check_seconds(seconds: f64) -> Result<u32> {
    if seconds > 0.0 && seconds <= LONGEST_S {
        return Ok(((seconds * f64::from(STEPS_PER_SECOND)).round() as u32).max(1));
    }
    Err(Error::config(format!(
        "{seconds} seconds of music; expected more than 0 and at most {LONGEST_S}, a day"
    )))
}

/// A decoder that forgets what is long past.
struct Window {
    decoder: EventDecoder,
    longest: usize,
    /// What the decoder has seen and might see again, the latest last.
    recent: Vec<u16>,
}

impl Window {
    fn new(decoder: EventDecoder, longest: usize, framed: bool) -> Self {
        Self {
            decoder,
            longest,
            recent: framed.then_some(BOS).into_iter().collect(),
        }
    }

    /// Takes the events of a prompt; without any and without a sign of the beginning, a step of silence.
    fn push_all(&mut self, ids: &[u16]) -> Result<Vec<f32>> {
        self.recent.extend(ids);
        if self.recent.is_empty() {
            self.recent.push(Event::TimeShift(1).id());
        }
        self.slide()
    }

    fn push(&mut self, id: u16) -> Result<Vec<f32>> {
        self.recent.push(id);
        if self.decoder.position() == self.longest {
            return self.slide();
        }
        self.decoder.push(&[id])
    }

    /// Begins anew with the latest half window, or all there is if that fits into it.
    fn slide(&mut self) -> Result<Vec<f32>> {
        let past = self.recent.len().saturating_sub(self.longest / 2);
        self.recent.drain(..past);
        self.decoder.reset();
        self.decoder.push(&self.recent)
    }
}
