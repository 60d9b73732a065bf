//! Sound from pipes: raw PCM and WAV, however it trickles in.

use std::io::{self, Read};

use hemiola::audio::pcm::{PcmEncoding, PcmFormat, PcmStream};

const MONO: PcmFormat = PcmFormat {
    encoding: PcmEncoding::S16Le,
    sample_rate: 8000,
    channels: 1,
};

/// Gives a byte or two a read.
struct Drops(io::Cursor<Vec<u8>>);

impl Read for Drops {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = to.len().min(1 + self.0.position() as usize % 2);
        self.0.read(&mut to[..len])
    }
}

fn all(mut stream: PcmStream) -> (Vec<f32>, Option<String>) {
    let mut samples = Vec::new();
    loop {
        match stream.next_block() {
            Ok(Some(block)) => samples.extend_from_slice(block),
            Ok(None) => return (samples, None),
            Err(error) => return (samples, Some(error.to_string())),
        }
    }
}

fn raw(bytes: &[u8], format: PcmFormat) -> (Vec<f32>, Option<String>) {
    let drops = Drops(io::Cursor::new(bytes.to_vec()));
    all(PcmStream::raw(drops, "pipe", format, format.sample_rate).unwrap())
}

/// A header as arecord writes it.
fn wav(kind: u16, bits: u16, channels: u16, data_len: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    let frame = channels * bits / 8;
    bytes.extend([kind.to_le_bytes(), channels.to_le_bytes()].concat());
    bytes.extend(
        [
            8000u32.to_le_bytes(),
            (8000 * u32::from(frame)).to_le_bytes(),
        ]
        .concat(),
    );
    bytes.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
    // A chunk of an odd length that nobody needs.
    bytes.extend(b"LIST\x03\0\0\0abc\0data");
    bytes.extend(data_len.to_le_bytes());
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn every_encoding_has_its_width_and_full_scale() {
    let half = f32::to_le_bytes(-0.5);
    for (encoding, bytes) in [
        (
            PcmEncoding::S16Le,
            &[0x00, 0x40, 0x00, 0xc0, 0x00, 0x80][..],
        ),
        (PcmEncoding::S24Le, &[0, 0, 0x40, 0, 0, 0xc0, 0, 0, 0x80]),
        (
            PcmEncoding::S32Le,
            &[0, 0, 0, 0x40, 0, 0, 0, 0xc0, 0, 0, 0, 0x80],
        ),
        (
            PcmEncoding::F32Le,
            &[[0, 0, 0, 0x3f], half, [0, 0, 0x80, 0xbf]].concat(),
        ),
    ] {
        let format = PcmFormat { encoding, ..MONO };
        assert_eq!(raw(bytes, format), (vec![0.5, -0.5, -1.0], None));
    }
    let stereo = PcmFormat {
        channels: 2,
        ..MONO
    };
    assert_eq!(
        raw(&[0, 0x40, 0, 0, 0, 0x40, 0, 0xc0], stereo).0,
        [0.25, 0.0]
    );
}

#[test]
fn a_wav_header_tells_the_format_and_the_length() {
    let data = [0x00, 0x40, 0x00, 0xc0];
    // A length, none as pipes have it (ffmpeg, arecord, others); what follows a known length is no sound.
    for (len, bytes) in [
        (4, [&data[..], b"LIST"].concat()),
        (u32::MAX, data.to_vec()),
        (0x8000_0000, data.to_vec()),
        (0, data.to_vec()),
    ] {
        let drops = Drops(io::Cursor::new(wav(1, 16, 1, len, &bytes)));
        let stream = PcmStream::wav(drops, "pipe", 8000).unwrap();
        assert_eq!(stream.format(), MONO);
        assert_eq!(all(stream), (vec![0.5, -0.5], None));
    }
    // Cut off within a frame, a second before its time.
    let cut = wav(1, 16, 1, 16_003, &data[..3]);
    let mut stream = PcmStream::wav(io::Cursor::new(cut), "pipe", 8000).unwrap();
    assert_eq!(stream.next_block().unwrap(), Some(&[0.5][..]));
    assert_eq!(stream.next_block().unwrap(), None);
    assert_eq!(stream.missing_s(), 1.0);
    let float = wav(3, 32, 2, 8, &[0, 0, 0, 0x3f, 0, 0, 0, 0]);
    let stream = PcmStream::wav(io::Cursor::new(float), "pipe", 8000).unwrap();
    assert_eq!(stream.format().to_string(), "f32le, 8000 Hz, 2 channels");
    assert_eq!(all(stream).0, [0.25]);
}

#[test]
fn bytes_of_another_width_are_told_after_what_could_be_heard() {
    let (samples, fault) = raw(&[0, 0x40, 0, 0x40, 7], MONO);
    assert_eq!(samples, [0.5, 0.5]);
    let fault = fault.unwrap();
    for word in [
        "pipe",
        "5 bytes",
        "frames of 2 bytes",
        "s16le",
        "1 left over",
    ] {
        assert!(fault.contains(word), "{word} is not in: {fault}");
    }
    let float = PcmFormat {
        encoding: PcmEncoding::F32Le,
        ..MONO
    };
    let bytes = [f32::to_le_bytes(0.5), f32::to_le_bytes(f32::NAN)].concat();
    let (_, fault) = raw(&bytes, float);
    assert!(fault.unwrap().contains("0.000125 s is NaN"));
}

#[test]
fn impossible_headers_are_refused() {
    for (bytes, words) in [
        (wav(1, 8, 1, 0, &[]), ["kind 1", "8 bits"]),
        (wav(85, 16, 1, 0, &[]), ["kind 85", "expected integers"]),
        (wav(1, 16, 0, 0, &[]), ["0 channels", "pipe"]),
        (wav(1, 16, 1, 0, &[])[..30].to_vec(), ["ends", "header"]),
        (b"RIFFxxxxAVI LIST".to_vec(), ["WAV", "RIFF"]),
    ] {
        let result = PcmStream::wav(io::Cursor::new(bytes), "pipe", 8000);
        let message = result.err().unwrap().to_string();
        for word in words {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    }
}

#[test]
fn another_rate_is_resampled() {
    let bytes = vec![0; 2 * 8000];
    let stream = PcmStream::raw(io::Cursor::new(bytes), "pipe", MONO, 16_000).unwrap();
    assert!((0.03..0.2).contains(&stream.resampling_latency_s()));
    assert_eq!(all(stream).0.len(), 16_000);
    assert_eq!(
        PcmStream::raw(io::empty(), "pipe", MONO, 8000)
            .unwrap()
            .resampling_latency_s(),
        0.0
    );
}
