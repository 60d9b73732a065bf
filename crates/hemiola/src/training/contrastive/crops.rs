//! What is cut from recordings, at random.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::config::MusicData;
use super::music::Recording;
use crate::error::Result;

/// How often a crop that is too quiet is drawn again.
const REDRAWS: usize = 4;

/// Two draws of crops of one recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crops {
    /// Samples between the beginnings of the two, at most.
    pub distance: Option<usize>,
    /// Root mean square of full scale below which a crop is drawn again.
    pub quietest: f64,
}

impl Crops {
    pub fn new(data: &MusicData, sample_rate: u32) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(sample_rate)).round() as usize;
        Self {
            distance: data.max_distance_s.map(samples),
            quietest: 10f64.powf(data.quietest_db / 20.0),
        }
    }

    /// A crop of `length` samples and where it begins; the second crop is told where the first does.
    pub fn draw(
        &self,
        recording: &Recording,
        length: usize,
        first: Option<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(usize, Vec<f32>)> {
        let latest = recording.latest(length);
        let range = match (first, self.distance) {
            (Some(first), Some(distance)) => {
                first.saturating_sub(distance).min(latest)..=(first + distance).min(latest)
            }
            _ => 0..=latest,
        };
        let mut draws = 0;
        loop {
            let at = rng.random_range(range.clone());
            let samples = recording.crop(at, length)?;
            if draws == REDRAWS || root_mean_square(&samples) >= self.quietest {
                return Ok((at, samples));
            }
            draws += 1;
        }
    }
}

fn root_mean_square(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

/// `count` different recordings, heavier ones more often.
///
/// Source: Efraimidis and Spirakis, "Weighted Random Sampling with a Reservoir" (2006).
pub(super) fn draw_different(
    recordings: &[Recording],
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let mut keys: Vec<(f64, usize)> = recordings
        .iter()
        .enumerate()
        // The logarithm of what is never 0.
        .map(|(i, recording)| (-(1.0 - rng.random::<f64>()).ln() / recording.weight, i))
        .collect();
    if count < keys.len() {
        keys.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0));
        keys.truncate(count);
    }
    keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    keys.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::SeedableRng;

    use super::*;
    use crate::audio::{WavFormat, write_wav};
    use crate::training::decoded::Decoded;

    /// Recordings of one value each.
    fn levels(at: &Path, levels: &[(f32, f64)], length: usize) -> Vec<Recording> {
        let recording = |(i, &(level, weight)): (usize, &(f32, f64))| {
            let path = at.join(format!("{i}.wav"));
            write_wav(&path, &vec![level; length], 1, 8000, WavFormat::Int16).unwrap();
            Recording {
                name: i.to_string(),
                group: String::new(),
                weight,
                sound: Decoded::open(path, 8000).unwrap(),
            }
        };
        levels.iter().enumerate().map(recording).collect()
    }

    #[test]
    fn a_batch_has_different_recordings_heavier_ones_more_often() {
        let at = tempfile::tempdir().unwrap();
        let recordings = levels(
            at.path(),
            &[(0.1, 1.0), (0.1, 1.0), (0.1, 3.0), (0.1, 1.0)],
            10,
        );
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [0; 4];
        for _ in 0..3000 {
            let [drawn] = draw_different(&recordings, 1, &mut rng)[..] else {
                panic!("one is drawn");
            };
            seen[drawn] += 1;
        }
        for (seen, expected) in seen.into_iter().zip([500.0, 500.0, 1500.0, 500.0]) {
            assert!((f64::from(seen) - expected).abs() < 100.0, "{seen}");
        }
        let mut all = draw_different(&recordings, 4, &mut rng);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        let two = draw_different(&recordings, 2, &mut rng);
        assert!(two.len() == 2 && two[0] != two[1]);
    }

    #[test]
    fn crops_are_near_one_another_and_not_silent() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("a.wav");
        // Silence but for the last tenth.
        let samples: Vec<f32> = (0..10_000)
            .map(|i| if i < 9000 { 0.0 } else { 0.5 })
            .collect();
        write_wav(&path, &samples, 1, 8000, WavFormat::Int16).unwrap();
        let recording = Recording {
            name: String::new(),
            group: String::new(),
            weight: 1.0,
            sound: Decoded::open(path, 8000).unwrap(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut loud = |quietest_db: f64| {
            let text = format!("root = \"x\"\nmax_distance_s = 0.1\nquietest_db = {quietest_db}\n");
            let crops = Crops::new(&toml::from_str(&text).unwrap(), 8000);
            let mut loud = 0;
            for _ in 0..300 {
                let (first, samples) = crops.draw(&recording, 100, None, &mut rng).unwrap();
                loud += usize::from(root_mean_square(&samples) > 0.1);
                let (second, _) = crops.draw(&recording, 50, Some(first), &mut rng).unwrap();
                assert!(first.abs_diff(second) <= 800 && second <= 9950);
            }
            loud
        };
        // A tenth of all, or what is left where five draws may fail: 1 - 0.9^5.
        let (anyhow, chosen) = (loud(f64::NEG_INFINITY), loud(-20.0));
        assert!((15..=50).contains(&anyhow), "{anyhow}");
        assert!((95..=150).contains(&chosen), "{chosen}");
        assert_eq!(recording.half(false, 100).unwrap(), [0.0; 100]);
        // A quarter from the end, and all of a recording that is no longer than the crop.
        assert_eq!(recording.half(true, 4000).unwrap(), samples[5500..9500]);
        assert_eq!(recording.half(true, 10_000).unwrap(), samples);
    }
}
