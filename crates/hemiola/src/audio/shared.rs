//! One decoding of a recording for several listeners.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::stream::{Blocks, Facts};
use super::{AudioStream, Resampler, Source};
use crate::{Error, Result};

/// Seconds of a block.
const BLOCK_S: f64 = 0.5;
/// Blocks that may wait for a listener before the others wait for it: five minutes, 26 MB at 22 kHz.
const WAITING: usize = 600;

/// A block; or why there are no more, other than that the recording is at its end.
type Message = std::result::Result<Arc<Vec<f32>>, String>;

/// One decoding of a recording for several listeners, each at a rate of its own.
///
/// [`listen`](Self::listen) gives each an [`AudioStream`] for a thread of its own, then [`read`](Self::read) decodes; a listener
/// that is five minutes behind holds the others up, and one that is dropped is read past.
///
/// ```no_run
/// use hemiola::audio::{SharedReading, Source};
///
/// let mut reading = SharedReading::open(&Source::from("song.flac"))?;
/// let mut streams = [reading.listen(16_000)?, reading.listen(22_050)?];
/// std::thread::scope(|scope| {
///     for stream in &mut streams {
///         scope.spawn(|| while let Ok(Some(block)) = stream.next_block() { /* … */ });
///     }
///     reading.read(|_seconds| {})
/// })?;
/// # Ok::<(), hemiola::Error>(())
/// ```
pub struct SharedReading {
    stream: AudioStream,
    outlets: Vec<Outlet>,
}

/// What was read in the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Of what could be decoded.
    pub duration_s: f64,
    pub sample_rate: u32,
    pub channels: usize,
    /// What was wrong with the recording though it could be read.
    pub warnings: Vec<String>,
}

/// All listeners at one rate.
struct Outlet {
    sample_rate: u32,
    resampler: Resampler,
    block: Vec<f32>,
    listeners: Vec<SyncSender<Message>>,
}

impl SharedReading {
    /// # Errors
    /// As [`AudioStream::open`].
    pub fn open(source: &Source) -> Result<Self> {
        Ok(Self {
            stream: source.open_at_source_rate()?,
            outlets: Vec::new(),
        })
    }

    /// Of the recording, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.stream.sample_rate()
    }

    /// See [`AudioStream::duration_s`].
    pub fn duration_s(&self) -> Option<f64> {
        self.stream.duration_s()
    }

    /// A stream of what [`Self::read`] will read, at `sample_rate` Hz.
    ///
    /// # Errors
    /// When the recording cannot be resampled to that rate.
    pub fn listen(&mut self, sample_rate: u32) -> Result<AudioStream> {
        let known = self
            .outlets
            .iter()
            .position(|o| o.sample_rate == sample_rate);
        let outlet = match known {
            Some(known) => known,
            None => {
                let resampler = Resampler::new(self.stream.sample_rate(), sample_rate)
                    .map_err(|e| Error::input(self.stream.name(), e.to_string()))?;
                self.outlets.push(Outlet {
                    sample_rate,
                    resampler,
                    block: Vec::new(),
                    listeners: Vec::new(),
                });
                self.outlets.len() - 1
            }
        };
        let outlet = &mut self.outlets[outlet];
        let (sender, receiver) = sync_channel(WAITING);
        outlet.listeners.push(sender);
        Ok(AudioStream::of(Share {
            facts: Facts {
                sample_rate,
                resampling_latency_s: outlet.resampler.latency_s(),
                ..self.stream.facts().clone()
            },
            receiver: Some(receiver),
            block: Arc::default(),
        }))
    }

    /// Decodes to the end; `progress` is told the seconds read.
    ///
    /// # Errors
    /// As [`AudioStream::next_block`]; listeners then get an error, too.
    pub fn read(mut self, mut progress: impl FnMut(f64)) -> Result<Reading> {
        let rate = f64::from(self.stream.sample_rate());
        let mut n_samples = 0;
        let fault = loop {
            let block = match self.stream.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            n_samples += block.len();
            let pushed: Result<()> = self.outlets.iter_mut().try_for_each(|o| o.push(block));
            if let Err(error) = pushed {
                break Some(error);
            }
            progress(n_samples as f64 / rate);
        };
        match fault {
            Some(error) => {
                for outlet in &mut self.outlets {
                    outlet.send(Err(error.to_string()));
                }
                Err(error)
            }
            None => {
                self.outlets.iter_mut().try_for_each(Outlet::finish)?;
                Ok(Reading {
                    duration_s: n_samples as f64 / rate,
                    sample_rate: self.stream.source_sample_rate(),
                    channels: self.stream.source_channels(),
                    warnings: self.stream.warnings().to_vec(),
                })
            }
        }
    }
}

impl Outlet {
    fn push(&mut self, samples: &[f32]) -> Result<()> {
        if self.listeners.is_empty() {
            return Ok(());
        }
        self.resampler.push(samples, &mut self.block)?;
        if self.block.len() as f64 >= BLOCK_S * f64::from(self.sample_rate) {
            self.send_block();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.resampler.finish(&mut self.block)?;
        self.send_block();
        Ok(())
    }

    fn send_block(&mut self) {
        if !self.block.is_empty() {
            let block = std::mem::take(&mut self.block);
            self.send(Ok(Arc::new(block)));
        }
    }

    /// Whoever has gone away is forgotten.
    fn send(&mut self, message: Message) {
        self.listeners
            .retain(|listener| listener.send(message.clone()).is_ok());
    }
}

/// A listener's part in a [`SharedReading`].
pub(super) struct Share {
    facts: Facts,
    /// None after an error.
    receiver: Option<Receiver<Message>>,
    block: Arc<Vec<f32>>,
}

impl Blocks for Share {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Left to the reading.
    fn warnings(&self) -> &[String] {
        &[]
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>> {
        let message = self.receiver.as_ref().and_then(|from| from.recv().ok());
        match message {
            None => Ok(None),
            Some(Ok(block)) => {
                self.block = block;
                Ok(Some(&self.block))
            }
            Some(Err(fault)) => {
                self.receiver = None;
                Err(Error::input(&self.facts.name, fault))
            }
        }
    }
}
