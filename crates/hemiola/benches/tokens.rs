//! MIDI files to event ids: `cargo bench --bench tokens -- FOLDER` reads every MIDI file below a folder, on one thread.
//!
//! `scripts/reference/bench_tokens.py FOLDER` does the same with MidiTok and symusic.

use std::path::Path;
use std::time::Instant;

use hemiola::datasets::DataSet;
use hemiola::datasets::midi_folder::MidiFolder;
use hemiola::midi::Score;
use hemiola::tokens::{TokenOptions, tokenize};

const ROUNDS: usize = 5;

fn main() {
    // Cargo itself adds --bench.
    let Some(folder) = std::env::args().skip(1).find(|a| !a.starts_with("--")) else {
        println!("no folder named; see the head of this file");
        return;
    };
    let folder = MidiFolder::open(Path::new(&folder), None, 0.0).expect("a folder of MIDI files");
    let mut seconds: Vec<f64> = Vec::with_capacity(ROUNDS);
    let mut events = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        events = 0;
        for item in folder.items() {
            let score = Score::read(&item.notes).expect("a readable file");
            let ids = tokenize(&score, &TokenOptions::NOTE_SEQ).expect("possible notes");
            events += ids.len();
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let (files, median) = (folder.items().len(), seconds[ROUNDS / 2]);
    println!(
        "hemiola: {files} files, {events} events, {:.3} ms a file",
        median / files as f64 * 1e3
    );
}
