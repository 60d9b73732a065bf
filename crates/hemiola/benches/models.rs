//! Every architecture in its reference preset: inference, and a step of training (forward, backward, Adam); and what
//! streams, step by step. `scripts/reference/bench_models.py` measures the same in PyTorch.
//!
//! The loss is the mean of the squares of a model's outputs, so that it costs the same on both sides.

use std::time::Duration;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hemiola::checkpoint::Architecture;
use hemiola::models::chord_gnn::{ChordProgressionGnn, ChordProgressionGnnConfig, GraphBatch};
use hemiola::models::contrastive::{ContrastiveEncoder, ContrastiveEncoderConfig, nt_xent};
use hemiola::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use hemiola::models::music_bert::{MusicBert, MusicBertConfig};
use hemiola::models::music_cnn::{MusicCnn, MusicCnnConfig};
use hemiola::models::music_transformer::{MusicTransformer, MusicTransformerConfig};
use hemiola::models::music_vae::{MusicVae, MusicVaeConfig};
use hemiola::models::realtime_rnn::{RealTimeMusicRnn, RealTimeMusicRnnConfig};
use hemiola::models::transcription_rnn::{MusicTranscriptionRnn, MusicTranscriptionRnnConfig};
use hemiola::music::PitchClassSet;
use hemiola::music::chord_graph::{ChordGraph, ChordGraphBatch, ChordGraphConfig, ChordTones};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Inference and training of one model, whose outputs for its inputs on a device `run` gives as a loss.
fn model<M: Architecture, I>(
    criterion: &mut Criterion,
    name: &str,
    config: &M::Config,
    inputs: impl Fn(&Device) -> I,
    run: impl Fn(&M, &I) -> Tensor<1>,
) {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    let device = Device::flex();
    let still = M::from_config(config, &device).unwrap();
    let input = inputs(&device);
    group.bench_function("inference", |bencher| {
        bencher.iter(|| run(&still, &input).into_data());
    });
    drop(still);
    let device = device.autodiff();
    let mut learning = M::from_config(config, &device).unwrap();
    let input = inputs(&device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    group.bench_function("training", |bencher| {
        bencher.iter(|| {
            let loss = run(&learning, &input);
            let gradients = GradientsParams::from_grads(loss.backward(), &learning);
            learning = optimizer.step(1e-4, learning.clone(), gradients);
        });
    });
    group.finish();
}

fn squares<const D: usize>(output: Tensor<D>) -> Tensor<1> {
    output.powi_scalar(2).mean()
}

fn uniform<const D: usize>(shape: [usize; D]) -> impl Fn(&Device) -> Tensor<D> {
    move |device| Tensor::random(shape, Distribution::Default, device)
}

fn events(shape: [usize; 2]) -> impl Fn(&Device) -> Tensor<2, Int> {
    move |device| {
        let ids = (0..shape[0] * shape[1]).map(|i| (i * i * 31 + i * 7) as i64 % 388);
        Tensor::from_data(TensorData::new(ids.collect::<Vec<_>>(), shape), device)
    }
}

fn convolutional(criterion: &mut Criterion) {
    let clips = uniform([4, 128, 130]);
    let config = MusicCnnConfig::default();
    model::<MusicCnn, _>(criterion, "MusicCNN", &config, &clips, |model, x| {
        squares(model.forward(x.clone()).into_clip().unwrap())
    });
    let config = HarmonicCnnConfig::default();
    model::<HarmonicCnn, _>(criterion, "HarmonicCNN", &config, &clips, |model, x| {
        squares(model.forward(x.clone()))
    });
    let config = ContrastiveEncoderConfig::default();
    model::<ContrastiveEncoder, _>(
        criterion,
        "ContrastiveEncoder",
        &config,
        &clips,
        |model, x| {
            let projection = model.forward(x.clone()).projection;
            nt_xent(
                projection.clone().narrow(0, 0, 2),
                projection.narrow(0, 2, 2),
                0.5,
            )
        },
    );
}

fn recurrent(criterion: &mut Criterion) {
    let config = MusicTranscriptionRnnConfig::default();
    model::<MusicTranscriptionRnn, _>(
        criterion,
        "MusicTranscriptionRNN",
        &config,
        uniform([4, 200, 88]),
        |model, x| {
            let output = model.forward(x.clone());
            squares(output.pitches) + squares(output.onsets) + squares(output.velocities)
        },
    );
    let config = RealTimeMusicRnnConfig::default();
    model::<RealTimeMusicRnn, _>(
        criterion,
        "RealTimeMusicRNN",
        &config,
        uniform([8, 200, 128]),
        |model, x| squares(model.forward(x.clone()).chroma()),
    );
    let model = config.init(&Device::flex()).unwrap();
    let mut stepper = model.stepper().unwrap();
    let frame = [0.3; 128];
    criterion.bench_function("RealTimeMusicRNN/one frame", |bencher| {
        bencher.iter(|| stepper.step(&frame));
    });
}

fn transformers(criterion: &mut Criterion) {
    let config = MusicTransformerConfig::default();
    model::<MusicTransformer, _>(
        criterion,
        "MusicTransformer",
        &config,
        events([2, 512]),
        |model, ids| {
            let output = model.forward(ids.clone(), None).unwrap();
            squares(output.tokens) + squares(output.pitches)
        },
    );
    // Events after others, with what was computed of these.
    let model_ = config.init(&Device::flex()).unwrap();
    let mut group = criterion.benchmark_group("MusicTransformer/one event");
    group.sample_size(30);
    for before in [64u16, 1024] {
        let mut decoder = model_.decoder(None).unwrap();
        let ids: Vec<u16> = (0..before).map(|i| i * 7 % 388).collect();
        decoder.push(&ids).unwrap();
        group.bench_function(BenchmarkId::new("after", before), |bencher| {
            let mut at = decoder.clone();
            bencher.iter(|| {
                if at.position() >= usize::from(before) + 64 {
                    at = decoder.clone();
                }
                at.push(&[60]).unwrap()
            });
        });
    }
    group.finish();
    drop(model_);
    let config = MusicBertConfig::default();
    model::<MusicBert, _>(
        criterion,
        "MusicBERT",
        &config,
        events([1, 256]),
        |model, ids| {
            let output = model.forward(ids.clone(), None).unwrap();
            squares(output.events) + squares(output.next_phrase)
        },
    );
}

fn latent(criterion: &mut Criterion) {
    let inputs = |device: &Device| {
        let x = Tensor::<2>::random([256, 88], Distribution::Bernoulli(0.05), device);
        let eps = Tensor::<2>::random([256, 256], Distribution::Normal(0.0, 1.0), device);
        (x, eps)
    };
    let frame = MusicVaeConfig::default();
    model::<MusicVae, _>(criterion, "MusicVAE", &frame, inputs, |model, (x, eps)| {
        squares(model.forward(x.clone(), eps.clone()).unwrap().recon)
    });
    let inputs = |device: &Device| {
        let x = Tensor::<4>::random([16, 4, 16, 88], Distribution::Bernoulli(0.05), device);
        let eps = Tensor::<2>::random([16, 256], Distribution::Normal(0.0, 1.0), device);
        (x, eps)
    };
    let config = MusicVaeConfig {
        hierarchical: true,
        ..frame
    };
    model::<MusicVae, _>(
        criterion,
        "MusicVAE, hierarchical",
        &config,
        inputs,
        |model, (x, eps)| squares(model.forward(x.clone(), eps.clone()).unwrap().recon),
    );
}

/// Triads whose roots go up in fourths, turned after every seventh chord; every fifth is minor.
fn progression(graph: usize, chords: usize) -> ChordGraph {
    let chords = (0..chords).map(|i| {
        let root = ((graph + 5 * i + 2 * (i / 7)) % 12) as u8;
        let third = if i % 5 == 4 { 3 } else { 4 };
        let tones = [root, (root + third) % 12, (root + 7) % 12];
        ChordTones::new(root, PitchClassSet::new(tones).unwrap()).unwrap()
    });
    let chords: Vec<_> = chords.collect();
    ChordGraph::of_progression(&chords, &ChordGraphConfig::default()).unwrap()
}

fn graphs(criterion: &mut Criterion) {
    let all: Vec<_> = (0..32).map(|graph| progression(graph, 50)).collect();
    let batch = ChordGraphBatch::new(&all).unwrap();
    println!("{} chords, {} edges", batch.nodes.len(), batch.edges.len());
    let config = ChordProgressionGnnConfig::default();
    // The norms of the edges are part of what is measured.
    let run = |model: &ChordProgressionGnn, device: &Device| {
        let graphs = GraphBatch::of_chords(&batch, device).unwrap();
        squares(model.forward(&graphs).unwrap().graph_logits)
    };
    model::<ChordProgressionGnn, _>(
        criterion,
        "ChordProgressionGNN",
        &config,
        Device::clone,
        run,
    );
}

criterion_group!(
    benches,
    convolutional,
    recurrent,
    transformers,
    latent,
    graphs
);
criterion_main!(benches);
