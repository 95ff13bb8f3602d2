//! What a merchant sets for a SKU.

use std::{fmt, str::FromStr};

use crate::{
    bucket::{MalformedText, exact},
    ids::{Currency, Supplier},
    limits::{DEFAULT_COVER_DAYS, DEFAULT_WINDOW_DAYS},
    purchase::sizing::{Rule, Terms},
    quantity::Quantity,
};

/// The chance that a lead time passes without a stockout, in ten-thousandths: 9,500 is 95 %. From one half, below which a safety stock
/// would be negative, to 99.99 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceLevel(u64);

/// Not a service level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 0.5 to 0.9999, with at most four decimals")]
pub struct ServiceLevelError;

impl ServiceLevel {
    /// Checks the range.
    ///
    /// # Errors
    /// [`ServiceLevelError`] when it is below one half or above 99.99 %.
    pub const fn from_ten_thousandths(level: u64) -> Result<Self, ServiceLevelError> {
        if level < 5_000 || level > 9_999 { Err(ServiceLevelError) } else { Ok(Self(level)) }
    }

    /// In ten-thousandths.
    #[must_use]
    pub const fn ten_thousandths(self) -> u64 {
        self.0
    }
}

/// What is kept for the days that are not average. Written `units:5`, `percent:20` or `service-level:9500`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafetyStock {
    /// So many units.
    Units(u64),
    /// So much of what sells during the lead time, in percent.
    Percent(u64),
    /// As much as this chance of not running out needs, given how far days and deliveries differ.
    ServiceLevel(ServiceLevel),
}

impl fmt::Display for SafetyStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Units(units) => write!(f, "units:{units}"),
            Self::Percent(percent) => write!(f, "percent:{percent}"),
            Self::ServiceLevel(level) => write!(f, "service-level:{}", level.ten_thousandths()),
        }
    }
}

impl FromStr for SafetyStock {
    type Err = MalformedText;

    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let parse = || {
            let (word, number) = text.split_once(':')?;
            let number = exact(number)?;
            match word {
                "units" => Some(Self::Units(number)),
                "percent" => Some(Self::Percent(number)),
                "service-level" => ServiceLevel::from_ten_thousandths(number).ok().map(Self::ServiceLevel),
                _ => None,
            }
        };
        parse().ok_or_else(|| MalformedText::new("safety stock", text))
    }
}

/// What happens when an alert opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnAlert {
    /// Somebody is told.
    #[default]
    Tell,
    /// And a purchase order is drafted.
    Draft,
    /// And a purchase order is sent.
    Send,
}

impl OnAlert {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Tell, Self::Draft, Self::Send];

    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tell => "tell",
            Self::Draft => "draft",
            Self::Send => "send",
        }
    }
}

impl fmt::Display for OnAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Not a word for what happens when an alert opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be tell, draft or send")]
pub struct OnAlertError;

impl FromStr for OnAlert {
    type Err = OnAlertError;

    fn from_str(text: &str) -> Result<Self, OnAlertError> {
        Self::ALL.into_iter().find(|on_alert| on_alert.word() == text).ok_or(OnAlertError)
    }
}

/// When and from whom a SKU is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Complete days from which the average is taken.
    pub window_days: u64,
    /// Days from an order to its receipt.
    pub lead_time_days: u64,
    /// How far deliveries differ from that: a standard deviation, in hundredths of a day.
    pub lead_time_deviation_hundredths: u64,
    /// What is kept for the days that are not average.
    pub safety_stock: SafetyStock,
    /// What happens when an alert opens.
    pub on_alert: OnAlert,
    /// From whom it is bought.
    pub supplier: Option<Supplier>,
    /// What one unit costs there.
    pub unit_cost: Option<UnitCost>,
    /// How much an order brings.
    pub order: Rule,
    /// What the supplier delivers.
    pub supplies: Terms,
    /// Whether what is on its way may be sold before it comes.
    pub backorder: bool,
}

/// What one unit costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitCost {
    /// In minor units of the currency.
    pub minor: u64,
    /// Which.
    pub currency: Currency,
}

/// A supplier of whom nothing is said: any number of units.
#[must_use]
pub fn any_number() -> Terms {
    // The smallest quantity there is.
    let one = Quantity::new(1).unwrap_or_else(|_| unreachable!("1 is a quantity"));
    Terms { pack: one, minimum: one }
}

impl Settings {
    /// Those of a SKU of which only the lead time and the safety stock are said.
    #[must_use]
    pub fn new(lead_time_days: u64, safety_stock: SafetyStock) -> Self {
        Self {
            window_days: DEFAULT_WINDOW_DAYS,
            lead_time_days,
            lead_time_deviation_hundredths: 0,
            safety_stock,
            on_alert: OnAlert::default(),
            supplier: None,
            unit_cost: None,
            order: Rule::CoverDays(DEFAULT_COVER_DAYS),
            supplies: any_number(),
            backorder: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safety_stock_reads_back_from_its_text() {
        let level = ServiceLevel::from_ten_thousandths(9_500).unwrap();
        for (safety_stock, text) in [
            (SafetyStock::Units(0), "units:0"),
            (SafetyStock::Percent(20), "percent:20"),
            (SafetyStock::ServiceLevel(level), "service-level:9500"),
        ] {
            assert_eq!((safety_stock.to_string().as_str(), text.parse()), (text, Ok(safety_stock)));
        }
        for text in ["", "units", "units:-1", "percent:1.5", "percent:020", "service-level:4999", "service-level:10000"]
        {
            assert!(text.parse::<SafetyStock>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_happens_on_an_alert_reads_back_from_its_word() {
        for on_alert in OnAlert::ALL {
            assert_eq!(on_alert.to_string().parse(), Ok(on_alert));
        }
        assert_eq!("Send".parse::<OnAlert>(), Err(OnAlertError));
    }
}
