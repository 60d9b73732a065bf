//! Compressed scores: a ZIP archive whose `META-INF/container.xml` names the score.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::{Error, Result};

const CONTAINER: &str = "META-INF/container.xml";
const SCORE: &str = "score.musicxml";
/// Bytes; a score is never larger, and an archive may claim to be.
const LARGEST: u64 = 256 << 20;

pub(super) fn pack(score: &str) -> Result<Vec<u8>> {
    let container = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container>\n <rootfiles>\n  <rootfile full-path=\"{SCORE}\" media-type=\"application/vnd.recordare.musicxml+xml\"/>\n </rootfiles>\n</container>\n"
    );
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // The same bytes for the same notes.
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    let mut add = |name: &str, text: &str| -> std::io::Result<()> {
        archive.start_file(name, options)?;
        archive.write_all(text.as_bytes())
    };
    let packed = add(CONTAINER, &container).and_then(|()| add(SCORE, score));
    let packed = packed.and_then(|()| Ok(archive.finish()?.into_inner()));
    packed.map_err(|fault| Error::config(format!("the score cannot be compressed: {fault}")))
}

/// Whether bytes begin as a ZIP archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The score that an archive names, or else the first that lies outside of `META-INF`.
pub(super) fn unpack(bytes: &[u8], name: &Path) -> Result<Vec<u8>> {
    let fault = |fault: String| Error::input(name, fault);
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| fault(format!("expected a compressed score (ZIP), found {e}")))?;
    let named = read(&mut archive, CONTAINER).ok().and_then(|container| {
        let text = String::from_utf8(container).ok()?;
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..roxmltree::ParsingOptions::default()
        };
        let document = roxmltree::Document::parse_with_options(&text, options).ok()?;
        let mut nodes = document.descendants();
        let root = nodes.find(|node| node.tag_name().name() == "rootfile")?;
        root.attribute("full-path").map(str::to_owned)
    });
    let is_score = |path: &String| {
        let ending = Path::new(path).extension().unwrap_or_default();
        !path.starts_with("META-INF") && (ending == "xml" || ending == "musicxml")
    };
    let mut names = archive.file_names().flatten().map(|name| name.into_owned());
    let first = names.find(is_score);
    drop(names);
    let score = named.or(first);
    let score = score.ok_or_else(|| fault("there is no score in this archive".to_owned()))?;
    read(&mut archive, &score).map_err(|e| fault(format!("{score} in this archive: {e}")))
}

fn read(archive: &mut ZipArchive<Cursor<&[u8]>>, path: &str) -> std::io::Result<Vec<u8>> {
    let file = archive.by_name(path)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(std::io::Error::other(format!(
            "it is larger than {} MB",
            LARGEST >> 20
        ))),
        false => Ok(bytes),
    }
}
