use super::*;
use crate::analysis::{Function, LabelCurves, LabelWindow, Recording};
use crate::music::{Beat, BeatTrack, Chroma, Note, Segment};

fn analysis() -> Analysis {
    let chord = |start_s, end_s, label: &str| Segment {
        start_s,
        end_s,
        label: label.parse().unwrap(),
    };
    let function = |numeral: &str| Function {
        key: "F# minor".parse().unwrap(),
        numeral: Some(numeral.to_owned()),
    };
    let beat = |i: u8| Beat {
        time_s: f64::from(i) * 0.5,
        number: i % 4 + 1,
    };
    Analysis {
        recording: Recording {
            duration_s: 8.0,
            ..Recording::default()
        },
        notes: Some(vec![Note {
            onset_s: 1.0,
            offset_s: 2.0,
            pitch: 69,
            velocity: 90,
        }]),
        onsets: Some(Vec::new()),
        beats: Some(BeatTrack {
            tempo_bpm: Some(120.0),
            beats_per_bar: 4,
            beats: (0..16).map(beat).collect(),
        }),
        instruments: Some(LabelCurves {
            labels: vec!["violin".into(), "a & b".into()],
            scores: vec![0.2, 0.8],
            windows: vec![LabelWindow {
                start_s: 0.0,
                end_s: 8.0,
                scores: vec![0.2, 0.8],
            }],
        }),
        chroma: Some(Chroma {
            fps: 10.0,
            frames: vec![[0.5; 12]; 80],
        }),
        chords: Some(vec![chord(0.0, 4.0, "F#:min"), chord(4.0, 8.0, "C#:7")]),
        harmony: Some(vec![function("i"), function("V7")]),
        ..Analysis::default()
    }
}

fn svg(options: &LaneOptions) -> Result<String> {
    let picture = lanes("A <piece>", &analysis(), &Overview::default(), options)?;
    Ok(picture.to_svg())
}

#[test]
fn every_part_is_drawn_with_its_names() {
    let svg = svg(&LaneOptions::default()).unwrap();
    for text in [
        "A &lt;piece&gt;",
        "notes",
        "C5",
        "F♯m",
        "C♯7",
        "V7",
        "F♯ minor",
        "violin",
        "a &amp; b",
        "none found",
        "time (s)",
    ] {
        assert!(svg.contains(&format!(">{text}</text>")), "{text}: {svg}");
    }
    // Bars 1 to 4.
    for bar in 1..=4 {
        assert!(svg.contains(&format!(">{bar}</text>")), "{bar}");
    }
    assert!(!svg.contains(">waveform</text>"));
}

#[test]
fn lanes_and_times_can_be_chosen() {
    let chosen = LaneOptions {
        lanes: vec![Lane::Chords, Lane::Notes],
        start_s: Some(4.5),
        end_s: Some(100.0),
    };
    let svg = svg(&chosen).unwrap();
    assert!(svg.contains(">C♯7</text>") && !svg.contains(">F♯m</text>"));
    assert!(svg.contains(">none found</text>") && !svg.contains(">beats and bars</text>"));
    let (notes, chords) = (svg.find(">notes<"), svg.find(">chords, Roman"));
    assert!(notes.is_some() && notes < chords);
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let refused = |options: LaneOptions, words: &[&str]| {
        let message = svg(&options).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    let asked = |lane: Lane| LaneOptions {
        lanes: vec![lane],
        ..LaneOptions::default()
    };
    refused(
        asked(Lane::Waveform),
        &["waveform", "recording itself", "notes, chroma"],
    );
    let from = |start_s: f64, end_s: f64| LaneOptions {
        start_s: Some(start_s),
        end_s: Some(end_s),
        ..LaneOptions::default()
    };
    refused(from(9.0, 10.0), &["9 s", "ends at 8.000 s"]);
    refused(from(3.0, 2.0), &["3 s to 2 s", "after its start"]);
    refused(from(f64::NAN, 2.0), &["NaN"]);
    let nothing = lanes(
        "",
        &Analysis::default(),
        &Overview::default(),
        &LaneOptions::default(),
    );
    assert!(
        nothing
            .err()
            .is_some_and(|e| e.to_string().contains("no part that lies in time"))
    );
    assert!(
        "bars"
            .parse::<Lane>()
            .unwrap_err()
            .to_string()
            .contains("onsets or beats")
    );
}

#[test]
fn silence_of_half_a_second_is_drawn() {
    let mut builder = crate::analysis::OverviewBuilder::new(22_050).unwrap();
    builder.push(&[0.0; 11_025]);
    let analysis = Analysis {
        recording: Recording {
            duration_s: 0.5,
            ..Recording::default()
        },
        notes: Some(Vec::new()),
        chords: Some(Vec::new()),
        beats: Some(BeatTrack::default()),
        instruments: Some(LabelCurves::default()),
        ..Analysis::default()
    };
    let picture = lanes("", &analysis, &builder.finish(), &LaneOptions::default()).unwrap();
    let svg = picture.to_svg();
    assert_eq!(svg.matches("none found").count(), 4, "{svg}");
    assert!(svg.contains(">waveform</text>"));
}
