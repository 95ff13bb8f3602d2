//! Names of things. Each is checked once, where it enters, and cannot be wrong afterwards.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::limits::{
    MAX_CHANNEL_CHARS, MAX_IDEMPOTENCY_KEY_CHARS, MAX_REASON_CHARS, MAX_REFERENCE_CHARS, MAX_SKU_CHARS,
};

/// Why a text is not a valid id; its `Display` is fit for the caller's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct IdError(&'static str);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr, $rule:expr) => {
        text_id! { $(#[$doc])* $name, $max, $allowed, |_| true, $rule }
    };
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr, $whole:expr, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(char) -> bool = $allowed;
                let whole: fn(&str) -> bool = $whole;
                let length_fits = (1..=$max).contains(&text.chars().count());
                if length_fits && text.chars().all(allowed) && whole(text) { Ok(Self(text.to_owned())) } else { Err(IdError($rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id! {
    /// A stock keeping unit: what the merchant counts. 1 to 64 characters of `A-Z a-z 0-9 . _ -`, not dots alone: no client
    /// can put `..` into a path.
    Sku,
    MAX_SKU_CHARS,
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
    |text| text.chars().any(|c| c != '.'),
    "1 to 64 characters of A-Z a-z 0-9 . _ -, not dots alone"
}

text_id! {
    /// Where a unit is sold: `own`, `amazon`, … 1 to 32 characters of `a-z 0-9 _ -`.
    Channel, MAX_CHANNEL_CHARS, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'),
    "1 to 32 characters of a-z 0-9 _ -"
}

text_id! {
    /// An order or session id that the caller chose: 1 to 128 visible ASCII characters.
    Reference, MAX_REFERENCE_CHARS, |c| c.is_ascii_graphic(),
    "1 to 128 visible ASCII characters"
}

text_id! {
    /// The caller's name for one request, so that a repeated request gets the first answer: 1 to 255 visible ASCII characters.
    IdempotencyKey, MAX_IDEMPOTENCY_KEY_CHARS, |c| c.is_ascii_graphic(),
    "1 to 255 visible ASCII characters"
}

text_id! {
    /// Why a movement was made, in the merchant's words: 1 to 200 characters, none of them a control character.
    Reason, MAX_REASON_CHARS, |c| !c.is_control(),
    "1 to 200 characters without control characters"
}

impl Channel {
    /// The merchant's own store, where nothing else is said.
    #[must_use]
    pub fn own() -> Self {
        Self("own".to_owned())
    }
}

/// Who calls: the subject of the token, or the IAM principal. Part of every id that is derived from an `Idempotency-Key`, so
/// that two callers who choose the same key do not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// The caller named `name` by whoever authenticated them.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 96 bits of a SHA-256 as 16 URL-safe characters: short enough for a map key in a hot item, long enough that two never meet.
fn digest(purpose: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(purpose);
    for part in parts {
        // Each part is preceded by its length: ("ab","c") and ("a","bc") must differ.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The 16 characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                if text.len() == 16 && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError("16 characters of A-Z a-z 0-9 _ -"))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

digest_id! {
    /// Names one reservation or order; a retry derives the same one.
    ReservationId
}

digest_id! {
    /// Names one movement; a retry derives the same one.
    MovementId
}

digest_id! {
    /// What a request asked for, in 16 characters: the same key with another fingerprint is a reused key.
    Fingerprint
}

digest_id! {
    /// Names one `extend` call.
    ExtensionId
}

impl ReservationId {
    /// The reservation that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("reservation", &[caller.as_str(), key.as_str()]))
    }

    /// The reservation under which a late payment takes the units of this one again.
    #[must_use]
    pub fn successor(&self) -> Self {
        Self(digest("successor", &[self.as_str()]))
    }

    /// A number that differs from one reservation to the next: spreads shoppers over buckets and retries over time, without
    /// any randomness.
    #[must_use]
    pub fn spread(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&Sha256::digest(self.as_str())[..8]);
        u64::from_be_bytes(bytes)
    }
}

impl MovementId {
    /// The movement that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("movement", &[caller.as_str(), key.as_str()]))
    }
}

impl ExtensionId {
    /// The extension that this caller's request with this key makes.
    #[must_use]
    pub fn derive(caller: &Caller, key: &IdempotencyKey) -> Self {
        Self(digest("extension", &[caller.as_str(), key.as_str()]))
    }
}

impl Fingerprint {
    /// Of an operation and its parts, in the order given.
    #[must_use]
    pub fn of(operation: &str, parts: &[&str]) -> Self {
        Self(digest(operation, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_accept_their_alphabet_and_nothing_else() {
        for (text, ok) in [("a", true), ("A-1.b_2", true), ("", false), ("a b", false), ("a#b", false), ("ä", false)] {
            assert_eq!(text.parse::<Sku>().is_ok(), ok, "{text}");
        }
        assert!("x".repeat(64).parse::<Sku>().is_ok());
        assert!("x".repeat(65).parse::<Sku>().is_err());
        assert!("Own".parse::<Channel>().is_err());
        assert!("with space".parse::<IdempotencyKey>().is_err());
        assert!("k".repeat(256).parse::<IdempotencyKey>().is_err());
        assert!("line\nbreak".parse::<Reason>().is_err());
        assert!("fünf gezählt".parse::<Reason>().is_ok());
        assert!("0123456789abcde".parse::<ReservationId>().is_err());
        assert!("0123456789abcd=_".parse::<ReservationId>().is_err());
    }

    #[test]
    fn a_retry_derives_the_same_id_and_another_caller_does_not() {
        let key: IdempotencyKey = "k".parse().unwrap();
        let id = ReservationId::derive(&Caller::new("a"), &key);
        assert_eq!(id, ReservationId::derive(&Caller::new("a"), &key));
        assert_ne!(id, ReservationId::derive(&Caller::new("b"), &key));
        assert_ne!(id, id.successor());
        assert_eq!(id.as_str().parse::<ReservationId>().unwrap(), id);
    }

    #[test]
    fn derived_ids_are_the_same_in_every_version() {
        // A retry may meet a newer version than the one that met the request, and records are found by these ids for good.
        let (caller, key) = (Caller::new("a"), "k".parse().unwrap());
        let id = ReservationId::derive(&caller, &key);
        assert_eq!((caller.as_str(), id.as_str()), ("a", "jtRKBc37TZRilGlk"));
        assert_eq!(id.successor().to_string(), "VZElUfqfHPDc_OC0");
        assert_eq!(MovementId::derive(&caller, &key).to_string(), "tae3q4i4OG0NLifq");
        assert_eq!(ExtensionId::derive(&caller, &key).to_string(), "TK0XvAtTbtyNgp6d");
        assert_eq!(Fingerprint::of("x", &["ab", "c"]).to_string(), "x1MjusR7SQyCd_c4");
        assert_eq!(id.spread(), 13_180_460_801_299_105_687);
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Fingerprint::of("x", &["ab", "c"]), Fingerprint::of("x", &["a", "bc"]));
    }
}
