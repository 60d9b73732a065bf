//! One file per architecture.

pub mod chord_gnn;
pub mod music_bert;
pub mod music_transformer;
pub mod music_vae;
pub mod realtime_rnn;
pub mod transcription_rnn;
