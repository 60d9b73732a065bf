//! One file per architecture.

pub mod contrastive;
pub mod harmonic_cnn;
pub mod music_cnn;
mod spectrogram;
pub mod transcription_rnn;
