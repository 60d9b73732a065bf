//! The inner loops: a few positions by one group of channels, summed in registers.

use super::vector::{Lanes, Level, Plain8};

/// A stretch of filter taps whose inputs lie side by side in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Floats from the first tap's input of a position to this run's.
    pub offset: usize,
    /// How many taps; an input channel is a tap.
    pub taps: usize,
}

/// Rows of positions: where each position's values begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub rows: usize,
    pub width: usize,
    /// Floats from one row, and from one position, of the input to the next.
    pub input_row: usize,
    pub input_step: usize,
    /// The same for the output (or its gradient).
    pub output_row: usize,
    pub output_step: usize,
}

impl Grid {
    fn last_input(&self) -> usize {
        (self.rows - 1) * self.input_row + (self.width - 1) * self.input_step
    }

    fn last_output(&self) -> usize {
        (self.rows - 1) * self.output_row + (self.width - 1) * self.output_step
    }
}

/// Writes `first .. first + count` of every position's output channels: bias + Σ over the taps of weight · input.
///
/// `weights` is [taps of all runs, lanes], `bias` is [lanes]; lanes beyond `count` are dropped.
#[allow(clippy::too_many_arguments)]
pub(super) fn correlate(
    level: Level,
    lanes: usize,
    grid: &Grid,
    runs: &[Run],
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    output: &mut [f32],
    first: usize,
    count: usize,
) {
    let taps: usize = runs.iter().map(|run| run.taps).sum();
    let reach = runs
        .iter()
        .map(|run| run.offset + run.taps)
        .max()
        .unwrap_or(0);
    assert!(grid.rows > 0 && grid.width > 0 && (1..=lanes).contains(&count));
    assert!(grid.last_input() + reach <= input.len());
    assert!(grid.last_output() + first + count <= output.len());
    assert!(taps * lanes <= weights.len() && lanes <= bias.len());
    let job = Correlate {
        grid,
        runs,
        input: input.as_ptr(),
        weights: weights.as_ptr(),
        bias: bias.as_ptr(),
        output: output[first..].as_mut_ptr(),
        count,
    };
    // SAFETY: the slices reach as far as the grid and the runs do (asserted above), and `level` is one the processor has.
    unsafe {
        match (level, lanes) {
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 8) => x86::correlate_512::<super::vector::x86::Ymm8>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 16) => x86::correlate_512::<super::vector::x86::Zmm16>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 24) => x86::correlate_512::<super::vector::x86::Zmm24>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 32) => x86::correlate_512::<super::vector::x86::Zmm32>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, 8) => x86::correlate_256::<super::vector::x86::Ymm8>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, 16) => x86::correlate_256::<super::vector::x86::Ymm16>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, 24) => x86::correlate_256::<super::vector::x86::Ymm24>(&job),
            (_, 8) => correlate_rows::<Plain8>(&job),
            _ => unreachable!("no group of {lanes} channels for {level:?}"),
        }
    }
}

/// Adds to `sums` [taps, lanes] of one run, over all positions of the grid, input · output gradient.
///
/// `gradient` begins at the group's first channel and must be readable for `lanes` floats at every position.
pub(super) fn accumulate(
    level: Level,
    lanes: usize,
    grid: &Grid,
    run: Run,
    input: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
) {
    assert!(grid.rows > 0 && grid.width > 0);
    assert!(grid.last_input() + run.offset + run.taps <= input.len());
    assert!(grid.last_output() + lanes <= gradient.len());
    assert!(run.taps * lanes <= sums.len());
    let job = Accumulate {
        grid,
        taps: run.taps,
        input: input[run.offset..].as_ptr(),
        gradient: gradient.as_ptr(),
        sums: sums.as_mut_ptr(),
    };
    // SAFETY: the slices reach as far as the grid and the run do (asserted above), and `level` is one the processor has.
    unsafe {
        match (level, lanes) {
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 8) => x86::accumulate_512::<super::vector::x86::Ymm8>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 16) => x86::accumulate_512::<super::vector::x86::Zmm16>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 24) => x86::accumulate_512::<super::vector::x86::Zmm24>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, 32) => x86::accumulate_512::<super::vector::x86::Zmm32>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, 8) => x86::accumulate_256::<super::vector::x86::Ymm8>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, 16) => x86::accumulate_256::<super::vector::x86::Ymm16>(&job),
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, 24) => x86::accumulate_256::<super::vector::x86::Ymm24>(&job),
            (_, 8) => accumulate_taps::<Plain8>(&job),
            _ => unreachable!("no group of {lanes} channels for {level:?}"),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;

    #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
    pub unsafe fn correlate_512<L: Lanes>(job: &Correlate) {
        // SAFETY: as for the caller.
        unsafe { correlate_rows::<L>(job) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn correlate_256<L: Lanes>(job: &Correlate) {
        // SAFETY: as for the caller.
        unsafe { correlate_rows::<L>(job) }
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
    pub unsafe fn accumulate_512<L: Lanes>(job: &Accumulate) {
        // SAFETY: as for the caller.
        unsafe { accumulate_taps::<L>(job) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn accumulate_256<L: Lanes>(job: &Accumulate) {
        // SAFETY: as for the caller.
        unsafe { accumulate_taps::<L>(job) }
    }
}

struct Correlate<'a> {
    grid: &'a Grid,
    runs: &'a [Run],
    input: *const f32,
    weights: *const f32,
    bias: *const f32,
    output: *mut f32,
    count: usize,
}

/// # Safety
/// The processor has the instructions of `L`; the pointers reach as far as `correlate` asserts.
#[inline(always)]
unsafe fn correlate_rows<L: Lanes>(job: &Correlate) {
    let grid = job.grid;
    for row in 0..grid.rows {
        // SAFETY: rows and positions are within the grid.
        unsafe {
            let input = job.input.add(row * grid.input_row);
            let output = job.output.add(row * grid.output_row);
            let mut at = 0;
            macro_rules! tiles {
                ($($positions:literal),+) => {$(
                    if L::TILE >= $positions {
                        while grid.width - at >= $positions {
                            correlate_tile::<L, $positions>(
                                job,
                                input.add(at * grid.input_step),
                                output.add(at * grid.output_step),
                            );
                            at += $positions;
                        }
                    }
                )+};
            }
            tiles!(12, 8, 6, 4, 2, 1);
        }
    }
}

/// # Safety
/// As [`correlate_rows`]; `input` and `output` begin `POSITIONS` positions of the grid.
#[inline(always)]
unsafe fn correlate_tile<L: Lanes, const POSITIONS: usize>(
    job: &Correlate,
    input: *const f32,
    output: *mut f32,
) {
    let (step, output_step) = (job.grid.input_step, job.grid.output_step);
    // SAFETY: all offsets are within what `correlate` asserts.
    unsafe {
        let mut sums = [L::load(job.bias); POSITIONS];
        let mut weights = job.weights;
        for run in job.runs {
            let mut input = input.add(run.offset);
            for _ in 0..run.taps {
                let weight = L::load(weights);
                for (position, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add_scaled(*input.add(position * step), weight);
                }
                weights = weights.add(L::LANES);
                input = input.add(1);
            }
        }
        if job.count == L::LANES {
            for (position, sum) in sums.into_iter().enumerate() {
                sum.store(output.add(position * output_step));
            }
        } else {
            let mut all = [0.0; 32];
            for (position, sum) in sums.into_iter().enumerate() {
                sum.store(all.as_mut_ptr());
                std::ptr::copy_nonoverlapping(
                    all.as_ptr(),
                    output.add(position * output_step),
                    job.count,
                );
            }
        }
    }
}

struct Accumulate<'a> {
    grid: &'a Grid,
    taps: usize,
    input: *const f32,
    gradient: *const f32,
    sums: *mut f32,
}

/// # Safety
/// The processor has the instructions of `L`; the pointers reach as far as `accumulate` asserts.
#[inline(always)]
unsafe fn accumulate_taps<L: Lanes>(job: &Accumulate) {
    let mut at = 0;
    macro_rules! tiles {
        ($($taps:literal),+) => {$(
            if L::TILE >= $taps {
                while job.taps - at >= $taps {
                    // SAFETY: the taps are within the run.
                    unsafe { accumulate_tile::<L, $taps>(job, at) };
                    at += $taps;
                }
            }
        )+};
    }
    tiles!(12, 8, 6, 4, 2, 1);
}

/// # Safety
/// As [`accumulate_taps`]; taps `first .. first + TAPS` are within the run.
#[inline(always)]
unsafe fn accumulate_tile<L: Lanes, const TAPS: usize>(job: &Accumulate, first: usize) {
    let grid = job.grid;
    // SAFETY: all offsets are within what `accumulate` asserts.
    unsafe {
        let mut sums = [L::zero(); TAPS];
        for row in 0..grid.rows {
            let mut input = job.input.add(row * grid.input_row + first);
            let mut gradient = job.gradient.add(row * grid.output_row);
            for _ in 0..grid.width {
                let slope = L::load(gradient);
                for (tap, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add_scaled(*input.add(tap), slope);
                }
                input = input.wrapping_add(grid.input_step);
                gradient = gradient.wrapping_add(grid.output_step);
            }
        }
        for (tap, sum) in sums.into_iter().enumerate() {
            let to = job.sums.add((first + tap) * L::LANES);
            sum.add(L::load(to)).store(to);
        }
    }
}
