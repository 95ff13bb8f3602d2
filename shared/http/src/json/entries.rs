//! Objects whose names the caller chooses: `{"own": 40, "amazon": 35}`. In the order of the body; the same name twice is refused.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use super::Field;

/// Names and what each of them holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T>(pub Vec<(String, T)>);

/// A field with such an object.
pub type Table<T> = Field<Entries<T>>;

/// A word, or such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordOr<T> {
    /// The word.
    Word(String),
    /// The object.
    Entries(Entries<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Named(PhantomData)).map(Self::Given)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<WordOr<T>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable(PhantomData)).map(Self::Given)
    }
}

struct Named<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
        let mut names = BTreeSet::new();
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("must not name the same twice"));
            }
            entries.push((name, value));
        }
        Ok(Entries(entries))
    }
}

struct WordOrTable<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for WordOrTable<T> {
    type Value = WordOr<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an object")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<WordOr<T>, E> {
        Ok(WordOr::Word(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WordOr<T>, A::Error> {
        Named(PhantomData).visit_map(map).map(WordOr::Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Whole, read};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        numbers: Table<Whole>,
        either: Field<WordOr<Whole>>,
    }

    #[test]
    fn names_keep_their_order_and_values_say_what_is_wrong_with_them() {
        let body: Body = read(br#"{"numbers": {"b": 2, "a": null}, "either": {"": 1}}"#).unwrap();
        let Field::Given(Entries(numbers)) = body.numbers else { panic!("given") };
        assert_eq!(numbers[0], ("b".to_owned(), Field::Given(2)));
        assert!(matches!(&numbers[1], (name, Field::Wrong(_)) if name == "a"));
        assert!(matches!(body.either, Field::Given(WordOr::Entries(Entries(entries))) if entries.len() == 1));
        let body: Body = read(br#"{"either": "x"}"#).unwrap();
        assert_eq!(body.either, Field::Given(WordOr::Word("x".to_owned())));
        assert_eq!((read::<Body>(b"{}").unwrap(), body.numbers), (Body::default(), Field::Absent));
    }

    #[test]
    fn what_is_no_such_object_is_named() {
        for (body, field, detail) in [
            (r#"{"numbers": {"a": 1, "a": 1}}"#, "numbers", "must not name the same twice"),
            (r#"{"numbers": []}"#, "numbers", "invalid type: sequence, expected an object"),
            (r#"{"numbers": null}"#, "numbers", "invalid type: null, expected an object"),
            (r#"{"either": {"a": 1, "a": 1}}"#, "either", "must not name the same twice"),
            (r#"{"either": 3}"#, "either", "invalid type: integer `3`, expected a text or an object"),
            (r#"{"either": null}"#, "either", "invalid type: null, expected a text or an object"),
        ] {
            let error = read::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(error.field, field, "{body}: {}", error.detail);
            assert!(error.detail.starts_with(detail), "{}", error.detail);
        }
    }
}
