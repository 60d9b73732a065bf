use hemiola::plot::{Anchor, Colour, Paint, Picture, Rect, TextStyle, text_width};
use resvg::tiny_skia::Pixmap;

use super::{colour_at, drawn};

fn rect(x: f64, y: f64, width: f64, height: f64) -> Rect {
    Rect {
        x,
        y,
        width,
        height,
    }
}

#[test]
fn shapes_have_their_colours_where_they_stand() {
    let mut picture = Picture::new(60, 40, "shapes");
    picture.rect(rect(10.0, 10.0, 20.0, 10.0), Paint::fill(Colour::BLUE));
    picture.line(
        (0.0, 35.0),
        (60.0, 35.0),
        Paint::stroke(Colour::VERMILLION, 4.0),
    );
    picture.clipped(rect(40.0, 0.0, 10.0, 20.0), |inside| {
        inside.rect(rect(0.0, 0.0, 60.0, 20.0), Paint::fill(Colour::GREEN));
    });
    let png = drawn(&picture, 2.0);
    assert_eq!((png.width(), png.height()), (120, 80));
    for (x, y, colour) in [
        (22, 22, Colour::BLUE),
        (58, 38, Colour::BLUE),
        (17, 22, Colour::WHITE),
        (62, 38, Colour::WHITE),
        (2, 70, Colour::VERMILLION),
        (82, 2, Colour::GREEN),
        (98, 38, Colour::GREEN),
        (78, 2, Colour::WHITE),
        (102, 2, Colour::WHITE),
    ] {
        assert_eq!(colour_at(&png, x, y), colour, "at {x}, {y}");
    }
}

#[test]
fn a_polyline_is_interrupted_where_a_point_is_missing() {
    let mut picture = Picture::new(40, 10, "line");
    let points = [
        (0.0, 5.0),
        (10.0, 5.0),
        (f64::NAN, 5.0),
        (30.0, 5.0),
        (40.0, 5.0),
    ];
    picture.polyline(points, Paint::stroke(Colour::BLACK, 4.0));
    let png = drawn(&picture, 1.0);
    let seen = [5, 20, 35].map(|x| colour_at(&png, x, 5));
    assert_eq!(seen, [Colour::BLACK, Colour::WHITE, Colour::BLACK]);
}

#[test]
fn text_is_as_wide_as_measured() {
    let text = "Ländler in F♯";
    let mut picture = Picture::new(400, 60, "text");
    picture.text((20.0, 40.0), text, TextStyle::new(32.0, Anchor::Start));
    let png = drawn(&picture, 1.0);
    let inked = |x: &u32| (0..60).any(|y| colour_at(&png, *x, y) != Colour::WHITE);
    let first = (0..400).find(inked).unwrap();
    let last = (0..400).rev().find(inked).unwrap();
    let end = 20.0 + text_width(text, 32.0);
    assert!((20..26).contains(&first), "begins at {first}");
    assert!(
        (end - 6.0..=end + 1.0).contains(&f64::from(last)),
        "ends at {last}, not {end}"
    );
}

#[test]
fn files_are_written_by_their_ending_and_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let picture = Picture::new(30, 20, "empty");
    let svg = folder.path().join("a.svg");
    picture.save(&svg).unwrap();
    assert_eq!(std::fs::read_to_string(&svg).unwrap(), picture.to_svg());
    let png = folder.path().join("a.PNG");
    picture.save(&png).unwrap();
    let pixels = Pixmap::load_png(&png).unwrap();
    assert_eq!((pixels.width(), pixels.height()), (60, 40));

    for name in ["a.pdf", "a", "svg"] {
        let path = folder.path().join(name);
        let fault = picture.save(&path).unwrap_err().to_string();
        assert!(fault.contains(".svg") && fault.contains(name), "{fault}");
        assert!(!path.exists());
    }
    for (width, height) in [(0, 10), (100_000, 100_000)] {
        let path = folder.path().join("b.png");
        assert!(Picture::new(width, height, "").save(&path).is_err());
        assert!(!path.exists());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
