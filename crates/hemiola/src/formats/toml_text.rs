use serde::de::DeserializeOwned;

/// Parses TOML; a fault is told in one line, with the number of the line that has it.
pub(crate) fn parse_toml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|fault| match fault.span() {
        Some(span) => {
            let before = text.as_bytes().iter().take(span.start);
            let line = 1 + before.filter(|&&byte| byte == b'\n').count();
            format!("line {line}: {}", one_line(fault.message()))
        }
        None => toml_fault(&fault),
    })
}

/// What is wrong with a table that is no longer text, in one line.
pub(crate) fn toml_fault(fault: &toml::de::Error) -> String {
    one_line(&fault.to_string())
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Recipe {
        #[expect(dead_code)]
        seed: u64,
    }

    #[test]
    fn a_fault_is_one_line_with_its_place() {
        for (text, line, word) in [
            ("seed = 1\n\nsed = 2\n", "line 3", "`sed`"),
            ("# ♩\nseed = \"two\"", "line 2", "two"),
            ("seed = 1\nseed", "line 2", "="),
        ] {
            let fault = parse_toml::<Recipe>(text).unwrap_err();
            assert!(fault.starts_with(line), "{fault}");
            assert!(fault.contains(word), "{fault}");
            assert!(!fault.contains('\n'), "{fault}");
        }
    }
}
