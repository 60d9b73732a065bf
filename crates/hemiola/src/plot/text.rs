use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

/// The family of the font that measures text and draws it in PNG: DejaVu Sans 2.37, under the licence of Bitstream Vera. It has accidentals.
pub(super) const FAMILY: &str = "DejaVu Sans";

static FONT: LazyLock<FontRef> = LazyLock::new(|| {
    FontRef::new(dejavu::sans::regular()).expect("the font that is built in is whole")
});

/// The fonts of PNG: the one that is built in, so that a picture looks the same on every machine.
pub(super) static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(dejavu::sans::regular())));
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

/// Width in pixels of a line in the font that is built in. A character that it lacks counts as a square.
pub fn text_width(text: &str, size: f64) -> f64 {
    let metrics = FONT.glyph_metrics(Size::new(size as f32), LocationRef::default());
    let glyphs = FONT.charmap();
    let advance = |character: char| {
        let glyph = glyphs.map(character)?;
        metrics.advance_width(glyph).map(f64::from)
    };
    text.chars().map(|c| advance(c).unwrap_or(size)).sum()
}

/// The text, or as much of its beginning as fits into a width with an ellipsis after it.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    if text_width(text, size) <= width {
        return Cow::Borrowed(text);
    }
    let mut left = width - text_width(ELLIPSIS, size);
    let mut buffer = [0; 4];
    let fitting = text.chars().take_while(|c| {
        left -= text_width(c.encode_utf8(&mut buffer), size);
        left >= 0.0
    });
    let mut shown: String = fitting.collect();
    shown.truncate(shown.trim_end().len());
    shown.push_str(ELLIPSIS);
    Cow::Owned(shown)
}
