//! Spectra of audio, from whole files and from streams.
//!
//! Every extractor is a [`FrameExtractor`]: samples go in as they come, frames come out as soon as they are complete.
//! The analysis of a whole file is the same object fed once ([`extract`]), so both give identical numbers.
//! Frame i is centred on time i · hop_length / sample_rate.

mod constant_q;
mod filterbank;
mod frames;
mod framing;
mod front_end;
mod log_frequency;
mod mel;
mod scale;
mod stft;

pub use constant_q::{ConstantQ, ConstantQConfig};
pub use filterbank::Filterbank;
pub use frames::{FrameExtractor, Frames, extract};
pub use framing::{FramingState, PadMode};
pub use front_end::FrontEnd;
pub use log_frequency::{AnalysisWindow, LogFrequency, LogFrequencyConfig};
pub use mel::{Mel, MelConfig, MelNorm, MelScale, mfcc};
pub use realfft::num_complex::Complex;
pub use scale::{Compression, amplitude_to_db, ln, power_to_db};
pub use stft::{Stft, StftConfig, hann};
