//! The API's contract as a page that a person can read: one self-contained HTML file, made from `openapi.yaml`.
//!
//! It shows what such a page is opened for (calls, parameters, bodies, answers, examples, schemas) and leaves the rest
//! to the YAML itself. Nothing is fetched from elsewhere.

use std::fmt::Write;

use anyhow::{Context, Result};
use yaml_serde::{Mapping, Value};

const STYLE: &str = include_str!("docs.css");
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Renders the page.
pub fn render(openapi: &str) -> Result<String> {
    let document: Value = yaml_serde::from_str(openapi).context("openapi.yaml is not YAML")?;
    let page = Page { document: &document };
    let mut html = String::new();
    page.write(&mut html).context("openapi.yaml")?;
    Ok(html)
}

struct Page<'a> {
    document: &'a Value,
}

impl Page<'_> {
    fn write(&self, html: &mut String) -> Result<()> {
        let info = &self.document["info"];
        let title = escape(info["title"].as_str().unwrap_or("API"));
        let version = escape(&scalar(&info["version"]));
        writeln!(html, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>")?;
        writeln!(html, "<meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>")?;
        writeln!(html, "<nav><h2>{title}</h2>")?;
        self.each_operation(|method, path, operation| {
            let summary = escape(operation["summary"].as_str().unwrap_or_default());
            Ok(writeln!(html, "<a href=\"#{}\" title=\"{summary}\">{}</a>", anchor(method, path), call(method, path))?)
        })?;
        writeln!(html, "<h3>Schemas</h3>")?;
        for (name, _) in entries(&self.document["components"]["schemas"]) {
            writeln!(html, "<a href=\"#schema-{name}\">{name}</a>")?;
        }
        writeln!(html, "</nav><main><h1>{title} <small>{version}</small></h1>")?;
        writeln!(html, "{}", prose(&info["description"]))?;
        writeln!(html, "<p>The contract for machines: <a href=\"/openapi.yaml\">openapi.yaml</a></p>")?;
        self.each_operation(|method, path, operation| self.operation(html, method, path, operation))?;
        writeln!(html, "<h2>Schemas</h2>")?;
        for (name, schema) in entries(&self.document["components"]["schemas"]) {
            writeln!(html, "<section id=\"schema-{name}\"><h3>{name}</h3>{}", prose(&schema["description"]))?;
            self.fields(html, schema)?;
            writeln!(html, "</section>")?;
        }
        Ok(writeln!(html, "</main></html>")?)
    }

    fn each_operation(&self, mut visit: impl FnMut(&str, &str, &Value) -> Result<()>) -> Result<()> {
        for (path, item) in entries(&self.document["paths"]) {
            for method in METHODS {
                if !item[method].is_null() {
                    visit(method, &path, &item[method])?;
                }
            }
        }
        Ok(())
    }

    fn operation(&self, html: &mut String, method: &str, path: &str, operation: &Value) -> Result<()> {
        writeln!(html, "<section id=\"{}\"><h2>{}</h2>", anchor(method, path), call(method, path))?;
        writeln!(html, "<p class=\"summary\">{}</p>", inline(operation["summary"].as_str().unwrap_or_default()))?;
        writeln!(html, "{}", prose(&operation["description"]))?;
        let shared = items(&self.document["paths"][path]["parameters"]);
        let parameters: Vec<&Value> =
            shared.chain(items(&operation["parameters"])).map(|parameter| self.resolve(parameter)).collect();
        if !parameters.is_empty() {
            writeln!(html, "<h4>Parameters</h4><table>")?;
            for parameter in parameters {
                let name = escape(parameter["name"].as_str().unwrap_or_default());
                let place = escape(parameter["in"].as_str().unwrap_or_default());
                let kind = format!("{place}, {}", kind(&parameter["schema"]));
                row(html, &name, is_true(&parameter["required"]), &kind, &parameter["description"])?;
            }
            writeln!(html, "</table>")?;
        }
        let body = self.resolve(&operation["requestBody"]);
        if !body.is_null() {
            writeln!(html, "<h4>Body</h4>{}", prose(&body["description"]))?;
            self.content(html, &body["content"])?;
        }
        writeln!(html, "<h4>Answers</h4>")?;
        for (status, response) in entries(&operation["responses"]) {
            let response = self.resolve(response);
            let class = status.chars().next().unwrap_or('x');
            let said = inline(response["description"].as_str().unwrap_or_default());
            writeln!(html, "<details><summary><b class=\"s{class}\">{status}</b> {said}</summary>")?;
            self.content(html, &response["content"])?;
            writeln!(html, "</details>")?;
        }
        Ok(writeln!(html, "</section>")?)
    }

    /// What a body consists of, and examples of it.
    fn content(&self, html: &mut String, content: &Value) -> Result<()> {
        for (media_type, content) in entries(content) {
            writeln!(html, "<p><code>{}</code> {}</p>", escape(&media_type), kind(&content["schema"]))?;
            if content["schema"]["$ref"].is_null() {
                self.fields(html, &content["schema"])?;
            }
            if !content["example"].is_null() {
                example(html, "", &content["example"])?;
            }
            for (name, found) in entries(&content["examples"]) {
                let found = self.resolve(found);
                example(html, found["summary"].as_str().unwrap_or(&name), &found["value"])?;
            }
        }
        Ok(())
    }

    /// The fields of an object, those that it takes over from others (`allOf`) included.
    fn fields(&self, html: &mut String, schema: &Value) -> Result<()> {
        let parts: Vec<&Value> =
            std::iter::once(schema).chain(items(&schema["allOf"])).map(|part| self.resolve(part)).collect();
        let fields: Vec<_> = parts.iter().flat_map(|part| entries(&part["properties"])).collect();
        if fields.is_empty() {
            return Ok(writeln!(html, "<p>{}</p>", kind(schema))?);
        }
        let required = |name: &str| parts.iter().flat_map(|part| items(&part["required"])).any(|field| field == name);
        writeln!(html, "<table>")?;
        for (name, field) in fields {
            let description = [field, self.resolve(field)].map(|field| &field["description"]);
            let description = description.into_iter().find(|text| !text.is_null()).unwrap_or(&Value::Null);
            row(html, &escape(&name), required(&name), &kind(field), description)?;
        }
        Ok(writeln!(html, "</table>")?)
    }

    /// Follows a `$ref` within the document.
    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        let Some(path) = value["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/")) else {
            return value;
        };
        path.split('/').fold(self.document, |found, name| &found[name])
    }
}

/// What a value may be, in a few words: `integer, 1 to 100`, `list of Line`, `"own"`.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for (key, word) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        let parts: Vec<String> = items(&schema[key]).map(kind).collect();
        if !parts.is_empty() {
            return parts.join(word);
        }
    }
    if !schema["const"].is_null() {
        return format!("<code>{}</code>", escape(&scalar(&schema["const"])));
    }
    let choices: Vec<String> =
        items(&schema["enum"]).map(|choice| format!("<code>{}</code>", escape(&scalar(choice)))).collect();
    let mut words = vec![match schema["type"].as_str() {
        _ if !choices.is_empty() => choices.join(" "),
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some(name) => escape(name),
        None => items(&schema["type"]).map(|name| escape(&scalar(name))).collect::<Vec<_>>().join(" or "),
    }];
    let limit = |low: &str, high: &str, unit: &str| match (scalar(&schema[low]), scalar(&schema[high])) {
        (low, high) if low.is_empty() && high.is_empty() => None,
        (low, high) if high.is_empty() => Some(format!("at least {low}{unit}")),
        (low, high) if low.is_empty() => Some(format!("at most {high}{unit}")),
        (low, high) => Some(format!("{low} to {high}{unit}")),
    };
    words.extend(limit("minimum", "maximum", ""));
    words.extend(limit("minLength", "maxLength", " characters"));
    words.extend(limit("minItems", "maxItems", " entries"));
    words.extend(schema["pattern"].as_str().map(|pattern| format!("<code>{}</code>", escape(pattern))));
    words.extend(schema["format"].as_str().map(escape));
    let default = &schema["default"];
    words.extend((!default.is_null()).then(|| format!("default <code>{}</code>", escape(&scalar(default)))));
    words.join(", ")
}

fn row(html: &mut String, name: &str, required: bool, kind: &str, description: &Value) -> Result<()> {
    let required = if required { " <em>required</em>" } else { "" };
    Ok(writeln!(html, "<tr><th>{name}{required}<td>{kind}<td>{}", prose(description))?)
}

fn example(html: &mut String, title: &str, value: &Value) -> Result<()> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other)?,
    };
    Ok(writeln!(html, "<figure><figcaption>{}</figcaption><pre>{}</pre></figure>", inline(title), escape(&text))?)
}

fn call(method: &str, path: &str) -> String {
    format!("<b class=\"{method}\">{}</b> <code>{}</code>", method.to_uppercase(), escape(path))
}

fn anchor(method: &str, path: &str) -> String {
    let path = path.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("{method}{path}")
}

fn entries(value: &Value) -> Vec<(String, &Value)> {
    value.as_mapping().into_iter().flat_map(Mapping::iter).map(|(name, value)| (scalar(name), value)).collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// The little Markdown that descriptions use: paragraphs, headings, lists, tables, bold and code.
fn prose(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()).map(block).collect()
}

fn block(text: &str) -> String {
    let all = |begins: &str| text.lines().all(|line| line.starts_with(begins) || line.starts_with("  "));
    if all("- ") {
        let entries: Vec<String> = text.trim_start_matches("- ").split("\n- ").map(inline).collect();
        return format!("<ul><li>{}</ul>", entries.join("<li>"));
    }
    if all("|") {
        let rows = text.lines().filter(|line| !line.starts_with("|--")).map(|line| line.trim_matches('|'));
        let rows: Vec<String> = rows.map(|row| inline(row).replace('|', "<td>")).collect();
        return format!("<table><tr><td>{}</table>", rows.join("<tr><td>"));
    }
    match text.strip_prefix('#') {
        Some(heading) => format!("<h4>{}</h4>", inline(heading.trim_start_matches('#'))),
        None => format!("<p>{}</p>", inline(text)),
    }
}

fn inline(text: &str) -> String {
    let marked = |text: &str, mark: &str, tag: &str, rest: &dyn Fn(&str) -> String| -> String {
        let part = |(index, part): (usize, &str)| match index % 2 {
            0 => rest(part),
            _ => format!("<{tag}>{part}</{tag}>"),
        };
        text.split(mark).enumerate().map(part).collect()
    };
    marked(&escape(text), "`", "code", &|text| marked(text, "**", "b", &str::to_owned))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
openapi: 3.1.0
info:
  { title: Things <1>, version: "2", description: "**One** `**`.\n\n- `a` & b\n- c\n\n| x | y |\n|---|---|\n| 1 | 2 |" }
paths:
  /things/{id}:
    parameters: [{ $ref: '#/components/parameters/Id' }]
    get:
      summary: Read a thing
      responses:
        '200':
          description: Here
          content: { application/json: { schema: { $ref: '#/components/schemas/Thing' }, example: { n: 3 } } }
        '404': { $ref: '#/components/responses/Missing' }
components:
  parameters: { Id: { name: id, in: path, required: true, schema: { type: string, maxLength: 9 } } }
  responses: { Missing: { description: No such thing } }
  schemas:
    Thing:
      type: object
      required: [n]
      properties:
        n: { type: integer, minimum: 1, maximum: 5 }
        kind: { enum: [x, y] }
        all: { type: array, items: { type: string } }
"#;

    #[test]
    fn calls_parameters_answers_and_schemas_are_shown() {
        let html = render(SMALL).unwrap();
        for expected in [
            "Things &lt;1&gt;",
            "<p><b>One</b> <code>**</code>.</p>",
            "<ul><li><code>a</code> &amp; b<li>c</ul>",
            "<table><tr><td> x <td> y <tr><td> 1 <td> 2 </table>",
            "<section id=\"get-things--id-\">",
            "id <em>required</em><td>path, string, at most 9 characters",
            "<b class=\"s4\">404</b> No such thing",
            "<a href=\"#schema-Thing\">Thing</a>",
            "&quot;n&quot;: 3",
            "n <em>required</em><td>integer, 1 to 5",
            "<code>x</code> <code>y</code>",
            "list of string",
        ] {
            assert!(html.contains(expected), "{expected} is missing in {html}");
        }
    }

    #[test]
    fn the_projects_own_contract_renders() {
        let html = render(super::super::OPENAPI).unwrap();
        assert!(html.contains("id=\"post-v1-reservations\""));
    }
}
