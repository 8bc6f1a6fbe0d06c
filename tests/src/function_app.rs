//! Folders of function apps: those that tests make, and the one that we ship.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::invocation::{Binding, Cardinality, DataType, Trigger};
use crate::program::Setup;
use crate::scratch;

/// The namespace that the apps of tests listen to.
pub const NAMESPACE: &str = "shop.servicebus.windows.net";

/// The name of those apps.
pub const SITE: &str = "shop-archive";

/// An app's folder with its settings; dropped, the folder is gone.
#[derive(Debug)]
pub struct FunctionApp {
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl FunctionApp {
    /// An app with these functions.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn with(bindings: &[Binding]) -> Self {
        let app = Self::empty();
        app.write("host.json", &shipped_host_json());
        for binding in bindings {
            app.write(&format!("{}/function.json", binding.function), &function_json(binding));
        }
        app.set("ServiceBusConnection__fullyQualifiedNamespace", NAMESPACE)
            .set("EventHubsConnection__fullyQualifiedNamespace", NAMESPACE)
            .set("WEBSITE_SITE_NAME", SITE)
    }

    /// The app that we ship, with all its functions disabled but one, and without its settings.
    ///
    /// # Panics
    /// If it has no such function.
    pub fn shipped(function: &str) -> Self {
        let (app, functions) = Self::shipped_whole();
        assert!(functions.iter().any(|name| name == function), "the shipped app has no function {function}");
        let others = functions.iter().filter(|name| *name != function);
        others.fold(app, |app, name| app.set(&format!("AzureWebJobs.{name}.Disabled"), "1"))
    }

    /// The app that we ship, with the names of its functions, and without any settings.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn shipped_whole() -> (Self, Vec<String>) {
        let app = Self::empty();
        let mut functions = Vec::new();
        for entry in fs::read_dir(shipped_folder()).expect("the shipped app is there") {
            let path = entry.expect("list").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are text").to_owned();
            if path.join("function.json").is_file() {
                let text = fs::read_to_string(path.join("function.json")).expect("a function.json");
                app.write(&format!("{name}/function.json"), &serde_json::from_str(&text).expect("it is JSON"));
                functions.push(name);
            }
        }
        app.write("host.json", &shipped_host_json());
        (app, functions)
    }

    fn empty() -> Self {
        Self { folder: scratch::folder(), settings: BTreeMap::new() }
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the app.
    pub fn write(&self, name: &str, json: &Value) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("it is below")).expect("a folder");
        fs::write(path, serde_json::to_vec_pretty(json).expect("it is JSON")).expect("write");
    }

    /// The program for this app, storing into a folder or a container.
    pub fn setup(&self, archive: &Path) -> Setup {
        let setup = Setup::azure_function(self.root(), archive);
        self.settings.iter().fold(setup, |setup, (name, value)| setup.set(name, value))
    }
}

/// Where the shipped app is.
fn shipped_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member").join("deploy/azure-function")
}

/// The shipped `host.json`, which the double of the host is set up by.
///
/// # Panics
/// If it cannot be read.
pub fn shipped_host_json() -> Value {
    let text = fs::read_to_string(shipped_folder().join("host.json")).expect("the shipped host.json");
    serde_json::from_str(&text).expect("host.json is JSON")
}

fn function_json(binding: &Binding) -> Value {
    let mut trigger = json!({ "direction": "in", "name": binding.name });
    let cardinality = match binding.cardinality {
        Cardinality::One => "one",
        Cardinality::Many => "many",
    };
    trigger["cardinality"] = json!(cardinality);
    if binding.data_type == DataType::Binary {
        trigger["dataType"] = json!("binary");
    }
    match &binding.trigger {
        Trigger::Queue { queue, sessions } => {
            trigger["type"] = json!("serviceBusTrigger");
            trigger["queueName"] = json!(queue);
            trigger["connection"] = json!("ServiceBusConnection");
            trigger["isSessionsEnabled"] = json!(sessions);
        }
        Trigger::Subscription { topic, subscription, sessions } => {
            trigger["type"] = json!("serviceBusTrigger");
            trigger["topicName"] = json!(topic);
            trigger["subscriptionName"] = json!(subscription);
            trigger["connection"] = json!("ServiceBusConnection");
            trigger["isSessionsEnabled"] = json!(sessions);
        }
        Trigger::Hub { hub, consumer_group } => {
            trigger["type"] = json!("eventHubTrigger");
            trigger["eventHubName"] = json!(hub);
            trigger["consumerGroup"] = json!(consumer_group);
            trigger["connection"] = json!("EventHubsConnection");
        }
        Trigger::EventGrid => trigger["type"] = json!("eventGridTrigger"),
    }
    let mut function = json!({ "bindings": [trigger] });
    if matches!(binding.trigger, Trigger::Hub { .. }) {
        function["retry"] = json!({
            "strategy": "exponentialBackoff",
            "maxRetryCount": -1,
            "minimumInterval": "00:00:01",
            "maximumInterval": "00:00:30",
        });
    }
    function
}
