//! An analysis as a page: to hear, to look at and to take the parts from.

mod data;

use std::io::{self, Write};
use std::path::Path;

use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderWriter;

use crate::analysis::{Analysis, Overview};
use crate::error::{Error, Result};

/// The page without its styles, its data and its program, which follow one another at these marks.
const PAGE: &str = include_str!("page/page.html");
const STYLE_MARK: &str = "/*STYLE*/";
const DATA_MARK: &str = "<!--DATA-->";
const PROGRAM_MARK: &str = "/*PROGRAM*/";

const STYLES: [&str; 2] = [
    include_str!("page/style.css"),
    include_str!("page/lanes.css"),
];
/// One program; each part uses those before it.
const PROGRAM: [&str; 8] = [
    include_str!("page/data.js"),
    include_str!("page/view.js"),
    include_str!("page/raster.js"),
    include_str!("page/lanes.js"),
    include_str!("page/summary.js"),
    include_str!("page/player.js"),
    include_str!("page/downloads.js"),
    include_str!("page/main.js"),
];

/// The sound of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageAudio<'a> {
    /// The page has a field to open the recording with.
    #[default]
    None,
    /// The recording lies in the page, which is larger by four thirds of it.
    Embedded {
        /// Such as `audio/ogg`.
        mime: &'a str,
        /// A file as browsers play it.
        bytes: &'a [u8],
    },
}

/// The MIME type of a recording that browsers play, by the ending of its name; `None` of other recordings, which have to be
/// written in another format to be embedded.
pub fn playable_mime(path: impl AsRef<Path>) -> Option<&'static str> {
    let ending = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "mp3" => "audio/mpeg",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "m4a" | "mp4" => "audio/mp4",
        "aac" => "audio/aac",
        "webm" => "audio/webm",
        _ => return None,
    })
}

/// A page, HTML, of all that was heard in one recording: lanes over one axis of time, a player whose cursor moves over them,
/// a summary. It is whole in itself and loads nothing. A part that is `None` has no lane.
///
/// Times are of whole milliseconds; a spectrogram or a chroma of many frames is made coarser (about 7 MB for an hour).
///
/// # Errors
/// `out` cannot be written to.
pub fn write_page(
    out: &mut dyn Write,
    analysis: &Analysis,
    overview: &Overview,
    audio: &PageAudio,
) -> io::Result<()> {
    let [head, rest] = around(PAGE, STYLE_MARK);
    let [body, rest] = around(rest, DATA_MARK);
    let [before, after] = around(rest, PROGRAM_MARK);
    write!(out, "{head}")?;
    STYLES
        .iter()
        .try_for_each(|part| out.write_all(part.as_bytes()))?;
    write!(out, "{body}")?;

    let (data, blobs) = data::of(analysis, overview, audio);
    let json = serde_json::to_string(&data)?;
    // A name must not be able to end the script that holds it.
    let json = json.replace('<', "\\u003c");
    write!(
        out,
        r#"<script type="application/json" id="data">{json}</script>"#
    )?;
    for (id, bytes) in blobs {
        write_blob(out, id, &bytes)?;
    }
    if let PageAudio::Embedded { bytes, .. } = audio {
        write_blob(out, "audio-bytes", bytes)?;
    }
    write!(out, "{before}")?;
    PROGRAM
        .iter()
        .try_for_each(|part| out.write_all(part.as_bytes()))?;
    write!(out, "{after}")
}

/// [`write_page`] into a text.
///
/// # Errors
/// None that is known: the page is made of what serialises.
pub fn page(analysis: &Analysis, overview: &Overview, audio: &PageAudio) -> Result<String> {
    let mut page = Vec::new();
    write_page(&mut page, analysis, overview, audio)
        .map_err(|fault| Error::config(format!("the report cannot be made: {fault}")))?;
    String::from_utf8(page)
        .map_err(|fault| Error::config(format!("the report is no text: {fault}")))
}

fn write_blob(out: &mut dyn Write, id: &str, bytes: &[u8]) -> io::Result<()> {
    write!(
        out,
        r#"<script type="application/octet-stream;base64" id="{id}">"#
    )?;
    let mut encoder = EncoderWriter::new(&mut *out, &BASE64_STANDARD);
    encoder.write_all(bytes)?;
    encoder.finish()?;
    drop(encoder);
    writeln!(out, "</script>")
}

/// What stands before and after a mark.
fn around<'a>(text: &'a str, mark: &str) -> [&'a str; 2] {
    match text.split_once(mark) {
        Some((before, after)) => [before, after],
        None => [text, ""],
    }
}
