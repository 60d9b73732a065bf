//! `hemiola embed` and `hemiola similar`, run as a user runs them.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hemiola::audio::{WavFormat, write_wav};
use hemiola::index::Index;
use support::encoder::save_encoder;
use support::{Ran, command, folder, hemiola, hemiola_in, melody, tones, with_model, write_melody};
use tempfile::TempDir;

const RATE: u32 = 16_000;

/// A piece of many notes, other ones for every seed, from a time on and louder by a factor.
fn write_piece(path: &Path, seed: u8, from_s: f64, gain: f32) {
    let mut samples = Vec::new();
    for part in 0..4 {
        samples.extend(tones(
            &melody(seed.wrapping_mul(9).wrapping_add(part * 5)),
            2.0,
            RATE,
        ));
    }
    let samples = &mut samples[(from_s * f64::from(RATE)) as usize..];
    samples.iter_mut().for_each(|s| *s *= gain);
    write_wav(path, samples, 1, RATE, WavFormat::Float32).unwrap();
}

/// A model, and a folder `music` of four pieces.
fn with_music() -> TempDir {
    let at = folder();
    save_encoder(&at.path().join("model"), 11);
    fs::create_dir_all(at.path().join("music/below")).unwrap();
    for (seed, name) in ["a.wav", "b.wav", "below/c.wav", "below/d.wav"]
        .into_iter()
        .enumerate()
    {
        write_piece(&at.path().join("music").join(name), seed as u8, 0.0, 1.0);
    }
    at
}

fn embed(at: &TempDir, arguments: &[&str]) -> Ran {
    let first = ["embed", "-o", "library.hml", "--model", "model"];
    hemiola(at.path(), &[&first, arguments].concat())
}

fn similar(at: &TempDir, arguments: &[&str]) -> Ran {
    hemiola(at.path(), &[&["similar"], arguments].concat())
}

fn paths(ran: &Ran) -> Vec<String> {
    let results = ran.json()["results"].as_array().unwrap().clone();
    results
        .iter()
        .map(|row| row["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn graphs_of_neighbours_are_kept_on_demand() {
    let at = with_music();
    embed(&at, &["music"]).succeeded();
    let search = |more: &[&str]| {
        let first = ["music/a.wav", "--in", "library.hml", "--json"];
        similar(&at, &[&first, more].concat()).succeeded()
    };
    assert_eq!(search(&[]).json()["exact"], true);
    // Without a recording: for what is there.
    let graph = |when| {
        let arguments = ["embed", "-o", "library.hml", "--graph", when];
        hemiola(at.path(), &arguments).succeeded()
    };
    assert!(graph("always").stderr.contains("up to date"));
    for by in ["track", "passage"] {
        let (near, exact) = (search(&["--by", by]), search(&["--by", by, "--exact"]));
        assert_eq!(near.json()["exact"], false);
        assert_eq!(exact.json()["exact"], true);
        assert_eq!(near.json()["results"], exact.json()["results"]);
    }
    fs::write(at.path().join("library.hml.tracks"), "no graph").unwrap();
    let ran = search(&[]);
    assert_eq!(ran.json()["exact"], true);
    for word in [
        "library.hml.tracks",
        "everything was compared",
        "--graph always",
    ] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    graph("always");
    assert_eq!(search(&[]).json()["exact"], false);
    graph("never");
    assert_eq!(search(&[]).json()["exact"], true);
    assert!(!at.path().join("library.hml.tracks").exists());
    similar(&at, &["--map", "library.hml", "--exact"]).failed(2, &["--exact"]);
}

/// Every file of an index with its passages, in the order of their names.
fn content(index: &Path) -> Vec<(String, Vec<f64>, Vec<f32>)> {
    let index = Index::open(index).unwrap();
    let mut content = Vec::new();
    for track in index.tracks().unwrap() {
        let passages = index.passages(track.id).unwrap();
        for file in track.files {
            let name = file
                .path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            content.push((
                name,
                passages.starts_s().to_vec(),
                passages.vectors().to_vec(),
            ));
        }
    }
    content.sort_by(|a, b| a.0.cmp(&b.0));
    content
}

#[test]
fn a_part_of_a_recording_finds_it_and_where() {
    let at = with_music();
    let ran = embed(&at, &["music", "-j", "2"]).succeeded();
    assert_eq!(ran.stdout, b"");
    assert!(
        ran.stderr.contains("4 recordings in 4 files; 4 heard"),
        "{}",
        ran.stderr
    );
    // From 3 s on, and softer.
    write_piece(&at.path().join("part.wav"), 2, 3.0, 0.3);
    let ran = similar(
        &at,
        &[
            "part.wav",
            "--in",
            "library.hml",
            "--by",
            "passage",
            "--json",
        ],
    )
    .succeeded();
    let json = ran.json();
    assert_eq!(json["query"], "part.wav");
    assert_eq!(json["by"], "passage");
    assert_eq!(json["results"].as_array().unwrap().len(), 4);
    let first = &json["results"][0];
    assert_eq!(first["rank"], 1);
    assert_eq!(first["path"], "music/below/c.wav");
    assert_eq!(first["missing"], false);
    assert!(first["similarity"].as_f64().unwrap() > 0.9999, "{first}");
    let passage = |name: &str| first["passage"][name].as_f64().unwrap();
    assert!(
        (passage("start_s") - passage("query_start_s") - 3.0).abs() < 1e-6,
        "{first}"
    );
    assert!(
        (passage("end_s") - passage("start_s") - 0.5).abs() < 1e-6,
        "{first}"
    );

    // As a whole, through a pipe, and as a table.
    let sound = fs::read(at.path().join("part.wav")).unwrap();
    let tracks = similar(
        &at,
        &["part.wav", "--in", "library.hml", "-n", "2", "--json"],
    )
    .succeeded();
    let piped = hemiola_in(
        at.path(),
        &["similar", "-", "--in", "library.hml", "-n", "2", "--json"],
        &sound,
    );
    assert_eq!(paths(&piped.succeeded()), paths(&tracks));
    let table = similar(&at, &["part.wav", "--in", "library.hml", "-n", "2"]).succeeded();
    let lines: Vec<&str> = table.text().lines().collect();
    assert!(
        lines.len() == 3 && lines[0].starts_with("rank"),
        "{lines:?}"
    );
    assert!(lines[1].ends_with(&paths(&tracks)[0]), "{lines:?}");
}

#[test]
fn the_query_itself_is_named_only_on_demand() {
    let at = with_music();
    embed(&at, &["music"]).succeeded();
    let path = "music/a.wav";
    let ran = similar(&at, &[path, "--in", "library.hml", "--json"]).succeeded();
    assert!(
        ran.stderr.contains("note: music/a.wav is in library.hml"),
        "{}",
        ran.stderr
    );
    assert_eq!(paths(&ran).len(), 3);
    assert!(!paths(&ran).contains(&path.to_owned()));
    let sound = fs::read(at.path().join(path)).unwrap();
    let piped = hemiola_in(
        at.path(),
        &["similar", "-", "--in", "library.hml", "--json"],
        &sound,
    );
    assert_eq!(paths(&piped.succeeded()), paths(&ran));
    let ran = similar(&at, &[path, "--in", "library.hml", "--json", "--itself"]).succeeded();
    assert_eq!((ran.stderr.as_str(), paths(&ran)[0].as_str()), ("", path));
    // Known by content: no model is needed to compare what the index has.
    fs::rename(at.path().join("model"), at.path().join("moved")).unwrap();
    similar(&at, &[path, "--in", "library.hml"]).succeeded();
    write_piece(&at.path().join("new.wav"), 9, 0.0, 1.0);
    similar(&at, &["new.wav", "--in", "library.hml"])
        .failed(2, &["library.hml", "model", "--model"]);
    similar(&at, &["new.wav", "--in", "library.hml", "--model", "moved"]).succeeded();
}

#[test]
fn an_index_follows_its_files() {
    let at = with_music();
    let told =
        |ran: Ran, words: &str| assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    embed(&at, &["music"]).succeeded();
    told(embed(&at, &["music"]).succeeded(), "0 heard, 4 unchanged");
    let music = at.path().join("music");
    // Absolute names are the same names.
    let absolute = music.join("a.wav");
    told(
        embed(&at, &[absolute.to_str().unwrap()]).succeeded(),
        "0 heard, 1 unchanged",
    );

    fs::rename(music.join("a.wav"), music.join("moved.wav")).unwrap();
    fs::copy(music.join("b.wav"), music.join("copy.wav")).unwrap();
    write_piece(&music.join("below/c.wav"), 7, 0.0, 1.0);
    let ran = embed(&at, &["music"]).succeeded();
    assert!(
        ran.stderr
            .contains("music/moved.wav: moved here from music/a.wav"),
        "{}",
        ran.stderr
    );
    told(
        ran,
        "4 recordings in 5 files; 1 heard, 2 unchanged, 2 known by content",
    );

    // What is gone is told where it is found, and forgotten on demand.
    fs::remove_file(music.join("below/d.wav")).unwrap();
    write_piece(&music.join("moved.wav"), 8, 0.0, 1.0);
    let ran = similar(&at, &["music/b.wav", "--in", "library.hml"]).succeeded();
    assert!(
        ran.text().contains("below/d.wav  (missing)"),
        "{}",
        ran.text()
    );
    assert!(ran.text().contains("moved.wav  (changed"), "{}", ran.text());
    let json = similar(&at, &["music/b.wav", "--in", "library.hml", "--json"]).json();
    let rows = json["results"].as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["missing"] == true).count(), 1);
    told(
        embed(&at, &["music"]).succeeded(),
        "1 of these files are no more; --prune",
    );
    let ran = hemiola(at.path(), &["embed", "--prune", "-o", "library.hml"]).succeeded();
    told(ran, "forgotten: music/below/d.wav");
    told(
        embed(&at, &["music", "--prune"]).succeeded(),
        "3 recordings in 4 files",
    );
}

#[test]
fn broken_silent_and_short_recordings() {
    let at = with_music();
    let music = at.path().join("music");
    fs::write(music.join("broken.mp3"), "no audio at all").unwrap();
    write_wav(
        music.join("silent.wav"),
        &[0.0; 32_000],
        1,
        RATE,
        WavFormat::Int16,
    )
    .unwrap();
    write_wav(
        music.join("blip.wav"),
        &[0.5, -0.5, 0.25, 0.1],
        1,
        RATE,
        WavFormat::Int16,
    )
    .unwrap();
    write_wav(music.join("nothing.wav"), &[], 1, RATE, WavFormat::Int16).unwrap();
    let mut samples = tones(&melody(1), 1.0, RATE);
    samples[4000] = f32::NAN;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(music.join("nan.wav"), spec).unwrap();
    samples
        .iter()
        .for_each(|&s| writer.write_sample(s).unwrap());
    writer.finalize().unwrap();
    let ran = embed(&at, &["music", "missing.wav"]);
    assert_eq!(ran.code, 1);
    for words in [
        "error: music/broken.mp3",
        "error: music/nan.wav",
        "error: missing.wav",
        "warning: music/silent.wav",
        "warning: music/nothing.wav",
        "7 recordings in 7 files; 7 heard",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    // The silent ones are not heard again, and never found.
    let ran = embed(&at, &["music"]);
    assert!(
        ran.stderr.contains("0 heard, 7 unchanged"),
        "{}",
        ran.stderr
    );
    write_wav(
        at.path().join("short.wav"),
        &samples[2000..3000],
        1,
        RATE,
        WavFormat::Int16,
    )
    .unwrap();
    let ran = similar(&at, &["short.wav", "--in", "library.hml", "--json"]).succeeded();
    let found = paths(&ran);
    assert_eq!(found.len(), 5);
    assert!(found.contains(&"music/blip.wav".to_owned()));
    assert_eq!(ran.json()["results"][0]["passage"]["query_end_s"], 0.063);
    similar(&at, &["music/nan.wav", "--in", "library.hml"]).failed(1, &["nan.wav", "NaN"]);
    write_wav(
        at.path().join("quiet.wav"),
        &[0.0; 20_000],
        1,
        RATE,
        WavFormat::Int16,
    )
    .unwrap();
    for name in ["quiet.wav", "music/silent.wav"] {
        similar(&at, &[name, "--in", "library.hml"]).failed(1, &[name, "nothing to hear"]);
    }
    similar(&at, &["missing.wav", "--in", "library.hml"])
        .failed(1, &["missing.wav", "No such file"]);
}

#[test]
fn a_killed_writer_loses_nothing_and_goes_on() {
    let at = folder();
    save_encoder(&at.path().join("model"), 11);
    fs::create_dir(at.path().join("music")).unwrap();
    for seed in 0..60 {
        write_piece(&at.path().join(format!("music/{seed}.wav")), seed, 0.0, 1.0);
    }
    let arguments = |index| ["embed", "music", "--model", "model", "-o", index];
    hemiola(at.path(), &arguments("whole.hml")).succeeded();
    let expected = content(&at.path().join("whole.hml"));
    assert_eq!(expected.len(), 60);
    let index = at.path().join("library.hml");
    for least in [1, 12] {
        let mut child = command(at.path(), &arguments("library.hml"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let known = || Index::open(&index).and_then(|index| index.counts());
        while known().map_or(0, |(tracks, _)| tracks) < least {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let so_far = content(&index);
        assert!(so_far.len() >= least);
        assert!(so_far.iter().all(|file| expected.contains(file)));
    }
    let ran = hemiola(at.path(), &arguments("library.hml")).succeeded();
    assert!(!ran.stderr.contains(" 0 unchanged"), "{}", ran.stderr);
    assert_eq!(content(&index), expected);
    let left = fs::read_dir(at.path())
        .unwrap()
        .map(|e| e.unwrap().file_name());
    let mut left: Vec<String> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["library.hml", "model", "music", "whole.hml"]);
}

#[test]
fn two_writers_at_once_make_one_index() {
    let at = with_music();
    write_piece(&at.path().join("e.wav"), 12, 0.0, 1.0);
    let writers: Vec<_> = [&["music", "e.wav"][..], &["e.wav", "music"]]
        .into_iter()
        .map(|inputs| {
            let first = ["embed", "-o", "library.hml", "--model", "model"];
            command(at.path(), &[&first, inputs].concat())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(content(&at.path().join("library.hml")).len(), 5);
}

#[test]
fn duplicates_are_listed_with_their_offsets() {
    let at = with_music();
    let music = at.path().join("music");
    write_piece(&music.join("louder.wav"), 0, 0.0, 2.0);
    write_piece(&music.join("trimmed.wav"), 1, 1.5, 0.7);
    fs::copy(music.join("below/d.wav"), music.join("copy.wav")).unwrap();
    embed(&at, &["music"]).succeeded();
    let ran = similar(&at, &["--duplicates", "library.hml", "--json"]).succeeded();
    let json = ran.json();
    let mut groups: Vec<Vec<(String, f64)>> = json["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let rows = group["recordings"].as_array().unwrap().iter();
            let row = |row: &serde_json::Value| {
                (
                    row["path"].as_str().unwrap().to_owned(),
                    row["offset_s"].as_f64().unwrap(),
                )
            };
            rows.map(row).collect()
        })
        .collect();
    groups.sort_by(|a, b| a[0].0.cmp(&b[0].0));
    let expected = [
        [("music/a.wav", 0.0), ("music/louder.wav", 0.0)],
        [("music/b.wav", 0.0), ("music/trimmed.wav", 1.5)],
        [("music/below/d.wav", 0.0), ("music/copy.wav", 0.0)],
    ];
    let expected = expected.map(|group| {
        group
            .map(|(name, offset)| (name.to_owned(), offset))
            .to_vec()
    });
    assert_eq!(groups, expected);
    let table = similar(&at, &["--duplicates", "--in", "library.hml"]).succeeded();
    assert!(
        table.text().contains("same bytes  music/copy.wav"),
        "{}",
        table.text()
    );
    assert_eq!(table.text().lines().count(), 7);
}

#[test]
fn a_map_is_one_page() {
    let at = with_music();
    embed(&at, &["music"]).succeeded();
    similar(&at, &["--map", "library.hml", "-o", "map.html"]).succeeded();
    let page = fs::read_to_string(at.path().join("map.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    for name in [
        "music/a.wav",
        "music/b.wav",
        "music/below/c.wav",
        "music/below/d.wav",
    ] {
        assert!(page.contains(&format!("\"name\":\"{name}\"")), "{name}");
    }
    let piped = similar(&at, &["--map", "--in", "library.hml"]).succeeded();
    assert_eq!(piped.text(), page);
}

#[test]
fn other_models_are_refused() {
    let at = with_music();
    embed(&at, &["music"]).succeeded();
    let before = fs::read(at.path().join("library.hml")).unwrap();
    save_encoder(&at.path().join("other"), 12);
    write_piece(&at.path().join("new.wav"), 9, 0.0, 1.0);
    let words = [
        "library.hml",
        "made with the model",
        "other (weights",
        "hemiola embed",
    ];
    hemiola(
        at.path(),
        &["embed", "new.wav", "-o", "library.hml", "--model", "other"],
    )
    .failed(1, &words);
    similar(&at, &["new.wav", "--in", "library.hml", "--model", "other"]).failed(1, &words);
    assert_eq!(fs::read(at.path().join("library.hml")).unwrap(), before);
    let transcriber = with_model();
    fs::copy(
        at.path().join("new.wav"),
        transcriber.path().join("new.wav"),
    )
    .unwrap();
    embed(&transcriber, &["new.wav"]).failed(
        1,
        &["model", "contrastive-encoder", "music-transcription-rnn"],
    );
}

#[test]
fn indexes_that_cannot_be_used() {
    let at = with_music();
    fs::write(at.path().join("library.hml"), "words\n".repeat(500)).unwrap();
    embed(&at, &["music"]).failed(1, &["library.hml", "no index", "stays as it is"]);
    similar(&at, &["music/a.wav", "--in", "library.hml"]).failed(1, &["library.hml", "no index"]);
    similar(&at, &["music/a.wav", "--in", "nothing.hml"])
        .failed(1, &["nothing.hml", "hemiola embed"]);
    similar(&at, &["music/a.wav", "--in", "music"]).failed(1, &["music", "no index"]);
    similar(&at, &["--map", "nothing.hml", "-o", "map.html"]).failed(1, &["nothing.hml"]);
    // An index of nothing.
    fs::remove_file(at.path().join("library.hml")).unwrap();
    embed(&at, &["missing.wav"]).failed(1, &["missing.wav"]);
    similar(&at, &["music/a.wav", "--in", "library.hml"])
        .failed(1, &["library.hml", "nothing to hear"]);
    similar(&at, &["--map", "library.hml", "-o", "map.html"]).failed(1, &["library.hml"]);
    let ran = similar(&at, &["--duplicates", "library.hml"]).succeeded();
    assert!(
        ran.text().is_empty() && ran.stderr.contains("note: none of the 0"),
        "{}",
        ran.stderr
    );
    // An index of the query alone.
    embed(&at, &["music/a.wav"]).succeeded();
    let ran = similar(&at, &["music/a.wav", "--in", "library.hml"]).succeeded();
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("no other recording"),
        "{}",
        ran.stderr
    );
}

#[test]
fn wrong_use() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    for (arguments, words) in [
        (&["similar"][..], &["--duplicates", "--map"][..]),
        (&["similar", "a.wav"], &["--in"]),
        (&["similar", "--map"], &["--in"]),
        (
            &["similar", "--duplicates", "a.hml", "--in", "b.hml"],
            &["two indexes"],
        ),
        (&["similar", "--map", "a.hml", "--json"], &["--json"]),
        (&["embed", "-o", "a.hml"], &["--prune"]),
        (&["embed", "a.wav", "-o", "-"], &["library.hml"]),
        (&["embed", "-", "-o", "a.hml"], &["standard input"]),
        (
            &["embed", "a.wav", "-o", "a.hml", "--model", "nobody"],
            &["nobody", "folder"],
        ),
    ] {
        hemiola(at.path(), arguments).failed(2, words);
    }
    for arguments in [
        &["similar", "a.wav", "--in", "a.hml", "-n", "0"][..],
        &["similar", "a.wav", "--duplicates", "a.hml"],
        &["similar", "--map", "--duplicates", "--in", "a.hml"],
        &["similar", "a.wav", "--in", "a.hml", "--agreement", "0.5"],
        &["similar", "--map", "a.hml", "--agreement", "0.5"],
        &["embed", "a.wav"],
    ] {
        assert_eq!(hemiola(at.path(), arguments).code, 2, "{arguments:?}");
    }
    assert!(!at.path().join("a.hml").exists());
}
