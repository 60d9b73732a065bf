use std::time::Instant;

use hemiola::music::Note;
use hemiola::plot::{Colour, MarkedRange, NoteLayer, PianoRollOptions, piano_roll, text_width};
use resvg::usvg::roxmltree::Document;

use super::{colour_at, drawn, number, texts};

fn note(onset_s: f64, offset_s: f64, pitch: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 127,
    }
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

/// Place of a text: its `x` and `y`.
fn place(document: &Document, text: &str) -> (f64, f64) {
    let mut texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let found = texts.find(|node| node.text() == Some(text)).unwrap();
    (number(found, "x"), number(found, "y"))
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
        written(50.0, 70.0),
        ["0:50", "0:55", "1:00", "1:05", "1:10"].map(String::from)
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
