//! Subjects.

/// Whether a pattern stands for a subject, or for all that another pattern stands for.
///
/// See [wildcards](https://docs.nats.io/nats-concepts/subjects#wildcards).
pub(super) fn covers(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_token_or_for_all_that_follow() {
        for pattern in ["a.b", "*.b", "a.*", "a.>", ">", "*.*"] {
            assert!(covers(pattern, "a.b"), "{pattern}");
        }
        assert!(covers("a.*", "a.*") && covers("a.>", "a.*") && covers("a.>", "a.>"));
        assert!(!covers("a.*", "a.>") && !covers("a.b", "a.*") && !covers("a.b", "a.>"));
        for pattern in ["a", "a.b.c", "a.b.*", "a.b.>", "*", "b.>", "A.b", ""] {
            assert!(!covers(pattern, "a.b"), "{pattern}");
        }
    }
}
