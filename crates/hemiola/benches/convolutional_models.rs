//! MusicCNN and HarmonicCNN of the reference presets on 4 clips of 3 s: inference, and a step of training with Adam.
//! `scripts/reference/bench_convolutional_models.py` is the same in PyTorch.

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hemiola::checkpoint::Architecture;
use hemiola::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use hemiola::models::music_cnn::{MusicCnn, MusicCnnConfig};
use hemiola::nn::loss::cross_entropy;

/// Clips, bands or bins, frames.
const SHAPE: [usize; 3] = [4, 128, 130];
const CLASSES: i64 = 10;

fn bench<M: Architecture>(
    criterion: &mut Criterion,
    name: &str,
    config: &M::Config,
    logits: impl Fn(&M, Tensor<3>) -> Tensor<2>,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((SHAPE[0] * SHAPE[2]) as u64));
    group.sample_size(20);
    let device = Device::flex();
    let model = M::from_config(config, &device).unwrap();
    let input = Tensor::random(SHAPE, Distribution::Default, &device);
    group.bench_function("inference", |bencher| {
        bencher.iter(|| logits(&model, input.clone()));
    });

    let device = device.autodiff();
    let mut model = M::from_config(config, &device).unwrap();
    let input = Tensor::<3>::random(SHAPE, Distribution::Default, &device);
    let labels = Tensor::<1, Int>::arange(0..SHAPE[0] as i64, &device) % CLASSES;
    group.bench_function("forward, training", |bencher| {
        bencher.iter(|| logits(&model, input.clone()));
    });
    let mut optimizer = AdamConfig::new().init();
    group.bench_function("training step", |bencher| {
        bencher.iter(|| {
            let logits = logits(&model, input.clone());
            let loss = cross_entropy(logits, labels.clone()).mean();
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-3, model.clone(), gradients);
        });
    });
    group.finish();
}

fn models(criterion: &mut Criterion) {
    bench::<MusicCnn>(
        criterion,
        "MusicCNN",
        &MusicCnnConfig::default(),
        |model, input| model.forward(input).into_clip().unwrap(),
    );
    bench::<HarmonicCnn>(
        criterion,
        "HarmonicCNN",
        &HarmonicCnnConfig::default(),
        HarmonicCnn::forward,
    );
}

criterion_group!(benches, models);
criterion_main!(benches);
