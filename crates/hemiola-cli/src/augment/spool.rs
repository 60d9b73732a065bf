//! Sound on its way, kept in a temporary file: levels are known only when all of it has passed.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

use anyhow::{Context, Result};

/// Samples of one channel, written once, then read in blocks.
pub struct Spool {
    file: BufWriter<File>,
    reader: Option<BufReader<File>>,
    length: u64,
    squares: f64,
    gain: f32,
    left: u64,
    block: Vec<f32>,
}

impl Spool {
    /// Samples of a block as it is read.
    pub const BLOCK: usize = 1 << 16;

    pub fn new() -> Result<Self> {
        let file = tempfile::tempfile().context("cannot make a temporary file")?;
        Ok(Self {
            file: BufWriter::new(file),
            reader: None,
            length: 0,
            squares: 0.0,
            gain: 1.0,
            left: 0,
            block: Vec::new(),
        })
    }

    pub fn push(&mut self, samples: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_ne_bytes()).collect();
        self.file
            .write_all(&bytes)
            .context("cannot write a temporary file")?;
        self.length += samples.len() as u64;
        self.squares += samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        Ok(())
    }

    /// Multiplies all samples.
    pub fn scale(&mut self, gain: f32) {
        self.gain *= gain;
    }

    /// The number of samples.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The mean square.
    pub fn power(&self) -> f64 {
        self.squares / self.length.max(1) as f64 * f64::from(self.gain).powi(2)
    }

    /// Goes to the start for reading.
    pub fn rewind(&mut self) -> Result<()> {
        self.file.flush().context("cannot write a temporary file")?;
        let mut file = self.file.get_ref().try_clone()?;
        file.rewind()?;
        self.reader = Some(BufReader::new(file));
        self.left = self.length;
        Ok(())
    }

    /// The next block; `None` at the end, and before [`Spool::rewind`].
    pub fn next_block(&mut self) -> Result<Option<&mut [f32]>> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let length = self.left.min(Self::BLOCK as u64) as usize;
        if length == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; 4 * length];
        reader
            .read_exact(&mut bytes)
            .context("cannot read a temporary file")?;
        self.block.clear();
        self.block.extend(
            bytes
                .chunks_exact(4)
                .map(|four| self.gain * f32::from_ne_bytes([four[0], four[1], four[2], four[3]])),
        );
        self.left -= length as u64;
        Ok(Some(&mut self.block))
    }
}
