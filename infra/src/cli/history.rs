//! What was sold on which day: the input of [`import_sales`](super::import_sales) and [`backtest`](super::backtest).

use std::collections::BTreeMap;

use domain::{
    ids::Sku,
    limits::MAX_UNITS_A_DAY,
    time::{DAY_SECONDS, Day},
};
use http::Date;

use super::{
    Failure,
    rows::{self, Rejected},
};

/// The column that may be there.
const OUT_OF_STOCK: &str = "out_of_stock_seconds";

/// Units by day.
pub type Days = BTreeMap<Day, u64>;

/// Everything that a file of sales says.
#[derive(Debug)]
pub struct History {
    pub skus: BTreeMap<Sku, Days>,
    /// Seconds of a day in which there was nothing to sell, where the file says so.
    pub out: BTreeMap<Sku, Days>,
    pub rejected: Vec<Rejected>,
}

impl History {
    /// Reads rows of `date`, `sku` (or `product_id`) and `units`, and `out_of_stock_seconds` where there is such a column; others are nobody's
    /// business here. Rows of the same SKU and day add up; of their seconds the most count.
    pub fn read(file: &[u8]) -> Result<Self, Failure> {
        let mut skus: BTreeMap<Sku, Days> = BTreeMap::new();
        let mut out: BTreeMap<Sku, Days> = BTreeMap::new();
        let rows = rows::read(file, &["date", "units"], |row| {
            let Date(day) = row.value("date")?;
            let column = if row.text("sku").is_empty() { "product_id" } else { "sku" };
            let sku: Sku = row.value(column)?;
            let units: u64 = row.value("units")?;
            let sold = skus.get(&sku).and_then(|days| days.get(&day)).copied().unwrap_or(0).saturating_add(units);
            if sold > MAX_UNITS_A_DAY {
                return Err(format!("units must not be more than {MAX_UNITS_A_DAY} on one day"));
            }
            if !row.text(OUT_OF_STOCK).is_empty() {
                let seconds: u64 = row.value(OUT_OF_STOCK)?;
                if seconds > DAY_SECONDS {
                    return Err(format!("{OUT_OF_STOCK} must not be more than a day, {DAY_SECONDS}"));
                }
                let known = out.entry(sku.clone()).or_default().entry(day).or_default();
                *known = seconds.max(*known);
            }
            skus.entry(sku).or_default().insert(day, sold);
            Ok(())
        })?;
        Ok(Self { skus, out, rejected: rows.rejected })
    }

    /// The first and the last day of any SKU.
    pub fn span(&self) -> Option<(Day, Day)> {
        let days = || self.skus.values().flat_map(BTreeMap::keys).copied();
        Some((days().min()?, days().max()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_day_add_up_and_bad_ones_are_named() {
        let file = "date,product_id,units\n2017-09-25,milk,2\n2017-09-25,milk,3\n2017-09-26,milk,0\n2017-9-27,milk,1\n\
                    2017-09-25,,1\n2017-09-25,tea,-1\n";
        let history = History::read(file.as_bytes()).unwrap();
        let milk: Vec<(String, u64)> = history.skus[&"milk".parse().unwrap()]
            .iter()
            .map(|(day, units)| (Date(*day).to_string(), *units))
            .collect();
        assert_eq!(milk, [("2017-09-25".to_owned(), 5), ("2017-09-26".to_owned(), 0)]);
        let bad: Vec<u64> = history.rejected.iter().map(|row| row.line).collect();
        assert_eq!(bad, [5, 6, 7]);
        let (first, last) = history.span().unwrap();
        assert_eq!(last.days_since(first), 1);
    }

    #[test]
    fn a_sku_may_be_called_so() {
        let file = "date,sku,units,out_of_stock_seconds\n2017-09-25,tea,2,\n2017-09-26,tea,2,3600\n2017-09-26,tea,1,60\n\
            2017-09-27,tea,0,86401\n";
        let history = History::read(file.as_bytes()).unwrap();
        let out: Vec<u64> = history.out.values().flat_map(BTreeMap::values).copied().collect();
        assert_eq!((out, history.rejected.len()), (vec![3_600], 1));
        let history = History::read(b"sku,units,date\ntea,5,2017-09-25\n").unwrap();
        assert_eq!(history.skus.len(), 1);
        assert!(History::read(b"sku,units\ntea,5\n").is_err());
        assert!(History::read(b"date,sku,units\n").unwrap().span().is_none());
    }
}
