//! Decoding, resampling and writing of audio.

mod support;

use std::f64::consts::TAU;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use hemiola::audio::{
    AudioStream, Resampler, SharedReading, Source, WavFormat, read_mono, resample, write_wav,
};
use proptest::prelude::*;
use support::shared;

fn sine(hz: f64, rate: u32, len: usize) -> Vec<f32> {
    (0..len)
        .map(|n| (TAU * hz * n as f64 / f64::from(rate)).sin() as f32)
        .collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn file(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn refusal(path: &Path) -> String {
    AudioStream::open(path, 16_000).err().unwrap().to_string()
}

/// All that a stream yields, and its warnings.
fn collect(mut stream: AudioStream) -> (Vec<f32>, Vec<String>) {
    let mut samples = Vec::new();
    while let Some(block) = stream.next_block().unwrap() {
        assert!(!block.is_empty());
        samples.extend_from_slice(block);
    }
    assert!(stream.next_block().unwrap().is_none());
    (samples, stream.warnings().to_vec())
}

/// A WAV file as the RIFF specification lays it out.
fn wav_bytes(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0");
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;

#[test]
fn resampled_sine_is_the_sine_at_the_new_rate_without_delay() {
    for (from, to) in [
        (44_100, 16_000),
        (16_000, 44_100),
        (44_100, 22_050),
        (48_000, 44_100),
        (8_000, 16_000),
        (192_000, 16_000),
        (44_101, 16_000),
    ] {
        let seconds = 6;
        let hz = 440.3;
        let resampled = resample(&sine(hz, from, (from * seconds) as usize), from, to).unwrap();
        let expected = sine(hz, to, (to * seconds) as usize);
        assert_eq!(resampled.len(), expected.len());
        // The signal starts and stops abruptly; a filter must smear that over its own length.
        let inside = 2 * to as usize..4 * to as usize;
        let difference = largest_difference(&resampled[inside.clone()], &expected[inside]);
        assert!(difference < 2e-5, "{from} -> {to}: {difference:e}");
    }
}

#[test]
fn resampled_impulse_stays_where_it_was() {
    for (from, to) in [(44_100, 16_000), (48_000, 22_050), (16_000, 48_000)] {
        let mut impulse = vec![0.0; from as usize];
        impulse[from as usize / 10] = 1.0;
        let resampled = resample(&impulse, from, to).unwrap();
        let at = to as usize / 10;
        let peak = resampled.iter().copied().fold(0.0, f32::max);
        assert_eq!(resampled[at], peak, "{from} -> {to}");
        for n in 1..100 {
            let asymmetry = resampled[at - n] - resampled[at + n];
            assert!(asymmetry.abs() < 1e-6, "{from} -> {to}: {asymmetry:e}");
        }
        let sum: f32 = resampled.iter().sum();
        let expected = to as f32 / from as f32;
        assert!((sum - expected).abs() < 1e-4 * expected);
    }
}

#[test]
fn resampling_removes_what_the_new_rate_cannot_hold_and_keeps_the_rest() {
    let loudest = |hz: f64| {
        let resampled = resample(&sine(hz, 44_100, 88_200), 44_100, 16_000).unwrap();
        resampled[8_000..24_000]
            .iter()
            .fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()))
    };
    for hz in [8_000.0, 9_000.0, 12_345.0, 20_000.0] {
        assert!(loudest(hz) < 1e-4, "{hz} Hz: {:e}", loudest(hz));
    }
    for hz in [20.0, 1_000.0, 7_500.0] {
        assert!((loudest(hz) - 1.0).abs() < 1e-3, "{hz} Hz: {}", loudest(hz));
    }
}

#[test]
fn resampled_length_rounds_up() {
    for (len, from, to, expected) in [
        (0, 44_100, 16_000, 0),
        (1, 44_100, 16_000, 1),
        (441, 44_100, 16_000, 160),
        (442, 44_100, 16_000, 161),
        (1, 8_000, 48_000, 6),
        (7, 22_050, 22_050, 7),
    ] {
        assert_eq!(resample(&vec![0.5; len], from, to).unwrap().len(), expected);
    }
}

#[test]
fn a_resampler_begins_anew_after_finish() {
    let first = sine(300.0, 44_100, 5_000);
    let second = sine(500.0, 44_100, 3_000);
    let mut resampler = Resampler::new(44_100, 16_000).unwrap();
    let mut output = Vec::new();
    resampler.push(&first, &mut output).unwrap();
    resampler.finish(&mut output).unwrap();
    output.clear();
    resampler.push(&second, &mut output).unwrap();
    resampler.finish(&mut output).unwrap();
    assert_eq!(output, resample(&second, 44_100, 16_000).unwrap());
}

#[test]
fn impossible_rates_are_refused() {
    for (from, to) in [(0, 16_000), (16_000, 0), (1, 16_000), (16_000, u32::MAX)] {
        assert!(resample(&[0.0], from, to).is_err(), "{from} -> {to}");
    }
    assert_eq!(resample(&[0.5], 7, 7).unwrap(), [0.5]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn block_sizes_never_change_the_resampled_output(
        samples in prop::collection::vec(-1.0_f32..1.0, 0..6_000),
        blocks in prop::collection::vec(1_usize..3_000, 1..8),
        rates in prop::sample::select(vec![(44_100, 16_000), (16_000, 44_100), (48_000, 16_000), (22_050, 22_050)]),
    ) {
        let (from, to) = rates;
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut output = Vec::new();
        let mut rest = &samples[..];
        for &block in blocks.iter().cycle() {
            let (now, later) = rest.split_at(block.min(rest.len()));
            resampler.push(now, &mut output).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        resampler.finish(&mut output).unwrap();
        prop_assert_eq!(output, resample(&samples, from, to).unwrap());
    }
}

#[test]
fn every_wav_sample_format_has_full_scale_at_one() {
    let folder = folder();
    let cases: [(&str, u16, u16, Vec<u8>); 6] = [
        ("u8", PCM, 8, vec![128, 192, 0]),
        (
            "s16",
            PCM,
            16,
            [0_i16, 16_384, -32_768]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        ),
        ("s24", PCM, 24, vec![0, 0, 0, 0, 0, 0x40, 0, 0, 0x80]),
        (
            "s32",
            PCM,
            32,
            [0_i32, 1 << 30, i32::MIN]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        ),
        (
            "f32",
            FLOAT,
            32,
            [0.0_f32, 0.5, -1.0]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        ),
        (
            "f64",
            FLOAT,
            64,
            [0.0_f64, 0.5, -1.0]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        ),
    ];
    for (name, tag, bits, data) in cases {
        let path = file(&folder, name, &wav_bytes(tag, 1, 8_000, bits, &data));
        assert_eq!(read_mono(path, 8_000).unwrap(), [0.0, 0.5, -1.0], "{name}");
    }
}

#[test]
fn mono_is_the_mean_of_all_channels_at_any_rate() {
    let folder = folder();
    let path = folder.path().join("six.wav");
    let frames = 192_000;
    let tone = sine(1_000.0, 192_000, frames);
    // The six channels carry the tone with weights whose mean is 0.35.
    let samples: Vec<f32> = tone
        .iter()
        .flat_map(|x| [0.1, 0.2, 0.3, 0.4, 0.5, 0.6].map(|weight| weight * x))
        .collect();
    write_wav(&path, &samples, 6, 192_000, WavFormat::Float32).unwrap();
    let stream = AudioStream::open(&path, 16_000).unwrap();
    assert_eq!(stream.source_channels(), 6);
    assert_eq!(stream.source_sample_rate(), 192_000);
    assert_eq!(stream.sample_rate(), 16_000);
    assert_eq!(stream.duration_s(), Some(1.0));
    let (mono, warnings) = collect(stream);
    assert_eq!(warnings, Vec::<String>::new());
    let expected: Vec<f32> = sine(1_000.0, 16_000, 16_000)
        .iter()
        .map(|x| 0.35 * x)
        .collect();
    assert_eq!(mono.len(), 16_000);
    assert!(largest_difference(&mono[2_000..14_000], &expected[2_000..14_000]) < 2e-5);
}

#[test]
fn written_samples_are_read_back_to_their_precision() {
    let folder = folder();
    let path = folder.path().join("tone.wav");
    let tone: Vec<f32> = sine(440.0, 8_000, 8_000).iter().map(|x| 0.9 * x).collect();
    for (format, step) in [
        (WavFormat::Int16, 1.0 / 32_768.0),
        (WavFormat::Int24, 1.0 / 8_388_608.0),
        (WavFormat::Float32, 0.0),
    ] {
        write_wav(&path, &tone, 1, 8_000, format).unwrap();
        let back = read_mono(&path, 8_000).unwrap();
        assert_eq!(back.len(), tone.len());
        let difference = largest_difference(&back, &tone);
        assert!(difference <= step * 0.51, "{format:?}: {difference:e}");
        let spec = hound::WavReader::open(&path).unwrap().spec();
        assert_eq!((spec.channels, spec.sample_rate), (1, 8_000));
    }
    write_wav(&path, &[1.5, -1.5], 1, 8_000, WavFormat::Int16).unwrap();
    assert_eq!(
        read_mono(&path, 8_000).unwrap(),
        [32_767.0 / 32_768.0, -1.0]
    );
}

#[test]
fn a_wav_that_cannot_be_written_leaves_what_was_there() {
    let folder = folder();
    let path = folder.path().join("kept.wav");
    write_wav(&path, &[0.25], 1, 8_000, WavFormat::Float32).unwrap();
    let error = write_wav(&path, &[0.0, f32::NAN], 1, 8_000, WavFormat::Int16).unwrap_err();
    assert!(error.to_string().contains("0.000125 s is NaN"), "{error}");
    assert!(write_wav(&path, &[0.0; 3], 2, 8_000, WavFormat::Int16).is_err());
    assert!(write_wav(&path, &[0.0; 2], 0, 8_000, WavFormat::Int16).is_err());
    assert_eq!(read_mono(&path, 8_000).unwrap(), [0.25]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(write_wav(folder.path(), &[0.0], 1, 8_000, WavFormat::Int16).is_err());
    let nowhere = folder.path().join("missing/tone.wav");
    assert!(write_wav(nowhere, &[0.0], 1, 8_000, WavFormat::Int16).is_err());
}

#[test]
fn a_stream_that_cannot_seek_reads_the_same() {
    let folder = folder();
    let path = folder.path().join("tone.wav");
    write_wav(
        &path,
        &sine(440.0, 44_100, 50_000),
        1,
        44_100,
        WavFormat::Int16,
    )
    .unwrap();
    let bytes = fs::read(&path).unwrap();
    let stream = AudioStream::from_reader(Cursor::new(bytes.clone()), "pipe", 16_000).unwrap();
    assert_eq!(collect(stream).0, read_mono(&path, 16_000).unwrap());

    // A program that writes to a pipe does not know the length.
    let mut unknown = bytes;
    unknown[4..8].fill(0xff);
    unknown[40..44].fill(0xff);
    let stream = AudioStream::from_reader(Cursor::new(unknown), "pipe", 16_000).unwrap();
    let (samples, warnings) = collect(stream);
    assert_eq!(samples, read_mono(&path, 16_000).unwrap());
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn dash_is_standard_input() {
    assert_eq!(Source::from("-"), Source::Stdin);
    assert_eq!(Source::from("a-b.wav"), Source::File("a-b.wav".into()));
    assert_eq!(Source::Stdin.to_string(), "standard input");
}

#[test]
fn no_samples_are_nothing_and_one_sample_is_one() {
    let folder = folder();
    let none = file(&folder, "none.wav", &wav_bytes(PCM, 1, 44_100, 16, &[]));
    assert_eq!(read_mono(none, 16_000).unwrap(), Vec::<f32>::new());
    let one = file(
        &folder,
        "one.wav",
        &wav_bytes(PCM, 1, 16_000, 16, &[0, 0x40]),
    );
    assert_eq!(read_mono(&one, 16_000).unwrap(), [0.5]);
    assert_eq!(read_mono(&one, 48_000).unwrap().len(), 3);
}

#[test]
fn what_is_not_audio_is_refused_with_the_reason() {
    let folder = folder();
    let missing = refusal(&folder.path().join("missing.wav"));
    assert!(missing.contains("missing.wav"), "{missing}");
    let directory = refusal(folder.path());
    assert!(directory.contains("is a folder"), "{directory}");
    let empty = refusal(&file(&folder, "empty.mp3", b""));
    assert!(empty.contains("0 bytes"), "{empty}");
    let nothing = AudioStream::from_reader(Cursor::new([]), "standard input", 16_000);
    assert!(nothing.err().unwrap().to_string().contains("0 bytes"));
    let utf16 = [b"\xff\xfeH\0e\0l\0l\0o\0 \0".repeat(300)].concat();
    for text in [
        &b"Lorem ipsum dolor sit amet. ".repeat(200)[..],
        b"x",
        &utf16,
    ] {
        let error = refusal(&file(&folder, "text.mp3", text));
        assert!(error.contains("text.mp3"), "{error}");
        assert!(error.contains("not audio"), "{error}");
        assert!(error.contains("FLAC"), "{error}");
    }
    let absurd = wav_bytes(PCM, 1, u32::MAX / 4, 16, &[0; 64]);
    let error = refusal(&file(&folder, "absurd.wav", &absurd));
    assert!(error.contains("1073741823 Hz"), "{error}");
    assert!(AudioStream::open(folder.path().join("none.wav"), 0).is_err());
}

#[test]
fn samples_that_are_not_numbers_are_refused_with_their_time() {
    let folder = folder();
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (1e30, "1e30")] {
        let mut samples = vec![0.25_f32; 2 * 30_000];
        // Frame 12000 of stereo at 8 kHz is at 1.5 s.
        samples[2 * 12_000 + 1] = value;
        let data: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        let path = file(
            &folder,
            "damaged.wav",
            &wav_bytes(FLOAT, 2, 8_000, 32, &data),
        );
        let error = read_mono(path, 16_000).unwrap_err().to_string();
        assert!(error.contains("1.500000 s"), "{text}: {error}");
    }
}

const PIANO: &str = "data/audio/maps_dev/MAPS_MUS-bach_847_AkPnStgb.flac";

#[test]
fn a_truncated_flac_is_read_as_far_as_it_goes() {
    let Some(path) = shared(PIANO) else { return };
    let folder = folder();
    let whole = read_mono(&path, 16_000).unwrap();
    let bytes = fs::read(path).unwrap();
    let half = file(&folder, "half.flac", &bytes[..bytes.len() / 2]);
    let (samples, warnings) = collect(AudioStream::open(half, 16_000).unwrap());
    assert!(samples.len() > whole.len() / 3 && samples.len() < whole.len() * 2 / 3);
    assert_eq!(samples, whole[..samples.len()]);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("truncated"), "{warnings:?}");

    // Only the first metadata block, marked as the last.
    let mut header = bytes[..42].to_vec();
    header[4] |= 0x80;
    assert!(refusal(&file(&folder, "header.flac", &header)).contains("truncated"));
    let stub = file(&folder, "stub.flac", &bytes[..60]);
    assert!(refusal(&stub).contains("truncated"));
}

#[test]
fn what_follows_damage_keeps_its_time() {
    let Some(path) = shared(PIANO) else { return };
    let folder = folder();
    let whole = read_mono(&path, 16_000).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 50].fill(0x55);
    let damaged = file(&folder, "damaged.flac", &bytes);
    let (samples, warnings) = collect(AudioStream::open(damaged, 16_000).unwrap());
    assert_eq!(samples.len(), whole.len());
    let differing = samples.iter().zip(&whole).filter(|(a, b)| a != b).count();
    // A FLAC frame is 1152 samples here; at most two are lost.
    assert!(differing > 0 && differing <= 2 * 1_152, "{differing}");
    assert!(!warnings.is_empty());
}

#[test]
fn warnings_about_damage_are_few() {
    let Some(path) = shared(PIANO) else { return };
    let folder = folder();
    let mut bytes = fs::read(path).unwrap();
    for at in (20_000..bytes.len()).step_by(15_000) {
        bytes[at] ^= 0xff;
        bytes[at + 1] ^= 0xff;
    }
    let damaged = file(&folder, "damaged.flac", &bytes);
    let (_, warnings) = collect(AudioStream::open(damaged, 16_000).unwrap());
    assert!(warnings.len() >= 6 && warnings.len() <= 7, "{warnings:?}");
    assert!(warnings[5].contains("more damaged places"), "{warnings:?}");
}

// Lengths and samples below are those of ffmpeg 5.1 decoding the same files to 32-bit float, channels averaged.

#[test]
fn mp3_is_trimmed_and_decoded_as_ffmpeg_does() {
    let Some(path) = shared("data/audio/demo/bach_violin/john-garner_bwv1002_mov6.mp3") else {
        return;
    };
    let samples = read_mono(&path, 44_100).unwrap();
    assert_eq!(samples.len(), 4_776_239);
    let middle = samples.len() / 2;
    let expected = [-0.025316454, -0.020264274, -0.016775925];
    assert!(largest_difference(&samples[middle..], &expected) < 1e-5);
}

#[test]
fn joined_mp3_files_are_read_to_the_end_of_the_last() {
    let Some(path) = shared("data/audio/demo/bach_violin/john-garner_bwv1002_mov6.mp3") else {
        return;
    };
    let folder = folder();
    let once = read_mono(&path, 44_100).unwrap().len();
    let joined = file(&folder, "joined.mp3", &fs::read(path).unwrap().repeat(2));
    let twice = read_mono(joined, 44_100).unwrap().len();
    // The encoder's delay and padding between the two stay: at most three MP3 frames.
    assert!(
        (2 * once..=2 * once + 3 * 1_152).contains(&twice),
        "{twice}"
    );
}

#[test]
fn ogg_vorbis_is_decoded_as_ffmpeg_does_also_when_chained() {
    let Some(path) = shared("data/audio/demo/Kevin_MacLeod_-_Vibe_Ace.hq.ogg") else {
        return;
    };
    let folder = folder();
    let samples = read_mono(&path, 44_100).unwrap();
    assert_eq!(samples.len(), 2_710_336);
    let middle = samples.len() / 2;
    let expected = [-0.092991844, -0.09796031, -0.097425856];
    assert!(largest_difference(&samples[middle..], &expected) < 1e-6);

    let chained = file(&folder, "chained.ogg", &fs::read(path).unwrap().repeat(2));
    let (twice, warnings) = collect(AudioStream::open(chained, 44_100).unwrap());
    assert_eq!(twice.len(), 2 * samples.len());
    assert_eq!(
        twice[samples.len() + middle..][..1_000],
        samples[middle..][..1_000]
    );
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn one_reading_gives_each_listener_what_it_would_have_read_alone() {
    let folder = folder();
    let samples = sine(440.0, 44_100, 200_001);
    let path = folder.path().join("a.wav");
    write_wav(&path, &samples, 1, 44_100, WavFormat::Float32).unwrap();
    let mut reading = SharedReading::open(&Source::from(&path)).unwrap();
    let rates = [16_000, 44_100, 22_050, 16_000];
    let streams = rates.map(|rate| reading.listen(rate).unwrap());
    // One that goes away holds nobody up.
    drop(reading.listen(8_000).unwrap());
    let (read, heard) = std::thread::scope(|scope| {
        let threads = streams.map(|stream| scope.spawn(|| collect(stream).0));
        let read = reading.read(|_| ()).unwrap();
        (read, threads.map(|thread| thread.join().unwrap()))
    });
    assert_eq!((read.sample_rate, read.channels), (44_100, 1));
    assert!((read.duration_s - 200_001.0 / 44_100.0).abs() < 1e-9);
    for (rate, heard) in rates.into_iter().zip(heard) {
        assert!(heard == read_mono(&path, rate).unwrap(), "{rate}");
    }
}

#[test]
fn a_fault_of_a_shared_reading_reaches_reader_and_listeners() {
    let folder = folder();
    let mut samples = vec![0.1f32; 300_000];
    samples[250_000] = f32::NAN;
    let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let path = file(&folder, "nan.wav", &wav_bytes(3, 1, 44_100, 32, &data));
    let mut reading = SharedReading::open(&Source::from(&path)).unwrap();
    let mut stream = reading.listen(16_000).unwrap();
    let (read, heard) = std::thread::scope(|scope| {
        let heard = scope.spawn(move || {
            loop {
                match stream.next_block() {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some(error.to_string()),
                }
            }
        });
        let read = reading.read(|_| ()).unwrap_err().to_string();
        (read, heard.join().unwrap())
    });
    assert!(read.contains("NaN"), "{read}");
    assert!(heard.is_some_and(|fault| fault.contains("NaN")));
}
