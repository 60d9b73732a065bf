//! A model learns tags from a table, tells them of recordings, and is taught other labels.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::audio::{noise, sawtooth, sine, sound, task, write};
use crate::lesson::train;
use crate::support::{folder, hemiola};

/// Four recordings each of tones, of noise and of both, with a table of their tags.
fn tagged(at: &Path) {
    let mut table = String::from("file,tags,group\n");
    for i in 0..4u8 {
        let tone = sound(200.0 * f64::from(i + 1), sine);
        let hiss = noise(u64::from(i) + 1);
        let both: Vec<f32> = tone.iter().zip(&hiss).map(|(a, b)| 0.5 * (a + b)).collect();
        for (name, tags, samples) in [
            ("tone", "tone", &tone),
            ("noise", "noise", &hiss),
            ("both", "noise;tone", &both),
        ] {
            write(at.join(format!("clips/{name}{i}.wav")), samples);
            table.push_str(&format!("{name}{i}.wav,{tags},{i}\n"));
        }
    }
    fs::write(at.join("tags.csv"), table).unwrap();
}

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn tags_are_learned_told_and_taught_anew() {
    let at = folder();
    tagged(at.path());
    let settings = [
        "data.root=clips",
        "data.table=tags.csv",
        "data.target=tags",
        "mixing.together=0.5",
    ];
    train(at.path(), "music-cnn", &settings).succeeded();
    assert_eq!(task(at.path())["target"], "tags");
    assert!(task(at.path())["temperature"].as_f64().unwrap() > 0.0);
    let report = json(at.path().join("run/report.json"));
    assert_eq!(report["average_precision"], 1.0, "{report}");
    assert_eq!(report["labels"][0]["label"], "noise");
    // One of four groups is measured by: three recordings, and one of them has two tags.
    assert_eq!(
        (&report["examples"], &report["one_label"]),
        (&3.into(), &Value::Null)
    );

    // A second of tone, then a second of noise.
    let mut samples = sound(500.0, sine);
    samples.extend(noise(9));
    write(at.path().join("in/song.wav"), &samples);
    let tag = |arguments: &[&str]| {
        let mut all = vec!["tag", "--model", "run/best"];
        all.extend(arguments);
        hemiola(at.path(), &all)
    };
    tag(&["in/song.wav", "-o", "out", "--format", "json,csv"]).succeeded();
    let told = json(at.path().join("out/song.json"));
    let scores: Vec<f64> = told["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["score"].as_f64().unwrap())
        .collect();
    assert_eq!(scores.len(), 2);
    assert!(scores[0] >= scores[1]);
    let windows = told["over_time"].as_array().unwrap();
    assert_eq!((windows.len(), &windows[0]["start_s"]), (7, &0.0.into()));
    let first = |window: &Value| window["tags"][0]["label"].as_str().unwrap().to_owned();
    assert_eq!([first(&windows[0]), first(&windows[6])], ["tone", "noise"]);
    let attention: Vec<f64> = windows[0]["attention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|weight| weight.as_f64().unwrap())
        .collect();
    assert!((attention.iter().sum::<f64>() - 1.0).abs() < 1e-4);
    let table = fs::read_to_string(at.path().join("out/song.csv")).unwrap();
    assert!(
        table.starts_with("start_s,end_s,noise,tone\n0.000,0.500,"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 8);
    let ran = tag(&["in/song.wav", "--step", "0.1"]).succeeded();
    assert_eq!(ran.text().lines().count(), 2);
    tag(&["in/song.wav", "--step", "0.7"]).failed(2, &["--step", "at most 0.5"]);

    // The other labels: the pitch of tones. The layers stay as they are until the second evaluation.
    for i in 0..5u8 {
        for (label, hz) in [("low", 150.0), ("high", 2000.0)] {
            let hz = hz * (1.0 + 0.05 * f64::from(i));
            write(
                at.path().join(format!("pitch/{label}/{i}.wav")),
                &sound(hz, sawtooth),
            );
        }
    }
    let finetune = |arguments: &[&str]| {
        let mut all = vec!["finetune", "run/best", "--data", "pitch", "-o", "tuned"];
        all.extend(arguments);
        hemiola(at.path(), &all)
    };
    let short = [
        "--set",
        "run.steps=150",
        "--set",
        "run.steps_per_epoch=50",
        "--set",
        "run.learning_rate=1e-2",
        "--set",
        "augment.pitch_probability=0.0",
    ];
    let mut arguments = vec!["--unfreeze-epoch", "1", "--set", "run.batch_size=8"];
    arguments.extend(short);
    finetune(&arguments).succeeded();
    let report = json(at.path().join("tuned/report.json"));
    assert_eq!(report["accuracy"], 1.0, "{report}");
    let config = json(at.path().join("tuned/best/config.json"));
    assert_eq!(config["task"]["labels"], serde_json::json!(["high", "low"]));
    assert_eq!(config["model"]["n_mels"], 32);
    let recipe = fs::read_to_string(at.path().join("tuned/recipe.toml")).unwrap();
    assert!(
        recipe.contains("from = \"run/best\"") && recipe.contains("conv1.*"),
        "{recipe}"
    );

    let measured = hemiola(
        at.path(),
        &[
            "evaluate",
            "tags",
            "pitch",
            "--model",
            "tuned/best",
            "--json",
        ],
    )
    .succeeded();
    assert_eq!(
        measured.json()["confusion"],
        serde_json::json!([[5, 0], [0, 5]])
    );

    finetune(&["--freeze", "nothing*"]).failed(1, &["--resume"]);
    hemiola(
        at.path(),
        &[
            "finetune", "run/best", "--data", "pitch", "-o", "other", "--freeze", "nothing*",
        ],
    )
    .failed(1, &["nothing*", "conv1.0.weight"]);
    hemiola(at.path(), &["finetune", "piano", "--data", "pitch"])
        .failed(1, &["music-transcription-rnn", "music-cnn"]);
    hemiola(at.path(), &["finetune", "none", "--data", "pitch"])
        .failed(2, &["none", "checkpoint folder"]);
}

#[test]
fn what_is_wrong_with_a_table_is_told() {
    let at = folder();
    tagged(at.path());
    let run = |table: &str, more: &[&str]| {
        fs::write(at.path().join("tags.csv"), table).unwrap();
        let mut settings = vec!["data.root=clips", "data.table=tags.csv", "run.steps=1"];
        settings.extend(more);
        train(at.path(), "music-cnn", &settings)
    };
    run("name,tags\n", &[]).failed(1, &["tags.csv", "line 1", "column file", "name,tags"]);
    run("file,tags\n", &[]).failed(1, &["no row"]);
    run("file,tags\nnone.wav,x\n", &[]).failed(1, &["1 of 1 rows name no file", "none.wav"]);
    run("file,tags\ntone0.wav,Tone\ntone1.wav,tone\n", &[])
        .failed(1, &["Tone and tone differ only in case"]);
    run("file,tags\ntone0.wav,a;b\ntone1.wav,a\ntone2.wav,b\n", &[])
        .failed(1, &["tone0.wav has 2 labels", "data.target"]);
    run("file,tags,split\ntone0.wav,a,test\n", &[]).failed(1, &["line 2", "test", "train"]);
}
