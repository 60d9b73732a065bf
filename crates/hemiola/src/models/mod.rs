//! One file per architecture.

pub mod transcription_rnn;
