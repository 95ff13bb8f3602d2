//! The merchant's ERP: which one it is, and what there is in it of a purchase order of ours.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    ids::{Sku, Supplier},
    time::{Day, Timestamp},
};

/// Which ERP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErpKind {
    /// QuickBooks Online.
    QuickBooks,
    /// Oracle NetSuite.
    NetSuite,
    /// SAP Business One, through its Service Layer.
    SapBusinessOne,
}

impl ErpKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::QuickBooks, Self::NetSuite, Self::SapBusinessOne];

    /// The word for it in the API and the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::QuickBooks => "quickbooks",
            Self::NetSuite => "netsuite",
            Self::SapBusinessOne => "sap-business-one",
        }
    }

    /// The option that says which company it is: what one of them calls order 98 is another one's order 98.
    #[must_use]
    pub const fn company_option(self) -> &'static str {
        match self {
            Self::QuickBooks => "realm_id",
            Self::NetSuite => "account_id",
            Self::SapBusinessOne => "company",
        }
    }
}

/// Not a word for an ERP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be quickbooks, netsuite or sap-business-one")]
pub struct ErpKindError;

impl FromStr for ErpKind {
    type Err = ErpKindError;

    fn from_str(text: &str) -> Result<Self, ErpKindError> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or(ErpKindError)
    }
}

impl fmt::Display for ErpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a merchant sets for the ERP. Secrets are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErpSettings {
    /// Which; nothing while there is none.
    pub kind: Option<ErpKind>,
    /// Where it is, if not where the vendor's production is.
    pub endpoint: Option<String>,
    /// What the vendor's module reads.
    pub options: BTreeMap<String, String>,
    /// The ERP's ids of items, where they are not the SKU itself.
    pub items: BTreeMap<Sku, String>,
    /// The ERP's ids of suppliers, where they are not what purchase orders call them.
    pub suppliers: BTreeMap<Supplier, String>,
    /// Since when it is this one: orders that were sent earlier are not its.
    pub since: Timestamp,
    /// How often the settings were written.
    pub version: u64,
}

impl ErpSettings {
    /// Which company's books these are, where the settings say.
    #[must_use]
    pub fn company(&self) -> Option<&str> {
        let company = self.options.get(self.kind?.company_option())?;
        Some(company.as_str()).filter(|company| !company.is_empty())
    }

    /// Whether what is in that company's books of that ERP is in these.
    #[must_use]
    pub fn is_at(&self, kind: ErpKind, company: Option<&str>) -> bool {
        self.kind == Some(kind) && company.is_none_or(|company| self.company() == Some(company))
    }

    /// What the ERP calls an item.
    #[must_use]
    pub fn item<'a>(&'a self, sku: &'a Sku) -> &'a str {
        self.items.get(sku).map_or(sku.as_str(), String::as_str)
    }

    /// What the ERP calls a supplier.
    #[must_use]
    pub fn supplier<'a>(&'a self, supplier: &'a Supplier) -> &'a str {
        self.suppliers.get(supplier).map_or(supplier.as_str(), String::as_str)
    }
}

/// Where a purchase order stands in the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// To be created there: it was refused, and is to be tried again.
    Waiting,
    /// About to be created there: it may be there already. Written before the ERP is called.
    Asked {
        /// When that was written last.
        at: Timestamp,
    },
    /// The ERP does not want it.
    Refused {
        /// In its own words.
        words: String,
    },
    /// It is there.
    Placed {
        /// In which ERP.
        kind: ErpKind,
        /// In whose books there, where the settings said so.
        company: Option<String>,
        /// The ERP's id.
        id: String,
        /// What people there call it.
        number: String,
        /// The day that the ERP had for it when it was looked at last.
        expected_on: Option<Day>,
    },
    /// It was canceled there as well, or never was there.
    Withdrawn,
}

/// What there is of a purchase order in the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErpSide {
    /// Where it stands.
    pub standing: Standing,
    /// How often the ERP has refused it.
    pub refusals: u32,
    /// What a person should look at because of how it was created there; it stays, for no later look finds it again.
    pub concern: Option<String>,
    /// What went wrong last, or what a person should look at; nothing when all went well.
    pub trouble: Option<String>,
    /// When it was looked at last.
    pub looked_at: Option<Timestamp>,
}

impl ErpSide {
    /// Of an order of which nothing but this is known.
    #[must_use]
    pub const fn new(standing: Standing) -> Self {
        Self { standing, refusals: 0, concern: None, trouble: None, looked_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_an_erp_is_read_back() {
        for kind in ErpKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("sage".parse::<ErpKind>(), Err(ErpKindError));
    }

    #[test]
    fn another_company_is_another_place() {
        let options = [("realm_id".to_owned(), "9".to_owned())];
        let at = |kind| ErpSettings { kind, options: options.clone().into(), ..ErpSettings::default() };
        let (here, elsewhere) = (at(Some(ErpKind::QuickBooks)), at(Some(ErpKind::NetSuite)));
        assert_eq!((here.company(), elsewhere.company(), at(None).company()), (Some("9"), None, None));
        for (kind, company, is_here) in [
            (ErpKind::QuickBooks, Some("9"), true),
            (ErpKind::QuickBooks, Some("8"), false),
            (ErpKind::QuickBooks, None, true),
            (ErpKind::NetSuite, Some("9"), false),
        ] {
            assert_eq!(here.is_at(kind, company), is_here, "{kind} {company:?}");
        }
        assert!(!elsewhere.is_at(ErpKind::NetSuite, Some("9")));
    }

    #[test]
    fn what_is_not_named_otherwise_has_its_own_name() {
        let settings = ErpSettings {
            items: [("tea".parse().unwrap(), "I-7".to_owned())].into(),
            suppliers: [("Leaf".parse().unwrap(), "V-1".to_owned())].into(),
            ..ErpSettings::default()
        };
        let (tea, milk): (Sku, Sku) = ("tea".parse().unwrap(), "milk".parse().unwrap());
        assert_eq!((settings.item(&tea), settings.item(&milk)), ("I-7", "milk"));
        let (leaf, cow): (Supplier, Supplier) = ("Leaf".parse().unwrap(), "Cow".parse().unwrap());
        assert_eq!((settings.supplier(&leaf), settings.supplier(&cow)), ("V-1", "Cow"));
    }
}
