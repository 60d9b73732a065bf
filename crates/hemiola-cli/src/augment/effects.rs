//! What changes a sound as it goes by: pitch and length, room, equaliser.

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::augment::Stretch;
use hemiola::augment::filter::{Biquad, BiquadState, random_equaliser};
use hemiola::augment::reverb::{Convolver, ConvolverState, Room, RoomRange};
use hemiola::augment::stretch::Stretcher;
use rand_chacha::ChaCha8Rng;

use super::Args;
use super::spool::Spool;
use crate::progress;

/// The changed sound. Peaks stay as high as they were before room and
/// equaliser.
pub fn changed(
    args: &Args,
    stream: &mut AudioStream,
    change: Stretch,
    rng: &mut ChaCha8Rng,
) -> Result<Spool> {
    let rate = stream.sample_rate();
    let room = args.reverb.map(|rt60_s| {
        let range = RoomRange {
            rt60_s: [rt60_s; 2],
            ..RoomRange::default()
        };
        let room = Room::draw(&range, rate, rng);
        (Convolver::new(&room.response), ConvolverState::default())
    });
    let sections = args
        .eq
        .map_or_else(Vec::new, |limit_db| random_equaliser(limit_db, rate, rng));
    let mut effects = Effects {
        room,
        sections: sections
            .into_iter()
            .map(|section| (section, BiquadState::default()))
            .collect(),
        peak_before: 0.0,
        peak_after: 0.0,
    };

    let bar = progress::bar(
        stream.duration_s().unwrap_or(0.0).ceil() as u64,
        "{msg} {wide_bar} {percent}% {eta}",
    );
    bar.set_message(args.input.display().to_string());
    let mut stretcher = Stretcher::new(rate, change)?;
    let mut spool = Spool::new()?;
    let mut waiting = Vec::new();
    let mut read = 0;
    while let Some(block) = stream.next_block()? {
        stretcher.push(block, &mut waiting)?;
        read += block.len() as u64;
        bar.set_position(read / u64::from(rate));
        effects.whole_blocks(&mut waiting, &mut spool)?;
    }
    stretcher.finish(&mut waiting)?;
    effects.whole_blocks(&mut waiting, &mut spool)?;
    effects.block(&mut waiting, &mut spool)?;
    bar.finish_and_clear();
    if read == 0 {
        eprintln!(
            "warning: {}: there is no sound in this recording, not even silence; the result is empty",
            args.input.display()
        );
    }
    if effects.peak_after > 0.0 {
        spool.scale(effects.peak_before / effects.peak_after);
    }
    Ok(spool)
}

struct Effects {
    room: Option<(Convolver, ConvolverState)>,
    sections: Vec<(Biquad, BiquadState)>,
    peak_before: f32,
    peak_after: f32,
}

impl Effects {
    /// Works on all whole blocks of a convolution and leaves the rest.
    fn whole_blocks(&mut self, samples: &mut Vec<f32>, spool: &mut Spool) -> Result<()> {
        let whole = samples.len() / Convolver::BLOCK * Convolver::BLOCK;
        for block in samples[..whole].chunks_mut(Convolver::BLOCK) {
            self.block(block, spool)?;
        }
        samples.drain(..whole);
        Ok(())
    }

    fn block(&mut self, samples: &mut [f32], spool: &mut Spool) -> Result<()> {
        self.peak_before = peak(self.peak_before, samples);
        if let Some((convolver, state)) = &mut self.room {
            convolver.apply_from(state, samples);
        }
        for (section, state) in &mut self.sections {
            section.apply_from(state, samples);
        }
        self.peak_after = peak(self.peak_after, samples);
        spool.push(samples)
    }
}

fn peak(before: f32, samples: &[f32]) -> f32 {
    samples
        .iter()
        .fold(before, |peak, sample| peak.max(sample.abs()))
}
