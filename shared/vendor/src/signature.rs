//! Signatures of webhooks: base64 or hex of HMAC-SHA256 over the raw bytes, compared in constant time and before anything is parsed.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `signature` is the base64 of the HMAC-SHA256 of `body` under `secret`.
#[must_use]
pub fn is_hmac_sha256_base64(secret: &str, body: &[u8], signature: &str) -> bool {
    // What is not base64 cannot be right; how far it was is not secret.
    STANDARD.decode(signature.trim()).is_ok_and(|signature| is_hmac_sha256(secret, body, &signature))
}

/// Whether `signature` is the HMAC-SHA256 of `body` under `secret`.
#[must_use]
pub fn is_hmac_sha256(secret: &str, body: &[u8], signature: &[u8]) -> bool {
    // An HMAC takes a key of any length; without a secret nothing is believed.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    !secret.is_empty() && mac.verify_slice(signature).is_ok()
}

/// Bytes as hexadecimal digits, in lower case.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 4231, test case 2.
    const SIGNATURE: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";

    #[test]
    fn a_signature_is_believed_only_for_these_bytes_and_this_secret() {
        let body = b"what do ya want for nothing?";
        assert!(is_hmac_sha256_base64("Jefe", body, SIGNATURE));
        assert!(!is_hmac_sha256_base64("jefe", body, SIGNATURE));
        assert!(!is_hmac_sha256_base64("Jefe", b"what do ya want for nothing!", SIGNATURE));
        assert!(!is_hmac_sha256_base64("Jefe", body, "X9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="));
        for nonsense in ["", "=", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTs", "ü"] {
            assert!(!is_hmac_sha256_base64("Jefe", body, nonsense));
        }
    }

    #[test]
    fn an_empty_secret_believes_nothing() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(b"body");
        assert!(!is_hmac_sha256("", b"body", &mac.finalize().into_bytes()));
    }
}
