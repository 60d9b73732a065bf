//! Audio in and out: decode, resample, write, render.

mod codec;
mod damage;
mod decode;
mod excerpt;
mod mp4;
pub mod pcm;
pub mod render;
mod resample;
mod shared;
mod source;
mod stream;
mod wav_header;
mod write;

pub use resample::{Resampler, resample};
pub use shared::{Reading, SharedReading};
pub use source::{AUDIO_EXTENSIONS, Source};
pub use stream::{AudioStream, read_mono};
pub use write::{WavFile, WavFormat, write_wav};
