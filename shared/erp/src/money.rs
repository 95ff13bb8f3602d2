//! Money: whole minor units here, an exact decimal on the wire, and never a binary fraction in between.

use std::str::FromStr;

use serde::Serialize;
use serde_json::value::RawValue;

/// A currency, by its code in ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

/// Not three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be three letters A-Z")]
pub struct CurrencyError;

/// Currencies without a minor unit. Source: ISO 4217, list one, as of 2024.
const WITHOUT_DECIMALS: [&str; 16] =
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Currencies whose minor unit is a thousandth. Source: the same.
const WITH_THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

impl Currency {
    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits behind the point.
    #[must_use]
    pub fn decimals(self) -> usize {
        match self.code() {
            code if WITHOUT_DECIMALS.contains(&code) => 0,
            code if WITH_THREE_DECIMALS.contains(&code) => 3,
            _ => 2,
        }
    }

    /// So many minor units, as a number in JSON.
    #[must_use]
    pub(crate) fn amount(self, minor: u128) -> Box<RawValue> {
        RawValue::from_string(decimal(minor, self.decimals())).expect("digits and a point are a number in JSON")
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(CurrencyError),
        }
    }
}

/// A body. Texts, numbers and lists of them can always be written.
pub(crate) fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("maps have texts as keys, and nothing else can fail")
}

fn decimal(minor: u128, decimals: usize) -> String {
    let digits = format!("{minor:0>width$}", width = decimals + 1);
    match digits.split_at(digits.len() - decimals) {
        (whole, "") => whole.to_owned(),
        (whole, fraction) => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_digits_that_it_has() {
        for (minor, code, is) in [
            (450, "USD", "4.50"),
            (5, "EUR", "0.05"),
            (0, "USD", "0.00"),
            (1_000_000_000_000_000_001, "USD", "10000000000000000.01"),
            (1_200, "JPY", "1200"),
            (1_200, "XPF", "1200"),
            (1_234, "KWD", "1.234"),
            (7, "KWD", "0.007"),
        ] {
            assert_eq!(code.parse::<Currency>().unwrap().amount(minor).get(), is);
        }
        for wrong in ["", "usd", "US", "USDX", "€"] {
            assert_eq!(wrong.parse::<Currency>(), Err(CurrencyError), "{wrong}");
        }
    }
}
