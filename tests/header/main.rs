//! The headers, and the documentation's C: written from the library's source, and held to what they say.
//!
//! `make header` writes them; everything else here only looks.

#![expect(clippy::panic, reason = "a test that can't go on says so")]

mod compile;
mod documented;
mod exported;
mod generate;
mod prototypes;
mod readme;

use std::path::{Path, PathBuf};

/// The project's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the project.
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where the library is that was built along with these tests: beside them.
fn built() -> PathBuf {
    let tests = std::env::current_exe().expect("a path of our own");
    tests.parent().expect("a directory").to_owned()
}

#[test]
#[ignore = "writes the headers; `make header` runs it"]
fn write_headers() {
    for (path, text) in generate::headers() {
        let path = root().join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("the directory");
        std::fs::write(&path, text).expect("the header");
    }
}

#[test]
fn the_headers_are_as_the_source_says() {
    for (path, text) in generate::headers() {
        assert!(read(&path) == text, "{} differs from the source; run `make header`", path.display());
    }
    let written = generate::headers().len();
    let there = std::fs::read_dir(root().join("include/pirn")).expect("include/pirn").count() + 1;
    assert_eq!(there, written, "include/ holds a header that nobody writes");
}
