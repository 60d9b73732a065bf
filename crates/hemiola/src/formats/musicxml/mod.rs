//! MusicXML 4.0 (W3C Community Group Report, "MusicXML 4.0", 2021), partwise, as text and compressed.

mod bars;
mod harmony;
mod measures;
mod mxl;
mod read;
mod score;
mod voices;
mod write;
mod xml;

pub use read::music_xml_from;
pub use write::{encode_music_xml, encode_mxl};

/// Of a quarter note: enough for thirty-seconds and for triplets of sixteenths.
const DIVISIONS: u32 = 24;
