//! The Terraform modules, run by Terraform itself: in a copy, so that nothing is left beside them, and with mocked providers, so that no cloud is asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::{scratch, tools};

/// A copy of `terraform/`, and the program.
#[derive(Debug)]
pub struct Terraform {
    folder: TempDir,
    tools: tools::Terraform,
}

/// What `terraform test` said of a module.
#[derive(Debug)]
pub struct Report {
    pub passed: u64,
    /// Whatever is not a pass: failed, in error, skipped.
    pub others: u64,
    /// What was wrong, in Terraform's words.
    pub faults: Vec<String>,
    /// By the run's file and name.
    plans: BTreeMap<(String, String), Value>,
}

/// The values of one run's plan.
#[derive(Clone, Debug)]
pub struct Plan(Value);

impl Terraform {
    /// A copy of all modules, or a skip.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn copy() -> Option<Self> {
        let tools = tools::terraform()?;
        let folder = scratch::folder();
        // Their lock files and downloads stay behind: what is tested is what is committed.
        copy(&modules(), folder.path());
        Some(Self { folder, tools })
    }

    /// Terraform with these arguments in one of the folders.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.tools.program);
        command.current_dir(self.folder.path().join(folder)).args(arguments).args(["-no-color"]);
        command.env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1").env_remove("TF_CLI_ARGS");
        if let Some(configuration) = &self.tools.configuration {
            command.env("TF_CLI_CONFIG_FILE", configuration);
        }
        command.output().expect("terraform runs")
    }

    /// The same, and it must succeed; gives what it wrote to standard output.
    ///
    /// # Panics
    /// If it does not.
    pub fn succeed(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.run(folder, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "terraform {arguments:?} in {folder}: {}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Gets the providers, and lets a module's own tests run, those in `file` where one is named.
    ///
    /// # Panics
    /// If Terraform says anything that is not JSON, or does not come to an end.
    pub fn test(&self, module: &str, file: Option<&str>) -> Report {
        self.succeed(module, &["init", "-input=false"]);
        let filter = file.map(|file| format!("-filter={file}"));
        let arguments: Vec<&str> = ["test", "-json", "-verbose"].into_iter().chain(filter.as_deref()).collect();
        let output = self.run(module, &arguments);
        let text = String::from_utf8(output.stdout).expect("JSON is text");
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("terraform test: {line}")));
        Report::of(lines)
    }

    /// The plan of a module with nothing but its required inputs: the first run of `tests/defaults.tftest.hcl`.
    ///
    /// # Panics
    /// If there is no such run.
    pub fn plan_of_defaults(&self, module: &str) -> Plan {
        self.test(module, Some("tests/defaults.tftest.hcl")).plan("tests/defaults.tftest.hcl", "defaults")
    }

    /// Where the copy is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Report {
    fn of(lines: impl Iterator<Item = Value>) -> Self {
        let (mut summary, mut faults, mut plans) = (None, Vec::new(), BTreeMap::new());
        for line in lines {
            let text = |member: &str| line[member].as_str().unwrap_or_default().to_owned();
            match line["type"].as_str() {
                Some("test_summary") => summary = Some(line["test_summary"].clone()),
                Some("test_plan") => drop(plans.insert((text("@testfile"), text("@testrun")), line["test_plan"].clone())),
                Some("diagnostic") => {
                    let (run, diagnostic) = (text("@testrun"), &line["diagnostic"]);
                    faults.push(format!("{} {run}: {} {}", text("@testfile"), diagnostic["summary"], diagnostic["detail"]));
                }
                _ => {}
            }
        }
        let summary = summary.unwrap_or_else(|| panic!("terraform test came to no end: {faults:#?}"));
        let count = |name: &str| summary[name].as_u64().expect("a count");
        Self { passed: count("passed"), others: count("failed") + count("errored") + count("skipped"), faults, plans }
    }

    /// What a run planned.
    ///
    /// # Panics
    /// If there is no such run.
    pub fn plan(&self, file: &str, run: &str) -> Plan {
        let plan = self.plans.get(&(file.to_owned(), run.to_owned()));
        Plan(plan.unwrap_or_else(|| panic!("{file} has no plan `{run}`: {:#?}", self.faults)).clone())
    }

    /// What all runs planned.
    pub fn plans(&self) -> impl Iterator<Item = Plan> {
        self.plans.values().cloned().map(Plan)
    }
}

impl Plan {
    /// The planned values of all resources of a type, by their addresses.
    pub fn resources(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let changes = self.0["resource_changes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let managed = changes.iter().filter(|change| change["mode"] == "managed" && change["type"] == kind);
        managed.filter_map(|change| Some((change["address"].as_str()?, &change["change"]["after"]))).collect()
    }

    /// The planned values of the one resource of a type.
    ///
    /// # Panics
    /// If there is none, or another.
    pub fn resource(&self, kind: &str) -> &Value {
        let found = self.resources(kind);
        let [value] = found.values().collect::<Vec<_>>()[..] else { panic!("{kind}: {:?}", found.keys()) };
        value
    }

    /// The environment of the Cloud Run service, where there is one and all of it is known.
    pub fn service_environment(&self) -> Option<BTreeMap<String, String>> {
        let services = self.resources("google_cloud_run_v2_service");
        known_pairs(&services.values().next()?["template"][0]["containers"][0]["env"])
    }

    /// The settings of the function app, where there is one and all of them are known.
    pub fn app_settings(&self) -> Option<BTreeMap<String, String>> {
        let resources = self.resources("azapi_resource");
        known_pairs(&resources.get("azapi_resource.app")?["body"]["properties"]["siteConfig"]["appSettings"])
    }
}

/// Names and values, as both clouds list them.
fn known_pairs(list: &Value) -> Option<BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pairs = list.as_array().filter(|pairs| !pairs.is_empty())?;
    pairs.iter().map(|pair| Some((text(&pair["name"])?, text(&pair["value"])?))).collect()
}

/// The folder of all modules.
pub fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member").join("terraform")
}

/// The modules with their examples, as folders below the modules' own.
///
/// # Panics
/// If they cannot be listed.
pub fn configurations() -> Vec<String> {
    let mut found = Vec::new();
    for module in folders(&modules()) {
        let examples = modules().join(&module).join("examples");
        found.push(module.clone());
        found.extend(folders(&examples).into_iter().map(|example| format!("{module}/examples/{example}")));
    }
    found
}

fn folders(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let folders = entries.map(|entry| entry.expect("list")).filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().expect("names are text")).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("list");
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".terraform") {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            std::fs::copy(entry.path(), to.join(name)).expect("copy");
        }
    }
}
