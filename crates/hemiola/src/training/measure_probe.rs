//! What a linear model learns from a few labelled clips, by what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::clips::{LabelledFile, Reference, labelled_files};
use super::run::step_seed;
use crate::audio::read_mono;
use crate::error::{Error, Result};
use crate::evaluation::probe::LinearProbe;
use crate::tasks::descriptors::Descriptor;

/// What is asked of a probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Recordings with one label each, to be told.
    pub reference: Reference,
    /// Where the labelled recordings are drawn from; without it, from `reference`, whose others are then told.
    pub labelled: Option<Reference>,
    /// How many of each class are drawn.
    pub shots: Vec<usize>,
    /// How often.
    pub draws: usize,
    pub seed: u64,
}

/// How many are told rightly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeScores {
    pub descriptor: String,
    pub shots: usize,
    /// The share of recordings told rightly: its mean over the draws.
    pub accuracy: f64,
    /// Its standard deviation over the draws.
    pub deviation: f64,
}

/// Which recordings are learned from and which are told, by their numbers in the two lists.
#[derive(Debug, Clone)]
pub struct Draw {
    pub shots: usize,
    pub number: usize,
    pub train: Vec<LabelledFile>,
    pub test: Vec<LabelledFile>,
}

impl Probe {
    /// Every draw, in the order of `shots`.
    ///
    /// # Errors
    /// When recordings cannot be listed, have no label or several, or a class has too few.
    pub fn draws(&self) -> Result<Vec<Draw>> {
        let told = labelled_files(&self.reference)?;
        let other = self.labelled.as_ref().map(labelled_files).transpose()?;
        let source = self.labelled.as_ref().unwrap_or(&self.reference);
        let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let from = other.as_ref().unwrap_or(&told);
        let asked: BTreeSet<&str> = told.iter().map(|file| file.label.as_str()).collect();
        // What is never asked for is not to be learned either.
        let known = |file: &LabelledFile| asked.contains(file.label.as_str());
        for (i, file) in from.iter().enumerate().filter(|(_, file)| known(file)) {
            classes.entry(&file.label).or_default().push(i);
        }
        if let Some(file) = told.iter().find(|file| !classes.contains_key(&*file.label)) {
            return Err(Error::input(
                &source.root,
                format!(
                    "there is no labelled recording of {}, which {} has",
                    file.label, file.name
                ),
            ));
        }
        let kept = usize::from(other.is_none());
        let mut draws = Vec::new();
        for &shots in &self.shots {
            let few = classes.iter().find(|(_, of)| of.len() < shots + kept);
            if let Some((label, of)) = few {
                return Err(Error::input(
                    &source.root,
                    format!(
                        "{label} has {} recordings; {shots} labelled ones{} are asked for: ask for fewer, or draw them from \
                         another folder",
                        of.len(),
                        match kept {
                            0 => "",
                            _ => " and one to be told",
                        }
                    ),
                ));
            }
            for number in 0..self.draws {
                let seed = step_seed(self.seed ^ shots as u64, number);
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut drawn = Vec::new();
                for of in classes.values() {
                    let mut of = of.clone();
                    of.shuffle(&mut rng);
                    drawn.extend_from_slice(&of[..shots]);
                }
                let test = match &other {
                    Some(_) => told.clone(),
                    None => {
                        let rest = (0..told.len()).filter(|i| !drawn.contains(i));
                        rest.map(|i| told[i].clone()).collect()
                    }
                };
                draws.push(Draw {
                    shots,
                    number,
                    train: drawn.into_iter().map(|i| from[i].clone()).collect(),
                    test,
                });
            }
        }
        Ok(draws)
    }
}

/// Draws labelled recordings, teaches a linear model what each descriptor says of them, and asks it of the others.
///
/// # Errors
/// As [`Probe::draws`]; when a recording cannot be read or is silent.
pub fn measure_probe(
    probe: &Probe,
    descriptors: &[(&str, &dyn Descriptor)],
) -> Result<Vec<ProbeScores>> {
    let draws = probe.draws()?;
    let mut paths: Vec<&Path> = draws
        .iter()
        .flat_map(|draw| draw.train.iter().chain(&draw.test))
        .map(|file| file.path.as_path())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut labels: Vec<&str> = draws
        .iter()
        .flat_map(|draw| draw.train.iter().map(|file| file.label.as_str()))
        .collect();
    labels.sort_unstable();
    labels.dedup();
    let class = |file: &LabelledFile| labels.iter().position(|l| *l == file.label);
    let mut scores = Vec::new();
    for (name, descriptor) in descriptors {
        let vectors = describe_all(&paths, *descriptor)?;
        let rows = |files: &[LabelledFile]| -> (Vec<Vec<f64>>, Vec<usize>) {
            let rows = files
                .iter()
                .filter_map(|file| Some((vectors.get(&file.path)?.clone(), class(file)?)));
            rows.unzip()
        };
        for &shots in &probe.shots {
            let of_shots: Vec<&Draw> = draws.iter().filter(|d| d.shots == shots).collect();
            let accuracies: Vec<f64> = of_shots
                .par_iter()
                .map(|draw| {
                    let (train, classes) = rows(&draw.train);
                    let model = LinearProbe::fit(&train, &classes, labels.len());
                    let (test, truth) = rows(&draw.test);
                    let told = test.iter().zip(&truth);
                    let right = told.filter(|(row, truth)| model.predict(row) == **truth);
                    right.count() as f64 / test.len().max(1) as f64
                })
                .collect();
            let count = accuracies.len().max(1) as f64;
            let accuracy = accuracies.iter().sum::<f64>() / count;
            let variance = accuracies.iter().map(|a| (a - accuracy).powi(2));
            scores.push(ProbeScores {
                descriptor: (*name).to_owned(),
                shots,
                accuracy,
                deviation: (variance.sum::<f64>() / count).sqrt(),
            });
        }
    }
    Ok(scores)
}

fn describe_all(
    paths: &[&Path],
    descriptor: &dyn Descriptor,
) -> Result<BTreeMap<PathBuf, Vec<f64>>> {
    let described = paths.par_iter().map(|path| {
        let samples = read_mono(path, descriptor.sample_rate())?;
        let vector = descriptor.describe(&samples)?;
        let vector = vector.ok_or_else(|| Error::input(path, "there is no sound in it"))?;
        Ok((path.to_path_buf(), vector))
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{WavFormat, write_wav};

    /// The level of a clip.
    struct Level;

    impl Descriptor for Level {
        fn sample_rate(&self) -> u32 {
            8000
        }

        fn describe(&self, samples: &[f32]) -> Result<Option<Vec<f64>>> {
            let loudest = samples.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            Ok((loudest > 0.0).then(|| vec![f64::from(loudest)]))
        }

        fn is_raw(&self) -> bool {
            true
        }
    }

    fn folder(of: usize) -> tempfile::TempDir {
        let at = tempfile::tempdir().unwrap();
        for (label, level) in [("quiet", 0.1), ("loud", 0.6)] {
            std::fs::create_dir(at.path().join(label)).unwrap();
            for i in 0..of {
                let samples = vec![level + 0.02 * i as f32; 800];
                let path = at.path().join(label).join(format!("{i}.wav"));
                write_wav(path, &samples, 1, 8000, WavFormat::Int16).unwrap();
            }
        }
        at
    }

    fn probe(root: &Path, shots: usize) -> Probe {
        Probe {
            reference: Reference {
                root: root.to_owned(),
                table: None,
            },
            labelled: None,
            shots: vec![shots],
            draws: 3,
            seed: 1,
        }
    }

    #[test]
    fn what_a_descriptor_tells_is_learned_from_two_clips_a_class() {
        let at = folder(5);
        let level: &dyn Descriptor = &Level;
        let scores = measure_probe(&probe(at.path(), 2), &[("level", level)]).unwrap();
        assert_eq!(scores.len(), 1);
        assert_eq!((scores[0].accuracy, scores[0].deviation), (1.0, 0.0));
        for draw in probe(at.path(), 2).draws().unwrap() {
            assert_eq!((draw.train.len(), draw.test.len()), (4, 6));
            assert!(draw.test.iter().all(|file| !draw.train.contains(file)));
        }
        // From another folder, all are told.
        let other = folder(3);
        let with_other = Probe {
            labelled: Some(Reference {
                root: other.path().to_owned(),
                table: None,
            }),
            ..probe(at.path(), 3)
        };
        let draws = with_other.draws().unwrap();
        assert_eq!((draws[0].train.len(), draws[0].test.len()), (6, 10));
    }

    #[test]
    fn more_shots_than_recordings_are_refused() {
        let at = folder(3);
        let fault = probe(at.path(), 3).draws().unwrap_err().to_string();
        assert!(fault.contains("loud has 3 recordings"), "{fault}");
        assert!(fault.contains("and one to be told"), "{fault}");
    }
}
