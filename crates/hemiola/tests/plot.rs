use std::time::Instant;

use hemiola::music::Note;
use hemiola::plot::{
    Anchor, Axis, Colour, ColourScale, FirstRow, HeatMapOptions, MarkedRange, Matrix, NoteLayer,
    Paint, PianoRollOptions, Picture, Rect, Reduction, TextStyle, Ticks, attention_map, heat_map,
    piano_roll, text_width,
};
use resvg::tiny_skia::Pixmap;
use resvg::usvg::roxmltree::{Document, Node};

fn note(onset_s: f64, offset_s: f64, pitch: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 127,
    }
}

fn rect(x: f64, y: f64, width: f64, height: f64) -> Rect {
    Rect {
        x,
        y,
        width,
        height,
    }
}

fn number(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// Left, top, right and bottom of what a clipping drawing shows.
fn clip(document: &Document) -> [f64; 4] {
    let nested = document
        .root_element()
        .children()
        .find(|node| node.has_tag_name("svg"));
    let nested = nested.unwrap();
    let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number(nested, name));
    [x, y, x + width, y + height]
}

/// Left, top, width and height of the rectangles of a colour.
fn rectangles(document: &Document, colour: &str) -> Vec<[f64; 4]> {
    let paths = document
        .descendants()
        .filter(|node| node.attribute("fill") == Some(colour));
    let data = paths.filter_map(|node| node.attribute("d"));
    data.flat_map(|data| data.split_terminator('z'))
        .map(|rectangle| {
            let numbers: Vec<f64> = rectangle
                .split(['M', ' ', 'h', 'v'])
                .filter(|text| !text.is_empty())
                .map(|text| text.parse().unwrap())
                .collect();
            numbers[..4].try_into().unwrap()
        })
        .collect()
}

fn texts(document: &Document) -> Vec<String> {
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

/// Place of a text: its `x` and `y`.
fn place(document: &Document, text: &str) -> (f64, f64) {
    let mut texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let found = texts.find(|node| node.text() == Some(text)).unwrap();
    (number(found, "x"), number(found, "y"))
}

fn colour_at(png: &Pixmap, x: u32, y: u32) -> Colour {
    let pixel = png.pixel(x, y).unwrap();
    assert_eq!(pixel.alpha(), 255);
    Colour {
        red: pixel.red(),
        green: pixel.green(),
        blue: pixel.blue(),
    }
}

fn drawn(picture: &Picture, scale: f64) -> Pixmap {
    Pixmap::decode_png(&picture.to_png(scale).unwrap()).unwrap()
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
fn hostile_names_stay_text() {
    let name = "</text><script>alert('1')</script>&amp;\"\u{0}\u{1b}[2J\u{fffe}\n<!--]]>";
    let notes = [note(0.0, 1.0, 60)];
    let layers = [NoteLayer::new(name, Colour::BLUE, &notes)];
    let options = PianoRollOptions {
        max_width: 2000.0,
        pixels_per_second: 2000.0,
        ..PianoRollOptions::default()
    };
    let svg = piano_roll(name, &layers, &options).unwrap().to_svg();
    let document = Document::parse(&svg).unwrap();
    let expected = "</text><script>alert('1')</script>&amp;\"\u{fffd}\u{fffd}[2J\u{fffd} <!--]]>";
    let title = document.root_element().first_element_child().unwrap();
    assert!(title.has_tag_name("title"));
    assert_eq!(title.text(), Some(expected));
    assert_eq!(document.root_element().attribute("role"), Some("img"));
    assert_eq!(
        texts(&document)
            .iter()
            .filter(|text| *text == expected)
            .count(),
        2
    );
    assert!(
        document
            .descendants()
            .all(|node| !node.has_tag_name("script"))
    );
}

#[test]
fn long_names_end_within_the_picture() {
    let name = "Concerto grosso ".repeat(40);
    let notes = [note(0.0, 1.0, 60)];
    let layers = [0, 1].map(|i| NoteLayer::new(name.as_str(), Colour::series(i), &notes));
    let picture = piano_roll(&name, &layers, &PianoRollOptions::default()).unwrap();
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let mut shortened = 0;
    for node in document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
    {
        let text = node.text().unwrap();
        if text.ends_with('…') {
            let end = number(node, "x") + text_width(text, number(node, "font-size"));
            assert!(end <= f64::from(picture.width()), "{text:?} ends at {end}");
            shortened += 1;
        }
    }
    assert_eq!(shortened, 3);
}

#[test]
fn a_note_stands_at_its_time_and_pitch() {
    // Ten seconds from C4 (60) to B5 (83) and two keys around them.
    let notes = [note(0.0, 0.5, 60), note(2.0, 4.0, 72), note(9.0, 10.0, 83)];
    let layers = [NoteLayer::new("made", Colour::BLUE, &notes)];
    let options = PianoRollOptions {
        pixels_per_second: 100.0,
        ..PianoRollOptions::default()
    };
    let picture = piano_roll("Three notes", &layers, &options).unwrap();
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let [left, top, right, bottom] = clip(&document);
    assert_eq!(right - left, 1000.0);
    let key = (bottom - top) / 28.0;

    let swatch_and_notes = rectangles(&document, "#0072b2");
    let [x, y, width, height] = swatch_and_notes[2];
    assert_eq!(x, left + 200.0);
    assert!((199.0..=200.0).contains(&width));
    let middle = bottom - (72.0 - 58.0 + 0.5) * key;
    assert!((y + height / 2.0 - middle).abs() < 0.02);
    assert!(height < key && height > key - 2.0);
    for [x, y, width, height] in &swatch_and_notes[1..] {
        assert!(*x >= left && x + width <= right && *y >= top && y + height <= bottom);
    }

    let (x, _) = place(&document, "2");
    assert_eq!(x, left + 200.0);
    let (_, y) = place(&document, "C5");
    assert!((y - middle).abs() < 6.0);

    let png = drawn(&picture, 1.0);
    assert_eq!(
        colour_at(&png, (left + 300.0) as u32, middle as u32),
        Colour::BLUE
    );
    assert_eq!(
        colour_at(&png, (left + 405.0) as u32, middle as u32),
        Colour::WHITE
    );
}

#[test]
fn softer_notes_are_lighter() {
    let [soft, loud] = [20, 120].map(|velocity| Note {
        velocity,
        ..note(0.0, 1.0, 60)
    });
    let red_of = |made: Note| {
        let notes = [made];
        let layers = [NoteLayer::new("", Colour::BLACK, &notes)];
        let picture = piano_roll("", &layers, &PianoRollOptions::default()).unwrap();
        let svg = picture.to_svg();
        let document = Document::parse(&svg).unwrap();
        let [x, y, width, height] = rectangles(&document, "#000000")[0];
        let png = drawn(&picture, 1.0);
        colour_at(&png, (x + width / 2.0) as u32, (y + height / 2.0) as u32).red
    };
    assert!(red_of(soft) > red_of(loud) + 60);
}

#[test]
fn marked_ranges_are_seen_and_listed_once() {
    let notes = [note(0.0, 20.0, 60)];
    let layers = [NoteLayer::new("given", Colour::BLUE, &notes)];
    let gap = |from_s, to_s| MarkedRange {
        name: "filled".to_owned(),
        from_s,
        to_s,
    };
    let options = PianoRollOptions {
        marked: vec![gap(5.0, 10.0), gap(15.0, 40.0)],
        ..PianoRollOptions::default()
    };
    let picture = piano_roll("Gaps", &layers, &options).unwrap();
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    assert_eq!(
        texts(&document)
            .iter()
            .filter(|text| *text == "filled")
            .count(),
        1
    );
    let [left, top, right, _] = clip(&document);
    let png = drawn(&picture, 1.0);
    let second = (right - left) / 20.0;
    let yellow = |time_s: f64| {
        let pixel = colour_at(&png, (left + time_s * second) as u32, top as u32 + 5);
        pixel.red.abs_diff(pixel.blue) > 40
    };
    assert_eq!(
        [2.0, 7.0, 12.0, 18.0].map(yellow),
        [false, true, false, true]
    );
    let beyond = colour_at(&png, right as u32 + 8, top as u32 + 5);
    assert_eq!(beyond, Colour::WHITE);
}

#[test]
fn the_width_grows_with_the_piece_up_to_a_limit() {
    let options = PianoRollOptions::default();
    let width = |length_s: f64| {
        let notes = [note(0.0, length_s, 60)];
        let layers = [NoteLayer::new("", Colour::BLUE, &notes)];
        piano_roll("", &layers, &options).unwrap().width()
    };
    assert!(width(60.0) > width(30.0));
    assert_eq!(width(600.0), width(3600.0));
    assert!(f64::from(width(3600.0)) < options.max_width + 100.0);
}

#[test]
fn times_are_written_as_clocks_read() {
    let written = |from_s, to_s| {
        let options = PianoRollOptions {
            range_s: Some((from_s, to_s)),
            max_width: 600.0,
            ..PianoRollOptions::default()
        };
        let svg = piano_roll("", &[], &options).unwrap().to_svg();
        let times = texts(&Document::parse(&svg).unwrap());
        times
            .into_iter()
            .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        written(0.0, 10.0),
        ["0", "2", "4", "6", "8", "10"].map(String::from)
    );
    assert_eq!(
        written(0.0, 2.0),
        ["0.0", "0.5", "1.0", "1.5", "2.0"].map(String::from)
    );
    assert_eq!(
        written(50.0, 90.0),
        ["0:50", "1:00", "1:10", "1:20", "1:30"].map(String::from)
    );
    assert_eq!(
        written(3540.0, 3660.0)[..2],
        ["0:59:00", "0:59:15"].map(String::from)
    );
}

#[test]
fn without_notes_the_frame_is_empty() {
    let picture = piano_roll("Nothing", &[], &PianoRollOptions::default()).unwrap();
    let svg = picture.to_svg();
    assert!(texts(&Document::parse(&svg).unwrap()).contains(&"no notes".to_owned()));
    picture.to_png(1.0).unwrap();
}

#[test]
fn impossible_notes_and_ranges_are_named() {
    let refusal = |notes: &[Note], options: &PianoRollOptions| {
        let layers = [NoteLayer::new("bass", Colour::BLUE, notes)];
        piano_roll("", &layers, options).err().unwrap().to_string()
    };
    let options = PianoRollOptions::default();
    let fault = refusal(&[note(0.0, 1.0, 60), note(f64::NAN, 1.0, 60)], &options);
    assert!(
        fault.contains("note 1") && fault.contains("bass"),
        "{fault}"
    );
    assert!(refusal(&[note(0.0, 1.0, 200)], &options).contains("pitch is 200"));
    let backwards = PianoRollOptions {
        range_s: Some((3.0, 1.0)),
        ..options
    };
    assert!(refusal(&[], &backwards).contains("from 3 s to 1 s"));
}

#[test]
fn a_long_dense_piece_stays_small() {
    let notes: Vec<Note> = (0..20_000_u32)
        .map(|i| Note {
            velocity: 1 + (i * 37 % 127) as u8,
            ..note(
                f64::from(i) * 0.03,
                f64::from(i) * 0.03 + 0.4,
                21 + (i * 29 % 88) as u8,
            )
        })
        .collect();
    let layers = [NoteLayer::new("dense", Colour::BLUE, &notes)];
    let started = Instant::now();
    let svg = piano_roll("Ten minutes", &layers, &PianoRollOptions::default())
        .unwrap()
        .to_svg();
    let taken = started.elapsed();
    eprintln!("{} bytes in {taken:?}", svg.len());
    assert_eq!(
        rectangles(&Document::parse(&svg).unwrap(), "#0072b2").len(),
        20_001
    );
    assert!(svg.len() < 2_000_000, "{} bytes", svg.len());
    assert!(taken.as_secs_f64() < 1.0, "{taken:?}");
}

/// The raster that a heat map embeds, by row from the top, and its number of columns.
fn raster(picture: &Picture) -> (Vec<Colour>, usize) {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let image = document
        .descendants()
        .find(|node| node.has_tag_name("image"))
        .unwrap();
    let data = image.attribute("href").unwrap();
    let data = data.strip_prefix("data:image/png;base64,").unwrap();
    let png = Pixmap::decode_png(&BASE64_STANDARD.decode(data).unwrap()).unwrap();
    let (width, height) = (png.width(), png.height());
    let cells = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    (
        cells.map(|(x, y)| colour_at(&png, x, y)).collect(),
        width as usize,
    )
}

/// The ends and the middle of matplotlib's tables.
#[test]
fn colour_scales_are_the_published_ones() {
    for (scale, value, colour) in [
        (ColourScale::Viridis, 0.0, 0x440154),
        (ColourScale::Viridis, 0.5, 0x21918c),
        (ColourScale::Viridis, 1.0, 0xfde725),
        (ColourScale::Magma, 0.0, 0x000004),
        (ColourScale::Magma, 0.5, 0xb5367a),
        (ColourScale::Magma, 1.0, 0xfcfdbf),
        (ColourScale::Magma, 7.0, 0xfcfdbf),
    ] {
        assert_eq!(
            scale.colour(value),
            Colour::hex(colour),
            "{scale:?} at {value}"
        );
    }
}

#[test]
fn cells_have_the_colours_of_their_values() {
    let values = [0.0, 0.5, 1.0, 1.0, 0.0, 0.5];
    let matrix = Matrix::new(2, 3, &values).unwrap();
    let scale = ColourScale::Viridis;
    let near = |a: Colour, value: f32| {
        let b = scale.colour(value.into());
        a.red
            .abs_diff(b.red)
            .max(a.green.abs_diff(b.green))
            .max(a.blue.abs_diff(b.blue))
            <= 2
    };
    let mut options = HeatMapOptions::default();
    let (cells, columns) = raster(&heat_map("Top", matrix, &options).unwrap());
    assert_eq!(columns, 3);
    assert!(
        cells
            .iter()
            .zip(values)
            .all(|(cell, value)| near(*cell, value))
    );

    options.first_row = FirstRow::Bottom;
    let picture = heat_map("Bottom", matrix, &options).unwrap();
    let (cells, _) = raster(&picture);
    assert!(near(cells[0], 1.0) && near(cells[3], 0.0) && near(cells[5], 1.0));

    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let image = document
        .descendants()
        .find(|node| node.has_tag_name("image"))
        .unwrap();
    let (x, y) = (number(image, "x") as u32, number(image, "y") as u32);
    let png = drawn(&picture, 1.0);
    assert!(near(colour_at(&png, x + 5, y + 5), 1.0));
    let (width, height) = (
        number(image, "width") as u32,
        number(image, "height") as u32,
    );
    assert!(near(colour_at(&png, x + width / 2, y + height - 5), 0.5));
}

#[test]
fn large_matrices_are_reduced_by_largest_or_mean() {
    let (frames, bins) = (100_000, 128);
    let mut values = vec![0.0; frames * bins];
    values[70 * frames + 50_000] = 1.0;
    let matrix = Matrix::new(bins, frames, &values).unwrap();
    let mut options = HeatMapOptions {
        range: Some((0.0, 1.0)),
        ..HeatMapOptions::default()
    };
    let high = ColourScale::Viridis.colour(1.0);
    let started = Instant::now();
    let picture = heat_map("Peak", matrix, &options).unwrap();
    eprintln!("reduced in {:?}", started.elapsed());
    let (cells, columns) = raster(&picture);
    assert!(columns <= 1200 && cells.len() == columns * bins);
    let peak = cells.iter().position(|cell| *cell == high).unwrap();
    assert_eq!((peak / columns, peak % columns), (70, columns / 2));
    assert!(picture.to_svg().len() < 300_000);

    options.reduction = Reduction::Mean;
    let (cells, _) = raster(&heat_map("Mean", matrix, &options).unwrap());
    assert!(!cells.contains(&high));
}

#[test]
fn impossible_matrices_are_named() {
    let refusal = |rows, columns, values: &[f32]| {
        Matrix::new(rows, columns, values)
            .err()
            .unwrap()
            .to_string()
    };
    assert!(refusal(0, 3, &[]).contains("0 × 3"));
    assert!(refusal(2, 2, &[0.0; 3]).contains("3 values"));
    assert!(refusal(usize::MAX, 2, &[0.0; 3]).contains("3 values"));
    assert!(refusal(2, 2, &[0.0, 1.0, 2.0, f32::NAN]).contains("row 1, column 1"));

    let values = [0.0; 4];
    let matrix = Matrix::new(2, 2, &values).unwrap();
    let with = |ticks| HeatMapOptions {
        columns: Axis::new("", ticks),
        ..HeatMapOptions::default()
    };
    for ticks in [
        Ticks::Names(vec!["one".to_owned()]),
        Ticks::Some(vec![(2, "beyond".to_owned())]),
        Ticks::Numbers { from: 1.0, to: 1.0 },
        Ticks::Time {
            from_s: 0.0,
            to_s: f64::INFINITY,
        },
    ] {
        assert!(
            heat_map("", matrix, &with(ticks.clone())).is_err(),
            "{ticks:?}"
        );
    }
    heat_map("One value", matrix, &HeatMapOptions::default())
        .unwrap()
        .to_png(1.0)
        .unwrap();
}

#[test]
fn attention_names_its_tokens_while_there_is_room() {
    let named = |positions: usize| {
        let weights = vec![1.0 / positions as f32; positions * positions];
        let matrix = Matrix::new(positions, positions, &weights).unwrap();
        let tokens: Vec<String> = (0..positions).map(|i| format!("token-{i}")).collect();
        let svg = attention_map("Head 1", matrix, &tokens).unwrap().to_svg();
        let written = texts(&Document::parse(&svg).unwrap());
        written
            .iter()
            .filter(|text| text.starts_with("token-"))
            .count()
    };
    assert_eq!(named(4), 8);
    assert_eq!(named(64), 128);
    assert_eq!(named(65), 0);

    let weights = [0.0; 6];
    let matrix = Matrix::new(2, 3, &weights).unwrap();
    assert!(attention_map("", matrix, &[]).is_err());
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
