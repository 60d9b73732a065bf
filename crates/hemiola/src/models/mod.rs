//! One file per architecture.

pub mod music_bert;
pub mod music_transformer;
pub mod realtime_rnn;
pub mod transcription_rnn;
