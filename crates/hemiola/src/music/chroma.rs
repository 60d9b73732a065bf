use serde::{Deserialize, Serialize};

use super::N_PITCH_CLASSES;

/// The pitch classes from C to B, black keys as sharps, in letters that every keyboard has.
pub const PITCH_CLASS_NAMES: [&str; N_PITCH_CLASSES] = [
    "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B",
];

/// How present each pitch class is over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chroma {
    /// Frames a second; frame i is of time i / fps.
    pub fps: f64,
    /// From C to B, 0–1 each: [time, 12].
    pub frames: Vec<[f32; N_PITCH_CLASSES]>,
}

impl Chroma {
    pub fn new(fps: f64) -> Self {
        Self {
            fps,
            frames: Vec::new(),
        }
    }

    /// Seconds at which the frame `index` lies.
    pub fn time_s(&self, index: usize) -> f64 {
        index as f64 / self.fps
    }

    /// The mean over all frames; `None` where there are none.
    pub fn mean(&self) -> Option<[f32; N_PITCH_CLASSES]> {
        let mut sums = [0f64; N_PITCH_CLASSES];
        for frame in &self.frames {
            for (sum, &value) in sums.iter_mut().zip(frame) {
                *sum += f64::from(value);
            }
        }
        let count = self.frames.len() as f64;
        (count > 0.0).then(|| sums.map(|sum| (sum / count) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lie_a_hop_apart_and_have_a_mean() {
        let mut chroma = Chroma::new(22_050.0 / 512.0);
        assert_eq!(chroma.mean(), None);
        chroma.frames.push([0.25; N_PITCH_CLASSES]);
        chroma
            .frames
            .push(std::array::from_fn(|i| if i == 9 { 0.75 } else { 0.0 }));
        assert!((chroma.time_s(43) - 43.0 * 512.0 / 22_050.0).abs() < 1e-12);
        let mean = chroma.mean().unwrap();
        assert_eq!((mean[0], mean[9]), (0.125, 0.5));
        assert_eq!(PITCH_CLASS_NAMES[9], "A");
    }
}
