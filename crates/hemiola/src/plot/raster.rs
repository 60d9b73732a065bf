use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

use super::colour::Colour;
use super::picture::Picture;
use super::text::{FAMILY, FONTS};
use crate::error::{Error, Result};
use crate::formats::write_atomically;

/// Pixels of a saved PNG for one CSS pixel.
const SAVED_SCALE: f64 = 2.0;

/// The most pixels of a PNG; four bytes of memory each.
const MAX_PIXELS: f64 = 100e6;

/// The kinds of files that pictures are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    Svg,
    Png,
}

impl PictureFormat {
    /// By the ending of a file's name, in capitals or not.
    ///
    /// # Errors
    /// It is another one.
    pub fn of_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(Error::input(
                path,
                "pictures are written as SVG or PNG; give the file a name that ends in .svg or .png",
            )),
        }
    }
}

impl Picture {
    /// The SVG drawn with `scale` pixels to the CSS pixel, as a PNG file. Characters that the built-in font lacks are left out.
    ///
    /// # Errors
    /// The size is 0 or above 100 million pixels.
    pub fn to_png(&self, scale: f64) -> Result<Vec<u8>> {
        let [width, height] =
            [self.width, self.height].map(|side| (f64::from(side) * scale).round());
        if !(width >= 1.0 && height >= 1.0 && width * height <= MAX_PIXELS) {
            return Err(Error::config(format!(
                "a PNG of {width} × {height} pixels: expected 1 to {} million; choose another size, or SVG",
                MAX_PIXELS / 1e6
            )));
        }
        let undrawn = |fault: &dyn std::fmt::Display| {
            Error::config(format!("the picture cannot be drawn: {fault}; choose SVG"))
        };
        let options = usvg::Options {
            font_family: FAMILY.to_owned(),
            fontdb: Arc::clone(&FONTS),
            ..usvg::Options::default()
        };
        let tree =
            usvg::Tree::from_str(&self.to_svg(), &options).map_err(|fault| undrawn(&fault))?;
        let mut pixels = Pixmap::new(width as u32, height as u32)
            .ok_or_else(|| undrawn(&"no memory for its pixels"))?;
        let scale = scale as f32;
        resvg::render(
            &tree,
            Transform::from_scale(scale, scale),
            &mut pixels.as_mut(),
        );
        pixels.encode_png().map_err(|fault| undrawn(&fault))
    }

    /// Writes an SVG or PNG file, by the ending of its name, whole or not at all. PNG has two pixels to the CSS pixel.
    ///
    /// # Errors
    /// The name ends in neither `.svg` nor `.png`, the PNG would be too large, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = match PictureFormat::of_path(&path)? {
            PictureFormat::Svg => self.to_svg().into_bytes(),
            PictureFormat::Png => self.to_png(SAVED_SCALE)?,
        };
        write_atomically(path, |out| out.write_all(&bytes))
    }
}

/// A PNG file of `width` pixels to the row from numbers of a palette's colours, from the upper left.
pub(super) fn encode_indexed(
    width: usize,
    indices: &[u8],
    palette: &[Colour; 256],
) -> Result<Vec<u8>> {
    let encode = || -> std::result::Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let height = indices.len() / width.max(1);
        let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        let colours = palette.iter().flat_map(|c| [c.red, c.green, c.blue]);
        encoder.set_palette(colours.collect::<Vec<u8>>());
        let mut writer = encoder.write_header()?;
        writer.write_image_data(indices)?;
        writer.finish()?;
        Ok(file)
    };
    encode().map_err(|fault| Error::config(format!("an image {width} pixels wide: {fault}")))
}
