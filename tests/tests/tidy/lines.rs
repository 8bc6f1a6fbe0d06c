//! The pages on faults and on lines of JSON name every fault as the code has it, and no other.

use std::collections::BTreeMap;

use persistor_recover::Fault;
use serde_json::Value;

use crate::root;

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

#[test]
fn the_table_of_faults_has_each_with_its_kind() {
    let page = page("verify.md");
    let table = page.split("\n## Faults\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section with the table");
    // Behind the heading and the line below it.
    let rows: Vec<Vec<_>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let found: Vec<_> = rows.iter().map(|cells| (cells[0].trim_matches('`'), cells[1])).collect();
    let kind = |fault: &Fault| if fault.is_damage() { "damage" } else { "notice" };
    // In the order in which a summary counts them.
    assert_eq!(found, Fault::ALL.iter().map(|fault| (fault.as_str(), kind(fault))).collect::<Vec<_>>());
    for cells in rows {
        assert!(cells.len() == 6 && cells.iter().all(|cell| !cell.is_empty()), "{cells:?}");
    }
}

#[test]
fn the_schema_of_findings_has_each_fault() {
    let page = page("json-lines.md");
    let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let schemas: BTreeMap<_, Value> = blocks
        .map(|block| serde_json::from_str(block).expect("a schema is JSON"))
        .map(|schema: Value| (schema["title"].to_string(), schema))
        .collect();
    let named: Vec<_> = schemas["\"finding\""]["properties"]["fault"]["enum"].as_array().expect("names").iter().collect();
    assert_eq!(named, Fault::ALL.map(Fault::as_str));
}
