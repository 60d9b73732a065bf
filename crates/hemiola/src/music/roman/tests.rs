use super::*;
use crate::music::PitchClassSet;

fn numeral(text: &str) -> RomanNumeral {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn key(name: &str) -> LocalKey {
    LocalKey::parse(name).unwrap()
}

/// Pitch classes by their names, the bass first.
fn tones(names: &str) -> (u8, PitchClassSet) {
    let classes: Vec<u8> = (names.split(' ').map(|name| key(name).tonic())).collect();
    (classes[0], PitchClassSet::new(classes).unwrap())
}

#[track_caller]
fn assert_sounds(text: &str, in_key: &str, names: &str) {
    let sound = numeral(text).sound(key(in_key));
    let (bass, set) = tones(names);
    assert_eq!(
        (sound.bass, sound.pitch_classes),
        (bass, set),
        "{text} in {in_key}"
    );
}

/// Spellings as in Aldwell, Schachter and Cadwallader, Harmony and Voice Leading; the bass comes first.
#[test]
fn chords_have_the_tones_of_the_textbook() {
    for (text, in_key, names) in [
        ("I", "C", "C E G"),
        ("V7", "C", "G B D F"),
        ("V65", "C", "B D F G"),
        ("V4/3", "C", "D F G B"),
        ("V42", "C", "F G B D"),
        ("V2", "C", "F G B D"),
        ("ii6", "C", "F A D"),
        ("ii6/5", "C", "F A C D"),
        ("viio6", "C", "D F B"),
        ("viiø7", "C", "B D F A"),
        ("vii/o7", "C", "B D F A"),
        ("vii%65", "C", "D F A B"),
        ("viio7", "C", "B D F Ab"),
        ("IV7", "F", "Bb D F A"),
        ("IVM7", "F", "Bb D F A"),
        ("IVd7", "F", "Bb D F Ab"),
        ("Ib7", "C", "C E G Bb"),
        ("III+", "a", "C E G#"),
        ("V9", "C", "G B D F A"),
        ("V9", "c", "G B D F Ab"),
        ("V9[b9]", "C", "G B D F Ab"),
        ("V7[addb9]", "c", "G B D F Ab"),
        ("V7M9", "c", "G B D F A"),
        ("I54", "C", "C F G"),
        ("V754", "C", "G C D F"),
        ("V[no3][add4]", "C", "G C D"),
        ("V6[no1][add2]", "C", "B D A"),
        ("I[add9]", "C", "C E G D"),
        ("V7[no5][add6]", "C", "G B E F"),
        ("V7[#5]", "C", "G B D# F"),
        ("V43[b5]", "C", "Db F G B"),
        ("i[add#7]", "a", "A C E G#"),
        ("V[no3no5]", "C", "G"),
    ] {
        assert_sounds(text, in_key, names);
    }
}

#[test]
fn minor_raises_what_it_should() {
    for (text, in_key, names) in [
        ("V", "a", "E G# B"),
        ("v", "a", "E G B"),
        ("V7", "a", "E G# B D"),
        ("VII", "a", "G B D"),
        ("bVII", "a", "G B D"),
        ("viio7", "a", "G# B D F"),
        ("#viio7", "a", "G# B D F"),
        ("vii", "a", "G# B D#"),
        ("VI", "a", "F A C"),
        ("bVI", "a", "F A C"),
        ("#VI", "a", "F# A# C#"),
        ("vio", "a", "F# A C"),
        ("bvii", "a", "G Bb D"),
        ("iiø65", "a", "D F A B"),
        ("III", "a", "C E G"),
        ("i7", "a", "A C E G"),
    ] {
        assert_sounds(text, in_key, names);
    }
}

#[test]
fn chords_with_names_of_their_own() {
    for (text, in_key, names) in [
        ("N6", "c", "F Ab Db"),
        ("N", "C", "Db F Ab"),
        ("bII6", "c", "F Ab Db"),
        ("It6", "c", "Ab C F#"),
        ("Ger65", "c", "Ab C Eb F#"),
        ("Ger6/5", "C", "Ab C Eb F#"),
        ("Ger6", "C", "Ab C Eb F#"),
        ("Ger7", "C", "F# Ab C Eb"),
        ("Fr43", "a", "F A B D#"),
        ("Fr6", "a", "F A B D#"),
        ("Sw43", "C", "Ab C D# F#"),
        ("Cad64", "C", "G C E"),
        ("Cad64", "c", "G C Eb"),
        ("Ger65/V", "C", "Eb G Bb C#"),
    ] {
        assert_sounds(text, in_key, names);
    }
}

#[test]
fn applied_chords_are_of_their_targets_key() {
    for (text, in_key, names, root, degree) in [
        ("V7/V", "C", "D F# A C", "D", 2),
        ("V65/IV", "C", "E G Bb C", "C", 1),
        ("viio7/V", "C", "F# A C Eb", "F#", 4),
        ("viio7/ii", "C", "C# E G Bb", "C#", 1),
        ("viio7/vi", "C", "G# B D F", "G#", 5),
        ("V7/bVI", "C", "Eb G Bb Db", "Eb", 3),
        ("V/V/V", "C", "A C# E", "A", 6),
        ("viio/V/ii", "C", "G# B D", "G#", 5),
        ("V7/III", "a", "G B D F", "G", 7),
        ("V/VII", "a", "D F# A", "D", 4),
        ("iiø7/iv", "a", "E G Bb D", "E", 5),
        ("Cad64/iv", "a", "A D F", "D", 4),
        ("V/N", "c", "Ab C Eb", "Ab", 6),
    ] {
        assert_sounds(text, in_key, names);
        let sound = numeral(text).sound(key(in_key));
        assert_eq!(sound.root, key(root).tonic(), "{text}");
        assert_eq!(sound.degree, degree, "{text}");
    }
    let sound = numeral("viio7/V").sound(key("C"));
    assert_eq!((sound.degree, sound.alteration), (4, 1));
    let sound = numeral("bVII").sound(key("C"));
    assert_eq!((sound.degree, sound.alteration), (7, -1));
    let sound = numeral("viio").sound(key("a"));
    assert_eq!((sound.degree, sound.alteration), (7, 1));
}

#[test]
fn every_key_has_the_same_chords() {
    for text in ["V43/ii", "Ger65", "viiø7", "bVI[add9]", "i54"] {
        for mode in ["C", "c"] {
            let home = numeral(text).sound(key(mode));
            for semitones in 0..12 {
                let moved = numeral(text).sound(key(mode).transposed(semitones));
                let expected = home.pitch_classes.transposed(semitones);
                assert_eq!(moved.pitch_classes, expected, "{text} in {mode}");
                assert_eq!(moved.degree, home.degree);
            }
        }
    }
}

#[test]
fn numerals_are_written_in_one_way_and_read_back() {
    for (text, written) in [
        ("viio6/5/V", "viio65/V"),
        ("vii/o4/3", "viiø43"),
        ("ii%7", "iiø7"),
        ("Imaj7", "IM7"),
        ("I6+", "I+6"),
        ("V7[no3no5]/V/vi", "V7[no3][no5]/V/vi"),
        ("IV/V[I]", "IV/V[I]"),
        ("V65M9", "V65M9"),
        ("bbVII", "bbVII"),
        ("Ger6/5", "Ger65"),
        ("i#7", "i#7"),
        ("V[add13][addb9]", "V[add13][addb9]"),
    ] {
        let parsed = numeral(text);
        assert_eq!(parsed.to_string(), written);
        assert_eq!(numeral(written), parsed);
    }
}

#[test]
fn what_is_no_numeral_is_told_with_its_column() {
    for (text, expected) in [
        ("", "column 1"),
        ("H7", "column 1"),
        ("VIII", "column 4"),
        ("V7/", "column 4"),
        ("V7[no]", "column 6"),
        ("V7[add", "column 4"),
        ("V7(b9)", "column 3"),
        ("V7/X", "column 4"),
    ] {
        let message = text.parse::<RomanNumeral>().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn roots_are_found_as_a_reader_stacks_thirds() {
    for (names, root) in [
        ("E G C", "C"),
        ("F G B D", "G"),
        ("F A C D", "D"),
        ("D F B", "B"),
        ("F A B D", "B"),
        ("G C D", "G"),
        ("B D F Ab", "B"),
        ("C", "C"),
        ("G B F", "G"),
    ] {
        let (bass, set) = tones(names);
        assert_eq!(
            probable_root(set, Some(bass)),
            Some(key(root).tonic()),
            "{names}"
        );
    }
    assert_eq!(probable_root(PitchClassSet::EMPTY, None), None);
}

#[test]
fn chords_get_the_numerals_that_they_were_made_from() {
    for (home, texts) in [
        (
            "C",
            "I I6 I64 ii ii65 iii IV IVM7 V V7 V65 V43 V42 vi viio6 viiø7 V7/V V65/ii viio7/V viio65/vi bVI bII6 \
             iv bVII Ger65 It6 Fr43 I54 V/V V42/IV viio/V",
        ),
        (
            "a",
            "i i6 iio6 iiø65 III iv V V7 VI VII viio7 viio43 V65/iv V7/III bII6 Ger65 #VI v V7/VII",
        ),
    ] {
        for text in texts.split_whitespace() {
            let sound = numeral(text).sound(key(home));
            let named = name_chord(
                sound.pitch_classes,
                sound.bass,
                sound.root,
                sound.degree,
                key(home),
            );
            assert_eq!(named.sound(key(home)), sound, "{text} in {home}: {named}");
            // The seventh of IVM7 is that of the key, and needs no sign.
            let written = text.replace('M', "");
            assert_eq!(named.to_string(), written, "in {home}");
        }
    }
}
