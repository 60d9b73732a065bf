//! Exact search among the vectors of 100,000 recordings, and reading them from an index.
//!
//! ```text
//! cargo bench -p hemiola --bench similarity
//! ```
//!
//! The vectors are random, as long as those of the reference preset. Reading is what a command pays once; the query is what
//! a program that keeps the index open pays each time.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hemiola::index::{
    Embedding, Index, ModelIdentity, Passages, Stamp, TrackId, TrackVectors, hash_file,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TRACKS: usize = 100_000;
const WIDTH: usize = 256;
/// Tracks of the index that is read: what is told of them is a tenth of what 100,000 take.
const READ: usize = 10_000;

fn vector(rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn search(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut tracks = TrackVectors::new(WIDTH);
    for id in 0..TRACKS {
        tracks.push(id as TrackId, &vector(&mut rng));
    }
    let query = vector(&mut rng);
    let mut group = criterion.benchmark_group("similarity");
    group.throughput(Throughput::Elements(TRACKS as u64));
    group.bench_function("nearest_10_of_100000", |bencher| {
        bencher.iter(|| black_box(tracks.nearest(black_box(&query), 10)));
    });
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.hml");
    let model = ModelIdentity {
        name: "random".into(),
        weights: "0".repeat(64),
        width: WIDTH,
        passage_s: 3.0,
        hop_s: 1.5,
    };
    let mut index = Index::update(&path, &model).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for number in 0..READ {
        let file = folder.path().join(number.to_string());
        std::fs::write(&file, number.to_string()).unwrap();
        let mut passages = Passages::new(WIDTH);
        passages.push(0.0, &vector(&mut rng)).unwrap();
        let embedding = Embedding {
            duration_s: 3.0,
            passages,
        };
        let (stamp, content) = (Stamp::of(&file).unwrap(), hash_file(&file).unwrap());
        index.add(&file, stamp, &content, &embedding).unwrap();
    }
    let mut group = criterion.benchmark_group("index");
    group.sample_size(20);
    group.throughput(Throughput::Elements(READ as u64));
    group.bench_function("open_and_read_10000", |bencher| {
        bencher.iter(|| Index::open(&path).unwrap().vectors().unwrap());
    });
    group.finish();
}

criterion_group!(benches, search, read);
criterion_main!(benches);
