//! The page of an analysis, as text and in a browser where Chromium is installed.

#[path = "support/browser.rs"]
mod browser;

use browser::found;
use hemiola::analysis::{
    Analysis, Function, LabelCurves, LabelWindow, ModelOf, Overview, OverviewBuilder, Recording,
};
use hemiola::midi::Score;
use hemiola::music::{Beat, BeatTrack, Chroma, Note, Onset, Segment};
use hemiola::report::{PageAudio, page, playable_mime};

const RATE: u32 = 22_050;
const TITLE: &str = "</script><script>alert('&\"')</script>.wav";

/// A beep at the beginning of each second.
fn samples(seconds: usize) -> Vec<f32> {
    let sample = |i: usize| {
        let time_s = i as f64 / f64::from(RATE);
        let loud = if time_s.fract() < 0.2 { 0.5 } else { 0.0 };
        (loud * (std::f64::consts::TAU * 440.0 * time_s).sin()) as f32
    };
    (0..seconds * RATE as usize).map(sample).collect()
}

fn wav(samples: &[f32]) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for sample in samples {
        writer.write_sample((sample * 32_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn overview(samples: &[f32]) -> Overview {
    let mut builder = OverviewBuilder::new(RATE).unwrap();
    builder.push(samples);
    builder.finish()
}

/// `seconds` of music, a note and a beat a second.
fn analysis(seconds: usize) -> Analysis {
    let at = |i: usize| i as f64;
    let chord = |i: usize| Segment {
        start_s: at(i),
        end_s: at(i + 1),
        label: ["C:maj", "D:min7/b3", "N"][i % 3].parse().unwrap(),
    };
    let function = |i: usize| Function {
        key: "Bb major".parse().unwrap(),
        numeral: [Some("V/V"), Some("viio7"), None][i % 3].map(str::to_owned),
    };
    Analysis {
        version: "1.2.3".into(),
        recording: Recording {
            name: TITLE.into(),
            duration_s: at(seconds),
            sample_rate: 44_100,
            channels: 2,
            sha256: None,
            warnings: vec!["<b>half a file</b>".into()],
        },
        models: vec![ModelOf {
            part: "notes".into(),
            model: "piano".into(),
        }],
        notes: Some(
            (0..seconds)
                .map(|i| Note {
                    onset_s: at(i),
                    offset_s: at(i) + 0.5,
                    pitch: 60 + (i % 12) as u8,
                    velocity: 80,
                })
                .collect(),
        ),
        onsets: Some(
            (0..seconds)
                .map(|i| Onset {
                    time_s: at(i),
                    strength: 0.75,
                })
                .collect(),
        ),
        beats: Some(BeatTrack {
            tempo_bpm: Some(60.0),
            beats_per_bar: 3,
            beats: (0..seconds)
                .map(|i| Beat {
                    time_s: at(i),
                    number: (i % 3) as u8 + 1,
                })
                .collect(),
        }),
        instruments: Some(LabelCurves {
            labels: vec!["violin".into(), "</style>".into()],
            scores: vec![0.25, 0.5],
            windows: (0..seconds)
                .map(|i| LabelWindow {
                    start_s: at(i),
                    end_s: at(i + 1),
                    scores: vec![0.25, 0.5],
                })
                .collect(),
        }),
        chroma: Some(Chroma {
            fps: 86.0,
            frames: vec![[0.5; 12]; seconds * 86],
        }),
        chords: Some((0..seconds).map(chord).collect()),
        key: Some("Bb major".parse().unwrap()),
        harmony: Some((0..seconds).map(function).collect()),
        embedding: None,
    }
}

fn data(page: &str) -> serde_json::Value {
    let (_, data) = page.split_once(r#"id="data">"#).unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn names_cannot_leave_the_data() {
    let page = page(&analysis(4), &Overview::default(), &PageAudio::None).unwrap();
    // Data, chroma, instruments, program.
    assert_eq!(page.matches("</script>").count(), 4);
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains("<b>half"));
    let data = data(&page);
    assert_eq!(data["title"], TITLE);
    assert_eq!(data["warnings"][0], "<b>half a file</b>");
    assert_eq!(data["notes"][4], 1000);
    assert_eq!(data["chords"]["labels"][1][1], "Dm7/F");
    assert_eq!(data["chords"]["numerals"][1], "vii°7");
    assert_eq!(data["key"], "B♭ major");
}

#[test]
fn the_page_loads_nothing() {
    let page = page(&analysis(4), &Overview::default(), &PageAudio::None).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("default-src 'none'"));
    let text = page.replace("http://www.w3.org/2000/svg", "");
    for other in ["http:", "https:", "//cdn", "@import", "url(", "src=\""] {
        assert!(!text.contains(other), "{other}");
    }
}

#[test]
fn browsers_do_not_play_everything() {
    assert_eq!(playable_mime("a/b.MP3"), Some("audio/mpeg"));
    assert_eq!(playable_mime("b.opus"), Some("audio/ogg"));
    assert_eq!(playable_mime("b.aiff"), None);
    assert_eq!(playable_mime("wav"), None);
}

#[test]
fn what_was_not_listened_for_is_left_out() {
    let nothing = page(&Analysis::default(), &Overview::default(), &PageAudio::None).unwrap();
    let data = data(&nothing);
    for part in [
        "notes",
        "onsets",
        "beats",
        "chords",
        "instruments",
        "chroma",
        "spectrogram",
        "audio",
    ] {
        assert!(data[part].is_null(), "{part}");
    }
}

#[test]
fn an_hour_is_not_too_large() {
    let hour = 3600;
    let mut long = analysis(hour);
    // Ten notes a second.
    long.notes = long.notes.map(|notes| notes.repeat(10));
    let overview = Overview {
        peaks_per_second: 100.0,
        peaks: vec![[-1.0, 1.0]; hour * 100],
        spectrogram_fps: 20.0,
        bands_hz: vec![440.0; 104],
        levels: vec![200; hour * 20 * 104],
    };
    let page = page(&long, &overview, &PageAudio::None).unwrap();
    assert!(page.len() < 15_000_000, "{} bytes", page.len());
    let spectrogram = &data(&page)["spectrogram"];
    assert_eq!(
        (spectrogram["fps"].as_f64(), spectrogram["rows"].as_u64()),
        (Some(10.0), Some(104))
    );
}

#[test]
fn the_cursor_goes_with_the_sound_and_the_view_zooms() {
    let samples = samples(8);
    let sound = wav(&samples);
    let audio = PageAudio::Embedded {
        mime: "audio/wav",
        bytes: &sound,
    };
    let page = page(&analysis(8), &overview(&samples), &audio).unwrap();
    let script = r#"
        // Sound and drawing keep real time, timers do not: what waits for them must ask again and again.
        const until = async is => { while (!is()) await new Promise(r => setTimeout(r, 1)); };
        await until(() => player.audio.readyState >= 1);
        const frame = async () => {
          let drawn = false;
          requestAnimationFrame(() => requestAnimationFrame(() => drawn = true));
          await until(() => drawn);
        };
        const at = () => parseFloat(byId("cursor").style.transform.slice(11)) / view.width;
        let seeked = false;
        player.audio.addEventListener("seeked", () => seeked = true, { once: true });
        player.audio.currentTime = 4;
        await until(() => seeked);
        await frame();
        const half = at(), now = byId("now").textContent;
        const key = (key, more) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
        key("+");
        await frame();
        const zoomed = [view.from, view.to];
        key("0");
        key("d");
        await frame();
        return { half, now, zoomed, whole: [view.from, view.to], dark: document.documentElement.classList.contains("dark"),
          duration: player.audio.duration, title: document.title, heading: byId("title").textContent,
          lanes: lanes.map(lane => lane.id), notes: csvOf(lanes[2]).split("\n")[2], midi: [...midiOf()],
          drawn: lanes.map(lane => new Set(lane.canvas.getContext("2d").getImageData(0, 0, lane.canvas.width, lane.canvas.height).data).size > 2) };"#;
    let Some(found) = found(&page, script, &["--window-size=1280,2400"]) else {
        return;
    };
    assert!(
        (found["half"].as_f64().unwrap() - 0.5).abs() < 0.005,
        "{found}"
    );
    assert_eq!(found["now"], "Dm7/F vii°7 in B♭ major · bar 2, beat 2 · E4");
    let zoomed = [0, 1].map(|i| found["zoomed"][i].as_f64().unwrap());
    assert!(zoomed[0] > 1.0 && zoomed[1] < 7.0, "{found}");
    assert!(zoomed[0] < 4.0 && zoomed[1] > 4.0, "{found}");
    assert_eq!(found["whole"], serde_json::json!([0, 8]));
    assert_eq!(
        (found["dark"].as_bool(), found["duration"].as_f64()),
        (Some(true), Some(8.0))
    );
    assert_eq!(
        (found["title"].as_str(), found["heading"].as_str()),
        (Some(TITLE), Some(TITLE))
    );
    let lanes = [
        "waveform",
        "spectrogram",
        "notes",
        "chroma",
        "chords",
        "instruments",
        "onsets",
        "beats",
    ];
    assert_eq!(found["lanes"], serde_json::json!(lanes));
    assert_eq!(found["drawn"], serde_json::json!(vec![true; 8]));
    assert_eq!(found["notes"], "1,1.5,61,C♯4,80");
    let midi = found["midi"].as_array().unwrap().iter();
    let midi: Vec<u8> = midi.map(|byte| byte.as_u64().unwrap() as u8).collect();
    let saved = Score::from_bytes(&midi, "saved").unwrap().notes();
    assert_eq!(saved.len(), 8);
    for (saved, note) in saved.iter().zip(analysis(8).notes.unwrap()) {
        assert_eq!((saved.pitch, saved.velocity), (note.pitch, note.velocity));
        assert!((saved.onset_s - note.onset_s).abs() < 0.002, "{saved:?}");
        assert!((saved.offset_s - note.offset_s).abs() < 0.002, "{saved:?}");
    }
}

#[test]
fn a_telephone_is_wide_enough_without_sound_or_music() {
    let silence = vec![0.0; RATE as usize / 2];
    let analysis = Analysis {
        recording: Recording {
            name: "x".repeat(200),
            duration_s: 0.5,
            ..Recording::default()
        },
        notes: Some(Vec::new()),
        onsets: Some(Vec::new()),
        beats: Some(BeatTrack::default()),
        chords: Some(Vec::new()),
        instruments: Some(LabelCurves::default()),
        chroma: Some(Chroma::new(20.0)),
        ..Analysis::default()
    };
    let page = page(&analysis, &overview(&silence), &PageAudio::None).unwrap();
    // A window cannot be as narrow as a telephone, a frame can.
    let script = r#"
        await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
        document.body.style.width = "360px";
        await new Promise(r => setTimeout(r, 100));
        player.seek(0.25);
        view.zoom(4);
        const over = [...document.querySelectorAll("body > *, .controls > *")].filter(e => e.getBoundingClientRect().right > 361);
        return { over: over.map(e => e.id || e.tagName), nothing: document.querySelectorAll(".nothing").length, open: !byId("open").hidden, time: player.time, span: view.span };"#;
    let Some(found) = found(&page, script, &["--window-size=500,900"]) else {
        return;
    };
    assert_eq!(found["over"], serde_json::json!([]));
    assert_eq!(found["nothing"], 6);
    assert_eq!(
        (
            found["open"].as_bool(),
            found["time"].as_f64(),
            found["span"].as_f64()
        ),
        (Some(true), Some(0.25), Some(0.5))
    );
}
