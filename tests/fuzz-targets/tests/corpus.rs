//! Every input that was kept, run through its target: those that a person wrote (`seeds`), and those by which the fuzzer reached
//! something new (`corpus`).

use std::{
    collections::BTreeMap,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use holdfast_fuzz_targets::{Seen, TARGETS, Target, routes};

fn kept(target: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let folders = ["seeds", "corpus"].map(|folder| fuzz.join(folder).join(target));
    let mut files: Vec<PathBuf> = folders
        .iter()
        // Where nothing was found yet there is no corpus.
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Runs the target over everything kept for it, and names every input that breaks it.
fn run(name: &str) {
    let target: Target = TARGETS.iter().find(|(known, _)| *known == name).expect("a target").1;
    let mut seen: BTreeMap<Seen, usize> = BTreeMap::new();
    let mut broken = Vec::new();
    for file in kept(name) {
        let bytes = fs::read(&file).unwrap();
        match catch_unwind(|| target(&bytes)) {
            Ok(came) => *seen.entry(came).or_default() += 1,
            Err(_) => broken.push(file),
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    // A corpus of which everything is refused at the first byte would prove nothing.
    assert!(seen.len() == 2, "inputs of both kinds: {seen:?}");
    println!("{name}: {seen:?}");
}

#[test]
fn http_requests() {
    run("http");
}

#[test]
fn batches_of_events() {
    run("events");
}

#[test]
fn messages_of_the_queues() {
    run("messages");
}

#[test]
fn ids_of_queued_orders() {
    run("order_id");
}

#[test]
fn ids_and_other_texts() {
    run("texts");
}

#[test]
fn stored_items() {
    run("items");
}

#[test]
fn csv_files() {
    run("files");
}

#[test]
fn deliveries_to_webhooks() {
    run("webhooks");
}

#[test]
fn answers_of_vendors() {
    run("answers");
}

#[test]
fn notices_and_news() {
    run("notices");
}

#[test]
fn every_route_has_an_input() {
    assert_eq!(routes().len(), 48);
    let all = kept("http").iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>().join(&b'\n');
    let all = String::from_utf8_lossy(&all);
    for (method, path) in routes() {
        let parts: Vec<&str> = path.split('/').collect();
        let asked = all.lines().filter_map(|line| line.strip_prefix(method)?.strip_prefix(' '));
        let mut asked = asked.map(|target| target.split('?').next().unwrap_or_default().split('/').collect::<Vec<_>>());
        let fits = |given: &Vec<&str>| {
            given.len() == parts.len()
                && given.iter().zip(&parts).all(|(given, part)| given == part || part.starts_with('{'))
        };
        assert!(asked.any(|given| fits(&given)), "{method} {path}");
    }
}
