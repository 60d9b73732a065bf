//! Roman numerals in the words that JAMS has for them.

const NUMERALS: [&str; 7] = ["vii", "iii", "vi", "iv", "ii", "v", "i"];

/// A numeral in the namespace `chord_roman`: a degree, its quality (`h` for half diminished), two figures at most and the
/// degree that it leads to. What the namespace has no words for, such as changed tones and the size of a seventh, is left
/// out; `None` for chords without a degree of their own.
pub(super) fn roman(numeral: &str) -> Option<String> {
    let (chord, target) = match numeral.split_once('/') {
        Some((chord, target)) => (chord, Some(target)),
        None => (numeral, None),
    };
    let (mut text, rest) = match chord.strip_prefix('N') {
        Some(rest) => ("bII".to_owned(), rest),
        None => degree(chord)?,
    };
    let quality = rest.chars().next().and_then(|sign| match sign {
        'o' => Some('o'),
        'ø' => Some('h'),
        '+' => Some('+'),
        _ => None,
    });
    text.extend(quality);
    let figures = rest.split('[').next().unwrap_or_default();
    text.extend(figures.chars().filter(char::is_ascii_digit).take(2));
    if let Some(target) = target {
        let (target, _) = degree(target)?;
        text.push('/');
        text.push_str(&target);
    }
    Some(text)
}

/// One accidental at most and the numeral, and what follows.
fn degree(text: &str) -> Option<(String, &str)> {
    let accidental = text.chars().next().filter(|sign| matches!(sign, 'b' | '#'));
    let rest = text.trim_start_matches(['b', '#']);
    if text.len() - rest.len() > 1 {
        return None;
    }
    let capital = rest.starts_with(['I', 'V']);
    let word = NUMERALS.iter().find_map(|word| {
        let word = match capital {
            true => word.to_uppercase(),
            false => (*word).to_owned(),
        };
        rest.starts_with(&word).then_some(word)
    })?;
    let rest = rest.get(word.len()..)?;
    let mut named: String = accidental.into_iter().collect();
    named.push_str(&word);
    Some((named, rest))
}

#[cfg(test)]
mod tests {
    use super::roman;

    #[test]
    fn numerals_keep_what_the_namespace_has_words_for() {
        for (numeral, written) in [
            ("V7", Some("V7")),
            ("iiø65", Some("iih65")),
            ("viio7/V", Some("viio7/V")),
            ("bVII", Some("bVII")),
            ("IM7", Some("I7")),
            ("V7[add4]/vi", Some("V7/vi")),
            ("N6", Some("bII6")),
            ("V7/viio", Some("V7/vii")),
            ("III+", Some("III+")),
            ("Ger65", None),
            ("bbVII", None),
            ("", None),
        ] {
            assert_eq!(roman(numeral).as_deref(), written, "{numeral}");
        }
    }
}
