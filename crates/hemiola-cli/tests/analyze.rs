//! `hemiola analyze`: all of a recording, batches, shards, tables.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hemiola::analysis::Analysis;
use hemiola::audio::{WavFormat, write_wav};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use support::{Ran, folder, hemiola, hemiola_in, write_melody};

fn analysis(folder: &Path) -> Analysis {
    let bytes = fs::read(folder.join("analysis.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let name = entry.path().strip_prefix(folder).unwrap();
            (name.display().to_string(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder).into_keys().collect()
}

/// The rows of a table: each column's value in words.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let in_words = |field: &Field| match field {
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    };
    rows.map(|row| {
        let row = row.unwrap();
        let columns = row.get_column_iter();
        columns
            .map(|(name, field)| (name.clone(), in_words(field)))
            .collect()
    })
    .collect()
}

#[test]
fn a_recording_gets_everything_in_one_folder() {
    let at = folder();
    write_melody(&at.path().join("song.wav"), 1);
    hemiola(at.path(), &["analyze", "song.wav", "-o", "out"]).succeeded();
    let out = at.path().join("out");
    assert_eq!(
        names(&out),
        [
            "analysis.jams",
            "analysis.json",
            "beats.beats",
            "chords.lab",
            "notes.mid",
            "onsets.txt",
            "report.html",
            "summary.json"
        ]
    );
    let found = analysis(&out);
    assert_eq!(found.recording.name, "song.wav");
    assert_eq!(found.recording.sha256.as_ref().unwrap().len(), 64);
    assert_eq!(found.models.len(), 9);
    assert!(!found.notes.as_ref().unwrap().is_empty());
    assert!(!found.onsets.as_ref().unwrap().is_empty());
    let chords = found.chords.unwrap();
    assert_eq!(found.harmony.unwrap().len(), chords.len());
    assert!(found.embedding.unwrap().len() > 16);
    // What the verbs find alone.
    let onsets = hemiola(at.path(), &["onsets", "song.wav"]).succeeded();
    assert_eq!(fs::read(out.join("onsets.txt")).unwrap(), onsets.stdout);
    let alone = hemiola(at.path(), &["chords", "song.wav"]).succeeded();
    assert_eq!(fs::read(out.join("chords.lab")).unwrap(), alone.stdout);
    let notes = hemiola(at.path(), &["transcribe", "song.wav", "--format", "json"]).succeeded();
    let notes = notes.json();
    let notes = notes.as_array().or_else(|| notes["notes"].as_array());
    assert_eq!(found.notes.unwrap().len(), notes.unwrap().len());
}

#[test]
fn parts_are_chosen_and_what_was_before_goes() {
    let at = folder();
    write_melody(&at.path().join("song.wav"), 1);
    let run = |more: &[&str]| {
        let arguments = [&["analyze", "song.wav", "-o", "out"], more].concat();
        hemiola(at.path(), &arguments)
    };
    run(&["--only", "key,onsets"]).succeeded();
    let out = at.path().join("out");
    assert!(out.join("onsets.txt").is_file());
    let found = analysis(&out);
    assert!(found.key.is_some() && found.notes.is_none() && found.chroma.is_none());
    run(&["--skip", "notes,onsets,instruments,embedding,beats"]).succeeded();
    assert!(!out.join("onsets.txt").exists() && out.join("chords.lab").is_file());
    run(&["--only", "smells"]).failed(2, &["smells", "expected notes, onsets"]);
    let all = "notes,onsets,beats,instruments,chroma,chords,key,harmony,embedding";
    run(&["--skip", all]).failed(2, &["--skip leaves nothing"]);
    run(&["--only", "key", "--skip", "notes"]).failed(2, &["cannot be used with"]);
}

#[test]
fn another_recording_is_not_replaced_without_being_told() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    write_wav(
        at.path().join("b.wav"),
        &[0.1; 8000],
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    let run = |name: &str, more: &[&str]| {
        let arguments = [&["analyze", name, "-o", "out", "--only", "key"], more].concat();
        hemiola(at.path(), &arguments)
    };
    run("a.wav", &[]).succeeded();
    let before = tree(&at.path().join("out"));
    run("b.wav", &[]).failed(1, &["another recording, a.wav", "--force"]);
    assert!(tree(&at.path().join("out")) == before);
    run("b.wav", &["--force"]).succeeded();
    assert_eq!(analysis(&at.path().join("out")).recording.name, "b.wav");
    // What somebody else put there.
    fs::create_dir(at.path().join("mine")).unwrap();
    fs::write(at.path().join("mine/report.html"), "mine").unwrap();
    let arguments = ["analyze", "a.wav", "-o", "mine", "--only", "key"];
    hemiola(at.path(), &arguments).failed(1, &["report.html", "--force"]);
    assert_eq!(
        fs::read(at.path().join("mine/report.html")).unwrap(),
        b"mine"
    );
}

#[test]
fn shards_together_are_what_one_run_is_byte_for_byte() {
    let at = folder();
    let music = at.path().join("music");
    fs::create_dir_all(music.join("live")).unwrap();
    write_melody(&music.join("live/a.wav"), 1);
    write_melody(&music.join("b.wav"), 2);
    write_wav(
        music.join("c.wav"),
        &vec![0.0; 16_000],
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    fs::write(music.join("d.mp3"), "no music").unwrap();
    let run = |out: &str, more: &[&str]| -> Ran {
        let arguments = ["analyze", "music", "-o", out, "--skip", "notes,embedding"];
        hemiola(at.path(), &[&arguments, more].concat())
    };
    run("whole", &["-j", "2"]).failed(1, &["d.mp3"]);
    let whole = tree(&at.path().join("whole"));
    assert!(whole.contains_key("live/a/report.html") && whole.contains_key("d/summary.json"));
    for shard in ["2/3", "1/3", "3/3"] {
        run("shards", &["--shard", shard]);
    }
    let shards = tree(&at.path().join("shards"));
    assert!(
        whole.keys().eq(shards.keys()),
        "{:?} {:?}",
        whole.keys(),
        shards.keys()
    );
    for (name, bytes) in &whole {
        assert!(*bytes == shards[name], "{name}");
    }
    let rows = rows(&at.path().join("whole/analyses.parquet"));
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["b", "c", "d", "live/a"]);
    assert!(rows[2]["error"].contains("d.mp3"));
    assert_eq!(
        (rows[2]["duration_s"].as_str(), rows[0]["error"].as_str()),
        ("null", "null")
    );
    assert_eq!(rows[1]["duration_s"].parse(), Ok(1.0));
    assert_eq!(rows[1]["key"], "X");
}

#[test]
fn what_was_done_is_not_done_again_and_what_was_cut_off_is() {
    let at = folder();
    fs::create_dir(at.path().join("music")).unwrap();
    for name in ["a", "b"] {
        write_melody(
            &at.path().join(format!("music/{name}.wav")),
            name.as_bytes()[0],
        );
    }
    let run = || {
        let arguments = [
            "analyze",
            "music",
            "-o",
            "out",
            "--only",
            "onsets",
            "--skip-existing",
        ];
        hemiola(at.path(), &arguments).succeeded()
    };
    run();
    let out = at.path().join("out");
    let whole = tree(&out);
    let changed = |name: &str| fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let before = changed("a/report.html");
    // As a killed run leaves it: some files, and a summary that says so.
    let summary = fs::read_to_string(out.join("b/summary.json")).unwrap();
    let unfinished = summary.replace("\"is_complete\": true", "\"is_complete\": false");
    assert_ne!(summary, unfinished);
    fs::write(out.join("b/summary.json"), unfinished).unwrap();
    fs::remove_file(out.join("b/report.html")).unwrap();
    run();
    assert!(tree(&out) == whole);
    assert_eq!(changed("a/report.html"), before);
    // A recording that is another one now is heard again where that is allowed.
    write_wav(
        at.path().join("music/a.wav"),
        &[0.1; 8000],
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    let arguments = [
        "analyze",
        "music",
        "-o",
        "out",
        "--only",
        "onsets",
        "--skip-existing",
        "--force",
    ];
    hemiola(at.path(), &arguments).succeeded();
    assert_eq!(analysis(&out.join("a")).recording.duration_s, 0.5);
}

#[test]
fn what_another_model_heard_is_not_taken_for_done() {
    let at = folder();
    write_melody(&at.path().join("song.wav"), 1);
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/instruments");
    for model in ["instruments", weights] {
        let arguments = [
            "analyze",
            "song.wav",
            "-o",
            "out",
            "--only",
            "instruments",
            "--skip-existing",
            "--instruments-model",
            model,
        ];
        hemiola(at.path(), &arguments).succeeded();
        assert_eq!(analysis(&at.path().join("out")).models[0].model, model);
    }
}

#[test]
fn manifests_name_recordings_and_their_folders() {
    let at = folder();
    fs::create_dir(at.path().join("music")).unwrap();
    write_melody(&at.path().join("music/a.wav"), 1);
    fs::write(
        at.path().join("music/list.csv"),
        "id,file\nfirst,a.wav\nsecond,gone.wav\n",
    )
    .unwrap();
    let run = |manifest: &str, out: &str| {
        let arguments = [
            "analyze",
            "--manifest",
            manifest,
            "-o",
            out,
            "--only",
            "key",
        ];
        hemiola(at.path(), &arguments)
    };
    run("music/list.csv", "out").failed(1, &["gone.wav"]);
    assert_eq!(
        analysis(&at.path().join("out/first")).recording.name,
        "a.wav"
    );
    // The table of one run is the manifest of another: it has a column file.
    fs::copy(
        at.path().join("out/analyses.parquet"),
        at.path().join("music/list.parquet"),
    )
    .unwrap();
    run("music/list.parquet", "again").failed(1, &["gone.wav"]);
    assert!(at.path().join("again/first/analysis.json").is_file());
    for (text, words) in [
        ("name\na.wav\n", "expected a column file"),
        ("file\n", "no row"),
        ("file,id\na.wav,../b\n", "can name a folder"),
        ("file\na.wav\na.wav\n", "would both be written"),
    ] {
        fs::write(at.path().join("bad.csv"), text).unwrap();
        let ran = run("bad.csv", "bad");
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains(words), "{text:?}: {}", ran.stderr);
    }
    fs::write(at.path().join("bad.parquet"), "PAR1 no table").unwrap();
    assert_eq!(run("bad.parquet", "bad").code, 1);
}

#[test]
fn short_silent_and_piped_recordings_are_analysed() {
    let at = folder();
    write_wav(
        at.path().join("half.wav"),
        &[0.2; 8000],
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    write_wav(
        at.path().join("silent.wav"),
        &[0.0; 48_000],
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    write_wav(at.path().join("none.wav"), &[], 1, 16_000, WavFormat::Int16).unwrap();
    for (name, seconds) in [("half", 0.5), ("silent", 3.0), ("none", 0.0)] {
        let file = format!("{name}.wav");
        hemiola(at.path(), &["analyze", &file, "-o", name]).succeeded();
        let found = analysis(&at.path().join(name));
        assert_eq!(found.recording.duration_s, seconds);
        assert!(at.path().join(name).join("report.html").is_file());
    }
    let silent = analysis(&at.path().join("silent"));
    assert_eq!(silent.notes, Some(vec![]));
    assert_eq!(silent.beats.unwrap().tempo_bpm, None);
    assert_eq!(silent.embedding, Some(vec![]));
    let bytes = fs::read(at.path().join("half.wav")).unwrap();
    let arguments = ["analyze", "-", "-o", "piped", "--only", "onsets"];
    hemiola_in(at.path(), &arguments, &bytes).succeeded();
    let found = analysis(&at.path().join("piped"));
    assert_eq!(
        (found.recording.sha256, found.recording.duration_s),
        (None, 0.5)
    );
}
