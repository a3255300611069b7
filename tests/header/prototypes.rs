//! Reads the functions out of the written headers.

use super::{generate, read};

/// A function as a header declares it.
pub struct Prototype {
    pub header: &'static str,
    pub name: String,
    /// The lines of the comment before it.
    pub comment: Vec<String>,
}

/// Every function of every header, in order.
pub fn all() -> Vec<Prototype> {
    generate::names().flat_map(|header| in_header(header, &read(format!("include/pirn/{header}.h")))).collect()
}

fn in_header(header: &'static str, text: &str) -> Vec<Prototype> {
    let mut found = Vec::new();
    let mut comment = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("//") {
            comment.push(words.strip_prefix(' ').unwrap_or(words).to_owned());
            continue;
        }
        let comment = std::mem::take(&mut comment);
        if let Some(name) = declared(line) {
            found.push(Prototype { header, name, comment });
        }
    }
    found
}

/// The function that a line begins to declare. Declarations begin at the margin; macros are in capitals.
fn declared(line: &str) -> Option<String> {
    let begins = line.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins || ["typedef ", "struct pirn_constant", "static ", "extern "].iter().any(|other| line.starts_with(other))
    {
        return None;
    }
    let (before, _) = line.split_once('(')?;
    let name = before.rsplit([' ', '*']).next()?;
    Some(name.to_owned())
}
