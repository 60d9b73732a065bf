//! Excerpts of recordings to learn onsets from.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::OnsetLoss;
use super::recordings::OnsetRecording;
use crate::augment::WaveformAugment;
use crate::features::{FrameExtractor, Mel, extract};
use crate::models::music_cnn::FRAME_CONTEXT;

/// Frames of the shortest excerpt: some must be judged besides those whose surroundings are cut off.
pub const LEAST_FRAMES: usize = 4 * FRAME_CONTEXT;

/// Frames, row-major [batch, time, bands], and what is to be learned from each, [batch, time].
#[derive(Debug, Clone)]
pub struct OnsetBatch {
    pub shape: [usize; 2],
    pub features: Vec<f32>,
    pub targets: Vec<f32>,
    /// 0 where the model would have to hear what the excerpt cut off.
    pub weights: Vec<f32>,
}

/// Of `n_frames` frames, the first of which is number `first` of the recording: 1 for the nearest to an onset, `neighbour`
/// for those beside it.
pub fn targets(
    onsets_s: &[f64],
    first: usize,
    n_frames: usize,
    fps: f64,
    neighbour: f32,
) -> Vec<f32> {
    let mut targets = vec![0.0f32; n_frames];
    for onset_s in onsets_s {
        let nearest = (onset_s * fps).round() as i64 - first as i64;
        for (frame, target) in [
            (nearest - 1, neighbour),
            (nearest, 1.0),
            (nearest + 1, neighbour),
        ] {
            let place = usize::try_from(frame).ok();
            if let Some(place) = place.and_then(|frame| targets.get_mut(frame)) {
                *place = place.max(target);
            }
        }
    }
    targets
}

/// Recordings to draw excerpts from.
#[derive(Debug)]
pub struct Excerpts {
    recordings: Vec<OnsetRecording>,
    /// Running total of samples, for choosing in proportion to length.
    ends: Vec<u64>,
    /// Frames of an excerpt.
    length: usize,
    augment: WaveformAugment,
    loss: OnsetLoss,
}

impl Excerpts {
    pub fn new(
        recordings: Vec<OnsetRecording>,
        length: usize,
        augment: WaveformAugment,
        loss: OnsetLoss,
    ) -> Self {
        let mut total = 0;
        let ends = recordings
            .iter()
            .map(|recording| {
                total += recording.clip.len() as u64;
                total
            })
            .collect();
        Self {
            recordings,
            ends,
            length,
            augment,
            loss,
        }
    }

    /// Excerpts from anywhere, varied. `window` is the number of samples that a frame is made of.
    pub fn batch(
        &self,
        size: usize,
        extractor: &mut Mel,
        window: usize,
        rng: &mut ChaCha8Rng,
    ) -> OnsetBatch {
        let mut batch = OnsetBatch {
            shape: [size, self.length],
            features: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
        };
        for _ in 0..size {
            let at = rng.random_range(0..self.ends.last().copied().unwrap_or(1));
            let recording = &self.recordings[self.ends.partition_point(|&end| end <= at)];
            self.draw(recording, extractor, window, rng, &mut batch);
        }
        batch
    }

    /// The frames of an excerpt are those that the whole recording has there; one that ends before is followed by silence.
    fn draw(
        &self,
        recording: &OnsetRecording,
        extractor: &mut Mel,
        window: usize,
        rng: &mut ChaCha8Rng,
        batch: &mut OnsetBatch,
    ) {
        let (hop, sample_rate) = (extractor.hop_length(), extractor.sample_rate());
        let (length, n_samples) = (self.length, recording.clip.len());
        let n_frames = (1 + n_samples / hop).max(length);
        let first = rng.random_range(0..=n_frames - length);
        let last = first + length == n_frames;

        // Frames before and after that reach into the excerpt's.
        let reach = window.div_ceil(2 * hop);
        let from = first.saturating_sub(reach);
        let to = ((first + length + reach) * hop).min(n_samples);
        let mut samples = recording.clip.window(from * hop, to - from * hop);
        if 1 + n_samples / hop < length {
            samples.resize((length + reach) * hop, 0.0);
        }
        self.augment.apply(&mut samples, sample_rate, rng);
        let frames = extract(extractor, &samples);
        let rows = frames.iter().skip(first - from).take(length);
        rows.for_each(|row| batch.features.extend_from_slice(row));

        let fps = f64::from(sample_rate) / hop as f64;
        let neighbour = self.loss.neighbour_target;
        let targets = targets(&recording.onsets_s, first, length, fps, neighbour);
        let heard = |frame: usize| {
            (first == 0 || frame >= FRAME_CONTEXT) && (last || frame + FRAME_CONTEXT < length)
        };
        let weights = targets
            .iter()
            .enumerate()
            .map(|(frame, &target)| match heard(frame) {
                true => self.loss.weight(target),
                false => 0.0,
            });
        batch.weights.extend(weights);
        batch.targets.extend(targets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    use crate::features::{FrontEnd, MelConfig};
    use crate::training::clips::Clip;

    #[test]
    fn the_nearest_frame_is_an_onset_and_its_neighbours_half_of_one() {
        // Frames at 2.0 s, 2.125 s …: times that are exact in binary.
        let found = targets(&[1.0, 1.875, 2.15, 2.24, 2.75, 9.0], 16, 6, 8.0, 0.5);
        // 2.15 is nearest to frame 1, 2.24 to 2; the neighbours of 1.875 and 2.75 are 0 and 5.
        assert_eq!(found, [0.5, 1.0, 1.0, 0.5, 0.0, 0.5]);
        assert_eq!(
            targets(&[2.75], 16, 8, 8.0, 0.0),
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        );
    }

    fn mel() -> MelConfig {
        MelConfig {
            sample_rate: 8000,
            fmax: 4000.0,
            n_fft: 256,
            hop_length: 80,
            n_mels: 8,
            ..MelConfig::default()
        }
    }

    /// A tone that rises, of so many samples, with an onset every tenth of a second.
    fn recording(n_samples: u32) -> OnsetRecording {
        let sample = |i: u32| (0.5 * (1e-4 * f64::from(i) * f64::from(i)).sin()) as f32;
        let samples: Vec<f32> = (0..n_samples).map(sample).collect();
        OnsetRecording {
            clip: Clip::new(&samples),
            onsets_s: (0..n_samples / 800).map(|i| 0.1 * f64::from(i)).collect(),
        }
    }

    #[test]
    fn an_excerpt_is_what_the_whole_recording_has_there() {
        let mut extractor = mel().extractor().unwrap();
        let recording = recording(8000);
        let whole = recording.features(&mut extractor);
        assert_eq!(whole.n_frames(), 101);
        let excerpts = Excerpts::new(
            vec![recording],
            30,
            WaveformAugment::none(),
            OnsetLoss::default(),
        );
        let mut places = std::collections::BTreeSet::new();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..300 {
            let batch = excerpts.batch(1, &mut extractor, 256, &mut rng);
            assert_eq!(batch.features.len(), 30 * 8);
            let rows: Vec<&[f32]> = whole.iter().collect();
            let first = (0..=71)
                .find(|&first| rows[first..first + 30].concat() == batch.features)
                .expect("the whole recording has these frames");
            places.insert(first);
            for frame in 0..30 {
                let distance = (0..10usize)
                    .map(|onset| (10 * onset).abs_diff(first + frame))
                    .min();
                let target = match distance {
                    Some(0) => 1.0,
                    Some(1) => 0.5,
                    _ => 0.0,
                };
                assert_eq!(batch.targets[frame], target, "{first} {frame}");
                let cut = first > 0 && frame < 5 || first < 71 && frame >= 25;
                let weight = if target > 0.0 { 2.5 } else { 1.0 };
                assert_eq!(batch.weights[frame], if cut { 0.0 } else { weight });
            }
        }
        assert!(places.contains(&0) && places.contains(&71), "{places:?}");
        assert!(places.len() > 60);
    }

    #[test]
    fn a_short_recording_is_followed_by_silence() {
        let mut extractor = mel().extractor().unwrap();
        let excerpts = Excerpts::new(
            vec![recording(1000)],
            30,
            WaveformAugment::none(),
            OnsetLoss::default(),
        );
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let batch = excerpts.batch(2, &mut extractor, 256, &mut rng);
        assert_eq!(batch.shape, [2, 30]);
        assert_eq!(batch.features.len(), 2 * 30 * 8);
        assert_eq!(batch.features[..240], batch.features[240..]);
        // The last frames see no sound: ln 1e-9.
        assert!(
            batch.features[15 * 8..240]
                .iter()
                .all(|&v| (v + 20.723).abs() < 1e-3)
        );
        assert!(batch.weights.iter().all(|&weight| weight > 0.0));
    }

    #[test]
    fn batches_follow_from_their_seed() {
        let mut extractor = mel().extractor().unwrap();
        let recordings = vec![recording(8000), recording(16_000)];
        let excerpts = Excerpts::new(
            recordings,
            30,
            WaveformAugment::default(),
            OnsetLoss::default(),
        );
        let mut batch = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            excerpts.batch(3, &mut extractor, 256, &mut rng).features
        };
        assert_eq!(batch(1), batch(1));
        assert_ne!(batch(1), batch(2));
    }
}
