use hemiola::music::chord::ChordLabel;
use hemiola::music::key::{Key, KeyLabel, Mode};
use hemiola::music::{Letter, NoteName};

fn key(text: &str) -> Key {
    text.parse().unwrap_or_else(|fault| panic!("{fault}"))
}

fn spelled(text: &str) -> String {
    let tonic = key(text).tonic.pitch_class();
    let names = (0..12).map(|above| key(text).spell(tonic + above).to_string());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn keys_are_read_and_written() {
    for (text, form) in [
        ("C major", "C major"),
        ("A minor", "A minor"),
        ("C#:min", "C# minor"),
        ("Eb:maj", "Eb major"),
        ("bb\tminor", "Bb minor"),
        ("  F#  Major ", "F# major"),
        ("G other", "G other"),
    ] {
        assert_eq!(key(text).to_string(), form, "{text}");
        assert_eq!(key(form), key(text), "{text}");
    }
    assert_eq!(key("Db minor").mode, Mode::Minor);
    assert_eq!("x".parse::<KeyLabel>().unwrap().to_string(), "X");
    for (text, words) in [
        ("H major", ["tonic", "\"H\""]),
        ("C dorian", ["major, minor or other", "\"dorian\""]),
        ("C", ["major, minor or other", "\"\""]),
        ("", ["tonic", "\"\""]),
        ("C#b minor", ["tonic", "\"C#b\""]),
        ("ß minor", ["tonic", "ß"]),
    ] {
        let message = text.parse::<Key>().unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{text:?}: {message}");
        }
    }
}

#[test]
fn pitch_classes_have_the_names_of_the_key() {
    for (text, expected) in [
        ("C major", "C Db D Eb E F F# G Ab A Bb B"),
        ("A major", "A Bb B C C# D D# E F F# G G#"),
        ("F# major", "F# G G# A A# B B# C# D D# E E#"),
        ("F major", "F Gb G Ab A Bb B C Db D Eb E"),
        // Bbb, the flat second, is A in charts.
        ("Ab major", "Ab A Bb Cb C Db D Eb Fb F Gb G"),
        ("A minor", "A Bb B C C# D D# E F F# G G#"),
        ("C minor", "C Db D Eb E F F# G Ab A Bb B"),
        // The leading tone is F##; C##, the raised fourth, is D in charts.
        ("G# minor", "G# A A# B B# C# D D# E E# F# F##"),
        ("Eb minor", "Eb Fb F Gb G Ab A Bb Cb C Db D"),
    ] {
        assert_eq!(spelled(text), expected, "{text}");
    }
    assert_eq!(key("Ab major").spell(1).to_string(), "Db");
    assert_eq!(key("A major").spell(1).to_string(), "C#");
}

#[test]
fn scales_have_seven_letters_and_their_signature() {
    let letters = [
        Letter::C,
        Letter::D,
        Letter::E,
        Letter::F,
        Letter::G,
        Letter::A,
        Letter::B,
    ];
    for fifths in -7..=7_i16 {
        // A minor key has the signature of the major key three fifths below.
        for (mode, tonic, steps) in [
            (Mode::Major, fifths, [0, 2, 4, 5, 7, 9, 11]),
            (Mode::Minor, fifths + 3, [0, 2, 3, 5, 7, 8, 10]),
        ] {
            let key = Key {
                tonic: NoteName::from_fifths(tonic),
                mode,
            };
            let names = steps.map(|step| key.spell(key.tonic.pitch_class() + step));
            for letter in letters {
                assert!(names.iter().any(|name| name.letter() == letter), "{key}");
            }
            let accidentals: i32 = names.iter().map(|name| name.accidentals()).sum();
            assert_eq!(accidentals, i32::from(fifths), "{key}");
        }
        for mode in [Mode::Major, Mode::Minor, Mode::Other] {
            let key = Key {
                tonic: NoteName::from_fifths(fifths),
                mode,
            };
            for step in 0..12 {
                let pitch_class = (key.tonic.pitch_class() + step) % 12;
                let name = key.spell(pitch_class);
                assert_eq!(name.pitch_class(), pitch_class, "{key}");
                let of_scale = mode == Mode::Minor && [3, 8, 9, 10, 11].contains(&step);
                let simple = name.accidentals().abs() <= 1;
                assert!(simple || of_scale, "{key}: {name}");
            }
        }
    }
}

#[test]
fn chords_are_written_in_the_key() {
    for (in_key, text, expected) in [
        ("Ab major", "C#:maj7/3", "Db:maj7/3"),
        ("A major", "Db:min", "C#:min"),
        ("C major", "A#:7", "Bb:7"),
        ("C major", "C#:maj", "Db:maj"),
        // Leading tones to the second, the third, the fifth and the sixth.
        ("C major", "Db:dim7", "C#:dim7"),
        ("C major", "Eb:dim7", "D#:dim7"),
        ("C major", "Gb:hdim7", "F#:hdim7"),
        ("C major", "Ab:dim", "G#:dim"),
        ("A minor", "Ab:dim7", "G#:dim7"),
        ("C minor", "G#:maj", "Ab:maj"),
        ("C minor", "D:hdim7", "D:hdim7"),
        ("Eb major", "F#:dim7", "F#:dim7"),
        ("Eb major", "N", "N"),
        ("Eb major", "X", "X"),
    ] {
        let label: ChordLabel = text.parse().unwrap();
        let written = key(in_key).spell_label(&label);
        assert_eq!(written.to_string(), expected, "{text} in {in_key}");
        assert_eq!(written.tones(), label.tones());
    }
}

#[test]
fn keys_are_transposed() {
    assert_eq!(key("A minor").transposed(3).to_string(), "C minor");
    assert_eq!(key("C major").transposed(-1).to_string(), "B major");
}
