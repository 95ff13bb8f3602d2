//! JSON from outside.

use serde::Deserialize;

/// The longest answer or delivery that is looked at: a page of orders is below 1 MB, so this is nothing that a vendor sends.
pub const MAX_BYTES: usize = 8 << 20;

/// JSON from outside.
///
/// # Errors
/// In words, of which none are from the JSON: it may hold a customer's address.
pub fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("{} bytes are too many", bytes.len()));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => format!("JSON of another shape, at column {}", error.column()),
        _ => format!("no JSON, at column {}", error.column()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_holds_is_never_repeated() {
        #[derive(Debug, Deserialize)]
        struct Order {
            #[expect(dead_code, reason = "only its shape is asked for")]
            id: u64,
        }
        for text in [r#"{"id":"Jane Doe"}"#, r#"{"id":1"#, "Jane Doe", ""] {
            let words = json::<Order>(text.as_bytes()).unwrap_err();
            assert!(!words.contains("Jane"), "{words}");
        }
        assert!(json::<Order>(&vec![b' '; MAX_BYTES + 1]).unwrap_err().contains("too many"));
    }
}
