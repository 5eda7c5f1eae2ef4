//! Measuring again what other work on the machine may have spoilt.

/// How often something is measured at most.
const TRIES: usize = 3;

/// Measures until what is measured is as it should be, at most three times, and gives what was seen then.
///
/// Whatever else the machine does makes a program slower, and never quicker: what it has done once, it can do. A program that
/// cannot do it fails each time.
///
/// # Panics
/// When it never was, with all complaints.
#[track_caller]
pub fn once_in_three<T>(mut measure: impl FnMut() -> Result<T, String>) -> T {
    let mut complaints = Vec::new();
    while complaints.len() < TRIES {
        match measure() {
            Ok(seen) => return seen,
            Err(complaint) => {
                eprintln!("measured, try {} of {TRIES}: {complaint}", complaints.len() + 1);
                complaints.push(complaint);
            }
        }
    }
    panic!("measured {TRIES} times:\n{}", complaints.join("\n"));
}

/// What is to be said against a measurement if it is not as it should be.
///
/// # Errors
/// The complaint, unless `is_due`.
pub fn due(is_due: bool, complaint: impl FnOnce() -> String) -> Result<(), String> {
    if is_due { Ok(()) } else { Err(complaint()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_try_counts_and_there_is_no_fourth() {
        let mut tries = 0..;
        let third = once_in_three(|| tries.next().filter(|number| *number == 2).ok_or_else(String::new));
        assert_eq!((third, tries.next()), (2, Some(3)));
    }

    #[test]
    #[should_panic(expected = "measured 3 times:\nno\nno\nno")]
    fn what_never_holds_fails_with_all_complaints() {
        once_in_three(|| due(false, || "no".to_owned()));
    }
}
