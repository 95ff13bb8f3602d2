//! The assertion that NetSuite gives a token for: a JWT, signed with the merchant's RSA key as PS256.
//!
//! Source: NetSuite, *The access token endpoint and the POST request*: header `typ`, `alg`, `kid` (the certificate's id); claims `iss` (the
//! client's id), `scope`, `iat`, `exp` (an hour later at most), `aud` (the token endpoint). PS256 is RFC 7518, section 3.5.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use domain::time::Timestamp;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use serde_json::json;
use vendor::{CallError, Credentials};

/// It is sent at once; clocks may differ by some minutes.
const TTL_SECONDS: u64 = 600;

/// What the token is for. Source: the same.
const SCOPE: &str = "rest_webservices";

/// An assertion for this token endpoint.
///
/// # Errors
/// [`CallError::Unauthorized`] where the key is none, [`CallError::Unconfigured`] where there is none. Nothing of the key is in them.
pub fn signed(credentials: &Credentials, audience: &str, now: Timestamp) -> Result<String, CallError> {
    let header = json!({ "typ": "JWT", "alg": "PS256", "kid": credentials.get("certificate_id")? });
    let claims = json!({
        "iss": credentials.get("client_id")?, "scope": [SCOPE], "aud": audience,
        "iat": now.epoch_seconds(), "exp": now.plus_seconds(TTL_SECONDS).epoch_seconds(),
    });
    let unusable = |what: &str| CallError::Unauthorized { reason: format!("the private_key {what}") };
    let der = der(credentials.get("private_key")?).ok_or_else(|| unusable("is no PEM of PKCS#8"))?;
    let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| unusable("is no RSA key of 2048 to 4096 bits"))?;
    let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(&header), encoded(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    // The salt makes two signatures of one message differ, and decides nothing else: nobody needs to repeat it.
    key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
        .map_err(|_| unusable("does not sign"))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// What is between the lines of the PEM. Secrets that were pasted into JSON often have `\n` in two characters.
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (text, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let text: String = text.replace("\\n", "").split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_none_is_not_repeated() {
        for key in [
            "s3cret",
            "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ] {
            let credentials = Credentials::from([("client_id", "c"), ("certificate_id", "k"), ("private_key", key)]);
            let error = signed(&credentials, "https://x.example", Timestamp::from_epoch_seconds(1)).unwrap_err();
            assert!(matches!(error, CallError::Unauthorized { .. }));
            assert!(!error.to_string().contains("s3cret") && !error.to_string().contains("AAAA"));
        }
    }

    #[test]
    fn a_pem_is_read_with_lines_of_either_kind() {
        let pem = "-----BEGIN PRIVATE KEY-----\\nAQID\\nBAUG\\n-----END PRIVATE KEY-----\\n";
        assert_eq!(der(pem), Some(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(der(&pem.replace("\\n", "\r\n")), Some(vec![1, 2, 3, 4, 5, 6]));
    }
}
