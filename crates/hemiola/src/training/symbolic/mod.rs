//! Training of the models that read notation: events, piano rolls, chord progressions.

pub mod event_classifier;
mod events;
mod labels;
pub mod music_bert;
pub mod music_transformer;
pub mod music_vae;
pub mod progressions;
mod source;

pub use events::EventData;
pub use source::MidiSource;

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Whole numbers as a tensor.
fn integers<const D: usize>(values: &[i64], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Numbers as a tensor.
fn floats<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}
