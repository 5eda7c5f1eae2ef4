//! Finds the known word that an unknown one is most likely a slip of.

/// Returns the word of `known` that `written` is most likely a slip of, if one is near enough.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = plain(written);
    // One slip in three letters: with more, the suggestion is a guess that misleads.
    let most = plain.len() / 3;
    known
        .into_iter()
        .map(|word| (distance(&plain, &self::plain(word)), word))
        .filter(|&(slips, _)| slips <= most)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, word)| word)
}

/// Drops what people vary: case, and the kind of dash. Bounded, since the text may come from anywhere.
fn plain(word: &str) -> Vec<char> {
    word.chars().take(40).filter(|letter| !matches!(letter, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Levenshtein's distance.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to) {
            let here = (diagonal + usize::from(a != b)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_distance_counts_slips() {
        for (from, to, expected) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("abc", "abc", 0)]
        {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&chars(from), &chars(to)), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let known = ["enabled", "bits-per-byte", "interval-s"];
        for (written, expected) in [
            ("bits_per_byte", Some("bits-per-byte")),
            ("bits-per-bite", Some("bits-per-byte")),
            ("Interval", Some("interval-s")),
            ("enable", Some("enabled")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written:?}");
        }
    }
}
