//! The settings of the ERP.
//!
//! - **Save** `v`, or that there are none: only the version that was seen is replaced.

use domain::erp::ErpSettings;

use crate::{
    item::{encode_erp, number},
    table::Write,
};

/// **Save** the version after the one that was seen; the first where there was none.
pub(crate) fn save(settings: &ErpSettings) -> Write {
    let item = encode_erp(settings);
    match settings.version.saturating_sub(1) {
        0 => Write::put(item, "attribute_not_exists(pk)"),
        seen => Write::put(item, "v = :seen").value(":seen", number(seen)),
    }
}
