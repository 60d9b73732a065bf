//! Speed of MusicVAE and ChordProgressionGNN: a forward pass, and a step of training (forward, backward, Adam).
//! `scripts/reference/bench_latent_and_graph.py` measures the same in PyTorch.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use hemiola::models::chord_gnn::{ChordProgressionGnn, ChordProgressionGnnConfig, GraphBatch};
use hemiola::models::music_vae::{MusicVae, MusicVaeConfig};
use hemiola::music::PitchClassSet;
use hemiola::music::chord_graph::{ChordGraph, ChordGraphBatch, ChordGraphConfig, ChordTones};
use hemiola::nn::evaluation_mode;
use hemiola::nn::loss::cross_entropy;

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GRAPHS: usize = 32;
const CHORDS: usize = 50;

/// A step of training.
fn step<M: Module>(model: &mut M, optimizer: &mut ModuleOptimizer, loss: Tensor<1>) {
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    *model = optimizer.step(1e-3, model.clone(), gradients);
}

fn vae<const D: usize>(criterion: &mut Criterion, name: &str, shape: [usize; D]) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(30);
    let config = MusicVaeConfig {
        hierarchical: D == 4,
        ..MusicVaeConfig::default()
    };
    let inputs = |device: &Device| {
        let x = Tensor::<D>::random(shape, Distribution::Bernoulli(0.05), device);
        let eps = Tensor::<2>::random([shape[0], 256], Distribution::Normal(0.0, 1.0), device);
        (x, eps)
    };
    let device = Device::flex();
    let model: MusicVae = config.init(&device).unwrap();
    let (x, eps) = inputs(&device);
    group.bench_function("inference", |bencher| {
        bencher.iter(|| {
            model
                .forward(x.clone(), eps.clone())
                .unwrap()
                .recon
                .into_data()
        });
    });
    let device = device.autodiff();
    let mut model: MusicVae = config.init(&device).unwrap();
    let (x, eps) = inputs(&device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    group.bench_function("training", |bencher| {
        bencher.iter(|| {
            let output = model.forward(x.clone(), eps.clone()).unwrap();
            let loss = output.loss(x.clone(), 0.0).unwrap().total(1.0);
            step(&mut model, &mut optimizer, loss);
        });
    });
    group.finish();
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

fn gnn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chord_gnn");
    group.sample_size(30);
    let graphs = || (0..GRAPHS).map(|graph| progression(graph, CHORDS));
    let batch: Vec<_> = graphs().collect();
    let batch = ChordGraphBatch::new(&batch).unwrap();
    println!("{} chords, {} edges", batch.nodes.len(), batch.edges.len());
    let config = ChordProgressionGnnConfig::default();
    let device = Device::flex();
    let model: ChordProgressionGnn = evaluation_mode(config.init(&device).unwrap());
    // As in PyTorch's benchmark, the norms are part of what is measured.
    group.bench_function("inference", |bencher| {
        bencher.iter(|| {
            let batch = GraphBatch::of_chords(&batch, &device).unwrap();
            model.forward(&batch).unwrap().graph_logits.into_data()
        });
    });
    let long = ChordGraphBatch::new([&progression(0, 10_000)]).unwrap();
    group.bench_function("inference, one graph of 10 000 chords", |bencher| {
        bencher.iter(|| {
            let batch = GraphBatch::of_chords(&long, &device).unwrap();
            model.forward(&batch).unwrap().graph_logits.into_data()
        });
    });
    let device = device.autodiff();
    let mut model: ChordProgressionGnn = config.init(&device).unwrap();
    let labels = Tensor::<1, Int>::arange(0..GRAPHS as i64, &device).remainder_scalar(7);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    group.bench_function("training", |bencher| {
        bencher.iter(|| {
            let batch = GraphBatch::of_chords(&batch, &device).unwrap();
            let output = model.forward(&batch).unwrap();
            let loss = cross_entropy(output.graph_logits, labels.clone()).mean();
            step(&mut model, &mut optimizer, loss);
        });
    });
    group.bench_function("graphs of progressions", |bencher| {
        bencher.iter(|| graphs().collect::<Vec<_>>());
    });
    group.finish();
}

fn models(criterion: &mut Criterion) {
    vae(criterion, "vae_frame", [256, 88]);
    vae(criterion, "vae_sequence", [16, 4, 16, 88]);
    gnn(criterion);
}

criterion_group!(benches, models);
criterion_main!(benches);
