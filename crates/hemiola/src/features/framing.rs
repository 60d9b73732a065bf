//! Cuts a stream of samples into overlapping, centred windows.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What stands before the first and after the last sample of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// The signal mirrored at its first and last sample, which are not repeated (numpy's `reflect`, torchaudio's default).
    /// A signal shorter than the padding is mirrored again and again, as numpy does; a single sample is repeated.
    #[default]
    Reflect,
    /// Zeros (librosa's default since 0.10).
    Constant,
}

/// The most samples that are copied in before the windows they complete are handed out.
const BLOCK: usize = 1 << 15;

/// Where a stream of windows is between two samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramingState {
    /// The samples from the first that is still needed; what is padded before the recording is part of it once `started`.
    pub samples: Vec<f32>,
    /// Where in `samples` the next window starts; beyond its end where the hop exceeds the window.
    pub next: usize,
    /// Whether the first window's padding is known.
    pub started: bool,
}

/// Hands out windows of `length` samples, `hop` apart, for as many as lie around a sample that exists or the end of the last.
///
/// A window that is complete before the recording ends is handed out by [`push`](Self::push), the others by [`finish`](Self::finish).
#[derive(Debug, Clone)]
pub(crate) struct Framing {
    length: usize,
    hop: usize,
    padding: usize,
    pad_mode: PadMode,
    /// The samples from the first that is still needed; the left padding is part of it once `started`.
    buffer: Vec<f32>,
    /// Where in `buffer` the next window starts; beyond its end where `hop` exceeds `length`.
    next: usize,
    started: bool,
}

impl Framing {
    /// Windows of an even length around every `hop`-th sample.
    pub fn new(length: usize, hop: usize, pad_mode: PadMode) -> Self {
        Self::with_padding(length, hop, length / 2, pad_mode)
    }

    /// Windows of which `padding` samples stand before every `hop`-th sample and the others from it on.
    /// A mirror needs as many on either side.
    pub fn with_padding(length: usize, hop: usize, padding: usize, pad_mode: PadMode) -> Self {
        Self {
            length,
            hop,
            padding,
            pad_mode,
            buffer: Vec::new(),
            next: 0,
            started: false,
        }
    }

    pub fn padding(&self) -> usize {
        self.padding
    }

    pub fn state(&self) -> FramingState {
        FramingState {
            samples: self.buffer.clone(),
            next: self.next,
            started: self.started,
        }
    }

    /// Goes on from where a stream of the same windows is.
    ///
    /// # Errors
    /// When no stream of these windows can be there.
    pub fn resume(&mut self, state: &FramingState) -> Result<()> {
        let held = state.samples.len();
        // A complete window has been handed out, and the mirror at the end is kept.
        let possible = match state.started {
            true => held < state.next.saturating_add(self.length) && state.next <= held + self.hop,
            false => held <= self.padding && state.next == 0,
        };
        let mirrors = !state.started || self.pad_mode == PadMode::Constant || held > self.padding;
        if !(possible && mirrors && state.samples.iter().all(|sample| sample.is_finite())) {
            return Err(Error::config(format!(
                "windows of {} samples every {} cannot go on from a state of {held} samples with the next window at {}; \
                 it is of another front end, or damaged",
                self.length, self.hop, state.next
            )));
        }
        self.buffer.clone_from(&state.samples);
        self.next = state.next;
        self.started = state.started;
        Ok(())
    }

    pub fn push(&mut self, samples: &[f32], mut on_window: impl FnMut(&[f32])) {
        for block in samples.chunks(BLOCK) {
            self.buffer.extend_from_slice(block);
            let mirror_is_known = self.buffer.len() > self.padding;
            if !self.started && (self.pad_mode == PadMode::Constant || mirror_is_known) {
                self.pad_left();
            }
            if self.started {
                self.hand_out(&mut on_window);
                self.forget();
            }
        }
    }

    /// Hands out the remaining windows and is then as new.
    pub fn finish(&mut self, mut on_window: impl FnMut(&[f32])) {
        if !self.started && !self.buffer.is_empty() {
            self.pad_left_and_right_short();
            self.hand_out(&mut on_window);
        } else if self.started {
            let end = self.buffer.len();
            for i in 1..=self.length - self.padding {
                self.buffer.push(match self.pad_mode {
                    PadMode::Constant => 0.0,
                    PadMode::Reflect => self.buffer[end - 1 - i],
                });
            }
            self.hand_out(&mut on_window);
        }
        self.buffer.clear();
        self.next = 0;
        self.started = false;
    }

    fn pad_left(&mut self) {
        let padding: Vec<f32> = match self.pad_mode {
            PadMode::Constant => vec![0.0; self.padding],
            PadMode::Reflect => self.buffer[1..=self.padding]
                .iter()
                .rev()
                .copied()
                .collect(),
        };
        self.buffer.splice(0..0, padding);
        self.started = true;
    }

    /// Pads a whole signal that is no longer than the padding.
    fn pad_left_and_right_short(&mut self) {
        let signal = std::mem::take(&mut self.buffer);
        let last = signal.len() as isize - 1;
        let padding = self.padding as isize;
        self.buffer = (-padding..=last + padding)
            .map(|i| {
                if last == 0 {
                    return signal[0];
                }
                let phase = i.rem_euclid(2 * last);
                signal[phase.min(2 * last - phase) as usize]
            })
            .collect();
    }

    fn hand_out(&mut self, on_window: &mut impl FnMut(&[f32])) {
        while let Some(window) = self.buffer.get(self.next..self.next + self.length) {
            on_window(window);
            self.next += self.hop;
        }
    }

    /// Drops what neither the next window nor the mirror at the end can need.
    fn forget(&mut self) {
        let mirror = self.padding + 1;
        let unneeded = self.next.min(self.buffer.len().saturating_sub(mirror));
        self.buffer.drain(..unneeded);
        self.next -= unneeded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(framing: &mut Framing, pushes: &[&[f32]]) -> Vec<Vec<f32>> {
        let mut windows = Vec::new();
        for samples in pushes {
            framing.push(samples, |window| windows.push(window.to_vec()));
        }
        framing.finish(|window| windows.push(window.to_vec()));
        windows
    }

    #[test]
    fn padding_is_that_of_numpy() {
        let mut reflect = Framing::new(4, 2, PadMode::Reflect);
        assert_eq!(
            windows(&mut reflect, &[&[1.0, 2.0, 3.0, 4.0, 5.0]]),
            [
                [3.0, 2.0, 1.0, 2.0],
                [1.0, 2.0, 3.0, 4.0],
                [3.0, 4.0, 5.0, 4.0]
            ]
        );
        // numpy.pad([1, 2, 3], 4, mode="reflect")
        let mut short = Framing::new(8, 8, PadMode::Reflect);
        assert_eq!(
            windows(&mut short, &[&[1.0, 2.0, 3.0]]),
            [[1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]]
        );
        assert_eq!(windows(&mut short, &[&[7.0]]), [[7.0; 8]]);
        assert!(windows(&mut short, &[]).is_empty());
        let mut constant = Framing::new(4, 3, PadMode::Constant);
        assert_eq!(
            windows(&mut constant, &[&[1.0, 2.0, 3.0]]),
            [[0.0, 0.0, 1.0, 2.0], [2.0, 3.0, 0.0, 0.0]]
        );
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_windows_of_the_padded_signal(
            n in 1usize..200, half in 1usize..40, hop in 1usize..100, cuts in prop::collection::vec(0usize..30, 0..40), reflect: bool,
        ) {
            let signal: Vec<f32> = (0..n).map(|i| i as f32 + 1.0).collect();
            let pad_mode = if reflect { PadMode::Reflect } else { PadMode::Constant };
            let padded = |i: isize| -> f32 {
                let (mut i, last) = (i, n as isize - 1);
                while !(0..=last).contains(&i) {
                    if !reflect { return 0.0; }
                    if last == 0 { return signal[0]; }
                    i = if i < 0 { -i } else { 2 * last - i };
                }
                signal[i as usize]
            };
            let expected: Vec<Vec<f32>> = (0..=n / hop)
                .map(|w| (0..2 * half).map(|i| padded((w * hop + i) as isize - half as isize)).collect())
                .collect();

            let mut pushes = Vec::new();
            let mut rest = signal.as_slice();
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                pushes.push(chunk);
                rest = after;
            }
            pushes.push(rest);
            prop_assert_eq!(windows(&mut Framing::new(2 * half, hop, pad_mode), &pushes), expected);
        }
    }
}
