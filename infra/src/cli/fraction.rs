//! A share of something, as people write it (`0.5`), computed exactly: 0.1 of 30 is 3, which floating point rounds up to 4.

use std::{fmt, str::FromStr};

const MILLION: u64 = 1_000_000;

/// A number from 0 to 1,000 with at most six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    millionths: u64,
}

impl Fraction {
    /// This share of `units`, rounded up: half of the only loaf that is sold is one loaf.
    pub fn of_rounded_up(self, units: u64) -> u64 {
        let millionths = u128::from(units) * u128::from(self.millionths);
        u64::try_from(millionths.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX)
    }

    /// Whether `number`, drawn evenly from all of `u64`, falls into this share of them.
    pub fn takes(self, number: u64) -> bool {
        u128::from(number) * u128::from(MILLION) < u128::from(self.millionths) << 64
    }

    /// For an argument that is a probability.
    pub fn probability(text: &str) -> Result<Self, String> {
        let fraction: Self = text.parse()?;
        if fraction.millionths <= MILLION { Ok(fraction) } else { Err("it must be from 0 to 1".to_owned()) }
    }

    /// For an argument that is a share of something that must not vanish.
    pub fn above_zero(text: &str) -> Result<Self, String> {
        let fraction: Self = text.parse()?;
        if fraction.millionths > 0 { Ok(fraction) } else { Err("it must be above 0".to_owned()) }
    }
}

impl FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it must be a number like 0.5, from 0 to 1000, with at most six decimals".to_owned();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let decimals: u64 = format!("{decimals:0<6}").parse().map_err(|_| wrong())?;
        let millionths = whole.checked_mul(MILLION).and_then(|whole| whole.checked_add(decimals)).ok_or_else(wrong)?;
        if millionths <= 1000 * MILLION { Ok(Self { millionths }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.millionths / MILLION, self.millionths % MILLION);
        let decimals = format!("{decimals:06}");
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            decimals => write!(f, "{whole}.{decimals}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_written_as_people_do() {
        for (text, shown) in [("0.5", "0.5"), ("1", "1"), ("0.100", "0.1"), ("2.000001", "2.000001"), ("1000", "1000")]
        {
            assert_eq!(text.parse::<Fraction>().unwrap().to_string(), shown);
        }
        for text in ["", ".5", "-1", "1e3", "0.1234567", "1000.1", "half", "1.2.3", "99999999999999999999"] {
            assert!(text.parse::<Fraction>().is_err(), "{text}");
        }
        assert!(Fraction::probability("1.1").is_err() && Fraction::probability("0").is_ok());
        assert!(Fraction::above_zero("0").is_err() && Fraction::above_zero("1.1").is_ok());
    }

    #[test]
    fn a_share_is_rounded_up_and_nothing_else() {
        for (fraction, units, share) in [
            ("0.5", 1, 1),
            ("0.5", 7, 4),
            ("0.5", 852_030, 426_015),
            ("0.1", 30, 3),
            ("1", 9, 9),
            ("0", 9, 0),
            ("1.5", 3, 5),
        ] {
            assert_eq!(fraction.parse::<Fraction>().unwrap().of_rounded_up(units), share, "{fraction} of {units}");
        }
    }

    #[test]
    fn it_takes_its_share_of_all_numbers() {
        let (none, half, all) = ("0".parse::<Fraction>(), "0.5".parse::<Fraction>(), "1".parse::<Fraction>());
        let takes = |fraction: &Result<Fraction, String>, number| fraction.clone().unwrap().takes(number);
        assert!(!takes(&none, 0) && !takes(&none, u64::MAX));
        assert!(takes(&half, 0) && takes(&half, u64::MAX / 2) && !takes(&half, u64::MAX / 2 + 1));
        assert!(takes(&all, 0) && takes(&all, u64::MAX));
    }
}
