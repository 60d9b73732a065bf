//! Search in a library of a quarter of a million recordings and a million passages: everything compared, and what graphs of
//! neighbours tell.
//!
//! ```text
//! cargo bench -p hemiola --bench neighbours
//! ```
//!
//! The vectors are made up. Recordings lie about styles, their passages about them, in a space of fewer directions than the
//! vectors have numbers; queries are four passages of a recording with noise. A search begins by opening the index, as
//! `hemiola similar` does. Told is how many of the ten recordings that comparing everything finds the graph finds too.

use std::time::{Duration, Instant};

use hemiola::index::{Found, GraphConfig, Index, ModelIdentity, Passages, Search};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rusqlite::Connection;

const TRACKS: usize = 250_000;
const PASSAGES: usize = 4;
const STYLES: usize = 500;
const DIRECTIONS: usize = 40;
const WIDTH: usize = 128;
const QUERIES: usize = 20;
const NEAREST: usize = 10;

/// What recordings are made of.
struct Music {
    rng: ChaCha8Rng,
    /// Row-major [directions, width].
    directions: Vec<f32>,
    /// Row-major [styles, directions].
    styles: Vec<f32>,
}

impl Music {
    fn new(mut rng: ChaCha8Rng) -> Self {
        let mut normal = |n: usize| (0..n).map(|_| rng.sample(StandardNormal)).collect();
        let (directions, styles) = (normal(DIRECTIONS * WIDTH), normal(STYLES * DIRECTIONS));
        Self {
            rng,
            directions,
            styles,
        }
    }

    fn near(&mut self, place: &[f32], distance: f32) -> Vec<f32> {
        let offset = |v: &f32| v + distance * self.rng.sample::<f32, _>(StandardNormal);
        place.iter().map(offset).collect()
    }

    fn recording(&mut self) -> Passages {
        let style = self.rng.random_range(0..STYLES) * DIRECTIONS;
        let style = self.styles[style..][..DIRECTIONS].to_vec();
        let recording = self.near(&style, 0.7);
        let mut passages = Passages::new(WIDTH);
        for place in 0..PASSAGES {
            let passage = self.near(&recording, 0.5);
            let mut vector = vec![0.0; WIDTH];
            for (amount, direction) in passage.iter().zip(self.directions.chunks_exact(WIDTH)) {
                for (sum, number) in vector.iter_mut().zip(direction) {
                    *sum += amount * number;
                }
            }
            passages.push(1.5 * place as f64, &vector).unwrap();
        }
        passages
    }

    fn noisy(&mut self, recording: &Passages) -> Passages {
        let mut noisy = Passages::new(WIDTH);
        for place in 0..recording.len() {
            let vector = self.near(recording.vector(place), 0.3 / (WIDTH as f32).sqrt());
            noisy.push(1.5 * place as f64, &vector).unwrap();
        }
        noisy
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Fills an index in one change, without files.
fn fill(index: &std::path::Path, music: &mut Music) -> Vec<Passages> {
    let mut connection = Connection::open(index).unwrap();
    let change = connection.transaction().unwrap();
    let mut some = Vec::new();
    for id in 0..TRACKS {
        let passages = music.recording();
        let vector = bytes(&passages.mean().unwrap());
        let starts: Vec<u8> = passages
            .starts_s()
            .iter()
            .flat_map(|s| s.to_le_bytes())
            .collect();
        let content = (id as u64).to_le_bytes();
        let mut insert = change
            .prepare_cached("INSERT INTO track VALUES (?1, ?2, 6.0, ?3)")
            .unwrap();
        insert.execute((id as i64, content, vector)).unwrap();
        let mut insert = change
            .prepare_cached("INSERT INTO passages VALUES (?1, ?2, ?3)")
            .unwrap();
        insert
            .execute((id as i64, starts, bytes(passages.vectors())))
            .unwrap();
        if id % (TRACKS / QUERIES) == 0 {
            some.push(passages);
        }
    }
    change.commit().unwrap();
    some
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.hml");
    let model = ModelIdentity {
        name: "made-up".into(),
        weights: "0".repeat(64),
        width: WIDTH,
        passage_s: 3.0,
        hop_s: 1.5,
    };
    let mut index = Index::update(&path, &model).unwrap();
    let mut music = Music::new(ChaCha8Rng::seed_from_u64(1));
    let some = fill(&path, &mut music);
    let queries: Vec<Passages> = some
        .iter()
        .map(|recording| music.noisy(recording))
        .collect();

    let begun = Instant::now();
    index
        .update_graphs(&GraphConfig::ALWAYS, |_, _| {})
        .unwrap();
    println!("graphs made in {:.0} s", begun.elapsed().as_secs_f64());
    for kind in ["hml", "hml.tracks", "hml.passages"] {
        let size = path.with_extension(kind).metadata().unwrap().len();
        println!("library.{kind}: {} MB", size / 1_000_000);
    }
    type Ask = fn(&Search, &Passages) -> Found;
    let whole: Ask = |search, query| search.tracks_like(query, NEAREST, None).unwrap();
    let parts: Ask = |search, query| search.passages_like(query, NEAREST, None).unwrap();
    for (by, ask) in [("track", whole), ("passage", parts)] {
        let mut found = 0;
        let (mut all, mut near) = (Duration::ZERO, Duration::ZERO);
        for query in &queries {
            let begun = Instant::now();
            let index = Index::open(&path).unwrap();
            let expected = ask(&Search::new(&index).exact(), query);
            all += begun.elapsed();
            let begun = Instant::now();
            let index = Index::open(&path).unwrap();
            let told = ask(&Search::new(&index), query);
            near += begun.elapsed();
            assert!(expected.exact && !told.exact);
            let known = |track| expected.hits.iter().any(|hit| hit.track == track);
            found += told.hits.iter().filter(|hit| known(hit.track)).count();
        }
        let mean = |time: Duration| time.as_secs_f64() / QUERIES as f64;
        println!(
            "by {by}: everything {:.3} s, graph {:.3} s, ratio {:.1}; found {:.3} of the nearest {NEAREST}",
            mean(all),
            mean(near),
            mean(all) / mean(near),
            found as f64 / (QUERIES * NEAREST) as f64
        );
    }
}
