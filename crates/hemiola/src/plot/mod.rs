//! Pictures: notes over time, matrices in colour, chroma, attention, what networks hear, progressions of chords, all that was heard in a recording. Written as SVG, or as PNG drawn from that SVG.
//!
//! ```
//! use hemiola::{music::Note, plot};
//!
//! let notes = [Note { onset_s: 0.5, offset_s: 1.0, pitch: 60, velocity: 80 }];
//! let made = plot::NoteLayer::new("made", plot::Colour::series(0), &notes);
//! let picture = plot::piano_roll("A middle C", &[made], &plot::PianoRollOptions::default())?;
//! assert!(picture.to_svg().contains("A middle C"));
//! # Ok::<(), hemiola::Error>(())
//! ```

mod attention;
mod axis;
mod chord_graph;
mod chroma;
mod colour;
mod features;
mod frame;
mod frequency;
mod heat_map;
mod lanes;
mod legend;
mod library_map;
mod matrix;
pub(crate) mod names;
mod panels;
mod piano_roll;
mod picture;
mod raster;
mod shades;
mod svg;
mod text;

pub use attention::attention_map;
pub use axis::{Axis, Ticks};
pub use chord_graph::{ChordNode, MAX_CHORDS, MAX_EDGES, chord_graph};
pub use chroma::chroma;
pub use colour::{Colour, ColourScale};
pub use features::{FeatureSheet, FilterRows, LayerMaps, Patch, StepCurve, feature_picture};
pub use heat_map::{FirstRow, HeatMapOptions, heat_map};
pub use lanes::{Lane, LaneOptions, lanes};
pub use library_map::{MapTrack, library_map};
pub use matrix::{Matrix, Reduction};
pub use piano_roll::{MarkedRange, NoteLayer, PianoRollOptions, piano_roll};
pub use picture::{Anchor, Paint, Picture, Rect, TextStyle};
pub use raster::PictureFormat;
pub use text::text_width;
