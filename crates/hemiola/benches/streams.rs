//! Live chroma of many streams in one process: what a second of sound costs, of one stream and of 64.
//!
//! ```text
//! cargo bench -p hemiola --bench streams
//! ```
//!
//! Every stream has a front end and a state of its own; the weights of the reference preset are shared. One thread feeds
//! all streams in turn, 10 ms each, as sound cards do. First a line for each number of streams says which share of one core
//! they take; then Criterion measures the time for a second of sound of all of them, which divided by a second is that
//! share again.

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::Device;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hemiola::models::realtime_rnn::RealTimeMusicRnnConfig;
use hemiola::tasks::chroma::{ChromaConfig, ChromaExtractor, ChromaStream};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STREAMS: [usize; 2] = [1, 64];
/// Seconds of sound of which the share of a core is told.
const SHARE_S: usize = 10;

fn extractor() -> ChromaExtractor {
    let config = RealTimeMusicRnnConfig::default();
    let model = config.init(&Device::flex()).unwrap();
    ChromaExtractor::new(&model, &ChromaConfig::default()).unwrap()
}

/// A second of a chord that swells and decays.
fn second(rate: u32) -> Vec<f32> {
    let sine = |hz: f32, t: f32| (std::f32::consts::TAU * hz * t).sin();
    (0..rate)
        .map(|i| {
            let t = i as f32 / rate as f32;
            let chord = sine(261.63, t) + sine(329.63, t) + sine(392.0, t);
            0.2 * chord * (std::f32::consts::PI * t).sin()
        })
        .collect()
}

/// A second of sound of every stream.
fn hear(streams: &mut [ChromaStream], sound: &[f32], out: &mut Vec<[f32; 12]>) {
    out.clear();
    for block in sound.chunks(sound.len() / 100) {
        for stream in &mut *streams {
            stream.push(block, out);
        }
    }
}

fn streams(criterion: &mut Criterion) {
    let extractor = extractor();
    let sound = second(extractor.sample_rate());
    let mut group = criterion.benchmark_group("chroma_streams");
    group.sample_size(20);
    for count in STREAMS {
        let mut streams = vec![extractor.stream(); count];
        let mut out = Vec::new();
        hear(&mut streams, &sound, &mut out);
        let begun = Instant::now();
        for _ in 0..SHARE_S {
            hear(&mut streams, black_box(&sound), &mut out);
        }
        let share = begun.elapsed().as_secs_f64() / SHARE_S as f64;
        println!(
            "{count} streams: {:.2} % of one core, {:.3} % each",
            100.0 * share,
            100.0 * share / count as f64
        );
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("second", count), |bencher| {
            bencher.iter(|| hear(&mut streams, black_box(&sound), &mut out));
        });
    }
    group.finish();
}

criterion_group!(benches, streams);
criterion_main!(benches);
