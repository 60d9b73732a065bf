//! `hemiola listen`, run as a user runs it.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::music::chord::ChordLabel;
use hemiola::music::key::{Key, Mode};
use hemiola::tasks::chroma::ChromaExtractor;
use serde_json::Value;
use support::chroma::with_chroma_model;
use support::{Ran, command, hemiola_in, melody, tones};

const RATE: u32 = 16_000;

fn listen(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let arguments = [&["listen", "--model", "model"], arguments].concat();
    hemiola_in(folder, &arguments, input)
}

/// Lines of JSON; how far the program lags behind is its own affair.
fn moments(stdout: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines()
        .map(|line| {
            let mut moment: Value = serde_json::from_str(line).unwrap();
            let lag_s = moment.as_object_mut().unwrap().remove("lag_s").unwrap();
            assert!(lag_s.as_f64().unwrap() >= 0.0);
            moment
        })
        .collect()
}

fn number(moment: &Value, key: &str) -> f64 {
    moment[key].as_f64().unwrap()
}

/// Two seconds that 16 bits hold exactly.
fn sound() -> Vec<i16> {
    let samples = tones(&melody(1), 2.0, RATE);
    samples.iter().map(|s| (s * 16_384.0) as i16).collect()
}

fn write_sound(path: &Path) {
    let samples: Vec<f32> = sound().iter().map(|&s| f32::from(s) / 32_768.0).collect();
    write_wav(path, &samples, 1, RATE, WavFormat::Int16).unwrap();
}

fn s16le() -> Vec<u8> {
    sound().iter().flat_map(|s| s.to_le_bytes()).collect()
}

#[test]
fn lines_of_json_sum_up_the_frames_of_an_interval() {
    let at = with_chroma_model();
    write_sound(&at.path().join("a.wav"));
    let ran = listen(at.path(), &["a.wav", "--json"], b"").succeeded();
    let found = moments(&ran.stdout);

    let extractor =
        ChromaExtractor::open(&at.path().join("model"), &hemiola::Device::flex()).unwrap();
    let samples: Vec<f32> = sound().iter().map(|&s| f32::from(s) / 32_768.0).collect();
    let mut stream = extractor.stream();
    let mut frames = Vec::new();
    stream.push(&samples, &mut frames);
    stream.finish(&mut frames);

    // 201 frames every 10 ms: 20 intervals of ten, and the frame at the very end.
    assert_eq!(found.len(), 21);
    for (index, (moment, frames)) in found.iter().zip(frames.chunks(10)).enumerate() {
        let last = (index * 10 + frames.len() - 1) as f64 * 0.01;
        assert!((number(moment, "time_s") - last).abs() < 1e-6, "{moment}");
        let chroma = moment["chroma"].as_array().unwrap();
        assert_eq!(chroma.len(), 12);
        for (pitch_class, value) in chroma.iter().enumerate() {
            let sum: f32 = frames.iter().map(|frame| frame[pitch_class]).sum();
            let mean = f64::from(sum) / frames.len() as f64;
            assert!((value.as_f64().unwrap() - mean).abs() < 1e-4, "{moment}");
        }
        if let Some(heard) = samples.chunks(1600).nth(index) {
            let squares: f64 = heard.iter().map(|&s| f64::from(s).powi(2)).sum();
            let level = (10.0 * (squares / 1600.0).log10()).max(-120.0);
            assert!(
                (number(moment, "level_db") - level).abs() < 0.06,
                "{moment} {level}"
            );
        }
        let chord: ChordLabel = moment["chord"].as_str().unwrap().parse().unwrap();
        assert_ne!(chord, ChordLabel::Unknown);
        let key: Key = moment["key"].as_str().unwrap().parse().unwrap();
        assert_ne!(key.mode, Mode::Other);
        assert_eq!(number(moment, "lost_s"), 0.0);
        // Half of 512 samples, one more, and a hop of 160.
        assert!((number(moment, "latency_s") - 417.0 / 16_000.0).abs() < 1e-4);
    }
    let half = listen(at.path(), &["a.wav", "--json", "--interval", "0.5"], b"");
    assert_eq!(moments(&half.succeeded().stdout).len(), 5);
}

#[test]
fn pipes_of_wav_and_of_raw_pcm_are_heard_as_the_file_is() {
    let at = with_chroma_model();
    write_sound(&at.path().join("a.wav"));
    let expected = moments(
        &listen(at.path(), &["a.wav", "--json"], b"")
            .succeeded()
            .stdout,
    );
    assert_eq!(expected.len(), 21);
    let wav = fs::read(at.path().join("a.wav")).unwrap();
    let s24le: Vec<u8> = sound()
        .iter()
        .flat_map(|s| [&[0][..], &s.to_le_bytes()].concat())
        .collect();
    let stereo: Vec<u8> = sound()
        .iter()
        .flat_map(|s| [s.to_le_bytes(); 2].concat())
        .collect();
    let f32le: Vec<u8> = sound()
        .iter()
        .flat_map(|&s| (f32::from(s) / 32_768.0).to_le_bytes())
        .collect();
    let s32le: Vec<u8> = sound()
        .iter()
        .flat_map(|&s| (i32::from(s) << 16).to_le_bytes())
        .collect();
    for (arguments, input) in [
        (&["-"][..], &wav),
        (&[], &wav),
        (&["--rate", "16000"], &wav),
        // The model's own rate.
        (&["-"], &s16le()),
        (&["--encoding", "s24le"], &s24le),
        (&["--encoding", "s32le", "--rate", "16000"], &s32le),
        (&["--encoding", "f32le"], &f32le),
        (&["--channels", "2"], &stereo),
    ] {
        let arguments = [&["--json"], arguments].concat();
        let ran = listen(at.path(), &arguments, input).succeeded();
        assert_eq!(moments(&ran.stdout), expected, "{arguments:?}");
        let guessed = ran
            .stderr
            .contains("taken for raw PCM: s16le, 16000 Hz, 1 channel");
        assert_eq!(
            guessed,
            arguments == ["--json", "-"] && input[..4] != *b"RIFF"
        );
    }
    fs::write(at.path().join("a.raw"), s16le()).unwrap();
    let ran = listen(at.path(), &["a.raw", "--rate", "16000", "--json"], b"");
    assert_eq!(moments(&ran.succeeded().stdout), expected);
    // Half the rate is twice as long.
    let ran = listen(at.path(), &["--rate", "8000", "--json"], &s16le());
    let slow = moments(&ran.succeeded().stdout);
    assert!((number(slow.last().unwrap(), "time_s") - 4.0).abs() < 0.011);
    assert!(number(&slow[0], "latency_s") > number(&expected[0], "latency_s"));
}

#[test]
fn pcm_of_another_width_is_told_after_what_was_heard() {
    let at = with_chroma_model();
    let mut bytes = s16le();
    bytes.push(1);
    let ran = listen(at.path(), &["--json", "--rate", "16000"], &bytes).failed(
        1,
        &[
            "standard input",
            "64001 bytes",
            "frames of 2 bytes",
            "s16le",
            "1 left over",
        ],
    );
    assert_eq!(moments(&ran.stdout).len(), 21);
    listen(at.path(), &["--channels", "3"], &s16le()[..64_000])
        .failed(1, &["frames of 6 bytes", "3 channels", "4 left over"]);
    // Integers are no floats.
    let ran = listen(at.path(), &["--encoding", "f32le"], &[0xff; 64]);
    ran.failed(1, &["NaN", "f32le"]);
}

#[test]
fn nothing_and_next_to_nothing_are_told() {
    let at = with_chroma_model();
    listen(at.path(), &["-"], b"").failed(1, &["standard input", "0 bytes"]);
    let nothing = at.path().join("nothing.wav");
    write_wav(&nothing, &[], 1, RATE, WavFormat::Int16).unwrap();
    let wav = fs::read(&nothing).unwrap();
    for ran in [
        listen(at.path(), &["nothing.wav", "--json"], b""),
        listen(at.path(), &["--json"], &wav),
    ] {
        let ran = ran.succeeded();
        assert_eq!(ran.stdout, b"");
        assert!(ran.stderr.contains("no sound"), "{}", ran.stderr);
    }
    let one = listen(at.path(), &["--json"], &[0, 0x40]).succeeded();
    let found = moments(&one.stdout);
    assert_eq!((found.len(), number(&found[0], "time_s")), (1, 0.0));
    assert!((number(&found[0], "level_db") - -6.0).abs() < 0.05);
    let silence = listen(at.path(), &["--json"], &[0; 32_000]).succeeded();
    let found = moments(&silence.stdout);
    assert!(found.len() == 11 && found.iter().all(|m| number(m, "level_db") == -120.0));
    let cut = [&wav[..40], &64_000u32.to_le_bytes(), &s16le()[..32_000]].concat();
    let ran = listen(at.path(), &["--json"], &cut).succeeded();
    assert!(
        ran.stderr.contains("truncated: it ends 1.000 s before"),
        "{}",
        ran.stderr
    );
    assert_eq!(moments(&ran.stdout).len(), 11);
}

#[test]
fn people_read_plain_lines() {
    let at = with_chroma_model();
    write_sound(&at.path().join("a.wav"));
    let ran = listen(at.path(), &["a.wav"], b"").succeeded();
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!(lines.len(), 21);
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[1], words[3], words[4]), ("s", "dB", "C"));
        // Each pitch class with its number, the chord, the tonic and the mode.
        assert_eq!(words.len(), 4 + 24 + 2 + 3);
        assert_eq!((words[28], words[30]), ("chord", "key"));
        assert!(!line.contains('\x1b'));
    }
}

#[test]
fn a_recording_at_its_own_pace_takes_its_time() {
    let at = with_chroma_model();
    let path = at.path().join("short.wav");
    write_wav(&path, &[0.25; 8000], 1, RATE, WavFormat::Int16).unwrap();
    let begun = Instant::now();
    let ran = listen(at.path(), &["short.wav", "--json", "--realtime"], b"").succeeded();
    assert!(begun.elapsed().as_secs_f64() >= 0.5);
    let found = moments(&ran.stdout);
    assert_eq!(found.len(), 6);
    // Half a second fits into what may wait.
    assert_eq!(number(&found[5], "lost_s"), 0.0);
}

#[test]
fn what_cannot_be_heard_in_time_is_told_to_the_sample() {
    let at = with_chroma_model();
    // Two minutes as fast as they can be written.
    let bytes = vec![0x11; 2 * 120 * RATE as usize];
    let arguments = [
        "--json",
        "--rate",
        "16000",
        "--realtime",
        "--interval",
        "0.01",
    ];
    let ran = listen(at.path(), &arguments, &bytes).succeeded();
    let found = moments(&ran.stdout);
    let lost_s = number(found.last().unwrap(), "lost_s");
    let heard_s = (found.len() - 1) as f64 * 0.01;
    assert!(
        (heard_s + lost_s - 120.0).abs() < 0.02,
        "{heard_s} {lost_s}"
    );
    assert_eq!(ran.stderr.contains("out of real time"), lost_s > 0.0);
    assert!(
        found
            .windows(2)
            .all(|pair| number(&pair[0], "time_s") < number(&pair[1], "time_s"))
    );
    assert!(number(found.last().unwrap(), "time_s") < 120.01);
    // Who may wait loses nothing.
    let arguments = ["--json", "--rate", "16000", "--interval", "1"];
    let ran = listen(at.path(), &arguments, &bytes).succeeded();
    let found = moments(&ran.stdout);
    assert_eq!(found.len(), 121);
    assert_eq!(number(&found[120], "time_s"), 120.0);
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    let at = with_chroma_model();
    let path = at.path().join("long.wav");
    write_wav(
        &path,
        &vec![0.1; 60 * RATE as usize],
        1,
        RATE,
        WavFormat::Int16,
    )
    .unwrap();
    let arguments = [
        "listen",
        "long.wav",
        "--model",
        "model",
        "--json",
        "--interval",
        "0.01",
    ];
    let mut child = command(at.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines
            .next()
            .unwrap()
            .unwrap()
            .starts_with("{\"time_s\":0.0,")
    );
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_with_all_that_was_heard() {
    let at = with_chroma_model();
    let arguments = [
        "listen", "-", "--model", "model", "--json", "--rate", "16000",
    ];
    let mut child = command(at.path(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&s16le()).unwrap();
    input.flush().unwrap();
    // The pipe stays open; all whole intervals come at once.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0.0;
    while last < 1.88 {
        let line = lines.next().unwrap().unwrap();
        last = number(&serde_json::from_str(&line).unwrap(), "time_s");
    }
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let end: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert!(number(&end, "time_s") > last, "{end}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(input);
}

#[test]
fn wrong_use_has_its_own_exit_code() {
    let at = with_chroma_model();
    write_sound(&at.path().join("a.wav"));
    let wav = fs::read(at.path().join("a.wav")).unwrap();
    listen(at.path(), &["--rate", "8000"], &wav).failed(2, &["16000 Hz", "--rate"]);
    listen(at.path(), &["a.wav", "--interval", "0"], b"").failed(2, &["--interval 0"]);
    listen(at.path(), &["missing.wav"], b"").failed(1, &["missing.wav", "No such file"]);
    let eight_bits = [&wav[..34], &[8, 0], &wav[36..]].concat();
    listen(at.path(), &[], &eight_bits).failed(1, &["8 bits", "16, 24 or 32"]);
    let ran = hemiola_in(at.path(), &["listen", "--model", "nobody"], &wav);
    ran.failed(2, &["nobody", "built-in"]);
    for arguments in [
        &["--channels", "0"][..],
        &["--encoding", "mp3"],
        &["a.wav", "--microphone"],
    ] {
        assert_eq!(listen(at.path(), arguments, b"").code, 2, "{arguments:?}");
    }
    #[cfg(not(feature = "microphone"))]
    listen(at.path(), &["--microphone"], b"").failed(
        2,
        &[
            "--features microphone",
            "libasound2-dev",
            "arecord",
            "ffmpeg",
        ],
    );
}
