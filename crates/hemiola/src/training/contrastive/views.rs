//! Views of recordings: crops, each varied by itself, as spectrograms.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ContrastiveRecipe;
use super::crops::{Crops, draw_different};
use super::music::Recording;
use super::objective::{DevViews, Queries, Views};
use crate::augment::noise::Noise;
use crate::augment::{ClipAugment, Stretch};
use crate::error::Result;
use crate::features::{FrameExtractor, FrontEnd, Mel};
use crate::tasks::spectrograms::Spectrograms;
use crate::training::run::step_seed;

/// What is done to the crops that ask on the dev set.
const TRANSPOSED: Stretch = Stretch {
    factor: 1.0,
    semitones: 2.0,
};
const STRETCHED: Stretch = Stretch {
    factor: 0.9,
    semitones: 0.0,
};
const NOISY_SNR_DB: f32 = 10.0;

/// Makes views as a recipe describes them.
pub(super) struct ViewMaker {
    mel: Mel,
    /// Frames of a view.
    frames: usize,
    crops: Crops,
    augment: ClipAugment,
    batch_size: usize,
    seed: u64,
}

impl ViewMaker {
    pub fn new(recipe: &ContrastiveRecipe) -> Result<Self> {
        let features = &recipe.features;
        Ok(Self {
            mel: features.extractor()?,
            frames: 1 + recipe.data.window(features) / features.hop_length,
            crops: Crops::new(&recipe.data, features.sample_rate),
            augment: recipe.augment.clone(),
            batch_size: recipe.run.batch_size,
            seed: recipe.run.seed,
        })
    }

    /// Two views of each of different recordings, which follow from the number of the batch alone.
    pub fn batch(&self, recordings: &[Recording], number: usize) -> Result<Views> {
        let mut rng = ChaCha8Rng::seed_from_u64(step_seed(self.seed ^ 0xC027_2A57, number));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        // No recording may be in a batch twice: it would have to be told apart from itself.
        for i in draw_different(recordings, self.batch_size, &mut rng) {
            let (at, view) = self.view(recordings, i, None, &mut rng)?;
            first.push(view);
            let (_, view) = self.view(recordings, i, Some(at), &mut rng)?;
            second.push(view);
        }
        first.append(&mut second);
        Ok(Views(Spectrograms::joined(&first)))
    }

    /// A view of recording `i` and where it begins, given where its other view does.
    fn view(
        &self,
        recordings: &[Recording],
        i: usize,
        other: Option<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(usize, Spectrograms)> {
        let sample_rate = self.mel.sample_rate();
        let (mut mel, length) = self.heard(self.augment.draw_stretch(rng));
        let (at, mut samples) = self.crops.draw(&recordings[i], length, other, rng)?;
        let under = |rng: &mut ChaCha8Rng| {
            let [under] = draw_different(recordings, 1, rng)[..] else {
                return Ok(Vec::new());
            };
            Ok(self.crops.draw(&recordings[under], length, None, rng)?.1)
        };
        self.augment.colour(&mut samples, under, sample_rate, rng)?;
        let mut view = Spectrograms::of([samples], &mut mel);
        let bins = view.n_bins();
        for spectrogram in view.each_mut() {
            self.augment.mask(spectrogram, bins, rng)?;
        }
        Ok((at, view))
    }

    /// The extractor that hears a crop changed, and the samples that a view of it takes.
    fn heard(&self, change: Stretch) -> (Mel, usize) {
        let mel = match change == Stretch::NONE {
            true => self.mel.clone(),
            false => self.mel.varied(change.pitch_ratio(), change.factor),
        };
        let length = ((self.frames - 1) * mel.hop_length()).max(1);
        (mel, length)
    }

    /// The halves of recordings to measure by.
    pub fn dev_views(&self, recordings: &[Recording]) -> Result<DevViews> {
        let views = |second: bool, change: Stretch, is_noisy: bool| -> Result<Spectrograms> {
            let view = |(i, recording): (usize, &Recording)| {
                let (mut mel, length) = self.heard(change);
                let mut samples = recording.half(second, length)?;
                if is_noisy {
                    let mut rng = ChaCha8Rng::seed_from_u64(step_seed(self.seed, i));
                    Noise::White.add(&mut samples, NOISY_SNR_DB, mel.sample_rate(), &mut rng);
                }
                Ok(Spectrograms::of([samples], &mut mel))
            };
            let views: Vec<Spectrograms> = recordings
                .par_iter()
                .enumerate()
                .map(view)
                .collect::<Result<_>>()?;
            Ok(Spectrograms::joined(&views))
        };
        Ok(DevViews {
            answers: views(true, Stretch::NONE, false)?,
            queries: vec![
                (Queries::AsTheyAre, views(false, Stretch::NONE, false)?),
                (Queries::Transposed, views(false, TRANSPOSED, false)?),
                (Queries::Stretched, views(false, STRETCHED, false)?),
                (Queries::Noisy, views(false, Stretch::NONE, true)?),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::Device;

    use super::*;
    use crate::audio::{WavFormat, write_wav};
    use crate::training::Recipe;
    use crate::training::contrastive::music::Music;

    /// A folder of five recordings of noise at as many levels, three of which are learned from.
    fn music(at: &Path) -> (Music, String) {
        let root = at.join("music");
        std::fs::create_dir_all(&root).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for i in 0..5 {
            let mut samples = Noise::White.samples(30_000, 22_050, &mut rng);
            samples.iter_mut().for_each(|s| *s *= 0.01 * 1.5f32.powi(i));
            let path = root.join(format!("{i}.wav"));
            write_wav(path, &samples, 1, 22_050, WavFormat::Int16).unwrap();
        }
        let text = format!(
            "architecture = \"contrastive-encoder\"\nrun.batch_size = 3\nmodel.n_mels = 16\n\
             features.n_mels = 16\ndata.root = {root:?}\ndata.clip_s = 0.5\n"
        );
        let recipe = recipe(&text);
        let music = Music::read(&recipe.data, &at.join("cache"), 22_050, 3, &|_| ()).unwrap();
        (music, text)
    }

    fn recipe(text: &str) -> ContrastiveRecipe {
        let Recipe::ContrastiveEncoder(recipe) = Recipe::parse(text, &[]).unwrap() else {
            panic!("another architecture");
        };
        *recipe
    }

    fn values(views: &Spectrograms) -> Vec<f32> {
        views
            .to_tensor(&Device::flex())
            .into_data()
            .iter()
            .collect()
    }

    const STILL: &str = "augment.pitch_probability = 0.0\naugment.stretch_probability = 0.0\n\
        augment.mix_probability = 0.0\naugment.mask_probability = 0.0\n\
        augment.waveform = { room_probability = 0.0, equaliser_probability = 0.0, tilt_probability = 0.0, \
        high_pass_probability = 0.0, low_pass_probability = 0.0, noise_probability = 0.0, \
        compression_probability = 0.0, clipping_probability = 0.0, gain_probability = 0.0 }\n";

    #[test]
    fn batches_follow_from_their_number_and_have_two_views_of_each_recording() {
        let at = tempfile::tempdir().unwrap();
        let (music, text) = music(at.path());
        let batch = |settings: &str, number| {
            let maker = ViewMaker::new(&recipe(&format!("{text}{settings}"))).unwrap();
            values(&maker.batch(&music.train, number).unwrap().0)
        };
        assert_eq!(batch("", 4), batch("", 4));
        assert_ne!(batch("", 4), batch("", 5));
        // Views of 16 bands and 22 frames; the level tells which recording one is of.
        let still = batch(STILL, 0);
        let views: Vec<&[f32]> = still.chunks(16 * 22).collect();
        assert_eq!(views.len(), 6);
        let level = |view: &[f32]| view.iter().sum::<f32>() / view.len() as f32;
        for i in 0..3 {
            assert_ne!(views[i], views[i + 3]);
            assert!((level(views[i]) - level(views[i + 3])).abs() < 0.2);
            for j in (0..3).filter(|j| *j != i) {
                assert!((level(views[i]) - level(views[j])).abs() > 0.6);
            }
        }
    }

    #[test]
    fn what_the_recipe_varies_reaches_each_view_by_itself() {
        let at = tempfile::tempdir().unwrap();
        let (music, text) = music(at.path());
        let batch = |settings: String| {
            let maker = ViewMaker::new(&recipe(&format!("{text}{settings}"))).unwrap();
            maker.batch(&music.train, 0).unwrap().0
        };
        let still = values(&batch(STILL.to_owned()));
        for key in ["pitch", "stretch", "mix", "mask"] {
            let old = format!("augment.{key}_probability = 0.0");
            let new = format!("augment.{key}_probability = 1.0");
            let varied = values(&batch(STILL.replace(&old, &new)));
            assert_eq!(varied.len(), still.len(), "{key}");
            assert_ne!(varied, still, "{key}");
        }
        let louder = "gain_probability = 1.0, gain_db = [-20.0, 20.0]";
        let varied = values(&batch(STILL.replace("gain_probability = 0.0", louder)));
        let level = |values: &[f32], view: usize| {
            let view = &values[view * 16 * 22..(view + 1) * 16 * 22];
            view.iter().sum::<f32>() / view.len() as f32
        };
        // Both views of a recording are as loud as each other until each has its own gain.
        let apart = |values: &[f32]| (level(values, 0) - level(values, 3)).abs();
        assert!(
            apart(&still) < 0.2 && apart(&varied) > 0.4,
            "{}",
            apart(&varied)
        );
    }

    #[test]
    fn dev_views_are_halves_as_they_are_and_varied() {
        let at = tempfile::tempdir().unwrap();
        let (music, text) = music(at.path());
        let maker = ViewMaker::new(&recipe(&text)).unwrap();
        let DevViews { answers, queries } = maker.dev_views(&music.dev).unwrap();
        assert_eq!((answers.len(), queries.len()), (2, 4));
        let answers = values(&answers);
        let queries: Vec<Vec<f32>> = queries.iter().map(|(_, views)| values(views)).collect();
        for (i, query) in queries.iter().enumerate() {
            assert_eq!(query.len(), answers.len());
            assert_ne!(*query, answers);
            assert!(queries[..i].iter().all(|other| other != query));
        }
    }
}
