//! The encoder delay that MP4 and M4A files state, which Symphonia does not trim.
//!
//! AAC encoders put 1024 to 2624 samples before the recording. Files say so in an edit list (ISO/IEC 14496-12, 8.6.6) or, from older iTunes, in a tag `iTunSMPB`.

use std::io::{self, Read, Seek, SeekFrom};

/// More than this is a cut made by an editor rather than an encoder's delay, in seconds; nothing is trimmed then.
const MAX_DELAY_S: f64 = 0.25;

/// A movie header beyond this size is not looked into, in bytes.
const MAX_MOOV_BYTES: u64 = 64 << 20;

/// Seconds to drop from the start of the first sound track; 0 where the file states none or is no MP4. Leaves the reader at its start.
pub(super) fn encoder_delay_s(reader: &mut (impl Read + Seek)) -> io::Result<f64> {
    let moov = read_moov(reader)?;
    reader.rewind()?;
    let stated = moov.and_then(|moov| sound_track_delay_s(&moov));
    Ok(stated
        .filter(|delay| (0.0..=MAX_DELAY_S).contains(delay))
        .unwrap_or(0.0))
}

fn read_moov(reader: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
    let len = reader.seek(SeekFrom::End(0))?;
    let mut at = 0_u64;
    while at.saturating_add(8) <= len {
        reader.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        reader.by_ref().take(16).read_to_end(&mut head)?;
        let (Some(size), Some(kind)) = (be_u32(&head, 0), head.get(4..8)) else {
            break;
        };
        if at == 0 && kind != b"ftyp" {
            break;
        }
        let (header, size) = match (size, be_u64(&head, 8)) {
            (0, _) => (8, len - at),
            (1, Some(large)) => (16, large),
            (size, _) => (8, u64::from(size)),
        };
        if size < header {
            break;
        }
        if kind == b"moov" {
            let mut moov = Vec::new();
            reader.seek(SeekFrom::Start(at + header))?;
            let payload = (size - header).min(MAX_MOOV_BYTES);
            reader.by_ref().take(payload).read_to_end(&mut moov)?;
            return Ok(Some(moov));
        }
        at = at.saturating_add(size);
    }
    Ok(None)
}

fn sound_track_delay_s(moov: &[u8]) -> Option<f64> {
    let track = boxes(moov)
        .filter(|(kind, _)| kind == b"trak")
        .map(|(_, track)| track)
        .find(|track| {
            find(track, &[b"mdia", b"hdlr"]).is_some_and(|hdlr| hdlr.get(8..12) == Some(b"soun"))
        })?;
    let mdhd = find(track, &[b"mdia", b"mdhd"])?;
    let timescale = be_u32(mdhd, if mdhd.first() == Some(&1) { 20 } else { 12 })?;
    let ticks = find(track, &[b"edts", b"elst"])
        .and_then(edit_start)
        .filter(|&ticks| ticks > 0)
        .or_else(|| itunes_delay(moov))?;
    (timescale > 0).then(|| ticks as f64 / f64::from(timescale))
}

/// Where in the track the presentation starts, in ticks of its time scale. Empty edits (-1) only delay it.
fn edit_start(elst: &[u8]) -> Option<u64> {
    let wide = elst.first() == Some(&1);
    let entries = elst.get(8..)?.chunks_exact(if wide { 20 } else { 12 });
    entries
        .filter_map(|entry| {
            if wide {
                be_u64(entry, 8).map(u64::cast_signed)
            } else {
                be_u32(entry, 4).map(|time| i64::from(time.cast_signed()))
            }
        })
        .find_map(|time| u64::try_from(time).ok())
}

/// The second hexadecimal word of the tag's text is the delay in samples.
fn itunes_delay(moov: &[u8]) -> Option<u64> {
    const TAG: &[u8] = b"iTunSMPB";
    let at = moov.windows(TAG.len()).position(|window| window == TAG)?;
    let value = moov.get(at + TAG.len()..)?;
    let text = boxes(value)
        .find(|(kind, _)| kind == b"data")
        .and_then(|(_, data)| data.get(8..))?;
    let text = String::from_utf8_lossy(text);
    u64::from_str_radix(text.split_whitespace().nth(1)?, 16).ok()
}

fn find<'a>(parent: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(parent, |parent, wanted| {
        boxes(parent)
            .find(|(kind, _)| kind == *wanted)
            .map(|(_, payload)| payload)
    })
}

/// The boxes that lie one after another in `bytes`: type and payload.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = usize::try_from(be_u32(rest, 0)?).ok()?;
        let kind = rest.get(4..8)?.try_into().ok()?;
        let payload = rest.get(8..size)?;
        rest = rest.get(size..)?;
        Some((kind, payload))
    })
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*word))
}

fn be_u64(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(kind: &[u8; 4], payload: &[&[u8]]) -> Vec<u8> {
        let payload = payload.concat();
        let size = 8 + payload.len() as u32;
        [&size.to_be_bytes()[..], kind, &payload].concat()
    }

    /// An M4A at 44.1 kHz without audio data; `edits` and `tags` as they stand in `trak` and `moov`.
    fn m4a(edits: &[u8], tags: &[u8]) -> Vec<u8> {
        let mdhd = [&[0; 12][..], &44_100_u32.to_be_bytes(), &[0; 8]].concat();
        let hdlr = [&[0; 8][..], b"soun", &[0; 13]].concat();
        let mdia = atom(
            b"mdia",
            &[&atom(b"mdhd", &[&mdhd]), &atom(b"hdlr", &[&hdlr])],
        );
        let moov = atom(b"moov", &[&atom(b"trak", &[edits, &mdia]), tags]);
        [atom(b"ftyp", &[b"M4A "]), atom(b"mdat", &[&[7; 99]]), moov].concat()
    }

    fn edit_list(entries: &[(u32, i32)]) -> Vec<u8> {
        let mut elst = vec![0; 4];
        elst.extend((entries.len() as u32).to_be_bytes());
        for (duration, start) in entries {
            elst.extend(duration.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend([0, 1, 0, 0]);
        }
        atom(b"edts", &[&atom(b"elst", &[&elst])])
    }

    fn delay(file: Vec<u8>) -> f64 {
        encoder_delay_s(&mut io::Cursor::new(file)).unwrap() * 44_100.0
    }

    #[test]
    fn edit_list_states_the_delay() {
        assert_eq!(delay(m4a(&edit_list(&[(20_000, 1024)]), &[])), 1024.0);
        let with_pause = edit_list(&[(500, -1), (20_000, 2112)]);
        assert_eq!(delay(m4a(&with_pause, &[])), 2112.0);
    }

    #[test]
    fn itunes_tag_states_the_delay() {
        let text = b" 00000000 00000840 000001CA 00000000003F31F6 00000000";
        let name = atom(b"name", &[&[0; 4], b"iTunSMPB"]);
        let data = atom(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text]);
        assert_eq!(delay(m4a(&[], &[name, data].concat())), 2112.0);
    }

    #[test]
    fn nothing_is_trimmed_without_a_statement_or_by_an_editors_cut() {
        assert_eq!(delay(m4a(&[], &[])), 0.0);
        assert_eq!(delay(m4a(&edit_list(&[(20_000, 441_000)]), &[])), 0.0);
        assert_eq!(delay(b"RIFF\x10\0\0\0WAVE".to_vec()), 0.0);
    }

    #[test]
    fn damaged_boxes_state_nothing_and_end() {
        let whole = m4a(&edit_list(&[(20_000, 1024)]), &[]);
        for end in 0..whole.len() {
            delay(whole[..end].to_vec());
        }
        for at in 0..whole.len() {
            for value in [0, 1, 255] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                delay(damaged);
            }
        }
    }
}
