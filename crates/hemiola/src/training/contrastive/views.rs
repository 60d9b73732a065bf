//! Views of recordings: crops, each varied by itself, as spectrograms.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ContrastiveRecipe;
use super::music::{Crops, Recording, draw_different};
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
