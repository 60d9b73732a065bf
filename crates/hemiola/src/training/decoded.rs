//! Recordings decoded once to 16-bit mono WAV on disk, of which any part can be read at once.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hound::WavReader;

use crate::audio::{AudioStream, WavFile, WavFormat};
use crate::error::{Error, Result};

const BYTES: usize = size_of::<i16>();

/// A recording on disk: 16-bit mono WAV.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    path: PathBuf,
    n_samples: usize,
    /// Where in the file its samples begin.
    data_start: u64,
}

impl Decoded {
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn open(path: PathBuf, sample_rate: u32) -> Result<Self> {
        let reader = WavReader::open(&path).map_err(|e| Error::input(&path, e.to_string()))?;
        let spec = reader.spec();
        if spec.sample_rate != sample_rate || spec.channels != 1 || spec.bits_per_sample != 16 {
            return Err(Error::input(
                &path,
                format!(
                    "expected 16-bit mono at {sample_rate} Hz, found {} bits, {} channels, {} Hz; \
                     render the cache with that sample_rate",
                    spec.bits_per_sample, spec.channels, spec.sample_rate
                ),
            ));
        }
        let n_samples = reader.duration() as usize;
        let mut file = reader.into_inner();
        let data_start = file.stream_position().map_err(|e| Error::io(&path, e))?;
        let end = file
            .seek(SeekFrom::End(0))
            .map_err(|e| Error::io(&path, e))?;
        if end < data_start + (n_samples * BYTES) as u64 {
            return Err(Error::input(
                &path,
                format!("ends before the {n_samples} samples that its header states; is it whole?"),
            ));
        }
        Ok(Self {
            path,
            n_samples,
            data_start,
        })
    }

    /// The recording `audio`: itself where it is 16-bit mono WAV at that rate, or else as it lies in the folder `cache`, into
    /// which it is decoded once. `name` is for those who look into the folder.
    ///
    /// # Errors
    /// When the recording cannot be decoded or the cache cannot be written.
    pub fn of(audio: &Path, name: &str, cache: &Path, sample_rate: u32) -> Result<Self> {
        if let Some(itself) = Self::itself(audio, sample_rate) {
            return Ok(itself);
        }
        let path = place(audio, name, cache, sample_rate)?;
        if !path.is_file() {
            let mut stream = AudioStream::open(audio, sample_rate)?;
            let mut file = WavFile::create(&path, 1, sample_rate, WavFormat::Int16)?;
            while let Some(block) = stream.next_block()? {
                file.write(block)?;
            }
            file.finish()?;
        }
        Self::open(path, sample_rate)
    }

    /// Whether [`Decoded::of`] has nothing to decode.
    pub fn is_there(audio: &Path, name: &str, cache: &Path, sample_rate: u32) -> bool {
        Self::itself(audio, sample_rate).is_some()
            || place(audio, name, cache, sample_rate).is_ok_and(|path| path.is_file())
    }

    /// A file that needs no decoding.
    fn itself(audio: &Path, sample_rate: u32) -> Option<Self> {
        let is_wav = audio.extension()?.eq_ignore_ascii_case("wav");
        is_wav.then(|| Self::open(audio.to_path_buf(), sample_rate).ok())?
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.n_samples
    }

    /// `length` samples from `first` on, with silence before the beginning and after the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, first: i64, length: usize) -> Result<Vec<f32>> {
        let mut samples = vec![0.0; (-first).clamp(0, length as i64) as usize];
        let start = usize::try_from(first).unwrap_or(0);
        let there = self.n_samples.saturating_sub(start);
        self.append(start, there.min(length - samples.len()), &mut samples)?;
        samples.resize(length, 0.0);
        Ok(samples)
    }

    /// `length` samples from `first` on. A recording that ends before is repeated: silence in its place would tell a
    /// model how long the recording is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_round(&self, first: usize, length: usize) -> Result<Vec<f32>> {
        let mut samples = Vec::with_capacity(length);
        if self.n_samples == 0 {
            samples.resize(length, 0.0);
        }
        let mut first = first % self.n_samples.max(1);
        while samples.len() < length {
            let there = self.n_samples - first;
            self.append(first, there.min(length - samples.len()), &mut samples)?;
            first = 0;
        }
        Ok(samples)
    }

    fn append(&self, first: usize, length: usize, samples: &mut Vec<f32>) -> Result<()> {
        if length == 0 {
            return Ok(());
        }
        let fault = |e| Error::io(&self.path, e);
        let mut file = File::open(&self.path).map_err(fault)?;
        let start = self.data_start + (first * BYTES) as u64;
        file.seek(SeekFrom::Start(start)).map_err(fault)?;
        let mut bytes = vec![0; length * BYTES];
        file.read_exact(&mut bytes).map_err(fault)?;
        let (pairs, _) = bytes.as_chunks::<BYTES>();
        let values = pairs.iter().map(|pair| i16::from_le_bytes(*pair));
        samples.extend(values.map(|value| f32::from(value) / 32768.0));
        Ok(())
    }
}

/// A path that no other recording has, nor the same one once its file has changed, nor at another rate.
fn place(audio: &Path, name: &str, cache: &Path, sample_rate: u32) -> Result<PathBuf> {
    let fail = |e| Error::io(audio, e);
    let file = std::fs::metadata(audio).map_err(fail)?;
    let mut hasher = DefaultHasher::new();
    audio.canonicalize().map_err(fail)?.hash(&mut hasher);
    (file.len(), file.modified().map_err(fail)?, sample_rate).hash(&mut hasher);
    Ok(cache.join(format!("{name}-{:016x}.wav", hasher.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::write_wav;

    #[test]
    fn any_part_of_a_recording_is_read_from_disk() {
        let at = tempfile::tempdir().unwrap();
        let audio = at.path().join("ramp.wav");
        let samples: Vec<f32> = (0..500).map(|i| i as f32 / 32768.0).collect();
        write_wav(&audio, &samples, 1, 8000, WavFormat::Float32).unwrap();
        let cache = at.path().join("cache");
        std::fs::create_dir(&cache).unwrap();
        assert!(!Decoded::is_there(&audio, "ramp", &cache, 8000));
        let decoded = Decoded::of(&audio, "ramp", &cache, 8000).unwrap();
        assert!(Decoded::is_there(&audio, "ramp", &cache, 8000));
        assert!(!Decoded::is_there(&audio, "ramp", &cache, 16_000));
        let whole = |samples: Vec<f32>| -> Vec<i32> {
            samples.iter().map(|s| (s * 32768.0) as i32).collect()
        };
        assert_eq!(decoded.len(), 500);
        assert_eq!(whole(decoded.read(497, 5).unwrap()), [497, 498, 499, 0, 0]);
        assert_eq!(whole(decoded.read(-2, 4).unwrap()), [0, 0, 0, 1]);
        assert_eq!(whole(decoded.read(-9, 4).unwrap()), [0; 4]);
        let round = whole(decoded.read_round(499, 1002).unwrap());
        let expected: Vec<i32> = (0..1002).map(|i| (499 + i) % 500).collect();
        assert_eq!(round, expected);
        // What can be read as it is needs no copy.
        assert_eq!(
            Decoded::of(&decoded.path, "ramp", &cache, 8000)
                .unwrap()
                .path,
            decoded.path
        );
        // Once the file has changed, its copy is no longer what it is.
        std::fs::write(&audio, "no sound").unwrap();
        assert!(Decoded::of(&audio, "ramp", &cache, 8000).is_err());
        // A copy that was cut short is found out before it is read.
        let bytes = std::fs::read(&decoded.path).unwrap();
        std::fs::write(&decoded.path, &bytes[..bytes.len() - 100]).unwrap();
        let message = Decoded::open(decoded.path, 8000).unwrap_err().to_string();
        assert!(message.contains("500 samples"), "{message}");
    }
}
