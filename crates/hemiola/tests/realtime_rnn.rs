//! A stream gives the same chroma however it is cut, and by whichever way it is computed.

#![cfg(feature = "neural")]

#[path = "support/drawn.rs"]
mod drawn;

use drawn::drawn;
use std::path::Path;

use hemiola::Device;
use hemiola::burn::tensor::{Distribution, Tensor};
use hemiola::checkpoint::{
    Architecture, Card, CheckpointFiles, Import, Precision, TensorFile, load, load_tensors,
    named_tensors, read_config, save,
};
use hemiola::models::realtime_rnn::{N_CHROMA, RealTimeMusicRnn, RealTimeMusicRnnConfig};
use hemiola::tasks::chroma::ChromaConfig;
use proptest::prelude::*;

const TOLERANCE: f32 = 1e-5;

fn model(config: &RealTimeMusicRnnConfig, seed: u64) -> RealTimeMusicRnn {
    drawn(seed, |device| config.init(device))
}

fn frames(batch: usize, time: usize, bins: usize) -> Tensor<3> {
    // The range of natural logarithms of mel energies.
    let range = Distribution::Uniform(-20.0, 6.0);
    Tensor::random([batch, time, bins], range, &Device::flex())
}

fn numbers(tensor: Tensor<3>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= TOLERANCE, "[{i}]: {f}, expected {e}");
    }
}

fn sizes() -> impl Strategy<Value = RealTimeMusicRnnConfig> {
    (1..20usize, 1..40usize, 1..4usize).prop_map(|(input_dim, hidden_dim, n_layers)| {
        RealTimeMusicRnnConfig {
            input_dim,
            hidden_dim,
            n_layers,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn chunks_of_any_length_give_the_chroma_of_the_whole(
        config in sizes(),
        seed in any::<u64>(),
        batch in 1..4usize,
        chunks in prop::collection::vec(0..9usize, 1..8),
    ) {
        let model = model(&config, seed);
        let time = chunks.iter().sum();
        let x = frames(batch, time, config.input_dim);
        let whole = model.forward(x.clone());
        let mut state = model.initial_state(batch);
        let mut parts = Vec::new();
        let mut start = 0;
        for &len in &chunks {
            let chunk = x.clone().slice([0..batch, start..start + len]);
            let (output, next) = model.forward_with_state(chunk, state);
            prop_assert_eq!(output.logits.dims(), [batch, len, N_CHROMA]);
            parts.push(output.chroma());
            state = next;
            start += len;
        }
        assert_close(&numbers(Tensor::cat(parts, 1)), &numbers(whole.chroma()));
        assert_close(&numbers(state.hidden), &numbers(whole.hidden));
    }

    #[test]
    fn frame_by_frame_gives_the_chroma_of_the_whole(
        config in sizes(),
        seed in any::<u64>(),
        time in 0..30usize,
    ) {
        let model = model(&config, seed);
        let x = frames(1, time, config.input_dim);
        let whole = model.forward(x.clone());
        let mut stepper = model.stepper().unwrap();
        let found: Vec<f32> = numbers(x)
            .chunks_exact(config.input_dim)
            .flat_map(|frame| stepper.step(frame))
            .collect();
        assert_close(&found, &numbers(whole.chroma()));
        let state = stepper.state(&Device::flex());
        assert_close(&numbers(state.hidden), &numbers(whole.hidden));
    }
}

#[test]
fn the_reference_preset_streams_a_minute_without_drift() {
    let config = RealTimeMusicRnnConfig::default();
    let model = model(&config, 5);
    let x = frames(1, 2600, config.input_dim);
    let whole = numbers(model.forward(x.clone()).chroma());
    let mut stepper = model.stepper().unwrap();
    let found: Vec<f32> = numbers(x)
        .chunks_exact(config.input_dim)
        .flat_map(|frame| stepper.step(frame))
        .collect();
    assert_close(&found, &whole);
}

#[test]
fn a_stream_changes_between_tensors_and_single_frames() {
    let config = RealTimeMusicRnnConfig {
        input_dim: 6,
        hidden_dim: 10,
        n_layers: 2,
    };
    let model = model(&config, 1);
    let x = frames(3, 12, 6);
    let whole = model.forward(x.clone()).chroma();
    let part = |start, len| x.clone().narrow(1, start, len);
    let (_, state) = model.forward_with_state(part(0, 4), model.initial_state(3));
    for stream in 0..3 {
        let mut stepper = model.stepper().unwrap();
        stepper.resume(&state, stream).unwrap();
        let middle = numbers(part(4, 5).narrow(0, stream, 1));
        let mut found: Vec<f32> = middle
            .chunks_exact(6)
            .flat_map(|frame| stepper.step(frame))
            .collect();
        let end = part(9, 3).narrow(0, stream, 1);
        let (output, _) = model.forward_with_state(end, stepper.state(&Device::flex()));
        found.extend(numbers(output.chroma()));
        let expected = whole.clone().narrow(0, stream, 1).narrow(1, 4, 8);
        assert_close(&found, &numbers(expected));
    }
    let mut stepper = model.stepper().unwrap();
    let message = stepper.resume(&state, 3).unwrap_err().to_string();
    assert!(
        message.contains("stream 3") && message.contains("[2, 3, 10]"),
        "{message}"
    );
}

#[test]
fn streams_that_share_weights_do_not_disturb_one_another() {
    let config = RealTimeMusicRnnConfig {
        input_dim: 4,
        hidden_dim: 7,
        n_layers: 2,
    };
    let model = model(&config, 2);
    let x = frames(2, 9, 4);
    let expected = numbers(model.forward(x.clone()).chroma());
    let first = model.stepper().unwrap();
    let mut streams = [first.clone(), first];
    let mut found = [Vec::new(), Vec::new()];
    let x = numbers(x);
    for frame in 0..9 {
        for (stream, (stepper, found)) in streams.iter_mut().zip(&mut found).enumerate() {
            found.extend(stepper.step(&x[(stream * 9 + frame) * 4..][..4]));
        }
    }
    assert_close(&found.concat(), &expected);
    // A stream that begins anew does as the first did.
    streams[1].reset();
    let again: Vec<f32> = x[..9 * 4]
        .chunks_exact(4)
        .flat_map(|frame| streams[1].step(frame))
        .collect();
    assert_eq!(again, found[0]);
}

#[test]
fn no_frames_give_no_chroma_and_leave_the_state_alone() {
    let config = RealTimeMusicRnnConfig {
        input_dim: 4,
        hidden_dim: 3,
        n_layers: 2,
    };
    let model = model(&config, 3);
    let (_, before) = model.forward_with_state(frames(2, 5, 4), model.initial_state(2));
    let (output, after) = model.forward_with_state(frames(2, 0, 4), before.clone());
    assert_eq!(output.chroma().dims(), [2, 0, N_CHROMA]);
    assert_eq!(numbers(after.hidden), numbers(before.hidden));
    assert_eq!(numbers(after.previous), numbers(before.previous));
}

#[test]
fn a_checkpoint_gives_back_the_model_and_tells_its_sizes() {
    let config = RealTimeMusicRnnConfig {
        input_dim: 9,
        hidden_dim: 6,
        n_layers: 3,
    };
    let original = model(&config, 4);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save(
        path,
        &original,
        &config,
        &ChromaConfig::default(),
        &Card::default(),
        Precision::Float32,
    )
    .unwrap();
    let (loaded, found, _) = load::<RealTimeMusicRnn>(path, &Device::flex()).unwrap();
    assert_eq!(found, config);
    let x = frames(1, 4, 9);
    assert_eq!(
        numbers(loaded.forward(x.clone()).logits),
        numbers(original.forward(x).logits)
    );
    let described = CheckpointFiles::read(path).unwrap().describe().unwrap();
    assert_eq!(described.architecture, "real-time-music-rnn");

    // The same tensors without a configuration.
    let tensors = TensorFile {
        tensors: named_tensors(&original).unwrap(),
    };
    let names: Vec<&str> = tensors.tensors.iter().map(|t| t.name.as_str()).collect();
    assert!(names.contains(&"gru.weight_hh_l2") && names.contains(&"causal_conv.weight"));
    let imported = folder.path().join("imported");
    let import = Import {
        origin: Path::new("weights.pt"),
        tensors: tensors.clone(),
        config: None,
        folder: &imported,
        precision: Precision::Float32,
    };
    assert!(import.run(RealTimeMusicRnn::NAME).unwrap().is_empty());
    let written = read_config(&imported).unwrap();
    assert_eq!(written.model, serde_json::to_value(&config).unwrap());

    let other = RealTimeMusicRnnConfig {
        hidden_dim: 5,
        ..config
    };
    let mut other = model(&other, 4);
    let message = load_tensors(&mut other, tensors, path)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("causal_conv.bias") && message.contains("[5]"),
        "{message}"
    );
}
