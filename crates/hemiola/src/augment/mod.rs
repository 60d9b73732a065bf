//! Seeded variations of audio for training.

pub mod filter;
pub mod noise;
pub mod reverb;
pub mod waveform;

pub use waveform::WaveformAugment;
