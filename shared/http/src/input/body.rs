//! The body as a whole: called JSON, not too large, one object.

use domain::limits::MAX_BODY_BYTES;
use serde::de::DeserializeOwned;

use super::Input;
use crate::{Problem, json};

impl Input<'_> {
    /// The body, which must be there.
    pub fn body<T: DeserializeOwned>(&mut self) -> Option<T> {
        if self.request.body().is_some_and(<[u8]>::is_empty) {
            self.refuse("body", "is required: a JSON object");
            return None;
        }
        self.read_body()
    }

    /// The body, or its default if there is none.
    pub fn optional_body<T: DeserializeOwned + Default>(&mut self) -> Option<T> {
        if self.request.body().is_some_and(<[u8]>::is_empty) {
            return Some(T::default());
        }
        self.read_body()
    }

    fn read_body<T: DeserializeOwned>(&mut self) -> Option<T> {
        let content_type = self.request.header("Content-Type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let Some(body) = self.request.body() else {
            self.refuse("body", "must be base64 if the request says that it is");
            return None;
        };
        if !media_type.eq_ignore_ascii_case("application/json") {
            self.refused = Some(Problem::unsupported_media_type());
        } else if body.len() > MAX_BODY_BYTES {
            self.refused = Some(Problem::body_too_large());
        } else {
            return json::read(body).map_err(|error| self.errors.push(error)).ok();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::{
        Input, Kind,
        json::Text,
        parse,
        testing::{Sample, faults},
    };

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        note: Text,
    }

    fn kind(sample: &Sample) -> Kind {
        parse(&sample.request(), Input::body::<Body>).unwrap_err().kind()
    }

    #[test]
    fn a_body_is_called_json_and_not_too_large() {
        let post = |content_type: &str| Sample::new("POST /").header("Content-Type", content_type).body("{}");
        for content_type in
            ["application/json", "Application/JSON", "application/json; charset=utf-8", " application/json "]
        {
            assert!(parse(&post(content_type).request(), Input::body::<Body>).is_ok(), "{content_type}");
        }
        for content_type in
            ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded", "application/problem+json"]
        {
            assert_eq!(kind(&post(content_type)), Kind::UnsupportedMediaType, "{content_type}");
        }
        assert_eq!(kind(&post("").without_header("Content-Type")), Kind::UnsupportedMediaType);
        let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
        let json = post("application/json");
        assert!(parse(&json.clone().body(&padded(64 * 1024)).request(), Input::body::<Body>).is_ok());
        assert_eq!(kind(&json.clone().body(&padded(64 * 1024 + 1))), Kind::BodyTooLarge);
        assert_eq!(kind(&json.body(&padded(1024 * 1024))), Kind::BodyTooLarge);
        assert_eq!(kind(&post("text/plain").body(&padded(1024 * 1024))), Kind::UnsupportedMediaType);
    }

    #[test]
    fn a_body_is_there_if_it_must_be_and_readable() {
        let post = Sample::new("POST /");
        for (sample, detail) in [
            (post.clone(), "is required: a JSON object"),
            (post.clone().base64_body("%%%"), "must be base64 if the request says that it is"),
            (post.clone().base64_body("/w=="), "must be UTF-8; byte 0 is not"),
            (post.clone().body("[]"), "invalid type: sequence, expected an object at line 1 column 0"),
        ] {
            assert_eq!(faults(&sample.request(), Input::body::<Body>), [("body".to_owned(), detail.to_owned())]);
        }
        let none = post.without_header("Content-Type").request();
        assert_eq!(parse(&none, Input::optional_body::<Body>).unwrap(), Body::default());
    }
}
