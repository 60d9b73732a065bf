//! One file per architecture.

pub mod chord_gnn;
pub mod chord_hmm;
pub mod contrastive;
pub mod harmonic_cnn;
pub mod music_bert;
pub mod music_bert_classifier;
pub mod music_cnn;
pub mod music_transformer;
pub mod music_vae;
pub mod realtime_rnn;
mod spectrogram;
pub mod transcription_rnn;
