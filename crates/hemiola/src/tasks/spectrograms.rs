//! Spectrograms of several clips at once, as models of clips read them.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::features::{FrameExtractor, extract};

/// Spectrograms of one shape, row-major [batch, bins, time].
#[derive(Debug, Clone)]
pub(crate) struct Spectrograms {
    values: Vec<f32>,
    shape: [usize; 3],
}

impl Spectrograms {
    /// Of samples of one length.
    pub fn of(
        windows: impl IntoIterator<Item: AsRef<[f32]>>,
        extractor: &mut impl FrameExtractor,
    ) -> Self {
        let mut values = Vec::new();
        let mut shape = [0, extractor.n_bins(), 0];
        for samples in windows {
            let frames = extract(extractor, samples.as_ref());
            let rows = frames.as_slice();
            for bin in 0..frames.n_bins() {
                values.extend(rows.iter().skip(bin).step_by(frames.n_bins()));
            }
            shape = [shape[0] + 1, frames.n_bins(), frames.n_frames()];
        }
        Self { values, shape }
    }

    /// Like [`Self::of`], computed on all cores.
    pub fn of_each<E: FrameExtractor + Clone + Sync>(windows: &[Vec<f32>], extractor: &E) -> Self {
        let parts: Vec<Self> = windows
            .par_iter()
            .map(|samples| Self::of([samples], &mut extractor.clone()))
            .collect();
        Self::joined(&parts)
    }

    /// All clips of several, which have one number of bins and of frames.
    pub fn joined(parts: &[Self]) -> Self {
        let [_, bins, frames] = parts.first().map_or([0; 3], |part| part.shape);
        let clips = parts.iter().map(|part| part.shape[0]).sum();
        let mut values = Vec::with_capacity(clips * bins * frames);
        parts.iter().for_each(|part| values.extend(&part.values));
        Self {
            values,
            shape: [clips, bins, frames],
        }
    }

    /// The clips of these numbers, in their order.
    ///
    /// # Panics
    /// If there is no clip of one.
    pub fn select(&self, clips: &[usize]) -> Self {
        let [_, bins, frames] = self.shape;
        let size = bins * frames;
        let values = clips.iter().map(|i| &self.values[i * size..(i + 1) * size]);
        Self {
            values: values.flatten().copied().collect(),
            shape: [clips.len(), bins, frames],
        }
    }

    pub fn len(&self) -> usize {
        self.shape[0]
    }

    pub fn to_tensor(&self, device: &Device) -> Tensor<3> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape), device)
    }

    /// Each spectrogram, row-major [bins, time].
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.shape[1] * self.shape[2])
    }

    /// [batch, bins, time]
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    pub fn n_bins(&self) -> usize {
        self.shape[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FrontEnd;

    #[test]
    fn spectrograms_have_time_last() {
        let config = crate::features::MelConfig {
            n_mels: 6,
            n_fft: 64,
            hop_length: 32,
            ..crate::features::MelConfig::default()
        };
        let mut mel = config.extractor().unwrap();
        let samples: Vec<f32> = (0..200).map(|i| (i as f32 * 0.3).sin()).collect();
        let frames = extract(&mut mel, &samples);
        let spectrograms = Spectrograms::of([vec![0.0; 200], samples], &mut mel);
        let tensor = spectrograms.to_tensor(&Device::flex());
        assert_eq!(tensor.dims(), [2, 6, 7]);
        let second = tensor.narrow(0, 1, 1).swap_dims(1, 2).into_data();
        assert_eq!(second.try_to_vec::<f32>().unwrap(), frames.as_slice());
    }
}
