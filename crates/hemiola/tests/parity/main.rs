//! Models equal their PyTorch references: outputs, loss, gradients, one Adam step.
//!
//! Every `*.safetensors` file of `tests/parity`, or of the folder that `HEMIOLA_PARITY_DIR` names, is
//! a vector; one whose model or configuration is unknown is a failure.

mod chord_gnn;
mod contrastive;
mod harmonic_cnn;
mod harness;
mod mel_front_end;
mod music_cnn;
mod music_transformer;
mod music_vae;
mod realtime_rnn;
mod transcription_rnn;

use std::path::PathBuf;

use hemiola::Device;

use harness::Vector;

#[test]
fn every_model_equals_its_reference() {
    let folder = std::env::var_os("HEMIOLA_PARITY_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity")),
        PathBuf::from,
    );
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no vectors in {}", folder.display());
    let device = Device::flex().autodiff();
    let mut failures = Vec::new();
    for path in paths {
        let vector = Vector::read(&path);
        let result = std::panic::catch_unwind(|| match vector.metadata["model"].as_str() {
            "MusicTranscriptionRNN" => transcription_rnn::transcription_rnn(&vector, &device),
            "MusicTransformer" => music_transformer::music_transformer(&vector, &device),
            "MusicBERT" => music_transformer::music_bert(&vector, &device),
            "RealTimeMusicRNN" => realtime_rnn::realtime_rnn(&vector, &device),
            "MusicVAE" => music_vae::music_vae(&vector, &device),
            "ChordProgressionGNN" => chord_gnn::chord_gnn(&vector, &device),
            "MusicCNN" => music_cnn::music_cnn(&vector, &device),
            "HarmonicCNN" => harmonic_cnn::harmonic_cnn(&vector, &device),
            "ContrastiveEncoder" => contrastive::contrastive(&vector, &device),
            "MelSpectrogram" => mel_front_end::mel_front_end(&vector),
            other => panic!("{}: unknown model {other}", vector.name),
        });
        match result {
            Ok((outputs, gradients)) => println!(
                "{}: outputs within {outputs:.1e}, gradients within {gradients:.1e}",
                vector.name
            ),
            Err(_) => failures.push(vector.name),
        }
    }
    assert!(failures.is_empty(), "not equal: {failures:?}");
}
