//! Music from music on the command line: files appear whole or not at all, and say why.

mod support;

use std::path::Path;

use hemiola::checkpoint::{self, Card, Precision};
use hemiola::formats::write_notes;
use hemiola::midi::{MidiFile, Score, WriteOptions, encode_midi};
use hemiola::models::music_bert::MusicBertConfig;
use hemiola::models::music_transformer::MusicTransformerConfig;
use hemiola::music::{Note, end_s};
use hemiola::tasks::infill::InfillerConfig;
use hemiola::tasks::perform::{Performer, PerformerConfig};
use support::{drawn, folder, hemiola, hemiola_in, melody};

/// Tiny models called `performer` and `bert`, and a piece, `in.mid`.
fn with_models() -> tempfile::TempDir {
    let at = folder();
    let config = MusicTransformerConfig {
        d_model: 16,
        n_heads: 2,
        n_layers: 2,
        max_seq_len: 48,
        vocab_size: 394,
        ..MusicTransformerConfig::default()
    };
    let task = PerformerConfig {
        styles: vec!["pop".into(), "folk".into()],
        ..PerformerConfig::default()
    };
    let card = Card::default();
    let save = at.path().join("tiny-performer");
    let model = drawn(5, |device| config.init(device));
    checkpoint::save(&save, &model, &config, &task, &card, Precision::Float16).unwrap();
    let config = MusicBertConfig {
        d_model: 16,
        n_heads: 2,
        n_layers: 2,
        max_seq_len: 48,
        ..MusicBertConfig::default()
    };
    let save = at.path().join("tiny-bert");
    let model = drawn(5, |device| config.init(device));
    let task = InfillerConfig::default();
    checkpoint::save(&save, &model, &config, &task, &card, Precision::Float16).unwrap();
    write_melody(&at.path().join("in.mid"), 1);
    at
}

fn write_melody(path: &Path, seed: u8) {
    write_notes(path, &melody(seed), None).unwrap();
}

/// Runs a verb with the tiny model that it needs.
fn run(at: &Path, line: &str) -> support::Ran {
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    let model = match arguments.contains(&"infill") || arguments.contains(&"masked") {
        true => "tiny-bert",
        false => "tiny-performer",
    };
    arguments.extend(["--model", model]);
    hemiola(at, &arguments)
}

fn read(at: &Path, name: &str) -> Score {
    Score::read(at.join(name)).unwrap()
}

/// The files of a folder but models and inputs.
fn results(at: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(at).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| !name.starts_with("tiny-") && !name.starts_with("in"))
        .collect();
    names.sort();
    names
}

#[test]
fn the_same_seed_makes_the_same_file() {
    let at = with_models();
    let at = at.path();
    run(
        at,
        "generate --style pop --seconds 4 --seed 5 -o a.mid --plot a.svg",
    )
    .succeeded();
    let ran = run(at, "generate --style pop --seconds 4 --seed 5 -o -").succeeded();
    assert_eq!(ran.stdout, std::fs::read(at.join("a.mid")).unwrap());
    run(at, "generate --style pop --seconds 4 --seed 6 -o b.mid").succeeded();
    assert_ne!(
        std::fs::read(at.join("a.mid")).unwrap(),
        std::fs::read(at.join("b.mid")).unwrap()
    );
    let score = read(at, "a.mid");
    assert!(score.warnings.is_empty(), "{:?}", score.warnings);
    assert!(score.notes().iter().all(|note| note.offset_s <= 4.0));
    assert!(
        std::fs::read_to_string(at.join("a.svg"))
            .unwrap()
            .contains("<svg")
    );
    let told = run(at, "generate --seconds 1 -o c.mid").succeeded().stderr;
    assert!(told.contains("seed "), "{told}");
}

#[test]
fn a_piece_stays_as_it_is_when_it_goes_on() {
    let at = with_models();
    let at = at.path();
    let given = read(at, "in.mid").notes();
    run(at, "continue in.mid --seconds 3 --seed 1").succeeded();
    let score = read(at, "in-continued.mid");
    let [old, new] = score.instruments.as_slice() else {
        panic!("{score:?}");
    };
    assert_eq!(old.notes, given);
    let end_s = end_s(&given);
    assert_eq!(new.name, "continuation");
    assert!(
        new.notes
            .iter()
            .all(|n| n.onset_s >= end_s - 0.002 && n.offset_s <= end_s + 3.002)
    );

    let bytes = std::fs::read(at.join("in.mid")).unwrap();
    let arguments = [
        "continue",
        "-",
        "--seconds",
        "3",
        "--seed",
        "1",
        "--model",
        "tiny-performer",
    ];
    let ran = hemiola_in(at, &arguments, &bytes).succeeded();
    assert_eq!(
        ran.stdout,
        std::fs::read(at.join("in-continued.mid")).unwrap()
    );

    run(
        at,
        "continue in.mid --from 1.0 --seconds 2 --seed 1 -o cut.mid --attention a.png --layer 1",
    )
    .succeeded();
    let kept = given.iter().filter(|n| n.onset_s < 1.0).count();
    let cut = read(at, "cut.mid");
    let old = cut
        .instruments
        .iter()
        .find(|i| i.name != "continuation")
        .unwrap();
    assert_eq!(old.notes.len(), kept);
    assert!(
        std::fs::read(at.join("a.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
}

#[test]
fn outside_a_gap_nothing_changes() {
    let at = with_models();
    let at = at.path();
    let given = read(at, "in.mid").notes();
    run(
        at,
        "infill in.mid --from 0.8 --to 1.6 --seed 2 -o out.mid --plot out.png",
    )
    .succeeded();
    let score = read(at, "out.mid");
    let is_new = |name: &str| name == "infill";
    let outside = given.iter().filter(|n| !(0.8..1.6).contains(&n.onset_s));
    let old = score.instruments.iter().filter(|i| !is_new(&i.name));
    assert_eq!(
        old.flat_map(|i| i.notes.clone()).collect::<Vec<Note>>(),
        outside.copied().collect::<Vec<Note>>()
    );
    for new in score.instruments.iter().filter(|i| is_new(&i.name)) {
        assert!(
            new.notes
                .iter()
                .all(|n| n.onset_s > 0.79 && n.offset_s < 1.61)
        );
    }
}

#[test]
fn models_are_measured_by_folders() {
    let at = with_models();
    let at = at.path();
    std::fs::create_dir(at.join("inputs")).unwrap();
    write_melody(&at.join("inputs/a.mid"), 2);
    write_melody(&at.join("inputs/b.mid"), 3);
    let scores = run(at, "evaluate events inputs --json").succeeded().json();
    // A model that has learned nothing finds nearly all of 394 symbols as likely.
    let nll = scores["nll_per_event"].as_f64().unwrap();
    assert!((4.0..9.0).contains(&nll), "{nll}");
    assert!(scores["events"].as_u64().unwrap() > 50);
    assert_eq!(scores["pieces"], 2);

    let list = "file,split,style,set\na.mid,train,pop,x\nb.mid,dev,folk,x\n";
    std::fs::write(at.join("inputs.csv"), list).unwrap();
    let line = "evaluate events inputs --list inputs.csv --baselines --json";
    let scores = run(at, line).succeeded().json();
    assert_eq!(scores["pieces"], 1);
    for baseline in ["unigram", "5-gram"] {
        let nll = scores[baseline]["nll_per_event"].as_f64().unwrap();
        assert!((0.1..8.0).contains(&nll), "{baseline}: {nll}");
    }
    assert_eq!(scores["styles"]["folk"]["pieces"], 1);
    // A piece that was counted: its events between their neighbours are known, the commonest one is what it is.
    std::fs::copy(at.join("inputs/a.mid"), at.join("inputs/b.mid")).unwrap();
    let line = "evaluate masked inputs --list inputs.csv --baselines --share 1 --json";
    let scores = run(at, line).succeeded().json();
    let performer = Performer::open(&at.join("tiny-performer"), &hemiola::Device::flex()).unwrap();
    let ids = performer.read(&read(at, "inputs/a.mid")).unwrap();
    let times = |id: &u16| ids.iter().filter(|other| *other == id).count();
    let commonest = ids.iter().map(times).max().unwrap() as f64;
    assert_eq!(scores["hidden"], ids.len());
    let accuracy = |score: &serde_json::Value| score["accuracy"].as_f64().unwrap();
    let single = accuracy(&scores["unigram"]);
    assert!(
        (single - commonest / ids.len() as f64).abs() < 1e-9,
        "{scores}"
    );
    assert!(accuracy(&scores["5-gram, both sides"]) > 0.7, "{scores}");
    assert!(
        accuracy(&scores) < 0.9,
        "a model of random weights: {scores}"
    );
    // The broken one is named, and the others are measured.
    std::fs::write(at.join("inputs/c.mid"), "no MIDI").unwrap();
    let ran = run(at, "evaluate events inputs --json").failed(1, &["c.mid"]);
    assert_eq!(ran.json()["pieces"], 2);
    assert_eq!(ran.json()["skipped"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let at = with_models();
    let at = at.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(at.join(name), bytes).unwrap();
    let whole = std::fs::read(at.join("in.mid")).unwrap();
    let silent = encode_midi(&[], &WriteOptions::default()).unwrap();
    write("in-silent.mid", &silent);
    write("in-empty.mid", b"");
    write("in-junk.mid", &[7; 1 << 20]);
    let mut second_type = whole.clone();
    second_type[9] = 2;
    write("in-two.mid", &second_type);
    // The same notes on channel 10.
    let drums: Vec<u8> = MidiFile::parse(&whole, "").unwrap().to_bytes().unwrap();
    write("in-drums.mid", &on_channel_10(&drums));
    for (input, words) in [
        ("in-silent.mid", &["in-silent.mid", "no note"][..]),
        ("in-drums.mid", &["in-drums.mid", "besides percussion"]),
        ("in-empty.mid", &["in-empty.mid", "no bytes"]),
        ("in-junk.mid", &["in-junk.mid", "MThd"]),
        ("in-two.mid", &["in-two.mid", "type 2"]),
        ("in-nowhere.mid", &["in-nowhere.mid", "No such file"]),
    ] {
        for verb in ["continue", "infill --from 0 --to 1"] {
            run(at, &format!("{verb} {input} -o out.mid")).failed(1, words);
        }
    }
    for (line, words) in [
        (
            "generate --style polka -o out.mid",
            &["polka", "pop, folk"][..],
        ),
        ("generate --seconds 0 -o out.mid", &["0 seconds"]),
        ("generate --seconds -3 -o out.mid", &["-3 seconds"]),
        ("generate --temperature -1 -o out.mid", &["temperature"]),
        ("generate --top-p 1.5 -o out.mid", &["top_p"]),
        ("generate -o out.mid --plot out.gif", &["gif", "svg"]),
        (
            "generate -o out.mid --attention a.png --layer 9",
            &["layer 9"],
        ),
        (
            "generate -o out.mid --attention a.png --head 9",
            &["head 9"],
        ),
        ("generate -o tiny-bert", &["tiny-bert", "folder"]),
        (
            "generate -o out.svg --plot out.svg",
            &["out.svg is named twice"],
        ),
        (
            "generate -o out.mid --plot tiny-bert",
            &["tiny-bert", "svg"],
        ),
        (
            "infill in.mid --from 1 --to 1.001 -o out.mid",
            &["in.mid", "10 ms"],
        ),
        (
            "continue in.mid --from 1000 -o out.mid",
            &["1000", "in.mid"],
        ),
        ("infill in.mid --from 3 --to 2 -o out.mid", &["from 3 to 2"]),
        (
            "infill in.mid --from 0 --to 1000 -o out.mid",
            &["1000", "in.mid"],
        ),
        ("infill in.mid --from 0 -o out.mid", &["--to"]),
        ("evaluate masked . --share 2", &["--share 2"]),
    ] {
        let ran = run(at, line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{line}: {}", ran.stderr);
        }
    }
    hemiola(at, &["generate", "--model", "tiny-bert", "-o", "out.mid"])
        .failed(1, &["music-transformer", "music-bert"]);
    hemiola(
        at,
        &[
            "infill", "in.mid", "--from", "0", "--to", "1", "--model", "nowhere",
        ],
    )
    .failed(2, &["nowhere"]);
    run(at, "generate --seconds 1 -o in.mid/out.mid").failed(1, &["in.mid: is no folder"]);
    assert_eq!(results(at), Vec::<String>::new());
    run(at, "generate --seconds 1 -o new/deep/out.mid").succeeded();
    assert!(at.join("new/deep/out.mid").is_file());
}

/// Moves the events of channel 1 of a file without running status.
fn on_channel_10(bytes: &[u8]) -> Vec<u8> {
    let notes = Score::from_bytes(bytes, "").unwrap().notes();
    let mut track: Vec<u8> = Vec::new();
    for note in &notes {
        track.extend([10, 0x99, note.pitch, note.velocity, 10, 0x89, note.pitch, 0]);
    }
    track.extend([0, 0xff, 0x2f, 0]);
    let mut file = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk".to_vec();
    file.extend((track.len() as u32).to_be_bytes());
    file.extend(track);
    file
}

#[test]
fn what_is_damaged_but_readable_is_used_with_a_warning() {
    let at = with_models();
    let at = at.path();
    // A tempo of 0 and a note that never ends.
    let track: &[u8] = &[
        0, 0xff, 0x51, 3, 0, 0, 0, 0, 0x90, 60, 80, 0x83, 0x60, 0x90, 64, 80, 0x83, 0x60, 0x80, 64,
        0, 0, 0xff, 0x2f, 0,
    ];
    let mut file = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk".to_vec();
    file.extend((track.len() as u32).to_be_bytes());
    file.extend(track);
    std::fs::write(at.join("in-damaged.mid"), file).unwrap();
    let ran = run(
        at,
        "continue in-damaged.mid --seconds 1 --seed 1 -o out.mid",
    )
    .succeeded();
    assert!(ran.stderr.contains("tempo of 0"), "{}", ran.stderr);
    let score = read(at, "out.mid");
    let hanging = score
        .warnings
        .iter()
        .find(|warning| warning.contains("never ended"));
    assert_eq!(hanging, None);
    assert!(melody(1).len() > 3, "the tests above have notes to work on");
}
