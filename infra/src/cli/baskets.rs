//! What shoppers had in their baskets: the input of [`replay`](super::replay).

use std::collections::{BTreeMap, HashMap};

use domain::{
    ids::{Reference, Sku},
    limits::MAX_LINES,
    quantity::Quantity,
};

use super::{
    Failure,
    rows::{self, Rejected},
};

/// One product in a basket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Line of the file.
    pub at: u64,
    pub sku: Sku,
    pub quantity: Quantity,
}

/// What one shopper wants to buy at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basket {
    pub id: Reference,
    pub lines: Vec<Line>,
}

impl Basket {
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| line.quantity.units()).sum()
    }

    /// A reservation is all or nothing, so a basket with more lines than one reservation may have cannot be split over several:
    /// half of it could be held and the other half refused.
    pub fn is_too_long(&self) -> bool {
        self.lines.len() > MAX_LINES
    }
}

/// Everything that a file of baskets says.
#[derive(Debug)]
pub struct Input {
    /// Baskets with at least one good row, in the order in which the file names them first.
    pub baskets: Vec<Basket>,
    /// Baskets none of whose rows is good.
    pub empty: usize,
    pub rejected: Vec<Rejected>,
}

impl Input {
    /// Reads rows of `basket_id`, `product_id` and `quantity`; other columns are nobody's business here. The rows of a basket
    /// need not stand together.
    pub fn read(file: &[u8]) -> Result<Self, Failure> {
        let mut baskets: Vec<Basket> = Vec::new();
        let mut known: HashMap<Reference, usize> = HashMap::new();
        let rows = rows::read(file, &["basket_id", "product_id", "quantity"], |row| {
            let id: Reference = row.value("basket_id")?;
            let index = *known.entry(id.clone()).or_insert_with(|| {
                baskets.push(Basket { id, lines: Vec::new() });
                baskets.len() - 1
            });
            let (sku, quantity) = (row.value("product_id")?, row.quantity("quantity")?);
            baskets[index].lines.push(Line { at: row.line, sku, quantity });
            Ok(())
        })?;
        let named = baskets.len();
        baskets.retain(|basket| !basket.lines.is_empty());
        Ok(Self { empty: named - baskets.len(), baskets, rejected: rows.rejected })
    }

    /// Units of each product in all the baskets.
    pub fn sales(&self) -> BTreeMap<Sku, u64> {
        let mut sales = BTreeMap::new();
        for line in self.baskets.iter().flat_map(|basket| &basket.lines) {
            *sales.entry(line.sku.clone()).or_default() += line.quantity.units();
        }
        sales
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> Input {
        Input::read(format!("basket_id,store_id,product_id,quantity\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn rows_are_grouped_by_basket_in_the_order_of_first_sight() {
        let read = read("7,1,milk,2\n3,1,bread,1\n7,1,eggs,12\n");
        let seen: Vec<_> = read.baskets.iter().map(|basket| (basket.id.as_str(), basket.lines.len())).collect();
        assert_eq!(seen, [("7", 2), ("3", 1)]);
        assert_eq!(read.baskets[0].units(), 14);
        assert_eq!(read.baskets[0].lines[1].at, 4);
    }

    #[test]
    fn a_bad_row_leaves_the_rest_of_its_basket() {
        let read = read("7,1,milk,0\n7,1,eggs,12\n8,1,milk,0\n,1,milk,1\n9,1,fuel,35836\n");
        let lines: Vec<_> = read.rejected.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 4, 5]);
        assert_eq!(read.baskets.len(), 2);
        assert_eq!(read.baskets[1].units(), 35_836);
        assert_eq!(read.empty, 1, "basket 8 has no good row");
    }

    #[test]
    fn only_good_lines_count_against_the_limit() {
        let rows = |good| (0..good).map(|n| format!("7,1,p{n},1\n")).collect::<Vec<_>>().concat();
        assert!(!read(&format!("7,1,milk,0\n{}", rows(MAX_LINES))).baskets[0].is_too_long());
        assert!(read(&rows(MAX_LINES + 1)).baskets[0].is_too_long());
    }

    #[test]
    fn sales_are_summed_by_product() {
        let read = read("7,1,milk,2\n8,1,milk,3\n8,1,bread,1\n");
        let sales: Vec<_> = read.sales().into_iter().map(|(sku, units)| (sku.to_string(), units)).collect();
        assert_eq!(sales, [("bread".to_owned(), 1), ("milk".to_owned(), 5)]);
    }
}
