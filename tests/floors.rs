//! The source keeps to the floors that docs/architecture.md draws, and to a few measures.
#![expect(clippy::panic, reason = "a test that can't go on says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lines of code in a file, without comments and tests.
const MOST_LINES: usize = 400;
/// Lines inside a C function: it guards, makes one call, and maps the result.
const MOST_LINES_IN_C: usize = 12;

#[test]
fn each_file_names_lower_floors_only() {
    let floors = floors();
    let mut faults = Vec::new();
    for file in sources() {
        let module = module_of(&file);
        if module == "lib" {
            continue;
        }
        let Some(floor) = floors.get(module.as_str()) else {
            faults.push(format!("{}: `{module}` is on no floor of docs/architecture.md", file.display()));
            continue;
        };
        for (line, named) in named_modules(&read(&file)) {
            let allowed = named == module || floors.get(named.as_str()).is_some_and(|below| below < floor);
            if !allowed {
                faults.push(format!("{}:{line}: `{module}` (floor {floor}) names `{named}`", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    for file in sources() {
        let lines = code_of(&read(&file)).filter(|(_, code)| !code.trim().is_empty()).count();
        assert!(lines <= MOST_LINES, "{}: {lines} lines of code", file.display());
    }
}

#[test]
fn c_functions_are_thin() {
    for file in sources().into_iter().filter(|file| module_of(file) == "ffi") {
        let mut begun: Option<(String, usize)> = None;
        for (_, code) in code_of(&read(&file)).filter(|(_, code)| !code.trim().is_empty()) {
            match &mut begun {
                None if code.starts_with("pub ") && code.contains("extern \"C\" fn ") => begun = Some((code, 0)),
                // The end of a signature of several lines.
                Some((_, lines)) if code.starts_with(')') => *lines = 0,
                Some((function, lines)) if code.starts_with('}') => {
                    assert!(*lines <= MOST_LINES_IN_C, "{}: {lines} lines in {function}", file.display());
                    begun = None;
                }
                Some((_, lines)) => *lines += 1,
                None => {}
            }
        }
    }
}

/// Each module's floor, from the table.
fn floors() -> BTreeMap<String, u32> {
    let mut floors = BTreeMap::new();
    for row in read(&root().join("docs/architecture.md")).lines() {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, floor, modules, ..] = cells[..] else { continue };
        let Ok(floor) = floor.parse::<u32>() else { continue };
        floors.extend(modules.split(", ").map(|module| (module.to_owned(), floor)));
    }
    assert!(floors.len() > 5, "docs/architecture.md has no table of the floors");
    floors
}

/// Every `crate::module` of a file, with its line. Names that begin with a capital are types that `lib.rs` exports:
/// inside the crate they are named by their module.
fn named_modules(source: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (number, code) in code_of(source) {
        for path in code.split("crate::").skip(1) {
            let list = path.strip_prefix('{').map_or(path, |list| list.split('}').next().unwrap_or(list));
            let names: Vec<&str> = if path.starts_with('{') { list.split(',').collect() } else { vec![path] };
            let names = names.into_iter().filter_map(|name| name.trim().split(|c: char| !is_name(c)).next());
            named.extend(names.filter(|name| !name.is_empty()).map(|name| (number, name.to_owned())));
        }
    }
    named
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The lines of a file up to its tests, with their numbers and without comments.
fn code_of(source: &str) -> impl Iterator<Item = (usize, String)> {
    let tests = ["\n#[cfg(test)]\nmod ", "\n#[cfg(all(test"].iter().filter_map(|mark| source.find(mark)).min();
    let code = &source[..tests.unwrap_or(source.len())];
    let without_comment = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).trim_end().to_owned();
    code.lines().map(without_comment).zip(1..).map(|(line, number)| (number, line)).collect::<Vec<_>>().into_iter()
}

/// The top module that a file belongs to.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap_or_else(|_| panic!("{} is not in src", file.display()));
    let first = inside.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
