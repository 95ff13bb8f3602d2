//! Where a vendor is: secrets go over TLS, or to this very machine.

use url::{Host, Url};

use crate::CallError;

/// An endpoint, without a slash at its end.
///
/// # Errors
/// [`CallError::Refused`] for what is no URL, and for `http://` anywhere but at the loopback: whoever is on the way would read the secrets.
pub fn checked(endpoint: &str) -> Result<&str, CallError> {
    let refused = |words: &str| CallError::Refused { reason: format!("the endpoint {words}") };
    let url = Url::parse(endpoint).map_err(|_| refused("is no URL"))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        _ if !is_bare => Err(refused("is more than scheme, host and path")),
        "https" => Ok(endpoint.trim_end_matches('/')),
        "http" if is_here => Ok(endpoint.trim_end_matches('/')),
        _ => Err(refused("is not https")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_nowhere() {
        for (endpoint, is) in [
            ("https://shop.example", Some("https://shop.example")),
            ("https://shop.example/blog/", Some("https://shop.example/blog")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://[::1]:8080/", Some("http://[::1]:8080")),
            ("http://localhost:8080", Some("http://localhost:8080")),
            ("http://shop.example", None),
            ("http://127.0.0.1.example", None),
            ("http://localhost.example", None),
            ("https://user:secret@shop.example", None),
            ("https://shop.example/?a=b", None),
            ("ftp://shop.example", None),
            ("shop.example", None),
            ("", None),
        ] {
            assert_eq!(checked(endpoint).ok(), is, "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_is_not_repeated_for_it_may_hold_a_secret() {
        let error = checked("https://user:s3cret@shop.example").unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }
}
