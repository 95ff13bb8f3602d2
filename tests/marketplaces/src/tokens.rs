//! Access tokens that a face has issued. They live in the market, so that a test can end them.

use crate::market::Market;

/// Where they are remembered.
const PREFIX: &str = "token/";

/// A new token of this kind, good for so long.
pub fn issue(market: &mut Market, kind: &str, ttl_seconds: u64) -> String {
    let token = format!("{kind}-{}", market.remembered.keys().filter(|key| key.starts_with(PREFIX)).count() + 1);
    let ends_at = market.now.plus_seconds(ttl_seconds).epoch_seconds();
    market.remembered.insert(format!("{PREFIX}{token}"), ends_at.to_be_bytes().to_vec());
    token
}

/// Whether this is a token of this kind, and not over.
#[must_use]
pub fn is_good(market: &Market, kind: &str, token: &str) -> bool {
    let ends_at = market.remembered.get(&format!("{PREFIX}{token}")).and_then(|bytes| bytes.as_slice().try_into().ok());
    let ends_at = ends_at.map(u64::from_be_bytes);
    token.starts_with(&format!("{kind}-")) && ends_at.is_some_and(|ends_at| market.now.epoch_seconds() < ends_at)
}

/// Ends all of them, as when the seller takes the consent back. They stay known, so that a new one has a new name.
pub fn revoke_all(market: &mut Market) {
    for (_, ends_at) in market.remembered.iter_mut().filter(|(key, _)| key.starts_with(PREFIX)) {
        *ends_at = 0_u64.to_be_bytes().to_vec();
    }
}
