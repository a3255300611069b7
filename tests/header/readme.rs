//! The C programs in the documentation compile and run as they are printed.

use super::compile::{C, build};
use super::{read, root};
use std::process::Command;

#[test]
fn the_programs_of_the_documentation_run() {
    let mut documents = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs")).expect("docs/") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            documents.push(format!("docs/{name}"));
        }
    }
    for document in documents {
        for (number, source) in programs_in(&read(&document)).into_iter().enumerate() {
            let name = format!("{}-{number}", document.replace('/', "-"));
            let program = build(C, &name, &source);
            let ran =
                Command::new(&program.path).env("LD_LIBRARY_PATH", &program.libraries).output().expect("a program");
            assert!(ran.status.success(), "{name}: {}\n{source}", String::from_utf8_lossy(&ran.stderr));
        }
    }
}

/// The ```c blocks that have a main function.
fn programs_in(document: &str) -> Vec<String> {
    let blocks = document.split("\n```c\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.filter(|block| block.contains("int main(")).map(|block| format!("{block}\n")).collect()
}
