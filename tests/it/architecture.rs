//! The house keeps its own rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The modules that a file lists, in its order.
fn modules(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start_matches("pub "));
    let names = lines.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// What comes before the tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

#[test]
fn a_file_uses_only_files_below_it() {
    let order = modules(&read("src/lib.rs"));
    let mut checked = 0;
    for path in files(&root().join("src")) {
        let relative = path.strip_prefix(root().join("src")).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        let Some(rank) = order.iter().position(|name| name == module) else {
            assert_eq!(module, "lib", "{module} is listed in lib.rs");
            continue;
        };
        let text = read(&path);
        for used in code(&text).lines().filter_map(|line| line.strip_prefix("use crate::")) {
            let used = used.split([':', ';']).next().unwrap();
            let used_rank = order.iter().position(|name| name == used);
            assert!(
                used_rank.is_some_and(|used_rank| used_rank >= rank),
                "{} uses {used}, which is above it",
                relative.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn only_the_pair_of_states_is_behind_an_arc_swap() {
    for path in files(&root().join("src")) {
        let text = read(&path);
        let (is_sync, is_pair) = (path.ends_with("src/sync.rs"), path.ends_with("left_right/pair.rs"));
        assert_eq!(text.contains("arc_swap"), is_sync, "{}", path.display());
        assert_eq!(text.contains("ArcSwap"), is_sync || is_pair, "{}", path.display());
    }
}

#[test]
fn a_mod_file_holds_no_code() {
    for path in files(&root().join("src"))
        .iter()
        .filter(|path| path.ends_with("mod.rs"))
    {
        for line in read(path).lines() {
            let is_allowed = [
                "//",
                "#[",
                "mod ",
                "pub mod ",
                "pub(crate) mod ",
                "pub use ",
                "pub(crate) use ",
                "use ",
                "",
            ]
            .iter()
            .any(|start| {
                if start.is_empty() {
                    line.is_empty()
                } else {
                    line.starts_with(start)
                }
            });
            assert!(is_allowed, "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_feature_is_explained_in_the_readme_and_the_manifest() {
    let manifest = read("Cargo.toml");
    let features = manifest
        .split("[features]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let mut names = BTreeSet::new();
    let mut explained = false;
    for line in features.lines() {
        match line.split_once(" = ") {
            Some((name, _)) => {
                assert!(explained || name == "default", "{name} has no comment");
                names.insert(name.to_owned());
                explained = false;
            }
            None => explained = line.starts_with('#'),
        }
    }
    names.remove("default");
    let readme = read("README.md");
    let table = readme
        .split("## Features")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rows = table
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), names);
}
