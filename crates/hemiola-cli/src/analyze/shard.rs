//! A share of a batch.

use std::str::FromStr;

/// Every `count`th item from the `number`th on, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

impl Shard {
    pub fn of<T>(self, all: &[T]) -> Vec<&T> {
        all.iter()
            .skip(self.number - 1)
            .step_by(self.count)
            .collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/');
        let numbers = numbers.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((number, count)) if 1 <= number && number <= count => Ok(Self { number, count }),
            _ => Err(format!(
                "expected I/N with I from 1 to N, such as 1/8; found {text}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_all_and_nothing_twice() {
        let all: Vec<usize> = (0..10).collect();
        let of = |text: &str| text.parse::<Shard>().unwrap().of(&all);
        assert_eq!(of("2/3"), [&1, &4, &7]);
        let mut together: Vec<usize> = (1..=3)
            .flat_map(|i| of(&format!("{i}/3")))
            .copied()
            .collect();
        together.sort_unstable();
        assert_eq!(together, all);
        assert_eq!(of("11/12").len(), 0);
        for bad in ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", ""] {
            assert!(bad.parse::<Shard>().unwrap_err().contains("1/8"), "{bad}");
        }
    }
}
