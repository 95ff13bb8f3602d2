//! Ids of vendors in paths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// No vendor's id is longer.
const MAX_SEGMENT_CHARS: usize = 128;

/// What a path may hold as it is. Source: RFC 3986, section 2.3, unreserved characters.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An id as one segment of a path; nothing for what would lead elsewhere (empty, or dots alone) and for what is too
/// long to be an id.
#[must_use]
pub fn segment(id: &str) -> Option<String> {
    let leads_elsewhere = id.chars().all(|c| c == '.');
    let fits = id.chars().count() <= MAX_SEGMENT_CHARS;
    (fits && !leads_elsewhere).then(|| utf8_percent_encode(id, NOT_UNRESERVED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        for (id, is) in [
            ("12-34567-89012", Some("12-34567-89012")),
            ("6498414015!260000000562911", Some("6498414015%21260000000562911")),
            ("a/../b?c#d", Some("a%2F..%2Fb%3Fc%23d")),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(segment(id).as_deref(), is, "{id}");
        }
        assert_eq!(segment(&"1".repeat(129)), None);
    }
}
