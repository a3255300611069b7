//! Writes the headers: one from each file of src/ffi, and pirn.h over them all.

use super::{read, root};
use std::path::PathBuf;

/// A header under include/pirn/, and the file of src/ffi that it is written from.
struct Topic {
    name: &'static str,
    source: &'static str,
    /// The system's headers, then ours.
    includes: &'static [&'static str],
    /// Types that nothing in the same file mentions.
    types: &'static [&'static str],
}

const HANDLES: &[&str] = &[
    "pirn_loop",
    "pirn_event",
    "pirn_thread",
    "pirn_message",
    "pirn_future",
    "pirn_pool",
    "pirn_task_fn",
    "pirn_free_fn",
];

const TOPICS: &[Topic] = &[
    Topic { name: "base", source: "base", includes: &["<stddef.h>", "<stdint.h>"], types: HANDLES },
    Topic { name: "error", source: "errors", includes: &["\"base.h\""], types: &[] },
    Topic { name: "value", source: "values", includes: &["<string.h>", "\"base.h\""], types: &[] },
    Topic { name: "loop", source: "loops", includes: &["\"base.h\""], types: &[] },
    Topic { name: "event", source: "events", includes: &["\"base.h\""], types: &[] },
    Topic { name: "thread", source: "threads", includes: &["\"base.h\"", "\"value.h\""], types: &[] },
    Topic { name: "message", source: "messages", includes: &["\"base.h\"", "\"value.h\""], types: &[] },
    Topic { name: "future", source: "futures", includes: &["\"base.h\"", "\"value.h\""], types: &[] },
    Topic { name: "work", source: "work", includes: &["\"base.h\"", "\"value.h\""], types: &[] },
    Topic { name: "inspect", source: "inspect", includes: &["\"base.h\""], types: &[] },
];

/// Every header's path and text.
pub fn headers() -> Vec<(PathBuf, String)> {
    let mut headers: Vec<_> = topics().map(|topic| (path_of(topic), topic_header(topic))).collect();
    headers.push((PathBuf::from("include/pirn.h"), umbrella()));
    headers
}

/// The names of the headers under include/pirn/.
pub fn names() -> impl Iterator<Item = &'static str> {
    topics().map(|topic| topic.name)
}

fn topics() -> impl Iterator<Item = &'static Topic> {
    TOPICS.iter().filter(|topic| root().join(source_of(topic)).is_file())
}

fn path_of(topic: &Topic) -> PathBuf {
    format!("include/pirn/{}.h", topic.name).into()
}

fn source_of(topic: &Topic) -> PathBuf {
    format!("src/ffi/{}.rs", topic.source).into()
}

fn topic_header(topic: &Topic) -> String {
    let guard = format!("PIRN_{}_H", topic.name.to_uppercase());
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    config.header = Some(comment_of(&read(source_of(topic))));
    config.include_guard = Some(guard.clone());
    config.after_includes = Some(topic.includes.iter().map(|name| format!("#include {name}\n")).collect());
    config.export.include = topic.types.iter().map(|&name| name.to_owned()).collect();
    let bindings = cbindgen::Builder::new().with_config(config).with_src(root().join(source_of(topic))).generate();
    let mut text = Vec::new();
    bindings.expect("Rust that cbindgen can read").write(&mut text);
    let text = String::from_utf8(text).expect("UTF-8");
    let end = format!("#endif  /* {guard} */\n");
    let body = text.strip_suffix(&end).expect("the include guard's end");
    // A function's type can't call its parameter `self` in Rust.
    let body = without_tags(body).replace("*self_", "*self").replace("\n\n\n", "\n\n");
    format!("{body}{}{end}", extras(topic))
}

/// Types go by their plain names, as those that cbindgen doesn't know do anyway.
fn without_tags(text: &str) -> String {
    let plain = |line: &str| match line.starts_with("typedef struct ") || line.starts_with("typedef union ") {
        true => line.to_owned(),
        false => line.replace("struct pirn_", "pirn_").replace("union pirn_", "pirn_"),
    };
    text.split_inclusive('\n').map(plain).collect()
}

/// What cbindgen can't write: macros and static assertions, from src/ffi/extras/.
fn extras(topic: &Topic) -> String {
    let path = format!("src/ffi/extras/{}.h", topic.name);
    if !root().join(&path).is_file() {
        return String::new();
    }
    read(path)
        .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
        .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
        .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"))
        + "\n"
}

fn umbrella() -> String {
    let comment = comment_of(&read("src/ffi/extras/pirn.h"));
    let includes: String = names().map(|name| format!("#include \"pirn/{name}.h\"\n")).collect();
    format!("{comment}\n\n#ifndef PIRN_H\n#define PIRN_H\n\n{includes}\n#endif  /* PIRN_H */\n")
}

/// The `//!` lines at the top of a source file, as C's comment. They are written for C's readers.
fn comment_of(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: String = lines.map(|line| format!(" *{line}\n")).collect();
    format!("/*\n{lines} *\n * Written from the library's source by `make header`. Not to be edited.\n */")
}
