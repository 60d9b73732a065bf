//! What a classifier hears: its spectrogram of an excerpt, what its layers make of that, and its filters, as plain numbers.

mod sheet;

use burn::tensor::{Device, Tensor, TensorData};

use super::classify::ClassifierConfig;
use crate::checkpoint::{Architecture, CheckpointFiles};
use crate::error::{Error, Result};
use crate::features::{Compression, ConstantQConfig, FrontEnd, MelConfig, extract};
use crate::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use crate::models::music_cnn::{MusicCnn, Output};
use crate::plot::Matrix;

/// How the cells of an axis lie on the spectrogram's: cell i spans cells `first` + i · `step` to `first` + (i + 1) · `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    pub first: usize,
    pub step: usize,
}

impl Placement {
    const SAME: Self = Self { first: 0, step: 1 };

    /// The outer edges of `cells` cells, in cells of the spectrogram.
    fn edges(self, cells: usize) -> (f64, f64) {
        (self.first as f64, (self.first + cells * self.step) as f64)
    }
}

/// What a layer makes of an excerpt.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMap {
    /// `spectrogram`, or the layer's name in checkpoints.
    pub name: &'static str,
    /// What the layer does, in words.
    pub about: String,
    /// Channels, rows of frequency, frames of time.
    pub shape: [usize; 3],
    /// [channels, frequency, time], the lowest frequency first.
    pub values: Vec<f32>,
    pub frequency: Placement,
    pub time: Placement,
}

impl FeatureMap {
    /// [frequency, time] of a channel.
    ///
    /// # Errors
    /// There is no such channel, or one of its numbers is not finite.
    pub fn channel(&self, channel: usize) -> Result<Matrix<'_>> {
        let [channels, rows, columns] = self.shape;
        let size = rows * columns;
        let values = self.values.get(channel * size..(channel + 1) * size);
        let values = values.ok_or_else(|| {
            Error::config(format!(
                "{} has no channel {channel}; its channels are 0 to {}",
                self.name,
                channels.saturating_sub(1)
            ))
        })?;
        Matrix::new(rows, columns, values).map_err(|error| {
            let name = self.name;
            Error::config(format!("channel {channel} of {name}: {error}"))
        })
    }

    /// The channels that vary most over the excerpt, the one of the largest variance first; of equal ones the lower number.
    pub fn strongest(&self, count: usize) -> Vec<usize> {
        let [_, rows, columns] = self.shape;
        let channels = self.values.chunks_exact((rows * columns).max(1));
        let mut variances: Vec<(usize, f64)> = channels.map(variance).enumerate().collect();
        variances.sort_by(|a, b| b.1.total_cmp(&a.1));
        let numbers = variances.into_iter().map(|(channel, _)| channel);
        numbers.take(count).collect()
    }
}

fn variance(values: &[f32]) -> f64 {
    let count = values.len() as f64;
    let values = values.iter().map(|&value| f64::from(value));
    let mean = values.clone().sum::<f64>() / count;
    values.map(|value| (value - mean).powi(2)).sum::<f64>() / count
}

/// Learned filters along frequency: tap k of a filter reads row f + k − `centre` for row f.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// Output channels, input channels, taps.
    pub shape: [usize; 3],
    pub values: Vec<f32>,
    pub centre: usize,
}

impl Filters {
    /// The taps from an input channel to an output channel.
    ///
    /// # Panics
    /// There is no such channel.
    pub fn taps(&self, output: usize, input: usize) -> &[f32] {
        let [_, inputs, taps] = self.shape;
        &self.values[(output * inputs + input) * taps..][..taps]
    }

    /// The input channel whose taps to an output channel have the largest norm.
    ///
    /// # Panics
    /// There is no such channel.
    pub fn loudest_input(&self, output: usize) -> usize {
        let norm = |input: &usize| -> f32 {
            let taps = self.taps(output, *input).iter();
            taps.map(|tap| tap * tap).sum()
        };
        let inputs = (0..self.shape[1]).rev();
        inputs
            .max_by(|a, b| norm(a).total_cmp(&norm(b)))
            .unwrap_or(0)
    }
}

/// What a classifier makes of an excerpt.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Of one channel.
    pub spectrogram: FeatureMap,
    /// In the order of the network.
    pub layers: Vec<FeatureMap>,
    /// How much each frame of the last layer counts; of models with such a read-out.
    pub attention: Option<Vec<f32>>,
    /// Of MusicCNN the tall filters, of HarmonicCNN one filter to the harmonic.
    pub filters: Filters,
    /// Centres of the spectrogram's bins, Hz.
    pub bins_hz: Vec<f64>,
    /// What the numbers of the spectrogram are.
    pub unit: &'static str,
    /// Between frames of the spectrogram, s. Frame i is centred on i · `frame_s`.
    pub frame_s: f64,
    /// Of a model whose filters are shifts: steps of the spectrogram to the octave.
    pub bins_per_octave: Option<usize>,
}

/// A classifier that shows what it hears.
#[derive(Debug)]
pub struct FeatureExtractor(Network);

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for a whole run; a box would be in every match"
)]
enum Network {
    MusicCnn(MusicCnn, MelConfig),
    HarmonicCnn(HarmonicCnn, HarmonicCnnConfig, ConstantQConfig),
}

impl FeatureExtractor {
    /// Of a checkpoint of MusicCNN or HarmonicCNN.
    ///
    /// # Errors
    /// It is of another architecture, damaged, or its spectrogram has other bins than its model reads.
    pub fn new(files: &CheckpointFiles, device: &Device) -> Result<Self> {
        let name = files.config.architecture.as_str();
        let network = match name {
            MusicCnn::NAME => {
                let (model, _, task): (_, _, ClassifierConfig<MelConfig>) =
                    files.assemble(device)?;
                Network::MusicCnn(model, task.features)
            }
            HarmonicCnn::NAME => {
                let (model, sizes, task) = files.assemble(device)?;
                let task: ClassifierConfig<ConstantQConfig> = task;
                Network::HarmonicCnn(model, sizes, task.features)
            }
            _ => {
                return Err(Error::checkpoint(
                    &files.origin,
                    format!(
                        "expected the architecture {} or {}, whose layers can be shown, found {name}",
                        MusicCnn::NAME,
                        HarmonicCnn::NAME
                    ),
                ));
            }
        };
        let (read, made) = match &network {
            Network::MusicCnn(model, mel) => (model.n_mels(), mel.n_mels),
            Network::HarmonicCnn(model, _, cqt) => (model.n_bins(), cqt.n_bins),
        };
        if read != made {
            return Err(Error::checkpoint(
                &files.origin,
                format!("the model reads {read} bands, but its front end makes {made}"),
            ));
        }
        Ok(Self(network))
    }

    /// Of the samples it takes, Hz.
    pub fn sample_rate(&self) -> u32 {
        match &self.0 {
            Network::MusicCnn(_, mel) => mel.sample_rate,
            Network::HarmonicCnn(_, _, cqt) => cqt.sample_rate,
        }
    }

    /// What the model makes of mono samples.
    ///
    /// # Errors
    /// The samples give fewer frames than the model can read.
    pub fn extract(&self, samples: &[f32]) -> Result<Features> {
        match &self.0 {
            Network::MusicCnn(model, mel) => music_cnn(model, mel, samples),
            Network::HarmonicCnn(model, sizes, cqt) => harmonic_cnn(model, sizes, cqt, samples),
        }
    }
}

fn music_cnn(model: &MusicCnn, mel: &MelConfig, samples: &[f32]) -> Result<Features> {
    let input = spectrogram(mel, samples, |shape| model.validate_input(shape))?;
    let features = model.extract_features(input);
    let halved = Placement { first: 0, step: 2 };
    let quartered = Placement { first: 0, step: 4 };
    let (once, twice) = match model.output() {
        Output::Clip => (halved, quartered),
        Output::Frame => (Placement::SAME, Placement::SAME),
    };
    let filters = model.harmonic_filters();
    let [outputs, inputs, taps, _] = filters.dims();
    let map = |name, about: &str, tensor, frequency, time| {
        feature_map(name, about.into(), tensor, frequency, time)
    };
    Ok(Features {
        spectrogram: map(
            "spectrogram",
            "log-mel",
            features.spectrogram,
            Placement::SAME,
            Placement::SAME,
        )?,
        layers: vec![
            map("conv1", "3 × 3 filters", features.conv1, halved, once)?,
            map(
                "harmonic",
                "tall filters over frequency, 12 × 1",
                features.harmonic,
                halved,
                once,
            )?,
            map(
                "temporal",
                "wide filters over time, 1 × 7",
                features.temporal,
                halved,
                once,
            )?,
            map(
                "conv3",
                "3 × 3 filters over both",
                features.conv3,
                quartered,
                twice,
            )?,
        ],
        attention: features.attention.map(values).transpose()?,
        filters: Filters {
            shape: [outputs, inputs, taps],
            values: values(filters)?,
            centre: (taps - 1) / 2,
        },
        bins_hz: (0..mel.n_mels).map(|band| mel.center_hz(band)).collect(),
        unit: match (mel.log, mel.power == 2.0) {
            (Compression::Ln { .. }, true) => "ln power",
            (Compression::Ln { .. }, false) => "ln magnitude",
            (Compression::None, true) => "power",
            (Compression::None, false) => "magnitude",
            _ => "dB",
        },
        frame_s: mel.hop_length as f64 / f64::from(mel.sample_rate),
        bins_per_octave: None,
    })
}

fn harmonic_cnn(
    model: &HarmonicCnn,
    sizes: &HarmonicCnnConfig,
    cqt: &ConstantQConfig,
    samples: &[f32],
) -> Result<Features> {
    let input = spectrogram(cqt, samples, |shape| model.validate_input(shape))?;
    let features = model.extract_features(input);
    let filters = model.harmonic_filters();
    let [outputs, inputs, taps, _] = filters.dims();
    let map = |name, about: &str, tensor, placement| {
        feature_map(name, about.into(), tensor, placement, placement)
    };
    Ok(Features {
        spectrogram: map(
            "spectrogram",
            "constant-Q",
            features.spectrogram,
            Placement::SAME,
        )?,
        layers: vec![
            map(
                "harmonic_filters",
                "the spectrogram as each harmonic's filter reads it",
                features.harmonics,
                Placement::SAME,
            )?,
            // A 3 × 3 convolution without padding, then the largest of 2 × 2.
            map(
                "combine",
                "3 × 3 filters, all harmonics combined",
                features.combined,
                Placement { first: 1, step: 2 },
            )?,
        ],
        attention: None,
        filters: Filters {
            shape: [outputs, inputs, taps],
            values: values(filters)?,
            centre: model.centre_tap(),
        },
        bins_hz: (0..cqt.n_bins).map(|bin| cqt.center_hz(bin)).collect(),
        unit: match cqt.log {
            Compression::Ln { .. } => "ln magnitude",
            Compression::None => "magnitude",
            _ => "dB",
        },
        frame_s: cqt.hop_length as f64 / f64::from(cqt.sample_rate),
        bins_per_octave: Some(sizes.bins_per_octave),
    })
}

/// [1, bins, time] of mono samples, where `validate` accepts it.
fn spectrogram<F: FrontEnd>(
    front_end: &F,
    samples: &[f32],
    validate: impl FnOnce([usize; 3]) -> Result<()>,
) -> Result<Tensor<3>> {
    let frames = extract(&mut front_end.extractor()?, samples);
    let (time, bins) = (frames.n_frames(), frames.n_bins());
    validate([1, bins, time])?;
    let data = TensorData::new(frames.into_vec(), [1, time, bins]);
    Ok(Tensor::<3>::from_data(data, &Device::flex()).swap_dims(1, 2))
}

fn feature_map(
    name: &'static str,
    about: String,
    tensor: Tensor<4>,
    frequency: Placement,
    time: Placement,
) -> Result<FeatureMap> {
    let [_, channels, rows, columns] = tensor.dims();
    Ok(FeatureMap {
        name,
        about,
        shape: [channels, rows, columns],
        values: values(tensor)?,
        frequency,
        time,
    })
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data().try_into_vec();
    data.map_err(|fault| Error::config(format!("the model's numbers: {fault:?}")))
}
