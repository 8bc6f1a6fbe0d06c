//! The tables of inputs and outputs in the modules' READMEs are what the modules declare, in its order.

use hcl::expr::FuncCall;
use hcl::{Block, Body, Expression};

use crate::root;

const MODULES: [&str; 2] = ["terraform/azure", "terraform/gcp"];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of a file that declare something, with its name.
fn declared(path: &str, kind: &str) -> Vec<(String, Block)> {
    let body: Body = hcl::parse(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let blocks = body.into_blocks().filter(|block| block.identifier() == kind);
    blocks.map(|block| (block.labels()[0].as_str().to_owned(), block)).collect()
}

fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|attribute| attribute.key() == name).map(|attribute| attribute.expr())
}

/// Its first paragraph, on one line, as a cell of a table.
fn description(name: &str, block: &Block) -> String {
    let text = match attribute(block, "description") {
        Some(Expression::String(text)) => text.clone(),
        Some(Expression::TemplateExpr(template)) => template.to_string(),
        other => panic!("{name} has no description but {other:?}"),
    };
    let paragraph = text.trim().split("\n\n").next().expect("one at least");
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Without the members of objects, which stand in the declaration.
fn kind(expression: &Expression) -> String {
    match expression {
        Expression::FuncCall(call) => {
            let FuncCall { name, args, .. } = &**call;
            if name.name.as_str() == "object" {
                return "object".to_owned();
            }
            let inner: Vec<_> = args.iter().map(kind).collect();
            format!("{}({})", name.name.as_str(), inner.join(", "))
        }
        Expression::Variable(name) => name.as_str().to_owned(),
        other => panic!("a type `{other:?}`"),
    }
}

fn default(expression: &Expression) -> String {
    let text = hcl::format::to_string(expression).expect("it was parsed");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn inputs(module: &str) -> Vec<String> {
    let row = |(name, block): &(String, Block)| {
        let kind = kind(attribute(block, "type").unwrap_or_else(|| panic!("{name} has no type")));
        let default = attribute(block, "default").map_or("required".to_owned(), |value| format!("`{}`", default(value)));
        format!("| `{name}` | {} | `{kind}` | {default} |", description(name, block))
    };
    declared(&format!("{module}/variables.tf"), "variable").iter().map(row).collect()
}

fn outputs(module: &str) -> Vec<String> {
    let row = |(name, block): &(String, Block)| format!("| `{name}` | {} |", description(name, block));
    declared(&format!("{module}/outputs.tf"), "output").iter().map(row).collect()
}

fn assert_table(module: &str, name: &str, heading: &str, rows: Vec<String>) {
    let readme = read(&format!("{module}/README.md"));
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let table = readme.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map(|(table, _)| table);
    let lines =
        table.unwrap_or_else(|| panic!("{module}/README.md has no {open}")).lines().filter(|line| !line.trim().is_empty());
    let rule = format!("|{}", "---|".repeat(heading.matches('|').count() - 1));
    let expected: Vec<_> = [heading.to_owned(), rule].into_iter().chain(rows).collect();
    assert!(expected.len() > 3, "{module} declares no {name}");
    let found: Vec<_> = lines.map(str::to_owned).collect();
    assert!(found == expected, "{module}/README.md, {name}:\n{}\n\nis to be\n\n{}", found.join("\n"), expected.join("\n"));
}

#[test]
fn the_readmes_have_the_modules_inputs() {
    for module in MODULES {
        assert_table(module, "inputs", "| input | meaning | type | default |", inputs(module));
    }
}

#[test]
fn the_readmes_have_the_modules_outputs() {
    for module in MODULES {
        assert_table(module, "outputs", "| output | meaning |", outputs(module));
    }
}

#[test]
fn modules_declare_everything_where_it_is_looked_for() {
    for module in MODULES {
        for path in crate::files(module).iter().filter(|path| path.extension().is_some_and(|found| found == "tf")) {
            let path = path.to_str().expect("names are text");
            if path.contains("/examples/") {
                continue;
            }
            for (kind, file) in [("variable", "variables.tf"), ("output", "outputs.tf"), ("terraform", "versions.tf")] {
                assert!(path.ends_with(file) || declared_anything(path, kind).is_none(), "{path} declares a {kind}");
            }
            // What a caller has to set up.
            assert_eq!(declared_anything(path, "provider"), None, "{path}");
        }
    }
}

fn declared_anything(path: &str, kind: &str) -> Option<String> {
    let body: Body = hcl::parse(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    body.into_blocks().find(|block| block.identifier() == kind).map(|block| format!("{:?}", block.labels()))
}
