//! The house keeps its own rules.

use std::collections::{BTreeSet, HashMap};
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
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches("pub ").trim_start_matches("pub(crate) "));
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

/// The lines of a file but for its unit tests, which end with the brace at the beginning of a line.
fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_for_tests, mut is_test) = (false, false);
    text.lines().filter(move |line| {
        is_test |= is_for_tests && *line == "mod tests {";
        is_for_tests = line.starts_with("#[cfg(") && line.contains("test");
        let is_kept = !is_test;
        is_test &= *line != "}";
        is_kept
    })
}

/// What is no test and no comment.
fn code(text: &str) -> impl Iterator<Item = &str> {
    without_tests(text).filter(|line| !line.trim_start().starts_with("//"))
}

/// The sources that are no tests, as paths below `src`.
fn sources() -> Vec<PathBuf> {
    let src = root().join("src");
    let mut found: Vec<_> = files(&src)
        .iter()
        .map(|path| path.strip_prefix(&src).unwrap().to_owned())
        .filter(|path| !path.iter().any(|part| part == "tests" || part == "tests.rs"))
        .collect();
    found.sort();
    found
}

/// The module that a file is: `source/nats/reader.rs` is `[source, nats, reader]`, and a `mod.rs` is its folder.
fn module(path: &Path) -> Vec<String> {
    let mut parts: Vec<_> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// The paths that a line names within the crate, as their parts.
fn paths(line: &str) -> impl Iterator<Item = Vec<&str>> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
            .unwrap_or(rest.len());
        rest[..end].split("::").collect()
    })
}

/// Why a line may name a file in a way that [`paths`] does not see, if it may: every path begins with `crate::`, in one piece.
fn detour(line: &str) -> Option<&'static str> {
    let is_word = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut words = ["super", "crate"]
        .into_iter()
        .flat_map(|word| line.match_indices(word))
        .filter(|(at, _)| is_word(*at));
    words.find_map(|(at, word)| match (word, &line[at + word.len()..]) {
        ("super", rest) => rest
            .trim_start()
            .starts_with("::")
            .then_some("begins a path with `super`"),
        (_, rest) => {
            let is_apart = rest.is_empty() || rest.starts_with([' ', '/']);
            is_apart.then_some("names the crate otherwise than by `crate::`")
        }
    })
}

/// What each folder lists, by its module. The root is the empty one.
fn orders() -> HashMap<Vec<String>, Vec<String>> {
    let lists = sources().into_iter().filter(|path| {
        let name = path.file_name().unwrap();
        name == "mod.rs" || name == "lib.rs"
    });
    lists
        .map(|path| (module(&path), modules(&read(Path::new("src").join(&path)))))
        .collect()
}

/// Why a module may not name this path, if it may not: where they part, it has to stand above, in the list of that folder.
fn offence(orders: &HashMap<Vec<String>, Vec<String>>, user: &[String], used: &[&str]) -> Option<String> {
    let shared = user.iter().zip(used).take_while(|(user, used)| user == used).count();
    let folder = &user[..shared];
    // Its own file, and what a `mod.rs` says of its own folder.
    if shared == user.len() {
        return None;
    }
    let order = orders.get(folder)?;
    let rank = |name: &str| order.iter().position(|listed| listed == name);
    let Some(own) = rank(&user[shared]) else {
        return Some(format!("{} is listed in no mod.rs", user.join("::")));
    };
    match used.get(shared).and_then(|name| rank(name)) {
        // At the root stand the names that the public uses; within the crate a name has one path.
        None => Some("names no file".to_owned()),
        Some(rank) if rank < own => Some("is above it".to_owned()),
        Some(_) => None,
    }
}

#[test]
fn a_file_uses_only_files_below_it() {
    let orders = orders();
    let mut checked = 0;
    let mut offences = Vec::new();
    for path in sources() {
        let user = module(&path);
        let text = read(Path::new("src").join(&path));
        for line in code(&text) {
            if let Some(detour) = detour(line) {
                offences.push(format!("{}: {} {detour}", path.display(), line.trim()));
            }
            for used in paths(line) {
                checked += 1;
                if let Some(offence) = offence(&orders, &user, &used) {
                    offences.push(format!("{}: {} {offence}", path.display(), used.join("::")));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    assert!(checked > 500, "{checked}");
}

#[test]
fn the_order_of_files_is_enforced_at_every_depth() {
    let list = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let orders = HashMap::from([
        (vec![], list("source state")),
        (list("source"), list("driver nats error")),
        (list("source nats"), list("source reader")),
    ]);
    let offence = |user: &str, used: &str| offence(&orders, &list(user), &used.split("::").collect::<Vec<_>>());
    assert_eq!(offence("source nats reader", "source::error::SourceError"), None);
    assert_eq!(offence("source nats reader", "state::Store"), None);
    assert_eq!(offence("source driver", "source::nats::NatsSource"), None);
    for (user, used) in [
        ("state", "source::Error"),
        ("source error", "source::nats::reader::Reader"),
        ("source nats reader", "source::nats::source::NatsSource"),
        ("source nats reader", "source::nats::NatsSource"),
        ("source nats lost", "source::nats::reader::Reader"),
        ("state", "EventSink"),
    ] {
        assert!(offence(user, used).is_some(), "{user} uses {used}");
    }
}

#[test]
fn a_path_that_takes_a_detour_is_found() {
    for line in [
        "use super::super::sink::EventSink;",
        "    super::above()",
        "use crate as house;",
        "extern crate self as house;",
        "type Above = crate",
        "type Above = crate /* */ ::sink::EventSink;",
    ] {
        assert!(detour(line).is_some(), "{line}");
    }
    for line in [
        "pub(super) use crate::sink::EventSink;",
        "pub(crate) fn crates() {}",
        "let superior::Below = below;",
        "let of_crate = $crate::sink::below();",
    ] {
        assert_eq!(detour(line), None, "{line}");
    }
}

#[test]
fn what_stands_behind_the_tests_is_code() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\n    {\n    }\n}\nc\nmod tests {\nd\n}\n";
    let kept: Vec<_> = code(text).filter(|line| line.len() == 1).collect();
    assert_eq!(kept, ["a", "b", "c", "d", "}"]);
}

#[test]
fn a_folder_and_a_file_can_be_read_in_one_sitting() {
    let src = root().join("src");
    let mut counts = HashMap::new();
    for path in sources() {
        *counts.entry(path.parent().unwrap().to_owned()).or_insert(0) += 1;
        let text = read(Path::new("src").join(&path));
        let lines = without_tests(&text).count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
        let name = path.file_stem().unwrap();
        let folder = path.parent().and_then(Path::file_name);
        assert!(Some(name) != folder, "{} is named like its folder", path.display());
    }
    for (folder, files) in counts {
        let most = if folder == Path::new("") {
            MOST_AT_THE_ROOT
        } else {
            MOST_FILES
        };
        assert!(files <= most, "{} has {files} files", src.join(folder).display());
    }
}

/// Lines of a file, its tests not counted.
const MOST_LINES: usize = 400;
/// Files of a folder, its `mod.rs` counted.
const MOST_FILES: usize = 17;
/// `lib.rs` and three more.
const MOST_AT_THE_ROOT: usize = 4;

#[test]
fn a_search_for_a_type_has_one_answer() {
    let mut definitions = HashMap::new();
    for path in sources() {
        let text = read(Path::new("src").join(&path));
        for line in code(&text) {
            // What a trait demands and an implementation gives is indented, and no definition.
            let line = line.trim_start_matches("pub ");
            let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let words = ["struct ", "enum ", "trait ", "type ", "union "];
            if let Some(rest) = words.iter().find_map(|word| line.strip_prefix(word)) {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap();
                let places: &mut Vec<_> = definitions.entry(rest[..end].to_owned()).or_default();
                places.push(path.display().to_string());
            }
        }
    }
    let mut twice: Vec<_> = definitions.iter().filter(|(_, places)| places.len() > 1).collect();
    twice.sort();
    assert!(twice.is_empty(), "{twice:#?}");
    assert!(definitions.len() > 200, "{}", definitions.len());
}

/// The public functions of a source, each with the first line of its documentation.
fn documented_functions(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let (mut summary, mut is_in_attribute) = (None, false);
    for line in without_tests(text) {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("/// ") {
            summary.get_or_insert(doc);
        } else if is_in_attribute || line.starts_with("#[") {
            is_in_attribute = !line.ends_with(']');
        } else if !line.starts_with("//") {
            let summary = summary.take();
            let starts = ["pub fn ", "pub const fn ", "pub async fn "];
            let function = starts.iter().find_map(|start| line.strip_prefix(start));
            found.extend(function.zip(summary));
        }
    }
    found
}

/// Whether a sentence starts with a verb in the third person.
fn starts_with_a_verb(sentence: &str) -> bool {
    let word = sentence.split(|c: char| !c.is_alphabetic()).next().unwrap();
    let is_capital = word.starts_with(char::is_uppercase);
    is_capital && word.ends_with('s') && !word.ends_with("ss") && !NO_VERBS.contains(&word)
}

/// Words that end like a verb, and do not say what a function does.
const NO_VERBS: &[&str] = &[
    "Always",
    "As",
    "Bytes",
    "Credentials",
    "Entries",
    "Events",
    "Has",
    "Is",
    "Its",
    "Keys",
    "Lists",
    "Messages",
    "Milliseconds",
    "Others",
    "Seconds",
    "This",
    "Tokens",
    "Was",
];

#[test]
fn public_functions_say_first_what_they_do() {
    let mut checked = 0;
    let mut offences = Vec::new();
    for path in sources() {
        let text = read(Path::new("src").join(&path));
        for (function, summary) in documented_functions(&text) {
            checked += 1;
            if !starts_with_a_verb(summary) {
                let name = function.split(['(', '<']).next().unwrap();
                offences.push(format!("{}: {name}: {summary}", path.display()));
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    assert!(checked > 150, "{checked}");
}

#[test]
fn a_summary_is_found_and_judged_by_its_first_word() {
    let text = "/// Returns a.\n///\n/// Costs b.\n#[must_use]\npub const fn a() {}\n\n/// The b.\n#[cfg_attr(\n    c,\n    \
                d\n)]\npub fn b<T>() {}\n/// Waits.\npub(crate) fn c() {}\npub async fn d() {}\n";
    let found = documented_functions(text);
    assert_eq!(found, [("a() {}", "Returns a."), ("b<T>() {}", "The b.")]);
    for sentence in ["Returns it.", "Sets [`X`].", "Passes."] {
        assert!(starts_with_a_verb(sentence), "{sentence}");
    }
    for sentence in [
        "The time.",
        "`x` is.",
        "Whether.",
        "Its name.",
        "Is called.",
        "Process.",
        "returns",
    ] {
        assert!(!starts_with_a_verb(sentence), "{sentence}");
    }
}

#[test]
fn only_the_pair_of_states_is_behind_an_arc_swap() {
    for path in files(&root().join("src")) {
        let text = read(&path);
        let (is_sync, is_pair) = (path.ends_with("state/sync.rs"), path.ends_with("left_right/pair.rs"));
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
    let mut manifest = read("Cargo.toml");
    if manifest.starts_with("# THIS FILE IS AUTOMATICALLY GENERATED BY CARGO") {
        // In a published package, where Cargo keeps what we wrote, with its comments, under another name.
        manifest = read("Cargo.toml.orig");
    }
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
    let cells = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(cell, _)| cell));
    let rows = cells.flat_map(|cell| cell.split("`, `").map(str::to_owned));
    assert_eq!(rows.collect::<BTreeSet<_>>(), names);
}
