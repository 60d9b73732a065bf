//! The built-in piano model from recording to notes.

mod support;

use std::path::Path;

use hemiola::audio::{AudioStream, read_mono};
use hemiola::evaluation::{frames, transcription};
use hemiola::features::{LogFrequency, extract};
use hemiola::formats::read_notes;
use hemiola::music::Note;
use hemiola::tasks::transcribe::{Transcriber, WindowConfig};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo/piano.flac");

fn stream_notes(transcriber: &Transcriber, path: &Path) -> Vec<Note> {
    let mut stream = AudioStream::open(path, transcriber.sample_rate()).unwrap();
    transcriber.transcribe(&mut stream, |_| {}).unwrap()
}

#[test]
fn a_stream_and_a_whole_file_give_the_same_notes() {
    let transcriber = Transcriber::bundled("piano").unwrap();
    let samples = read_mono(DEMO, transcriber.sample_rate()).unwrap();
    let mut extractor = LogFrequency::new(&transcriber.config().features).unwrap();
    let whole = transcriber.transcribe_frames(&extract(&mut extractor, &samples));
    let streamed = stream_notes(&transcriber, Path::new(DEMO));
    assert!(streamed.len() > 100, "{} notes", streamed.len());
    assert_eq!(streamed, whole);
}

#[test]
fn notes_hardly_depend_on_where_windows_fall() {
    let transcriber = Transcriber::bundled("piano").unwrap();
    let usual = stream_notes(&transcriber, Path::new(DEMO));
    for (frames, margin, batch) in [(200, 32, 4), (331, 40, 1)] {
        let other = transcriber.clone().with_window(WindowConfig {
            frames,
            margin,
            batch,
        });
        let scores = transcription::evaluate(&usual, &stream_notes(&other, Path::new(DEMO)));
        assert!(
            scores.f_measure_no_offset > 0.98,
            "windows of {frames}: F1 {}",
            scores.f_measure_no_offset
        );
    }
}

#[test]
fn silence_and_nothing_have_no_notes() {
    let transcriber = Transcriber::bundled("piano").unwrap();
    let mut extractor = LogFrequency::new(&transcriber.config().features).unwrap();
    for seconds in [0, 1, 20] {
        let samples = vec![0.0; seconds * transcriber.sample_rate() as usize];
        let notes = transcriber.transcribe_frames(&extract(&mut extractor, &samples));
        assert!(notes.is_empty(), "{seconds} s of silence: {notes:?}");
    }
}

/// Recordings of virtual pianos that the model never heard. The thresholds were tuned on them.
#[test]
fn the_dev_recordings_are_transcribed_as_well_as_the_card_says() {
    let Some(folder) = support::shared("data/audio/maps_dev") else {
        return;
    };
    let transcriber = Transcriber::bundled("piano").unwrap();
    let mut recordings: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "flac"))
        .collect();
    recordings.sort();
    assert!(!recordings.is_empty());
    let (mut onset_f1, mut offset_f1, mut frame_f1) = (0.0, 0.0, 0.0);
    for recording in &recordings {
        let reference = read_notes(recording.with_extension("pedal.tsv")).unwrap();
        let estimate = stream_notes(&transcriber, recording);
        let notes = transcription::evaluate(&reference, &estimate);
        onset_f1 += notes.f_measure_no_offset / recordings.len() as f64;
        offset_f1 += notes.f_measure / recordings.len() as f64;
        frame_f1 +=
            frames::evaluate(&reference, &estimate, 100.0).f_measure / recordings.len() as f64;
    }
    println!("onset F1 {onset_f1:.4}, with offsets {offset_f1:.4}, frames {frame_f1:.4}");
    assert!(onset_f1 >= 0.88, "onset F1 {onset_f1:.4}");
    assert!(offset_f1 >= 0.45, "with offsets {offset_f1:.4}");
    assert!(frame_f1 >= 0.75, "frames {frame_f1:.4}");
}
