use super::axis::{Axis, Ticks, time_unit};
use super::colour::ColourScale;
use super::heat_map::{FirstRow, HeatMapOptions, heat_map};
use super::matrix::{Matrix, Reduction};
use super::picture::Picture;
use crate::error::{Error, Result};
use crate::music::{Chroma, N_PITCH_CLASSES, PITCH_CLASS_NAMES};

/// Pitch classes over time, C at the bottom, in colours from 0 to 1. Where there are more frames than pixels, their means.
///
/// # Errors
/// There is no frame.
pub fn chroma(title: &str, chroma: &Chroma) -> Result<Picture> {
    let n_frames = chroma.frames.len();
    if n_frames == 0 {
        return Err(Error::config(
            "there is no chroma to draw: the recording has no sound, not even silence",
        ));
    }
    let mut values = Vec::with_capacity(N_PITCH_CLASSES * n_frames);
    for pitch_class in 0..N_PITCH_CLASSES {
        values.extend(chroma.frames.iter().map(|frame| frame[pitch_class]));
    }
    // A frame is centred on its time.
    let (from_s, to_s) = (-0.5 / chroma.fps, (n_frames as f64 - 0.5) / chroma.fps);
    let options = HeatMapOptions {
        columns: Axis::new(
            format!("time ({})", time_unit(to_s)),
            Ticks::Time { from_s, to_s },
        ),
        rows: Axis::new(
            "pitch class",
            Ticks::Names(PITCH_CLASS_NAMES.map(str::to_owned).to_vec()),
        ),
        first_row: FirstRow::Bottom,
        scale: ColourScale::Magma,
        range: Some((0.0, 1.0)),
        value_label: "presence".to_owned(),
        reduction: Reduction::Mean,
        ..HeatMapOptions::default()
    };
    let matrix = Matrix::new(N_PITCH_CLASSES, n_frames, &values)?;
    heat_map(title, matrix, &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pitch_class_is_named_and_time_is_told() {
        let mut played = Chroma::new(10.0);
        played.frames = vec![[0.5; N_PITCH_CLASSES]; 300];
        let svg = chroma("A scale", &played).unwrap().to_svg();
        for name in PITCH_CLASS_NAMES {
            assert!(svg.contains(&format!(">{name}</text>")), "{name}");
        }
        for text in [
            "A scale",
            "pitch class",
            "time (s)",
            ">10</text>",
            ">20</text>",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        let message = chroma("", &Chroma::new(10.0)).err().map(|e| e.to_string());
        assert!(message.is_some_and(|m| m.contains("no sound")));
    }
}
