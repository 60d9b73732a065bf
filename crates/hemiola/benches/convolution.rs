//! The convolutions of the transcription model's harmonic front end, on 16 × 160 frames of 88 pitches.
//! `scripts/reference/bench_convolution.py` is the same in PyTorch.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hemiola::nn::convolution::{
    batch_norm,
    kernel::{self, Padding},
};

const BATCH: usize = 16;
const TIME: usize = 160;
const PITCHES: usize = 88;
const CHANNELS: usize = 24;

fn noise(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn geometry(kernel: [usize; 2], dilation: [usize; 2], out_channels: usize) -> kernel::Geometry {
    kernel::Geometry {
        batch: BATCH,
        height: TIME,
        width: PITCHES,
        in_channels: CHANNELS,
        out_channels,
        kernel,
        dilation,
        padding: Padding::Same.zeros(kernel, dilation),
    }
}

fn kernels(criterion: &mut Criterion) {
    for (name, geometry) in [
        ("3x3", geometry([3, 3], [1, 1], CHANNELS)),
        ("5x3", geometry([5, 3], [1, 1], CHANNELS)),
        ("1x3 dilated", geometry([1, 3], [1, 12], CHANNELS)),
        ("1x1 to 6", geometry([1, 1], [1, 1], 6)),
    ] {
        let input = noise(geometry.input_len());
        let weight = noise(geometry.weight_len());
        let bias = noise(geometry.out_channels);
        let slope = noise(geometry.output_len());
        let mut group = criterion.benchmark_group(format!("convolution {name}"));
        let products = BATCH * TIME * PITCHES * geometry.weight_len();
        group.throughput(Throughput::Elements(2 * products as u64));
        group.sample_size(20);
        group.bench_function("forward", |bencher| {
            bencher.iter(|| kernel::forward(&geometry, &input, &weight, Some(&bias)));
        });
        group.bench_function("input gradient", |bencher| {
            bencher.iter(|| kernel::input_gradient(&geometry, &weight, &slope));
        });
        group.bench_function("parameter gradients", |bencher| {
            bencher.iter(|| kernel::parameter_gradients(&geometry, &input, &slope));
        });
        group.finish();
    }

    let len = BATCH * TIME * PITCHES * CHANNELS;
    let (input, slope) = (noise(len), noise(len));
    let (weight, bias) = (noise(CHANNELS), noise(CHANNELS));
    let mut group = criterion.benchmark_group("batch normalisation and ReLU");
    group.throughput(Throughput::Bytes(4 * len as u64));
    group.sample_size(20);
    group.bench_function("forward", |bencher| {
        bencher.iter(|| batch_norm::forward(&input, &weight, &bias, 1e-5, true));
    });
    let (_, statistics) = batch_norm::forward(&input, &weight, &bias, 1e-5, true);
    group.bench_function("backward", |bencher| {
        bencher
            .iter(|| batch_norm::backward(&input, &weight, &bias, 1e-5, true, &statistics, &slope));
    });
    group.finish();
}

#[cfg(feature = "neural")]
mod stack {
    use super::*;
    use burn::module::Module;
    use burn::tensor::{Device, Distribution, Tensor};
    use hemiola::nn::convolution::{BatchNorm, Conv2d};

    #[derive(Module, Debug)]
    struct Harmonic {
        convolutions: Vec<Conv2d>,
        normalisations: Vec<BatchNorm>,
        last: Conv2d,
    }

    impl Harmonic {
        fn new(device: &Device) -> Self {
            let layers = [([3, 3], [1, 1]), ([5, 3], [1, 1]), ([1, 3], [1, 12])];
            Self {
                convolutions: layers
                    .map(|(kernel, dilation)| Conv2d::new([CHANNELS; 2], kernel, dilation, device))
                    .into(),
                normalisations: layers.map(|_| BatchNorm::new(CHANNELS, device)).into(),
                last: Conv2d::new([CHANNELS, 6], [1, 1], [1, 1], device),
            }
        }

        fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
            for (convolution, normalisation) in self.convolutions.iter().zip(&self.normalisations) {
                x = normalisation.forward_relu(convolution.forward(x)); // [batch, time, pitch, channels]
            }
            self.last.forward(x) // [batch, time, pitch, 6]
        }
    }

    pub fn run(criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("harmonic front end");
        group.throughput(Throughput::Elements((BATCH * TIME) as u64));
        group.sample_size(10);
        let shape = [BATCH, TIME, PITCHES, CHANNELS];
        let device = Device::flex();
        let input = Tensor::random(shape, Distribution::Default, &device);
        let model = Harmonic::new(&device);
        group.bench_function("inference", |bencher| {
            bencher.iter(|| model.forward(input.clone()))
        });
        let device = device.autodiff();
        let model = Harmonic::new(&device);
        let input = Tensor::<4>::random(shape, Distribution::Default, &device).require_grad();
        group.bench_function("forward, training", |bencher| {
            bencher.iter(|| model.forward(input.clone()));
        });
        group.bench_function("forward and backward", |bencher| {
            bencher.iter(|| model.forward(input.clone()).sum().backward());
        });
        group.finish();
    }
}

#[cfg(feature = "neural")]
criterion_group!(benches, kernels, stack::run);
#[cfg(not(feature = "neural"))]
criterion_group!(benches, kernels);
criterion_main!(benches);
