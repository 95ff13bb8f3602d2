//! A line of a log with the field `alarm` wakes nobody by itself: `template.yaml` counts it where it is written, rings, and says where to read what
//! is to be done.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use yaml_serde::Value;

/// An alarm that is written by what several functions call: whoever calls this writes it.
const SHARED: [(&str, &str); 2] = [("shortfall", "record_order("), ("unreadable-order", "record_order(")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All sources below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    texts
}

/// What is between these, wherever it is.
fn between<'a>(text: &'a str, before: &str, after: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(found, _)| found).collect()
}

/// `channel-poll` as `ChannelPoll`.
fn camel(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}

/// The alarms in the logs of each function.
fn written() -> BTreeSet<(String, String)> {
    let mut written = BTreeSet::new();
    for folder in fs::read_dir(root().join("functions")).unwrap() {
        let folder = folder.unwrap();
        let name = camel(folder.file_name().to_str().unwrap());
        let text = sources(&folder.path().join("src")).concat();
        let own = between(&text, "alarm = \"", "\"").into_iter();
        let called = SHARED.iter().filter(|(_, call)| text.contains(call)).map(|(alarm, _)| *alarm);
        written.extend(own.chain(called).map(|alarm| (name.clone(), alarm.to_owned())));
    }
    written
}

#[test]
fn every_alarm_in_a_log_rings_and_is_explained() {
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let template: Value = yaml_serde::from_str(&template).unwrap();
    let resources = template["Resources"].as_mapping().unwrap();
    let of_type = |kind: &'static str| resources.iter().map(|(_, it)| it).filter(move |it| it["Type"] == *kind);
    // (function, alarm) and the metric that counts it.
    let mut counted: BTreeMap<(String, String), String> = BTreeMap::new();
    for filter in of_type("AWS::Logs::MetricFilter") {
        let properties = &filter["Properties"];
        let pattern = properties["FilterPattern"].as_str().unwrap();
        let group = text(&properties["LogGroupName"]);
        let metric = text(&properties["MetricTransformations"][0]["MetricName"]);
        for alarm in between(pattern, "$.alarm = \"", "\"") {
            counted.insert((group.trim_end_matches("Logs").to_owned(), alarm.to_owned()), metric.clone());
        }
    }
    assert_eq!(counted.keys().cloned().collect::<BTreeSet<_>>(), written(), "counted, and written");

    let operations = fs::read_to_string(root().join("infra/docs/OPERATIONS.md")).unwrap();
    let headings: Vec<&str> = operations.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    for metric in counted.values().collect::<BTreeSet<_>>() {
        let mut alarms = of_type("AWS::CloudWatch::Alarm").map(|alarm| &alarm["Properties"]);
        let alarm = alarms.find(|alarm| alarm["MetricName"] == **metric);
        let alarm = alarm.unwrap_or_else(|| panic!("nothing rings for {metric}"));
        let description = text(&alarm["AlarmDescription"]);
        let named = between(&description, "See ", " in infra/docs/OPERATIONS.md");
        assert!(!named.is_empty(), "{metric}: {description}");
        assert!(named.iter().all(|name| headings.iter().any(|all| all.split(", ").any(|it| it == *name))), "{named:?}");
    }
}

#[test]
fn every_alarm_of_the_shared_code_is_known_to_be_written_by_somebody() {
    let shared = sources(&root().join("shared")).concat();
    let known: BTreeSet<&str> = SHARED.iter().map(|(alarm, _)| *alarm).collect();
    assert_eq!(between(&shared, "alarm = \"", "\""), known);
}

/// A text, tagged or not: `!Ref WebhookLogs` is `WebhookLogs`.
fn text(value: &Value) -> String {
    match value {
        Value::Tagged(tagged) => text(&tagged.value),
        value => value.as_str().unwrap_or_default().to_owned(),
    }
}
