//! Speed of recurrent layers: three bidirectional LSTM layers of 256 units, as the kernel computes them on slices and as a
//! module of burn; and the reference RealTimeMusicRNN with its GRU, on batches and frame by frame.
//! `scripts/reference/bench_recurrent.py` measures the same in PyTorch.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hemiola::nn::recurrent::kernel::{Level, Order, Shape, lstm};

const LAYERS: usize = 3;
const INPUT: usize = 256;
const HIDDEN: usize = 256;
/// (batch, frames)
const SIZES: [(usize, usize); 2] = [(4, 200), (16, 160)];

/// Floating-point operations of the matrix products of one forward pass.
fn operations(batch: usize, time: usize) -> u64 {
    let per_direction = |input: usize| 2 * 4 * HIDDEN * (input + HIDDEN);
    let layers = per_direction(INPUT) + (LAYERS - 1) * per_direction(2 * HIDDEN);
    (2 * layers * batch * time) as u64
}

/// Values in ±`scale` without a pattern that a matrix product would notice.
fn values(len: usize, scale: f32) -> Vec<f32> {
    (0..len as u32)
        .map(|i| {
            let hash = i.wrapping_mul(2_654_435_761) ^ (i >> 7);
            (hash.wrapping_mul(40_503) >> 16 & 0xffff) as f32 / 32_768.0 * scale - scale
        })
        .collect()
}

struct Layer {
    shape: Shape,
    weights: [[Vec<f32>; 4]; 2],
}

impl Layer {
    fn new(batch: usize, time: usize, index: usize) -> Self {
        let input = if index == 0 { INPUT } else { 2 * HIDDEN };
        let rows = 4 * HIDDEN;
        let weights =
            || [rows * input, rows * HIDDEN, rows, rows].map(|len| values(len, 1.0 / 16.0));
        Self {
            shape: Shape {
                batch,
                time,
                input,
                hidden: HIDDEN,
            },
            weights: [weights(), weights()],
        }
    }

    fn weights(&self) -> [lstm::Weights<'_>; 2] {
        self.weights
            .each_ref()
            .map(|[input, hidden, input_bias, hidden_bias]| lstm::Weights {
                input,
                hidden,
                input_bias,
                hidden_bias,
            })
    }

    fn forward(&self, x: &[f32], keep: bool) -> (Vec<f32>, Option<lstm::Tape>) {
        let (output, tape) = lstm::forward(
            Level::best(),
            self.shape,
            Order::TimeFirst,
            x,
            &self.weights(),
            None,
            keep,
        );
        (output.y, tape)
    }
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lstm_kernel");
    group.sample_size(20);
    for (batch, time) in SIZES {
        let layers: Vec<Layer> = (0..LAYERS).map(|l| Layer::new(batch, time, l)).collect();
        let x = values(batch * time * INPUT, 1.0);
        let name = format!("{batch}x{time}");
        group.throughput(Throughput::Elements(operations(batch, time)));
        group.bench_function(format!("inference/{name}"), |bencher| {
            bencher.iter(|| {
                layers
                    .iter()
                    .fold(x.clone(), |x, layer| layer.forward(&x, false).0)
            });
        });
        group.throughput(Throughput::Elements(3 * operations(batch, time)));
        group.bench_function(format!("training/{name}"), |bencher| {
            bencher.iter(|| {
                let mut inputs = vec![x.clone()];
                let mut tapes = Vec::new();
                for layer in &layers {
                    let (y, tape) = layer.forward(&inputs[inputs.len() - 1], true);
                    inputs.push(y);
                    tapes.extend(tape);
                }
                let len = inputs[LAYERS].len();
                let mut gradient = vec![1.0 / len as f32; len];
                for (index, (layer, tape)) in layers.iter().zip(&tapes).enumerate().rev() {
                    let gradients = lstm::backward(
                        layer.shape,
                        Order::TimeFirst,
                        &inputs[index],
                        &layer.weights(),
                        tape,
                        lstm::OutputGradients {
                            y: &gradient,
                            last: None,
                        },
                        index > 0,
                    );
                    black_box(&gradients.weights);
                    gradient = gradients.x.unwrap_or_default();
                }
            });
        });
    }
    group.finish();
}

#[cfg(feature = "neural")]
fn module(criterion: &mut Criterion) {
    use burn::tensor::{Device, Tensor, TensorData};
    use hemiola::nn::recurrent::LstmConfig;

    let mut group = criterion.benchmark_group("lstm_module");
    group.sample_size(20);
    let config = LstmConfig::new(INPUT, HIDDEN)
        .with_num_layers(LAYERS)
        .with_bidirectional(true);
    for (batch, time) in SIZES {
        let name = format!("{batch}x{time}");
        let data = TensorData::new(values(batch * time * INPUT, 1.0), [batch, time, INPUT]);
        let device = Device::flex();
        let model = config.init(&device);
        let x = Tensor::<3>::from_data(data.clone(), &device);
        group.throughput(Throughput::Elements(operations(batch, time)));
        group.bench_function(format!("inference/{name}"), |bencher| {
            bencher.iter(|| model.forward(x.clone()).into_data());
        });
        let device = device.autodiff();
        let model = config.init(&device);
        let x = Tensor::<3>::from_data(data, &device);
        group.throughput(Throughput::Elements(3 * operations(batch, time)));
        group.bench_function(format!("training/{name}"), |bencher| {
            bencher.iter(|| model.forward(x.clone()).mean().backward());
        });
    }
    group.finish();
}

/// Two GRU layers of 128 units, a causal convolution and an output; a training step without the optimiser.
#[cfg(feature = "neural")]
fn real_time(criterion: &mut Criterion) {
    use burn::tensor::{Device, Tensor, TensorData};
    use hemiola::models::realtime_rnn::{N_CHROMA, RealTimeMusicRnnConfig};

    const BATCH: usize = 8;
    const TIME: usize = 200;

    let mut group = criterion.benchmark_group("real_time_rnn");
    let config = RealTimeMusicRnnConfig::default();
    let tensor = |width: usize, device: &Device| {
        let shape = [BATCH, TIME, width];
        let data = TensorData::new(values(BATCH * TIME * width, 1.0), shape);
        Tensor::<3>::from_data(data, device)
    };
    let device = Device::flex();
    let model = config.init(&device).expect("the preset is possible");
    let mut stepper = model.stepper().expect("the model has one direction");
    let frame = values(config.input_dim, 1.0);
    group.bench_function("one_frame", |bencher| {
        bencher.iter(|| stepper.step(black_box(&frame)));
    });
    group.sample_size(20);
    let x = tensor(config.input_dim, &device);
    group.bench_function(format!("inference/{BATCH}x{TIME}"), |bencher| {
        bencher.iter(|| model.forward(x.clone()).chroma().into_data());
    });
    let device = device.autodiff();
    let model = config.init(&device).expect("the preset is possible");
    let x = tensor(config.input_dim, &device);
    let target = tensor(N_CHROMA, &device);
    group.bench_function(format!("training/{BATCH}x{TIME}"), |bencher| {
        bencher.iter(|| model.forward(x.clone()).loss(target.clone()).backward());
    });
    group.finish();
}

#[cfg(feature = "neural")]
criterion_group!(benches, kernel, module, real_time);
#[cfg(not(feature = "neural"))]
criterion_group!(benches, kernel);
criterion_main!(benches);
