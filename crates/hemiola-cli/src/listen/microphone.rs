//! A microphone, through the system's sound interface.

use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result, anyhow, bail};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig};
use hemiola::audio::Resampler;

use super::queue::SampleQueue;

/// What the system's threads tell.
enum Event {
    /// Samples of one channel, the mean of all.
    Samples(Vec<f32>),
    /// Nothing stops, but something happened.
    Note(String),
    /// Nothing comes any more.
    Lost(String),
}

/// The sound of a microphone at the model's rate.
pub struct Received {
    name: String,
    events: Receiver<Event>,
    resampler: Resampler,
    block: Vec<f32>,
    n_samples: u64,
    source_rate: u32,
    /// Records for as long as it is there.
    _stream: cpal::Stream,
}

impl Received {
    /// The microphone of that name, or of which the name is a part that no other has; without one, the system's default.
    ///
    /// # Errors
    /// There is none, none of that name, or it cannot be opened; the message lists those that there are.
    pub fn open(name: Option<&str>, sample_rate: u32) -> Result<Self> {
        let device = choose(&cpal::default_host(), name)?;
        let name = device.to_string();
        let failed = || format!("microphone {name}");
        let supported = device.default_input_config().with_context(failed)?;
        let source_rate = supported.sample_rate();
        let resampler = Resampler::new(source_rate, sample_rate).with_context(failed)?;
        let (to, events) = channel();
        let format = supported.sample_format();
        let config: StreamConfig = supported.into();
        let stream = match format {
            SampleFormat::I8 => record::<i8>(&device, config, to),
            SampleFormat::I16 => record::<i16>(&device, config, to),
            SampleFormat::I32 => record::<i32>(&device, config, to),
            SampleFormat::U8 => record::<u8>(&device, config, to),
            SampleFormat::U16 => record::<u16>(&device, config, to),
            SampleFormat::F32 => record::<f32>(&device, config, to),
            SampleFormat::F64 => record::<f64>(&device, config, to),
            format => bail!(
                "microphone {name}: it records as {format}, which cannot be read; choose another one, or pipe a recorder in"
            ),
        }
        .with_context(failed)?;
        stream.play().with_context(failed)?;
        Ok(Self {
            name,
            events,
            resampler,
            block: Vec::new(),
            n_samples: 0,
            source_rate,
            _stream: stream,
        })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next samples, never none.
    ///
    /// # Errors
    /// The device is lost; what came before has been handed out by then.
    pub fn next_block(&mut self, queue: &SampleQueue) -> Result<Option<&[f32]>> {
        self.block.clear();
        while self.block.is_empty() {
            match self.events.recv() {
                Ok(Event::Samples(samples)) => {
                    self.n_samples += samples.len() as u64;
                    self.resampler.push(&samples, &mut self.block)?;
                }
                Ok(Event::Note(note)) => queue.note(format!("microphone {}: {note}", self.name)),
                Ok(Event::Lost(why)) => return Err(self.lost(&why)),
                Err(_) => return Err(self.lost("the system stopped it")),
            }
        }
        Ok(Some(&self.block))
    }

    /// See [`Resampler::latency_s`].
    pub fn resampling_latency_s(&self) -> f64 {
        self.resampler.latency_s()
    }

    fn lost(&self, why: &str) -> anyhow::Error {
        anyhow!(
            "microphone {}: lost after {:.1} s ({why}); what was heard until then is above",
            self.name,
            self.n_samples as f64 / f64::from(self.source_rate)
        )
    }
}

/// Of all that the system has; none where it cannot list them.
pub fn names() -> Vec<String> {
    let devices = cpal::default_host().input_devices();
    devices.map_or_else(
        |_| Vec::new(),
        |found| found.map(|device| device.to_string()).collect(),
    )
}

fn choose(host: &cpal::Host, name: Option<&str>) -> Result<cpal::Device> {
    let Some(name) = name else {
        return host.default_input_device().context(
            "there is no microphone, or this program may not use it; see the system's sound settings, and whether the user \
             may record (on Linux: the group audio)",
        );
    };
    let devices: Vec<cpal::Device> = host
        .input_devices()
        .context("the microphones cannot be listed")?
        .collect();
    let names: Vec<String> = devices.iter().map(ToString::to_string).collect();
    let exact = names.iter().position(|found| found == name);
    let lower = name.to_lowercase();
    let mut parts = (0..names.len()).filter(|&i| names[i].to_lowercase().contains(&lower));
    let found = exact.or_else(|| match (parts.next(), parts.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    });
    let chosen = found.and_then(|index| devices.into_iter().nth(index));
    chosen.with_context(|| {
        let there = match names.as_slice() {
            [] => "there is none".to_owned(),
            names => format!("there are: {}", names.join("; ")),
        };
        format!("no microphone, or more than one, is called {name}; {there}")
    })
}

/// Begins to record; the samples go to `to` as they come.
fn record<T>(
    device: &cpal::Device,
    config: StreamConfig,
    to: Sender<Event>,
) -> std::result::Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels).max(1);
    let faults = to.clone();
    device.build_input_stream(
        config,
        move |data: &[T], _: &cpal::InputCallbackInfo| {
            let mean = |frame: &[T]| {
                let sum: f32 = frame.iter().map(|&sample| f32::from_sample(sample)).sum();
                sum / channels as f32
            };
            let samples = data.chunks_exact(channels).map(mean).collect();
            // Nobody may listen any more.
            let _ = to.send(Event::Samples(samples));
        },
        move |error: cpal::Error| {
            let event = match error.kind() {
                ErrorKind::Xrun => Event::Note(
                    "its buffer overflowed; some sound was lost, and the system does not say how much"
                        .to_owned(),
                ),
                ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {
                    Event::Note(error.to_string())
                }
                _ => Event::Lost(error.to_string()),
            };
            let _ = faults.send(event);
        },
        None,
    )
}
