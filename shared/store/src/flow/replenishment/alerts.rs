//! Alerts: those that are open, then those that are closed; and that somebody was told.
//!
//! Whoever tells of an alert writes down afterwards that he did. Dies he in between, the table's stream brings the alert to another one, who
//! tells of it again under the same id.

use domain::{ids::AlertId, replenishment::review::Alert};

use crate::{
    Failure, Fault, Page, Store, flow::stock::cursor, item::decode_alert, keys, table::Written,
    write::replenishment as writes,
};

/// Which alerts a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertPage {
    /// Those that are open, the oldest first: they wait the longest.
    Open,
    /// Those that are closed, the newest first.
    Closed,
}

impl AlertPage {
    const fn list(self) -> &'static str {
        match self {
            Self::Open => keys::ALERT_LIST,
            Self::Closed => keys::CLOSED_ALERT_LIST,
        }
    }
}

impl Store {
    /// One alert.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn alert(&self, id: &AlertId) -> Result<Option<Alert>, Fault> {
        self.get(keys::alert(id)).await?.as_ref().map(decode_alert).transpose()
    }

    /// A page of alerts, as they stand now: one may have closed since the list was written.
    ///
    /// # Errors
    /// Refused with `InvalidRequest` for a cursor that is not ours; or a fault.
    pub async fn list_alerts(
        &self,
        which: AlertPage,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Alert>, Failure> {
        let list = which.list();
        let after = cursor.map(|cursor| cursor::after(cursor, list, keys::alert_at)).transpose()?;
        let page = self.list(list.to_owned(), which == AlertPage::Closed, limit, after).await?;
        let keys: Vec<&str> = page.items.iter().map(keys::of).collect();
        let found = self.batch_get(keys.iter().map(|key| (*key).to_owned()).collect()).await?;
        let alerts = keys.iter().filter_map(|key| found.get(*key)).map(decode_alert);
        Ok(Page { items: alerts.collect::<Result<_, _>>()?, next_cursor: page.next_cursor.map(cursor::opaque) })
    }

    /// Writes down that somebody was told of an alert. Whether it was not written before.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn alert_told(&self, id: &AlertId) -> Result<bool, Fault> {
        Ok(matches!(self.write(&writes::tell(id, self.now())).await?, Written::Applied(_)))
    }
}
