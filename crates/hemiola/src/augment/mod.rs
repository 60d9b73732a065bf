//! Seeded variations of audio for training.

pub mod clip;
pub mod filter;
pub mod mask;
pub mod mix;
pub mod noise;
pub mod reverb;
pub mod stretch;
pub mod waveform;

pub use clip::ClipAugment;
pub use mask::SpectrogramMask;
pub use stretch::Stretch;
pub use waveform::WaveformAugment;
