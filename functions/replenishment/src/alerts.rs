//! `GET /v1/alerts?status=open|closed&limit=&cursor=`: what is short. Without a status the open ones come first, and then the closed ones.

use std::str::FromStr;

use domain::refusal::{FieldError, Refusal};
use http::{Problem, Request, Response};
use runtime::{App, problem};
use store::AlertPage;

use crate::view::{AlertView, AlertsView};

/// What the cursor of a list of all alerts begins with, while it is among the closed ones.
const CLOSED: &str = "closed.";

/// Which alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted(AlertPage);

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self(AlertPage::Open)),
            "closed" => Ok(Self(AlertPage::Closed)),
            _ => Err("must be open or closed"),
        }
    }
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response, Problem> {
    let (wanted, limit, cursor) = http::parse(request, |input| {
        let wanted: Option<Wanted> = input.query("status");
        let (limit, cursor) = input.page()?;
        Some((wanted, limit, cursor))
    })?;
    let (which, cursor) = place(wanted, cursor.as_deref())?;
    let page = app.store.list_alerts(which, limit, cursor).await.map_err(problem)?;
    let next_cursor = match (wanted, which, page.next_cursor) {
        (None, AlertPage::Closed, Some(cursor)) => Some(format!("{CLOSED}{cursor}")),
        // All that are open were listed.
        (None, AlertPage::Open, None) => Some(CLOSED.to_owned()),
        (_, _, cursor) => cursor,
    };
    let items = page.items.iter().map(AlertView::new).collect();
    Ok(Response::ok(&AlertsView { items, next_cursor }))
}

/// Which list a request goes on in, and where.
fn place(wanted: Option<Wanted>, cursor: Option<&str>) -> Result<(AlertPage, Option<&str>), Refusal> {
    match (wanted, cursor.map(|cursor| (cursor, cursor.strip_prefix(CLOSED)))) {
        (Some(Wanted(which)), None) => Ok((which, None)),
        (Some(Wanted(which)), Some((cursor, None))) => Ok((which, Some(cursor))),
        (Some(_), Some((_, Some(_)))) => {
            let detail = "must be a `next_cursor` of the same list".to_owned();
            Err(Refusal::InvalidRequest { errors: vec![FieldError { field: "cursor".to_owned(), detail }] })
        }
        (None, None) => Ok((AlertPage::Open, None)),
        (None, Some((cursor, None))) => Ok((AlertPage::Open, Some(cursor))),
        (None, Some((_, Some("")))) => Ok((AlertPage::Closed, None)),
        (None, Some((_, Some(rest)))) => Ok((AlertPage::Closed, Some(rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_all_goes_on_among_the_closed_ones() {
        let (open, closed) = (AlertPage::Open, AlertPage::Closed);
        for (wanted, cursor, expected) in [
            (None, None, Some((open, None))),
            (None, Some("abc"), Some((open, Some("abc")))),
            (None, Some("closed."), Some((closed, None))),
            (None, Some("closed.abc"), Some((closed, Some("abc")))),
            (Some(Wanted(closed)), None, Some((closed, None))),
            (Some(Wanted(closed)), Some("abc"), Some((closed, Some("abc")))),
            (Some(Wanted(open)), Some("closed."), None),
        ] {
            assert_eq!(place(wanted, cursor).ok(), expected, "{wanted:?} {cursor:?}");
        }
    }
}
