//! How often one part of a recording finds another among many recordings.

use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::clips::audio_files;
use super::run::step_seed;
use crate::audio::read_mono;
use crate::augment::Stretch;
use crate::augment::noise::Noise;
use crate::augment::stretch::stretch;
use crate::error::{Error, Result};
use crate::evaluation::probe::moments;
use crate::evaluation::retrieval::{RetrievalScores, ranks};
use crate::tasks::descriptors::Descriptor;

/// What is done to the part that asks.
const QUERIES: [(&str, Stretch, Option<f32>); 4] = [
    ("as it is", Stretch::NONE, None),
    (
        "two semitones higher",
        Stretch {
            factor: 1.0,
            semitones: 2.0,
        },
        None,
    ),
    (
        "0.9 times as long",
        Stretch {
            factor: 0.9,
            semitones: 0.0,
        },
        None,
    ),
    ("in white noise, 10 dB below", Stretch::NONE, Some(10.0)),
];

/// Seconds that a half must have to be heard.
const SHORTEST_HALF_S: f64 = 3.0;

/// How well recordings of a folder are found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SimilarScores {
    /// Those that were asked for and answered.
    pub recordings: usize,
    /// Seconds heard of each half, at most.
    pub seconds: f64,
    pub descriptors: Vec<DescriptorScores>,
}

/// How well one kind of vector finds recordings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DescriptorScores {
    pub descriptor: String,
    pub queries: Vec<QueryScores>,
}

/// How well queries that were varied in one way find their answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueryScores {
    pub query: String,
    #[serde(flatten)]
    pub scores: RetrievalScores,
}

/// Asks with the middle of each recording's first half for the middle of its second half, among those of all recordings below a
/// folder, by each descriptor: `seconds` of each at most. Vectors are compared by their angle; those of raw descriptors are first
/// brought to mean 0 and variance 1 over the answers.
///
/// Returns what was left out, too, a sentence each.
///
/// # Errors
/// When the folder has fewer than two recordings of twice 3 s.
pub fn measure_similar(
    descriptors: &[(&str, &dyn Descriptor)],
    folder: &Path,
    seconds: f64,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(SimilarScores, Vec<String>)> {
    if !folder.is_dir() {
        return Err(Error::input(
            folder,
            "there is no such folder; expected a folder of recordings",
        ));
    }
    let files = audio_files(folder)?;
    let heard: Vec<Result<Heard>> = files
        .par_iter()
        .enumerate()
        .map(|(i, file)| {
            let heard = Heard::of(file, i, descriptors, seconds);
            progress(i, files.len());
            heard
        })
        .collect();
    let mut notes = Vec::new();
    let mut known = Vec::new();
    for heard in heard {
        match heard {
            Ok(heard) => known.push(heard),
            Err(error) => notes.push(format!("left out: {error}")),
        }
    }
    if known.len() < 2 {
        let found = known.len();
        return Err(Error::input(
            folder,
            format!(
                "expected two recordings or more, each of {} s or more; found {found} of {} files{}",
                2.0 * SHORTEST_HALF_S,
                files.len(),
                notes
                    .first()
                    .map_or(String::new(), |note| format!(" ({note})")),
            ),
        ));
    }
    let scores = descriptors.iter().enumerate();
    let scores = scores.map(|(i, (name, descriptor))| DescriptorScores {
        descriptor: (*name).to_owned(),
        queries: queries(&known, i, descriptor.is_raw()),
    });
    let scores = SimilarScores {
        recordings: known.len(),
        seconds,
        descriptors: scores.collect(),
    };
    Ok((scores, notes))
}

/// The vectors of one recording by each descriptor.
struct Heard {
    answers: Vec<Vec<f64>>,
    /// [queries][descriptors]
    queries: Vec<Vec<Vec<f64>>>,
}

impl Heard {
    fn of(
        file: &PathBuf,
        number: usize,
        descriptors: &[(&str, &dyn Descriptor)],
        seconds: f64,
    ) -> Result<Self> {
        let mut heard = Self {
            answers: Vec::new(),
            queries: vec![Vec::new(); QUERIES.len()],
        };
        // Most descriptors hear the same rate: one reading serves them.
        let mut parts: Option<(u32, Parts)> = None;
        for (_, descriptor) in descriptors {
            let rate = descriptor.sample_rate();
            let ready = parts.take().filter(|(of, _)| *of == rate);
            let ready = match ready {
                Some(ready) => ready,
                None => (rate, Parts::of(file, number, rate, seconds)?),
            };
            let describe = |samples: &[f32]| {
                let vector = descriptor.describe(samples)?;
                vector.ok_or_else(|| Error::input(file, "a half of it is silent"))
            };
            heard.answers.push(describe(&ready.1.answer)?);
            for (vectors, query) in heard.queries.iter_mut().zip(&ready.1.queries) {
                vectors.push(describe(query)?);
            }
            parts = Some(ready);
        }
        Ok(heard)
    }
}

/// What is heard of one recording.
struct Parts {
    answer: Vec<f32>,
    queries: Vec<Vec<f32>>,
}

impl Parts {
    fn of(file: &PathBuf, number: usize, rate: u32, seconds: f64) -> Result<Self> {
        let samples = read_mono(file, rate)?;
        let (first, second) = samples.split_at(samples.len() / 2);
        if (first.len() as f64) < SHORTEST_HALF_S * f64::from(rate) {
            let found = samples.len() as f64 / f64::from(rate);
            return Err(Error::input(
                file,
                format!(
                    "{found:.1} s long; expected {} s or more",
                    2.0 * SHORTEST_HALF_S
                ),
            ));
        }
        let most = (seconds * f64::from(rate)).round() as usize;
        let middle = |half: &[f32]| {
            let length = half.len().min(most);
            half[(half.len() - length) / 2..][..length].to_vec()
        };
        let question = middle(first);
        let query = |(_, change, snr_db): &(&str, Stretch, Option<f32>)| {
            let mut samples = match *change == Stretch::NONE {
                true => question.clone(),
                false => stretch(&question, rate, *change)?,
            };
            if let Some(snr_db) = *snr_db {
                let mut rng = ChaCha8Rng::seed_from_u64(step_seed(1, number));
                Noise::White.add(&mut samples, snr_db, rate, &mut rng);
            }
            Ok(samples)
        };
        Ok(Self {
            answer: middle(second),
            queries: QUERIES.iter().map(query).collect::<Result<_>>()?,
        })
    }
}

fn queries(known: &[Heard], descriptor: usize, is_raw: bool) -> Vec<QueryScores> {
    let answers: Vec<Vec<f64>> = known
        .iter()
        .map(|heard| heard.answers[descriptor].clone())
        .collect();
    let (mean, scale) = moments(&answers);
    let compared = |vector: &Vec<f64>| -> Vec<f64> {
        match is_raw {
            false => vector.clone(),
            true => {
                let numbers = vector.iter().zip(&mean).zip(&scale);
                numbers
                    .map(|((x, mean), scale)| (x - mean) * scale)
                    .collect()
            }
        }
    };
    let answers: Vec<Vec<f64>> = answers.iter().map(compared).collect();
    let scores = QUERIES.iter().enumerate().map(|(i, (name, ..))| {
        let asked: Vec<Vec<f64>> = known
            .iter()
            .map(|heard| compared(&heard.queries[i][descriptor]))
            .collect();
        QueryScores {
            query: (*name).to_owned(),
            scores: RetrievalScores::of(&ranks(&asked, &answers)),
        }
    });
    scores.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{WavFormat, write_wav};

    /// The frequency with which the sign changes: it tells tones apart until they are transposed.
    struct Pitch;

    impl Descriptor for Pitch {
        fn sample_rate(&self) -> u32 {
            8000
        }

        fn describe(&self, samples: &[f32]) -> Result<Option<Vec<f64>>> {
            let changes = samples.windows(2).filter(|w| (w[0] < 0.0) != (w[1] < 0.0));
            let share = changes.count() as f64 / samples.len() as f64;
            Ok((share > 0.0).then(|| {
                let octaves = share.log2() * 12.0 / 40.0;
                vec![octaves.sin(), octaves.cos()]
            }))
        }

        fn is_raw(&self) -> bool {
            false
        }
    }

    fn tone(path: PathBuf, hz: f64, seconds: f64) {
        let samples: Vec<f32> = (0..(8000.0 * seconds) as usize)
            .map(|i| (std::f64::consts::TAU * hz * i as f64 / 8000.0).sin() as f32 * 0.5)
            .collect();
        write_wav(path, &samples, 1, 8000, WavFormat::Int16).unwrap();
    }

    #[test]
    fn halves_find_one_another_and_what_cannot_be_heard_is_left_out() {
        let at = tempfile::tempdir().unwrap();
        for i in 0..6 {
            // Two semitones from one to the next.
            let hz = 200.0 * 2f64.powf(f64::from(i) / 6.0);
            tone(at.path().join(format!("{i}.wav")), hz, 8.0);
        }
        tone(at.path().join("short.wav"), 300.0, 2.0);
        tone(at.path().join("silent.wav"), 0.0, 8.0);
        std::fs::write(at.path().join("text.mp3"), "no music").unwrap();
        let pitch: &dyn Descriptor = &Pitch;
        let (scores, notes) =
            measure_similar(&[("pitch", pitch)], at.path(), 2.0, &|_, _| ()).unwrap();
        assert_eq!((scores.recordings, notes.len()), (6, 3), "{notes:?}");
        let first = |i: usize| scores.descriptors[0].queries[i].scores.recall_at_1;
        assert_eq!((first(0), first(2)), (1.0, 1.0));
        // Each is taken for its neighbour above; the highest has none.
        assert!(first(1) < 0.2, "{scores:?}");
        let json = serde_json::to_value(&scores).unwrap();
        assert_eq!(json["descriptors"][0]["queries"][0]["recall_at_10"], 1.0);
    }

    #[test]
    fn one_recording_alone_is_refused() {
        let at = tempfile::tempdir().unwrap();
        let pitch: &dyn Descriptor = &Pitch;
        let measure = |folder: &Path| {
            let scores = measure_similar(&[("pitch", pitch)], folder, 30.0, &|_, _| ());
            scores.unwrap_err().to_string()
        };
        assert!(measure(at.path()).contains("found 0 of 0 files"));
        tone(at.path().join("1.wav"), 200.0, 8.0);
        assert!(measure(at.path()).contains("found 1 of 1 files"));
        assert!(measure(&at.path().join("no")).contains("no such folder"));
    }
}
