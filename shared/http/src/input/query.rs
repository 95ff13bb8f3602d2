//! Query parameters: known, single unless they are a list, valid.

use std::{fmt::Display, str::FromStr};

use domain::{
    limits::{DEFAULT_PAGE, MAX_PAGE},
    refusal::FieldError,
};

use super::Input;

impl<'a> Input<'a> {
    /// A query parameter that may be given once.
    pub fn query<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        self.query_text(name).and_then(|text| self.read(name, text))
    }

    /// The values of a query parameter that must be given at least once and at most `max` times.
    pub fn query_list<T: FromStr<Err: Display>>(&mut self, name: &'static str, max: usize) -> Option<Vec<T>> {
        let texts = self.query_texts(name);
        if !(1..=max).contains(&texts.len()) {
            self.refuse(name, format!("must be given 1 to {max} times"));
            return None;
        }
        // All are read before the first fault ends it, so that every one is named.
        let values: Vec<Option<T>> = texts.into_iter().map(|text| self.read(name, text)).collect();
        values.into_iter().collect()
    }

    /// `limit` and `cursor` of a list.
    pub fn page(&mut self) -> Option<(usize, Option<String>)> {
        let limit = match self.query_text("limit") {
            None => Some(DEFAULT_PAGE),
            Some(text) => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let limit = text.parse().ok().filter(|limit| digits && (1..=MAX_PAGE).contains(limit));
                if limit.is_none() {
                    self.refuse("limit", format!("must be a whole number from 1 to {MAX_PAGE}"));
                }
                limit
            }
        };
        let cursor = self.query_text("cursor").map(str::to_owned);
        Some((limit?, cursor))
    }

    fn query_text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.query_texts(name)[..] {
            [] => None,
            [text] => Some(text),
            _ => {
                self.refuse(name, "must be given once");
                None
            }
        }
    }

    fn query_texts(&mut self, name: &'static str) -> Vec<&'a str> {
        self.known.push(name);
        self.request.query().iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn refuse_unknown_parameters(&mut self) {
        let unknown = self.request.query().iter().filter(|(name, _)| !self.known.contains(&name.as_str()));
        let errors: Vec<FieldError> = unknown
            .map(|(name, _)| FieldError {
                field: name.clone(),
                detail: "is not a parameter of this request".to_owned(),
            })
            .collect();
        self.errors.extend(errors);
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{Channel, Sku};

    use super::*;
    use crate::{
        parse,
        testing::{Sample, faults},
    };

    #[test]
    fn query_parameters_are_known_single_and_valid() {
        let get = Sample::new("GET /");
        let read = |input: &mut Input<'_>| Some(input.query::<Channel>("channel").unwrap_or_else(Channel::own));
        for (query, expected) in [("", "own"), ("channel=amazon", "amazon")] {
            assert_eq!(parse(&get.clone().query(query).request(), read).unwrap().as_str(), expected);
        }
        for (query, field, detail) in [
            ("channel=", "channel", "must be 1 to 32 characters of a-z 0-9 _ -, and not incoming"),
            ("channel=Own", "channel", "must be 1 to 32 characters of a-z 0-9 _ -, and not incoming"),
            ("channel=%FF", "channel", "must be 1 to 32 characters of a-z 0-9 _ -, and not incoming"),
            ("channel=own&channel=own", "channel", "must be given once"),
            ("chanel=own", "chanel", "is not a parameter of this request"),
            ("Channel=own", "Channel", "is not a parameter of this request"),
        ] {
            let expected = (field.to_owned(), detail.to_owned());
            assert_eq!(faults(&get.clone().query(query).request(), read), [expected], "{query}");
        }
    }

    #[test]
    fn a_list_parameter_is_given_at_least_once_and_not_too_often() {
        let get = Sample::new("GET /");
        let read = |input: &mut Input<'_>| input.query_list::<Sku>("sku", 3);
        let skus = parse(&get.clone().query("sku=b&sku=a&sku=b").request(), read).unwrap();
        assert_eq!(skus.iter().map(Sku::as_str).collect::<Vec<_>>(), ["b", "a", "b"]);
        for (query, count) in [("", 1), ("sku=a&sku=a&sku=a&sku=a", 1), ("sku=a+b&sku=c&sku=", 2)] {
            assert_eq!(faults(&get.clone().query(query).request(), read).len(), count, "{query}");
        }
    }

    #[test]
    fn pages_have_a_limit_and_a_cursor() {
        let get = Sample::new("GET /");
        for (query, limit, cursor) in
            [("", 50, None), ("limit=1", 1, None), ("limit=100&cursor=x%2By", 100, Some("x+y"))]
        {
            let page = parse(&get.clone().query(query).request(), Input::page).unwrap();
            assert_eq!(page, (limit, cursor.map(str::to_owned)));
        }
        for query in
            ["limit=0", "limit=101", "limit=-1", "limit=+5", "limit=1.5", "limit=", "limit=99999999999999999999"]
        {
            let expected = ("limit".to_owned(), "must be a whole number from 1 to 100".to_owned());
            assert_eq!(faults(&get.clone().query(query).request(), Input::page), [expected], "{query}");
        }
        assert_eq!(faults(&get.query("cursor=a&cursor=b").request(), Input::page).len(), 1);
    }
}
