//! Generation with what was computed before equals generation that computes all anew.

#[path = "support/drawn.rs"]
mod drawn;

use drawn::drawn;
use hemiola::Device;
use hemiola::burn::tensor::{Int, Tensor, TensorData};
use hemiola::models::music_transformer::{MusicTransformer, MusicTransformerConfig};
use hemiola::tasks::sampling::{Sampler, SamplerConfig};
use hemiola::tokens::EventState;

/// Events after a prompt, by the whole model at every event.
fn anew(model: &MusicTransformer, prompt: &[u16], n: usize, sampler: &mut Sampler) -> Vec<u16> {
    let mut ids = prompt.to_vec();
    for _ in 0..n {
        let values: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let data = TensorData::new(values, [1, ids.len()]);
        let tokens = Tensor::<2, Int>::from_data(data, &Device::flex());
        let logits = model.forward(tokens, None).unwrap().tokens;
        let last = logits.narrow(1, ids.len() - 1, 1);
        let mut logits: Vec<f32> = last.into_data().iter::<f32>().collect();
        EventState::after(&ids).allowed().restrict(&mut logits);
        ids.push(sampler.sample(&logits).unwrap() as u16);
    }
    ids
}

/// The same, event by event.
fn remembered(
    model: &MusicTransformer,
    prompt: &[u16],
    n: usize,
    sampler: &mut Sampler,
) -> Vec<u16> {
    let mut ids = prompt.to_vec();
    let mut decoder = model.decoder(None).unwrap();
    let mut logits = decoder.push(&ids).unwrap();
    for step in 0..n {
        EventState::after(&ids).allowed().restrict(&mut logits);
        ids.push(sampler.sample(&logits).unwrap() as u16);
        if step + 1 < n {
            logits = decoder.push(&ids[ids.len() - 1..]).unwrap();
        }
    }
    ids
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for (seed, relative) in [(1, true), (2, true), (3, false)] {
        let config = MusicTransformerConfig {
            d_model: 32,
            n_heads: 4,
            n_layers: 3,
            max_seq_len: 160,
            relative,
            ..MusicTransformerConfig::default()
        };
        let model = drawn(seed, |device| config.init(device));
        let sampler = SamplerConfig {
            temperature: 0.9,
            top_k: 40,
            top_p: 0.95,
            seed,
        };
        // A velocity, a note and a time shift.
        let prompt = [370, 60, 300];
        let run = |generate: fn(&MusicTransformer, &[u16], usize, &mut Sampler) -> Vec<u16>| {
            generate(&model, &prompt, 120, &mut Sampler::new(sampler).unwrap())
        };
        let events = run(remembered);
        assert_eq!(events, run(anew), "seed {seed}, relative {relative}");
        assert_eq!(events, run(remembered), "twice the same");
    }
}
