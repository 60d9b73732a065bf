use hemiola::music::chord_graph::{Edge, EdgeKind, WeightedEdge};
use hemiola::plot::{ChordNode, MAX_CHORDS, chord_graph};
use resvg::usvg::roxmltree::Document;

use super::{colour_at, drawn, number, texts};

fn node(label: &str, numeral: &str, degree: u8, key: &str) -> ChordNode {
    ChordNode {
        label: label.to_owned(),
        numeral: numeral.to_owned(),
        degree: (degree > 0).then_some(degree),
        key: key.parse().unwrap(),
        attention: 0.25,
    }
}

fn nodes(n: usize) -> Vec<ChordNode> {
    let node = |i: usize| node(&format!("chord {i}"), "I", 1, "C major");
    (0..n).map(node).collect()
}

fn edge(source: usize, target: usize, kind: EdgeKind, weight: f64) -> WeightedEdge {
    let edge = Edge {
        source,
        target,
        kind,
    };
    WeightedEdge { edge, weight }
}

fn svg(chords: &[ChordNode], edges: &[WeightedEdge]) -> String {
    chord_graph("A graph", chords, edges).unwrap().to_svg()
}

/// For each row, its place and the curves in it: where they begin, how they are controlled and where they end.
fn rows(document: &Document) -> Vec<([f64; 4], Vec<[f64; 8]>)> {
    let rows = document.root_element().children();
    let rows = rows.filter(|node| node.has_tag_name("svg"));
    rows.map(|row| {
        let place = ["x", "y", "width", "height"].map(|name| number(row, name));
        let paths = row.children().filter_map(|path| path.attribute("d"));
        let curves = paths.flat_map(|data| data.split('M'));
        let curves = curves.filter(|curve| curve.contains('C')).map(|curve| {
            let numbers = curve.split([' ', 'C']).map(|n| n.parse().unwrap());
            numbers.collect::<Vec<f64>>().try_into().unwrap()
        });
        (place, curves.collect())
    })
    .collect()
}

/// Place of a text: its `x` and `y`.
fn place(document: &Document, text: &str) -> (f64, f64) {
    let found = document
        .descendants()
        .find(|node| node.text() == Some(text) && node.has_tag_name("text"));
    let found = found.unwrap();
    (number(found, "x"), number(found, "y"))
}

#[test]
fn chords_have_their_names_and_keys_are_named_where_they_change() {
    let chords = [
        node("C:maj", "I", 1, "C major"),
        node("N", "", 0, "C major"),
        node("D:7", "V7", 5, "G major"),
        node("G:maj", "I", 1, "G major"),
    ];
    let svg = svg(&chords, &[]);
    let document = Document::parse(&svg).unwrap();
    let texts = texts(&document);
    let count = |text: &str| texts.iter().filter(|found| *found == text).count();
    for (text, expected) in [
        ("C:maj", 1),
        ("N", 1),
        ("V7", 1),
        ("I", 2),
        ("C major", 1),
        ("G major", 1),
        ("", 0),
    ] {
        assert_eq!(count(text), expected, "{text:?}");
    }
    // The key's name begins with the column of its first chord.
    let (key, _) = place(&document, "G major");
    let (before, chord) = (place(&document, "N").0, place(&document, "D:7").0);
    assert!(before < key && key < chord);
}

#[test]
fn edges_to_later_chords_are_above_and_those_to_earlier_below() {
    let edges = [
        edge(0, 2, EdgeKind::Repetition, 0.2),
        edge(3, 1, EdgeKind::Fifth, 0.1),
    ];
    let chords = nodes(4);
    let svg = svg(&chords, &edges);
    let document = Document::parse(&svg).unwrap();
    let rows = rows(&document);
    let [(_, curves)] = rows.as_slice() else {
        panic!("{} rows", rows.len());
    };
    let [back, forth] = curves.as_slice() else {
        panic!("{} curves", curves.len());
    };
    let at = |chord: usize| place(&document, &format!("chord {chord}"));
    for ([x0, y0, _, control, _, _, x1, y1], source, target, up) in
        [(forth, 0, 2, 1.0), (back, 3, 1, -1.0)]
    {
        assert!((x0 - at(source).0).abs() < 29.0 && (x1 - at(target).0).abs() < 29.0);
        assert_eq!(y0, y1);
        // Away from the text of the box, and from the box.
        assert!((at(source).1 - y0) * up > 10.0 || up < 0.0);
        assert!((y0 - control) * up > 16.0);
    }
    // The kinds that there are have their colours, and are named.
    assert!(svg.contains("#cc79a7") && svg.contains("#0072b2") && !svg.contains("#d55e00"));
    let texts = texts(&document);
    let count = |text: &str| texts.iter().filter(|found| *found == text).count();
    for (kind, expected) in [
        ("root a fifth up", 1),
        ("repetition", 1),
        ("root a fourth up", 0),
        ("next chord", 0),
    ] {
        assert_eq!(count(kind), expected, "{kind}");
    }
}

#[test]
fn an_edge_goes_on_in_the_next_row() {
    // Two rows of ten.
    let chords = nodes(20);
    let svg = svg(&chords, &[edge(8, 11, EdgeKind::Fourth, 0.2)]);
    let document = Document::parse(&svg).unwrap();
    let rows = rows(&document);
    let [(first, above), (second, below)] = rows.as_slice() else {
        panic!("{} rows", rows.len());
    };
    assert!(second[1] > first[1] + first[3]);
    let ([before], [after]) = (above.as_slice(), below.as_slice()) else {
        panic!("{above:?} {below:?}");
    };
    // The same curve, one row further to the left.
    assert!((before[0] - after[0] - first[2]).abs() < 0.02);
    assert!(before[6] > first[0] + first[2] && after[0] < second[0]);
    assert!(after[6] > second[0]);
    let numbered = texts(&document);
    assert!(numbered.contains(&"1".to_owned()) && numbered.contains(&"11".to_owned()));
}

#[test]
fn heavier_edges_are_wider() {
    let edges = [
        edge(0, 1, EdgeKind::Fifth, 0.02),
        edge(1, 2, EdgeKind::Fourth, 0.4),
    ];
    let svg = svg(&nodes(3), &edges);
    let document = Document::parse(&svg).unwrap();
    let row = document
        .root_element()
        .children()
        .find(|node| node.has_tag_name("svg"));
    let width = |colour: &str| {
        let mut paths = row.unwrap().children();
        let path = paths.rfind(|path| path.attribute("stroke") == Some(colour));
        number(path.unwrap(), "stroke-width")
    };
    assert!(width("#d55e00") > 2.0 * width("#0072b2"));
    assert!(texts(&document).contains(&"40 % or more of what reaches the chord".to_owned()));
}

#[test]
fn a_bar_is_as_long_as_the_attention() {
    let mut chords = nodes(2);
    chords[1].attention = 0.75;
    let picture = chord_graph("", &chords, &[]).unwrap();
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let bars = document
        .descendants()
        .filter(|node| node.attribute("fill") == Some("#333333"));
    // The first is the legend's.
    let widths: Vec<f64> = bars
        .skip(1)
        .map(|bar| {
            let data = bar.attribute("d").unwrap();
            let (_, width) = data.split_once('h').unwrap();
            width.split_once('v').unwrap().0.parse().unwrap()
        })
        .collect();
    assert!(
        widths.len() == 2 && (widths[1] / widths[0] - 3.0).abs() < 0.01,
        "{widths:?}"
    );
    let (x, y) = place(&document, "chord 0");
    let png = drawn(&picture, 1.0);
    // The tint of a tonic, beside the text.
    let tint = colour_at(&png, x as u32 - 26, y as u32 - 6);
    assert!(tint.red > tint.blue && tint.blue > 150, "{tint:?}");
}

#[test]
fn long_names_stay_in_their_boxes() {
    let mut chords = nodes(2);
    chords[0].label = "Bb:minmaj7(9,11,13)/b7".to_owned();
    let svg = svg(&chords, &[]);
    let document = Document::parse(&svg).unwrap();
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let mut shortened = 0;
    for node in texts {
        let text = node.text().unwrap();
        if text.ends_with('…') {
            let width = hemiola::plot::text_width(text, number(node, "font-size"));
            assert!(width <= 58.0, "{text}");
            shortened += 1;
        }
    }
    assert_eq!(shortened, 1);
}

#[test]
fn as_many_chords_as_allowed_are_a_picture_and_more_are_refused() {
    let chords = nodes(MAX_CHORDS);
    let edges: Vec<_> = (1..MAX_CHORDS)
        .map(|i| edge(i - 1, i, EdgeKind::Next, 0.5))
        .collect();
    let picture = chord_graph("", &chords, &edges).unwrap();
    assert!(picture.width() < 1400);
    let svg = picture.to_svg();
    assert_eq!(rows(&Document::parse(&svg).unwrap()).len(), 32);
    // A PNG of double size is possible.
    assert!(u64::from(picture.width()) * u64::from(picture.height()) * 4 < 100_000_000);

    let refused = |chords: &[ChordNode], edges: &[WeightedEdge]| {
        let fault = chord_graph("", chords, edges).err().unwrap();
        fault.to_string()
    };
    let fault = refused(&nodes(MAX_CHORDS + 1), &[]);
    assert!(
        fault.contains("513 chords") && fault.contains("512"),
        "{fault}"
    );
    assert!(refused(&[], &[]).contains("0 chords"));
    let outside = [edge(0, 2, EdgeKind::Next, 0.5)];
    assert!(refused(&nodes(2), &outside).contains("chord 0 and 2"));
    let weightless = [edge(0, 1, EdgeKind::Next, f64::NAN)];
    assert!(refused(&nodes(2), &weightless).contains("NaN"));
    let many = vec![edge(0, 1, EdgeKind::Fifth, 0.1); 20_001];
    assert!(refused(&nodes(2), &many).contains("20001 edges"));
}
