//! Every function says what it does, who may call it, who frees what, what comes back, and since when.

use super::{prototypes, read};

const ROWS: [&str; 4] = ["Thread: ", "Owns: ", "Returns: ", "Since: "];

#[test]
fn every_function_has_every_row() {
    let mut faults = Vec::new();
    for function in prototypes::all() {
        let comment = &function.comment;
        let mut fault = |what: &str| faults.push(format!("{}.h: {}: {what}", function.header, function.name));
        match comment.as_slice() {
            [first, second, ..] if !first.is_empty() && second.is_empty() => {}
            _ => fault("does not begin with one line that says what it does"),
        }
        let rows: Vec<_> = comment.iter().filter(|line| ROWS.iter().any(|row| line.starts_with(row))).collect();
        let complete = rows.len() == ROWS.len() && rows.iter().zip(ROWS).all(|(line, row)| line.starts_with(row));
        if !complete {
            fault("has not each of the rows Thread, Owns, Returns, Since once, in this order");
        } else if !rows[0].starts_with("Thread: any") && !rows[0].starts_with("Thread: own") {
            fault("does not say `any` or `own` thread first");
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_code_that_is_mentioned_exists() {
    let codes = read("include/pirn/error.h");
    for function in prototypes::all() {
        let text = function.comment.join(" ");
        for code in
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("PIRN_E"))
        {
            let known = codes.contains(&format!("#define {code} ")) || ["PIRN_EDGE", "PIRN_ERROR"].contains(&code);
            assert!(known, "{}: {code}", function.name);
        }
    }
}

#[test]
fn lines_fit_a_page() {
    for header in super::generate::names() {
        for line in read(format!("include/pirn/{header}.h")).lines() {
            assert!(line.len() <= 120, "{header}.h: {line}");
        }
    }
}
