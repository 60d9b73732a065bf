//! MusicCNN, HarmonicCNN and the contrastive encoder: sizes, properties, loss, checkpoints.
#![cfg(feature = "neural")]

use std::path::Path;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use hemiola::checkpoint::{
    Architecture, Card, CheckpointFiles, Import, Precision, TensorFile, load, named_tensors, save,
};
use hemiola::models::contrastive::{ContrastiveEncoderConfig, nt_xent};
use hemiola::models::harmonic_cnn::HarmonicCnnConfig;
use hemiola::models::music_cnn::{MusicCnn, MusicCnnConfig, MusicCnnOutput, Output, Pooling};
use hemiola::nn::evaluation_mode;

fn noise<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn small() -> MusicCnnConfig {
    MusicCnnConfig {
        n_classes: 3,
        n_mels: 16,
        channels: [4, 6, 8],
        attention_hidden: 5,
        ..MusicCnnConfig::default()
    }
}

fn small_harmonic() -> HarmonicCnnConfig {
    HarmonicCnnConfig {
        n_harmonics: 3,
        n_classes: 4,
        n_bins: 20,
        bins_per_octave: 4,
        channels: 3,
        combined: 5,
    }
}

fn small_encoder() -> ContrastiveEncoderConfig {
    ContrastiveEncoderConfig {
        n_mels: 16,
        channels: [4, 6, 8],
        attention_hidden: 5,
        projection: 7,
        ..ContrastiveEncoderConfig::default()
    }
}

/// As PyTorch's `parameters()` counts them.
fn parameters<M: Architecture>(model: &M) -> usize {
    let tensors = named_tensors(model).unwrap().into_iter();
    tensors
        .filter(|tensor| !tensor.name.contains("running_"))
        .map(|tensor| tensor.values.len())
        .sum()
}

fn rows(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, width] = tensor.dims();
    values(tensor).chunks(width).map(<[f32]>::to_vec).collect()
}

fn assert_near(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{what}: {found} {expected}"
        );
    }
}

#[test]
fn reference_presets_have_as_many_parameters_as_their_table_says() {
    let device = Device::flex();
    let cnn = MusicCnnConfig::default().init(&device).unwrap();
    assert_eq!(parameters(&cnn), 783_371);
    let harmonic = HarmonicCnnConfig::default().init(&device).unwrap();
    assert_eq!(parameters(&harmonic), 29_322);
    let encoder = ContrastiveEncoderConfig::default().init(&device).unwrap();
    assert_eq!(parameters(&encoder), 879_746);
}

#[test]
fn a_clip_is_judged_alone_whatever_else_is_in_the_batch() {
    let device = Device::flex();
    let log_mel = noise([3, 16, 21], &device);
    let one = |i| log_mel.clone().narrow(0, i, 1);
    for pooling in [Pooling::Average, Pooling::Attention] {
        let model = MusicCnnConfig { pooling, ..small() }.init(&device).unwrap();
        let logits = |x| model.forward(x).into_clip().unwrap();
        let together = rows(logits(log_mel.clone()));
        for (i, together) in together.iter().enumerate() {
            assert_near("MusicCNN", &values(logits(one(i))), together);
        }
    }
    let encoder = small_encoder().init(&device).unwrap();
    let together = rows(encoder.forward(log_mel.clone()).projection);
    for (i, together) in together.iter().enumerate() {
        assert_near(
            "encoder",
            &values(encoder.forward(one(i)).projection),
            together,
        );
    }
    let harmonic = small_harmonic().init(&device).unwrap();
    let log_cqt = noise([3, 20, 9], &device);
    for (i, together) in rows(harmonic.forward(log_cqt.clone())).iter().enumerate() {
        let alone = harmonic.forward(log_cqt.clone().narrow(0, i, 1));
        assert_near("HarmonicCNN", &values(alone), together);
    }
}

#[test]
fn attention_is_a_distribution_over_time_and_its_average_the_embedding() {
    let device = Device::flex();
    let config = MusicCnnConfig {
        pooling: Pooling::Attention,
        ..small()
    };
    let model = config.init(&device).unwrap();
    let log_mel = noise([2, 16, 23], &device);
    let MusicCnnOutput::Clip { attention, .. } = model.forward(log_mel.clone()) else {
        panic!("a clip's output");
    };
    let attention = attention.unwrap();
    assert_eq!(attention.dims(), [2, 5]);
    let conv3 = model.extract_features(log_mel.clone()).conv3; // [batch, channels, frequency, time]
    let frames = conv3.mean_dim(2).squeeze_dim::<3>(2);
    let weighted = (frames * attention.clone().unsqueeze_dim(1)).sum_dim(2);
    assert_near(
        "embedding",
        &values(model.embed(log_mel)),
        &values(weighted),
    );
    for weights in rows(attention) {
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(weights.iter().all(|&weight| weight > 0.0));
    }
}

#[test]
fn a_pool_of_averages_has_no_attention_and_features_have_pytorchs_layout() {
    let device = Device::flex();
    let model = small().init(&device).unwrap();
    let log_mel = noise([2, 16, 22], &device);
    let MusicCnnOutput::Clip { attention, .. } = model.forward(log_mel.clone()) else {
        panic!("a clip's output");
    };
    assert!(attention.is_none());
    let features = model.extract_features(log_mel.clone());
    assert_eq!(features.spectrogram.dims(), [2, 1, 16, 22]);
    assert_eq!(features.conv1.dims(), [2, 4, 8, 11]);
    assert_eq!(features.harmonic.dims(), [2, 6, 8, 11]);
    assert_eq!(features.temporal.dims(), [2, 6, 8, 11]);
    assert_eq!(features.conv3.dims(), [2, 8, 4, 5]);
    let means = features.conv3.reshape([2, 8, 20]).mean_dim(2);
    assert_near("embedding", &values(model.embed(log_mel)), &values(means));
}

#[test]
fn frames_keep_their_number_down_to_one() {
    let device = Device::flex();
    let config = MusicCnnConfig {
        output: Output::Frame,
        ..small()
    };
    let model = config.init(&device).unwrap();
    for time in [1, 2, 7] {
        let log_mel = noise([2, 16, time], &device);
        model.validate_input(log_mel.dims()).unwrap();
        let logits = model.forward(log_mel.clone()).into_frames().unwrap();
        assert_eq!(logits.dims(), [2, time, 3]);
        assert!(values(logits).iter().all(|logit| logit.is_finite()));
        assert_eq!(model.embed(log_mel).dims(), [2, 8]);
    }
}

/// Frames further away than the filters reach have no influence on a frame.
#[test]
fn a_frame_hears_five_frames_to_each_side() {
    let device = Device::flex();
    let config = MusicCnnConfig {
        output: Output::Frame,
        ..small()
    };
    let model = config.init(&device).unwrap();
    let log_mel = noise([1, 16, 31], &device);
    let middle = log_mel.clone().narrow(2, 10, 11);
    let whole = model.forward(log_mel).into_frames().unwrap();
    let part = model.forward(middle).into_frames().unwrap();
    let frame = |logits: Tensor<3>, t: usize| values(logits.narrow(1, t, 1));
    assert_near("inside", &frame(part.clone(), 5), &frame(whole.clone(), 15));
    let (edge, inner) = (frame(part, 4), frame(whole, 14));
    assert!(edge.iter().zip(&inner).any(|(a, b)| (a - b).abs() > 1e-4));
}

#[test]
fn unreadable_spectrograms_are_refused_with_what_was_expected() {
    let device = Device::flex();
    let clip = small().init(&device).unwrap();
    let frame = MusicCnnConfig {
        output: Output::Frame,
        ..small()
    };
    let frame = frame.init(&device).unwrap();
    let harmonic = small_harmonic().init(&device).unwrap();
    let encoder = small_encoder().init(&device).unwrap();
    for (result, parts) in [
        (clip.validate_input([1, 16, 3]), ["4 frames", "found 3"]),
        (clip.validate_input([1, 16, 0]), ["4 frames", "found 0"]),
        (clip.validate_input([1, 12, 9]), ["16 bands", "found 12"]),
        (clip.validate_input([0, 16, 9]), ["MusicCNN", "batch"]),
        (frame.validate_input([1, 16, 0]), ["1 frame,", "found 0"]),
        (encoder.validate_input([1, 16, 3]), ["4 frames", "found 3"]),
        (harmonic.validate_input([1, 20, 3]), ["4 frames", "found 3"]),
        (
            harmonic.validate_input([1, 16, 9]),
            ["20 bands", "found 16"],
        ),
    ] {
        let message = result.unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} in {message:?}");
        }
    }
    // What is accepted works.
    for (model, time) in [(&clip, 4), (&frame, 1)] {
        model.validate_input([1, 16, time]).unwrap();
        model.forward(noise([1, 16, time], &device));
    }
    harmonic.validate_input([1, 20, 4]).unwrap();
    assert_eq!(harmonic.forward(noise([1, 20, 4], &device)).dims(), [1, 4]);
    assert!(
        clip.forward(noise([1, 16, 4], &device))
            .into_frames()
            .is_err()
    );
    assert!(
        frame
            .forward(noise([1, 16, 4], &device))
            .into_clip()
            .is_err()
    );
}

#[test]
fn impossible_sizes_are_refused_by_name() {
    let device = Device::flex();
    for (json, field) in [
        (r#"{"n_classes": 0}"#, "n_classes"),
        (r#"{"channels": [1, 0, 1]}"#, "channels"),
        (r#"{"attention_hidden": 0}"#, "attention_hidden"),
        (r#"{"n_mels": 3}"#, "n_mels"),
        (r#"{"dropout": 1.0}"#, "dropout"),
    ] {
        let config: MusicCnnConfig = serde_json::from_str(json).unwrap();
        let message = config.init(&device).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
    for (json, field) in [
        (r#"{"n_harmonics": 0}"#, "n_harmonics"),
        (r#"{"n_bins": 2}"#, "n_bins"),
        (r#"{"combined": 0}"#, "combined"),
    ] {
        let config: HarmonicCnnConfig = serde_json::from_str(json).unwrap();
        let message = config.init(&device).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
    let config: ContrastiveEncoderConfig = serde_json::from_str(r#"{"projection": 0}"#).unwrap();
    let message = config.init(&device).unwrap_err().to_string();
    assert!(message.contains("projection"), "{message}");
    assert!(serde_json::from_str::<MusicCnnConfig>(r#"{"n_class": 3}"#).is_err());
}

/// NT-Xent written out from equation 1 of Chen et al. 2020.
fn nt_xent_by_definition(a: &[Vec<f32>], b: &[Vec<f32>], temperature: f64) -> f64 {
    let views: Vec<&Vec<f32>> = a.iter().chain(b).collect();
    let similarity = |x: &[f32], y: &[f32]| {
        let dot = |x: &[f32], y: &[f32]| -> f64 {
            x.iter()
                .zip(y)
                .map(|(&x, &y)| f64::from(x) * f64::from(y))
                .sum()
        };
        dot(x, y) / (dot(x, x) * dot(y, y)).sqrt() / temperature
    };
    let count = views.len();
    let losses = (0..count).map(|i| {
        let partner = (i + count / 2) % count;
        let all: f64 = (0..count)
            .filter(|&k| k != i)
            .map(|k| similarity(views[i], views[k]).exp())
            .sum();
        -(similarity(views[i], views[partner]).exp() / all).ln()
    });
    losses.sum::<f64>() / count as f64
}

#[test]
fn nt_xent_is_its_definition() {
    let device = Device::flex();
    for (batch, temperature) in [(2, 0.5), (5, 0.1), (7, 1.0)] {
        let (a, b) = (noise([batch, 6], &device), noise([batch, 6], &device));
        let found = nt_xent(a.clone(), b.clone(), temperature).into_scalar::<f64>();
        let expected = nt_xent_by_definition(&rows(a), &rows(b), temperature);
        assert!(
            (found - expected).abs() < 1e-5 * expected,
            "{found} {expected}"
        );
    }
}

#[test]
fn nt_xent_of_one_clip_is_zero_and_its_gradients_are_finite_at_all_scales() {
    let device = Device::flex().autodiff();
    let (a, b) = (noise([1, 4], &device), noise([1, 4], &device));
    assert_eq!(nt_xent(a, b, 0.5).into_scalar::<f64>(), 0.0);
    for (scale, temperature) in [(1e30, 0.5), (1e-30, 0.5), (0.0, 0.5), (1.0, 1e-3)] {
        let a = (noise([3, 4], &device) * scale).require_grad();
        let b = noise([3, 4], &device).require_grad();
        let loss = nt_xent(a.clone(), b.clone(), temperature);
        let gradients = loss.backward();
        assert!(loss.into_scalar::<f64>().is_finite(), "{scale}");
        for gradient in [a.grad(&gradients).unwrap(), b.grad(&gradients).unwrap()] {
            assert!(values(gradient).iter().all(|g| g.is_finite()), "{scale}");
        }
    }
}

#[test]
fn identical_views_of_unlike_clips_have_the_least_loss() {
    let device = Device::flex();
    let axes = Tensor::<2>::eye(4, &device);
    let found = nt_xent(axes.clone(), axes, 0.5).into_scalar::<f64>();
    // One partner at similarity 1 / 0.5, six others at 0.
    let expected = (2f64.exp() + 6.0).ln() - 2.0;
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

#[test]
fn in_training_all_that_is_read_has_a_gradient() {
    let device = Device::flex().autodiff();
    let config = MusicCnnConfig {
        pooling: Pooling::Attention,
        ..small()
    };
    let model = config.init(&device).unwrap();
    let logits = model
        .forward(noise([2, 16, 12], &device))
        .into_clip()
        .unwrap();
    let gradients = GradientsParams::from_grads(logits.powi_scalar(2).sum().backward(), &model);
    // Four blocks of four tensors, attention of four, fc of two.
    assert_eq!(gradients.len(), 22);
    let harmonic = small_harmonic().init(&device).unwrap();
    let logits = harmonic.forward(noise([2, 20, 8], &device));
    let gradients = GradientsParams::from_grads(logits.powi_scalar(2).sum().backward(), &harmonic);
    // The filters, three stacks and their combination of four tensors each, the classifier of two.
    assert_eq!(gradients.len(), 1 + 4 * 4 + 2);
}

#[test]
fn evaluation_with_gradients_says_what_inference_says() {
    let device = Device::flex().autodiff();
    let model = small().init(&device).unwrap();
    let log_mel = noise([2, 16, 19], &device);
    model.forward(log_mel.clone() * 2.0);
    let model = evaluation_mode(model);
    let expected = model.forward(log_mel.clone()).into_clip().unwrap().inner();
    let found = model.valid().forward(log_mel.inner()).into_clip().unwrap();
    assert_near("logits", &values(found), &values(expected));
}

#[test]
fn checkpoints_come_back_and_their_sizes_are_read_off_the_tensors() {
    fn check<M: Architecture>(config: M::Config, task: M::Task, told: &[&str])
    where
        M::Config: PartialEq + std::fmt::Debug,
    {
        let device = Device::flex();
        let at = tempfile::tempdir().unwrap();
        let folder = at.path().join("model");
        let model = M::from_config(&config, &device).unwrap();
        let tensors = named_tensors(&model).unwrap();
        let card = Card::default();
        save(&folder, &model, &config, &task, &card, Precision::Float32).unwrap();
        let (loaded, loaded_config, _) = load::<M>(&folder, &device).unwrap();
        assert_eq!(loaded_config, config);
        assert_eq!(named_tensors(&loaded).unwrap(), tensors);
        let described = CheckpointFiles::read(&folder).unwrap().describe().unwrap();
        assert_eq!(described.parameters, parameters(&model));

        let import = |tensors| Import {
            origin: Path::new("weights.pt"),
            tensors: TensorFile { tensors },
            config: None,
            folder: &folder,
            precision: Precision::Float32,
        };
        let assumed = import(tensors.clone()).run(M::NAME).unwrap().join("; ");
        for part in told {
            assert!(assumed.contains(part), "{part:?} in {assumed:?}");
        }
        assert_eq!(load::<M>(&folder, &device).unwrap().1, config);
        let first = tensors[0].name.clone();
        let message = import(tensors[1..].to_vec()).run(M::NAME).unwrap_err();
        assert!(message.to_string().contains(&first), "{message}");
    }
    check::<MusicCnn>(
        MusicCnnConfig {
            n_mels: 128,
            ..small()
        },
        Default::default(),
        &["128 mel bands", "average", "clip"],
    );
    check::<hemiola::models::harmonic_cnn::HarmonicCnn>(
        HarmonicCnnConfig {
            bins_per_octave: 16,
            ..small_harmonic()
        },
        Default::default(),
        &["16 bins to the octave"],
    );
    check::<hemiola::models::contrastive::ContrastiveEncoder>(
        ContrastiveEncoderConfig {
            n_mels: 128,
            ..small_encoder()
        },
        Default::default(),
        &["128 mel bands"],
    );
}

#[test]
fn a_constant_spectrogram_meets_no_surprise() {
    let device = Device::flex();
    let model = MusicCnnConfig::default().init(&device).unwrap();
    let silence = TensorData::new(vec![1e-9f32.ln(); 128 * 8], [1, 128, 8]);
    let logits = model.forward(Tensor::from_data(silence, &device));
    let logits = values(logits.into_clip().unwrap());
    assert!(logits.iter().all(|logit| logit.is_finite()));
}
