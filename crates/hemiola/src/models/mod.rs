//! One file per architecture.

pub mod realtime_rnn;
pub mod transcription_rnn;
