//! HarmonicCNN: classes from a constant-Q spectrogram that is read at several harmonics at once.
//!
//! On a logarithmic frequency axis a harmonic is a shift. One filter along frequency for every harmonic begins as that
//! shift and is learned from there; what each of them reads goes through its own convolution before all are combined.
//! The layers are those of the tutorial "Deep Learning Paradigms in Music Information Retrieval"; the idea of stacking
//! harmonics is that of Bittner et al., "Deep Salience Representations for F0 Estimation in Polyphonic Music" (ISMIR
//! 2017).
//!
//! Its loss is [`cross_entropy`](crate::nn::loss::cross_entropy).

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::spectrogram::{average, validate_spectrogram};
use crate::error::{Error, Result};
use crate::nn::convolution::kernel::Padding;
use crate::nn::convolution::{BatchNorm, Conv2d, ConvBlock, conv_block};

/// Sizes of a [`HarmonicCnn`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HarmonicCnnConfig {
    /// Harmonics that are read, the fundamental included.
    pub n_harmonics: usize,
    pub n_classes: usize,
    /// Bins of the input, and taps of a harmonic's filter; at least 4.
    pub n_bins: usize,
    /// Bins of the input per octave, by which fresh filters are shifted.
    pub bins_per_octave: usize,
    /// Channels of each harmonic's convolution.
    pub channels: usize,
    /// Channels of the layer that combines the harmonics.
    pub combined: usize,
}

impl Default for HarmonicCnnConfig {
    fn default() -> Self {
        Self {
            n_harmonics: 6,
            n_classes: 10,
            n_bins: 128,
            bins_per_octave: 16,
            channels: 32,
            combined: 128,
        }
    }
}

impl HarmonicCnnConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("HarmonicCNN: {message}")));
        for (name, value) in [
            ("n_harmonics", self.n_harmonics),
            ("n_classes", self.n_classes),
            ("bins_per_octave", self.bins_per_octave),
            ("channels", self.channels),
            ("combined", self.combined),
        ] {
            if value == 0 {
                return fail(format!("{name} is 0; it must be at least 1"));
            }
        }
        if self.n_bins < LEAST_SIZE {
            return fail(format!(
                "n_bins is {}; it must be at least {LEAST_SIZE}",
                self.n_bins
            ));
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<HarmonicCnn> {
        self.validate()?;
        let block = |[from, to]: [usize; 2], kernel| {
            (
                Conv2d::new([from, to], kernel, [1, 1], device).with_padding(Padding::Valid),
                BatchNorm::new(to, device),
            )
        };
        let all = self.n_harmonics * self.channels;
        let shape = [self.n_harmonics, 1, self.n_bins, 1];
        let filters = TensorData::new(self.shifts(), shape);
        Ok(HarmonicCnn {
            harmonic_filters: Param::from_data(filters, device),
            harmonic_conv: (0..self.n_harmonics)
                .map(|_| block([1, self.channels], [3, 3]))
                .collect(),
            combine: block([all, self.combined], [1, 1]),
            classifier: LinearConfig::new(self.combined, self.n_classes).init(device),
        })
    }

    /// Filters that shift by harmonics, [n_harmonics, n_bins]: a harmonic lies bins_per_octave · log2(h) bins above the
    /// fundamental; between two bins both have their share. What lies beyond the last tap is left out.
    fn shifts(&self) -> Vec<f32> {
        let mut filters = vec![0.0; self.n_harmonics * self.n_bins];
        for (i, filter) in filters.chunks_exact_mut(self.n_bins).enumerate() {
            let shift = self.bins_per_octave as f64 * ((i + 1) as f64).log2();
            let tap = centre(self.n_bins) as f64 + shift;
            let share = tap.fract();
            for (tap, share) in [(tap as usize, 1.0 - share), (tap as usize + 1, share)] {
                if let Some(value) = filter.get_mut(tap) {
                    *value = share as f32;
                }
            }
        }
        filters
    }
}

/// The least bins and frames that a 3×3 convolution without padding and a pooling of 2×2 leave something of.
const LEAST_SIZE: usize = 4;

/// The tap of a filter that reads the bin it answers for.
fn centre(taps: usize) -> usize {
    (taps - 1) / 2
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct HarmonicCnn {
    /// [n_harmonics, 1, n_bins, 1]
    harmonic_filters: Param<Tensor<4>>,
    harmonic_conv: Vec<ConvBlock>,
    combine: ConvBlock,
    classifier: Linear,
}

/// What the layers found, for display; [batch, channels, frequency, time].
#[derive(Debug, Clone)]
pub struct HarmonicCnnFeatures {
    /// The input, of one channel.
    pub spectrogram: Tensor<4>,
    /// The input as each harmonic's filter reads it, one channel for each.
    pub harmonics: Tensor<4>,
    /// All harmonics combined. Row r and frame t are made of the four bins from 2·r and the four frames from 2·t on.
    pub combined: Tensor<4>,
}

impl HarmonicCnn {
    /// Logits [batch, n_classes] of log-magnitude constant-Q spectrograms [batch, n_bins, time].
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn forward(&self, log_cqt: Tensor<3>) -> Tensor<2> {
        let harmonics = self.harmonics(log_cqt);
        self.classifier.forward(average(self.combined(harmonics)))
    }

    /// What each layer makes of log-magnitude constant-Q spectrograms [batch, n_bins, time].
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn extract_features(&self, log_cqt: Tensor<3>) -> HarmonicCnnFeatures {
        let harmonics = self.harmonics(log_cqt.clone());
        HarmonicCnnFeatures {
            spectrogram: log_cqt.unsqueeze_dim(1),
            harmonics: Tensor::stack(harmonics.clone(), 1),
            combined: self.combined(harmonics).permute([0, 3, 1, 2]),
        }
    }

    /// Refuses spectrograms that the model cannot read; the shape is [batch, n_bins, time].
    ///
    /// # Errors
    /// When there is no spectrogram, when its bins are others than the model's, or when there are fewer than 4 frames.
    pub fn validate_input(&self, shape: [usize; 3]) -> Result<()> {
        validate_spectrogram("HarmonicCNN", shape, self.n_bins(), LEAST_SIZE)
    }

    pub fn n_bins(&self) -> usize {
        self.harmonic_filters.shape()[2]
    }

    pub fn n_classes(&self) -> usize {
        self.classifier.weight.shape()[1]
    }

    /// The filters along frequency, [n_harmonics, 1, n_bins, 1].
    pub fn harmonic_filters(&self) -> Tensor<4> {
        self.harmonic_filters.val()
    }

    /// The tap of a harmonic's filter that reads the bin it answers for.
    pub fn centre_tap(&self) -> usize {
        centre(self.n_bins())
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        path.replace("classifier.", "classifier.2.")
    }

    /// What each harmonic's filter makes of spectrograms [batch, n_bins, time]: one of the same shape for each.
    fn harmonics(&self, log_cqt: Tensor<3>) -> Vec<Tensor<3>> {
        self.validate_input(log_cqt.dims())
            .unwrap_or_else(|error| panic!("{error}"));
        let filters = self.harmonic_filters.val().squeeze_dims::<2>(&[1, 3]);
        filter_bank(log_cqt, filters)
    }

    /// [batch, frequency, time, combined]; both axes are halved after the convolutions took 2 off them.
    fn combined(&self, harmonics: Vec<Tensor<3>>) -> Tensor<4> {
        let stacks = self
            .harmonic_conv
            .iter()
            .zip(harmonics)
            .map(|(block, x)| conv_block(block, x.unsqueeze_dim(3), [2, 2]))
            .collect();
        conv_block(&self.combine, Tensor::cat(stacks, 3), [1, 1])
    }
}

/// What each of `filters` [filters, taps] makes of `spectrogram` [batch, bins, time] along frequency, zeros beyond its
/// ends: one [batch, bins, time] for each filter.
///
/// As many taps as bins make a direct convolution a matrix product in disguise; here it is one, with a band matrix that
/// holds every filter at every shift.
fn filter_bank(spectrogram: Tensor<3>, filters: Tensor<2>) -> Vec<Tensor<3>> {
    let [batch, bins, time] = spectrogram.dims();
    let [count, taps] = filters.dims();
    let device = spectrogram.device();
    // Output bin f reads input bin j through tap j − f + centre; tap 0 of the extended filters stands for no tap.
    let none = Tensor::zeros([count, 1], &device);
    let extended = Tensor::cat(vec![none, filters], 1);
    let tap = |f: usize, j: usize| match (j + centre(taps)).checked_sub(f) {
        Some(tap) if tap < taps => tap as i64 + 1,
        _ => 0,
    };
    let index: Vec<i64> = (0..bins)
        .flat_map(|f| (0..bins).map(move |j| (f, j)))
        .map(|(f, j)| tap(f, j))
        .collect();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [bins * bins]), &device);
    let band = extended.select(1, index).reshape([count * bins, bins]);
    let columns = spectrogram.swap_dims(0, 1).reshape([bins, batch * time]);
    let filtered = band.matmul(columns).reshape([count, bins, batch, time]);
    (0..count)
        .map(|i| {
            let one = filtered.clone().narrow(0, i, 1); // [1, bins, batch, time]
            one.squeeze_dim::<3>(0).swap_dims(0, 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use burn::tensor::ops::ConvOptions;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    fn assert_close<const D: usize>(what: &str, found: Tensor<D>, expected: Tensor<D>) {
        assert_eq!(found.dims(), expected.dims(), "{what}");
        for (found, expected) in values(found).into_iter().zip(values(expected)) {
            assert!(
                (found - expected).abs() < 1e-4,
                "{what}: {found} {expected}"
            );
        }
    }

    /// The filters as burn's convolution with that many output channels, padded as PyTorch pads.
    fn convolved(spectrogram: Tensor<3>, filters: Tensor<2>) -> Tensor<4> {
        let [_, taps] = filters.dims();
        let before = centre(taps);
        let options =
            ConvOptions::new_with_padding([1, 1], [(before, taps - 1 - before), (0, 0)], [1, 1], 1);
        let weight = filters.unsqueeze_dims(&[1, 3]);
        burn::tensor::module::conv2d(spectrogram.unsqueeze_dim(1), weight, None, options)
    }

    #[test]
    fn a_filter_bank_is_a_convolution_along_frequency_with_its_gradients() {
        let device = Device::flex().autodiff();
        let noise = Distribution::Uniform(-1.0, 1.0);
        for (bins, taps) in [(16, 16), (9, 9), (12, 5), (5, 12)] {
            let spectrogram = Tensor::<3>::random([2, bins, 7], noise, &device).require_grad();
            let filters = Tensor::<2>::random([3, taps], noise, &device).require_grad();
            let slope = Tensor::<4>::random([2, 3, bins, 7], noise, &device);
            let run = |own: bool| {
                let output = match own {
                    true => Tensor::stack(filter_bank(spectrogram.clone(), filters.clone()), 1),
                    false => convolved(spectrogram.clone(), filters.clone()),
                };
                let gradients = (output.clone() * slope.clone()).sum().backward();
                (
                    output.inner(),
                    spectrogram.grad(&gradients).unwrap(),
                    filters.grad(&gradients).unwrap(),
                )
            };
            let (found, expected) = (run(true), run(false));
            assert_close("output", found.0, expected.0);
            assert_close("spectrogram's gradient", found.1, expected.1);
            assert_close("filters' gradient", found.2, expected.2);
        }
    }

    #[test]
    fn fresh_filters_lift_every_harmonic_to_its_fundamental() {
        let device = Device::flex();
        let model = HarmonicCnnConfig::default().init(&device).unwrap();
        let filters = model.harmonic_filters().squeeze_dims::<2>(&[1, 3]);
        // A tone with its fundamental in bin 20: harmonics 1, 2 and 4 lie on whole bins, octaves above.
        let mut tone = vec![0.0; 128];
        for octave in 0..3 {
            tone[20 + 16 * octave] = 1.0;
        }
        let spectrogram = Tensor::<3>::from_data(TensorData::new(tone, [1, 128, 1]), &device);
        for (i, shifted) in filter_bank(spectrogram, filters).into_iter().enumerate() {
            let at_fundamental = values(shifted)[20];
            let expected = if [1, 2, 4].contains(&(i + 1)) {
                1.0
            } else {
                0.0
            };
            assert_eq!(at_fundamental, expected, "harmonic {}", i + 1);
        }
        // The third harmonic: 16 · log2(3) = 25.359.
        let third = &HarmonicCnnConfig::default().shifts()[2 * 128..3 * 128];
        assert!((third[63 + 25] - 0.641).abs() < 1e-3 && (third[63 + 26] - 0.359).abs() < 1e-3);
        assert_eq!(third.iter().filter(|&&v| v != 0.0).count(), 2);
    }

    #[test]
    fn harmonics_beyond_the_filter_are_left_out() {
        let config = HarmonicCnnConfig {
            n_harmonics: 9,
            n_bins: 16,
            ..HarmonicCnnConfig::default()
        };
        let filters = config.shifts();
        let sums: Vec<f32> = filters
            .chunks(16)
            .map(|filter| filter.iter().sum())
            .collect();
        assert_eq!(sums, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(config.init(&Device::flex()).is_ok());
    }
}
