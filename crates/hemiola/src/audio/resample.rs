//! Change of sample rate: band-limited, without delay, the same in blocks as in one piece.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

use crate::{Error, Result};

/// Rates between which [`Resampler`] converts, in Hz. Beyond them a header is more likely damaged than true, and the filter would need unreasonable memory.
const SUPPORTED_RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// The least length of the anti-aliasing filter, in samples at the lower of the two rates. At 512 the cut-off lies at 97 % of the lower Nyquist frequency.
const FILTER_LENGTH: usize = 512;

/// Converts mono audio from one sample rate to another, in blocks of any size.
///
/// Sample `n` of the output is the signal at time `n / to` seconds: the delay of the filter is removed.
/// However the input is cut into blocks, the output is the same, bit for bit.
/// `to == from` passes samples through unchanged.
pub struct Resampler {
    from: u32,
    to: u32,
    filter: Option<Filter>,
    consumed: u64,
    produced: u64,
}

struct Filter {
    fft: Fft<f32>,
    block_in: Vec<f32>,
    filled: usize,
    block_out: Vec<f32>,
    /// Output samples still to drop before the first one that belongs to time zero.
    delay_left: usize,
}

impl Resampler {
    /// `from` and `to` in Hz, each 1000 to 768000 unless they are equal.
    pub fn new(from: u32, to: u32) -> Result<Self> {
        if from == 0 || to == 0 {
            return Err(Error::config(format!(
                "cannot resample from {from} Hz to {to} Hz: a sample rate is at least 1 Hz"
            )));
        }
        let filter = if from == to {
            None
        } else {
            for rate in [from, to] {
                if !SUPPORTED_RATES_HZ.contains(&rate) {
                    return Err(Error::config(format!(
                        "cannot resample from {from} Hz to {to} Hz: {rate} Hz is outside {} to {} Hz",
                        SUPPORTED_RATES_HZ.start(),
                        SUPPORTED_RATES_HZ.end()
                    )));
                }
            }
            Some(Filter::new(from as usize, to as usize)?)
        };
        Ok(Self {
            from,
            to,
            filter,
            consumed: 0,
            produced: 0,
        })
    }

    /// How many seconds of the signal must follow a moment before it comes out, at most.
    pub fn latency_s(&self) -> f64 {
        self.filter.as_ref().map_or(0.0, |filter| {
            let block_s = filter.block_in.len() as f64 / f64::from(self.from);
            block_s + filter.fft.output_delay() as f64 / f64::from(self.to)
        })
    }

    /// Takes samples at the old rate and appends to `output` what can already be said at the new one.
    pub fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) -> Result<()> {
        let before = output.len();
        match &mut self.filter {
            None => output.extend_from_slice(samples),
            Some(filter) => filter.push(samples, output)?,
        }
        self.consumed += samples.len() as u64;
        self.produced += (output.len() - before) as u64;
        Ok(())
    }

    /// Ends the signal: appends what is still inside, so that `len` samples in gave `ceil(len * to / from)` out. Afterwards a new signal may begin.
    pub fn finish(&mut self, output: &mut Vec<f32>) -> Result<()> {
        let wanted = resampled_len(self.consumed, self.from, self.to);
        let missing = usize::try_from(wanted.saturating_sub(self.produced)).unwrap_or(usize::MAX);
        if let Some(filter) = &mut self.filter {
            let end = output.len().saturating_add(missing);
            while output.len() < end {
                filter.push_silence(output)?;
            }
            output.truncate(end);
            filter.reset();
        }
        self.consumed = 0;
        self.produced = 0;
        Ok(())
    }
}

impl Filter {
    fn new(from: usize, to: usize) -> Result<Self> {
        let divisor = gcd(from, to);
        let (unit_in, unit_out) = (from / divisor, to / divisor);
        // An even number of units puts the filter's centre on a whole sample at both rates, so that the delay can be removed exactly.
        let units = 2 * FILTER_LENGTH.div_ceil(2 * unit_in.min(unit_out));
        let fft = Fft::new_custom(
            from,
            to,
            units * unit_in,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|error| {
            Error::config(format!(
                "cannot resample from {from} Hz to {to} Hz: {error}"
            ))
        })?;
        Ok(Self {
            block_in: vec![0.0; fft.input_frames_next()],
            filled: 0,
            block_out: vec![0.0; fft.output_frames_next()],
            delay_left: fft.output_delay(),
            fft,
        })
    }

    fn push(&mut self, mut samples: &[f32], output: &mut Vec<f32>) -> Result<()> {
        while !samples.is_empty() {
            let taken = samples.len().min(self.block_in.len() - self.filled);
            let (now, later) = samples.split_at(taken);
            self.block_in[self.filled..self.filled + taken].copy_from_slice(now);
            self.filled += taken;
            samples = later;
            if self.filled == self.block_in.len() {
                self.process(output)?;
            }
        }
        Ok(())
    }

    /// Fills the block up with zeros.
    fn push_silence(&mut self, output: &mut Vec<f32>) -> Result<()> {
        self.block_in[self.filled..].fill(0.0);
        self.process(output)
    }

    fn process(&mut self, output: &mut Vec<f32>) -> Result<()> {
        let (len_in, len_out) = (self.block_in.len(), self.block_out.len());
        let failed = |message: String| Error::config(format!("resampling failed: {message}"));
        let input = SequentialSlice::new(&self.block_in, 1, len_in)
            .map_err(|error| failed(error.to_string()))?;
        let mut resampled = SequentialSlice::new_mut(&mut self.block_out, 1, len_out)
            .map_err(|error| failed(error.to_string()))?;
        self.fft
            .process_into_buffer(&input, &mut resampled, None::<&Indexing>)
            .map_err(|error| failed(error.to_string()))?;
        self.filled = 0;
        let dropped = self.delay_left.min(len_out);
        self.delay_left -= dropped;
        output.extend_from_slice(&self.block_out[dropped..]);
        Ok(())
    }

    fn reset(&mut self) {
        self.fft.reset();
        self.filled = 0;
        self.delay_left = self.fft.output_delay();
    }
}

/// A whole mono signal at another rate: `ceil(len * to / from)` samples, sample `n` at time `n / to` seconds. Rates as for [`Resampler::new`].
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    let mut resampler = Resampler::new(from, to)?;
    let len = resampled_len(samples.len() as u64, from, to);
    let mut output = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    resampler.push(samples, &mut output)?;
    resampler.finish(&mut output)?;
    Ok(output)
}

fn resampled_len(len: u64, from: u32, to: u32) -> u64 {
    let exact = (u128::from(len) * u128::from(to)).div_ceil(u128::from(from));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
