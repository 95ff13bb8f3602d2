//! Headers that say which request this is, and which version it is about.

use domain::ids::IdempotencyKey;

use super::Input;

/// The header that names a request.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Which version of a resource the caller believes to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// Whichever there is.
    Any,
    /// This one.
    Version(u64),
    /// One that this service never gave out: it matches nothing.
    Foreign,
}

impl Input<'_> {
    /// The `Idempotency-Key`, which every POST must carry.
    pub fn idempotency_key(&mut self) -> Option<IdempotencyKey> {
        let Some(key) = self.request.header(IDEMPOTENCY_KEY) else {
            self.refuse(
                IDEMPOTENCY_KEY,
                "is required: a header that names this request, so that it can be repeated safely",
            );
            return None;
        };
        self.read(IDEMPOTENCY_KEY, &key)
    }

    /// Whether the caller would rather be answered later than wait: `Prefer: respond-async` (RFC 7240). Other preferences, and
    /// misspelt ones, are ignored, as the RFC wants it.
    #[must_use]
    pub fn prefers_async(&self) -> bool {
        let Some(header) = self.request.header("Prefer") else { return false };
        let name =
            |preference: &str| preference.split([';', '=']).next().unwrap_or_default().trim().to_ascii_lowercase();
        header.split(',').any(|preference| name(preference) == "respond-async")
    }

    /// The `If-Match` header: one strong entity tag, or `*`.
    pub fn if_match(&mut self) -> Option<IfMatch> {
        let header = self.request.header("If-Match")?;
        let (weak, tag) = header.trim().strip_prefix("W/").map_or((false, header.trim()), |tag| (true, tag));
        let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).filter(|opaque| !opaque.contains('"'));
        match opaque {
            None if tag == "*" && !weak => Some(IfMatch::Any),
            None => {
                self.refuse("If-Match", "must be one entity tag in double quotes, as ETag has it, or *");
                None
            }
            // RFC 9110, 13.1.1: If-Match compares strongly, so a weak tag never matches.
            Some(version) if !weak => Some(given_out(version).map_or(IfMatch::Foreign, IfMatch::Version)),
            Some(_) => Some(IfMatch::Foreign),
        }
    }
}

/// The version in an entity tag, if this service can have given it out: they count from 1, and are written one way only.
fn given_out(tag: &str) -> Option<u64> {
    let version = tag.parse::<u32>().ok().filter(|version| *version > 0 && version.to_string() == tag)?;
    Some(version.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parse,
        testing::{Sample, faults},
    };

    #[test]
    fn the_key_is_required_and_visible_ascii() {
        let post = Sample::new("POST /");
        let long = "k".repeat(256);
        let rule = "must be 1 to 255 visible ASCII characters";
        for (sample, detail) in [
            (post.clone().without_header("Idempotency-Key"), "is required"),
            (post.clone().header("Idempotency-Key", ""), rule),
            (post.clone().header("Idempotency-Key", "a b"), rule),
            (post.clone().header("Idempotency-Key", &long), rule),
            (post.clone().header("Idempotency-Key", &"k".repeat(300)), rule),
        ] {
            let faults = faults(&sample.request(), Input::idempotency_key);
            assert_eq!(faults.len(), 1);
            assert!(faults[0].0 == IDEMPOTENCY_KEY && faults[0].1.starts_with(detail), "{faults:?}");
        }
        let key = parse(&post.header("Idempotency-Key", &long[..255]).request(), Input::idempotency_key).unwrap();
        assert_eq!(key.as_str().len(), 255);
    }

    #[test]
    fn a_preference_is_one_of_several_and_in_any_case() {
        for (prefer, expected) in [
            ("respond-async", true),
            ("Respond-Async", true),
            ("return=minimal, respond-async; wait=10", true),
            ("wait=10", false),
            ("respond-asynchronously", false),
            ("handling=respond-async", false),
            ("", false),
        ] {
            let request = Sample::new("POST /").header("Prefer", prefer).request();
            assert_eq!(parse(&request, |input| Some(input.prefers_async())).unwrap(), expected, "{prefer}");
        }
        assert!(!parse(&Sample::new("POST /").request(), |input| Some(input.prefers_async())).unwrap());
    }

    #[test]
    fn if_match_is_one_entity_tag() {
        let put = |tag: &str| Sample::new("PUT /").header("If-Match", tag).request();
        let read = |input: &mut Input<'_>| Some(input.if_match());
        for (tag, expected) in [
            ("\"3\"", IfMatch::Version(3)),
            (" \"3\" ", IfMatch::Version(3)),
            ("*", IfMatch::Any),
            ("W/\"3\"", IfMatch::Foreign),
            ("\"abc\"", IfMatch::Foreign),
            ("\"\"", IfMatch::Foreign),
            ("\"-3\"", IfMatch::Foreign),
            ("\"0\"", IfMatch::Foreign),
            ("\"03\"", IfMatch::Foreign),
            ("\"+3\"", IfMatch::Foreign),
            ("\"18446744073709551615\"", IfMatch::Foreign),
        ] {
            assert_eq!(parse(&put(tag), read).unwrap(), Some(expected), "{tag}");
        }
        assert_eq!(parse(&Sample::new("PUT /").request(), read).unwrap(), None);
        for tag in ["", "3", "\"3", "\"1\", \"2\"", "W/*", "W/3"] {
            assert_eq!(parse(&put(tag), read).unwrap_err().errors()[0].field, "If-Match", "{tag}");
        }
    }
}
