//! What goes over the wire: one golden file for each vendor.

use serde_json::Value;
use vendor::transport::Request;

use crate::support::{all, key, lets_in, number};

/// As a person reads it, but for what is secret.
fn shown(request: &Request) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    let headers = request.headers().iter().map(|(name, value)| {
        let value = if value.is_sensitive() { "(secret)" } else { value.to_str().unwrap() };
        format!("{name}: {value}")
    });
    lines.extend(headers);
    let body = String::from_utf8(request.body().clone()).unwrap();
    if lets_in(request.uri().path()) {
        let names: Vec<String> = match serde_json::from_str::<Value>(&body) {
            Ok(json) => json.as_object().unwrap().keys().cloned().collect(),
            Err(_) => {
                body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_owned()).collect()
            }
        };
        lines.push(format!("\n(secret: {})", names.join(", ")));
    } else if !body.is_empty() {
        lines.push(format!("\n{body}"));
    }
    lines.join("\n")
}

#[tokio::test]
async fn every_call_is_as_its_golden_file_says() {
    for world in all() {
        let created = world.created("HF-1").await;
        world.office.books().receive(number(&created.id), 0, 4);
        world.erp.read(erp::Which::Key(&key("HF-1"))).await.unwrap();
        world.state(&created.id).await;
        world.erp.cancel(&created.id, &key("HF-1")).await.unwrap();
        let text: Vec<String> = world.office.take_calls().iter().map(shown).collect();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(world.kind.word(), text.join("\n\n")));
    }
}
