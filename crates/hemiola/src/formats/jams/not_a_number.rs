//! Numbers that JSON has not and Python writes.

/// The bytes with `NaN`, `Infinity` and `-Infinity` outside of texts as `null`; `None` where there are none.
pub(super) fn as_null(bytes: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut out = Vec::with_capacity(bytes.len());
    let (mut in_text, mut escaped, mut found) = (false, false, false);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let word = WORDS.iter().find(|word| !in_text && rest.starts_with(word));
        if let Some(word) = word {
            out.extend_from_slice(b"null");
            found = true;
            at += word.len();
            continue;
        }
        in_text ^= byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
        out.push(byte);
        at += 1;
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::as_null;

    #[test]
    fn only_numbers_are_replaced() {
        let text = br#"{"NaN": "a \"NaN", "b": [NaN, -Infinity, 1], "c\\": Infinity}"#;
        let found = String::from_utf8(as_null(text).unwrap()).unwrap();
        assert_eq!(
            found,
            r#"{"NaN": "a \"NaN", "b": [null, null, 1], "c\\": null}"#
        );
        assert_eq!(as_null(b"[1, \"NaN\"]"), None);
    }
}
