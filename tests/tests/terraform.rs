//! `terraform/gcp` and `terraform/azure`: their own tests, what a linter says, and whether the programs take what the plans give them. Providers are mocked
//! throughout, so nothing here shows what a cloud makes of a plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use persistor_serve::{Function, settings_of};
use persistor_tests::azurite::sas;
use persistor_tests::blob_double::BlobDouble;
use persistor_tests::emulator::Emulator;
use persistor_tests::function_app::FunctionApp;
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::logs::says;
use persistor_tests::program::{Program, Setup};
use persistor_tests::pubsub::{Publication, Pubsub, Terms};
use persistor_tests::push::Push;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::{Entity, Rules};
use persistor_tests::storage_double::{Reply, StorageDouble};
use persistor_tests::terraform::{Plan, Terraform, configurations, modules};
use persistor_tests::witness::{End, Witness};
use persistor_tests::{ports, programs, pusher, tools};
use serde_json::{Value, json};

/// How long a store is out, of real time: the emulator's clock cannot be moved.
const OUTAGE: Duration = Duration::from_secs(20);
const MESSAGES: usize = 40;

#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn every_module_and_example_is_valid_and_formatted() {
    let Some(terraform) = Terraform::copy() else { return };
    terraform.succeed(".", &["fmt", "-check", "-diff", "-recursive"]);
    let configurations = configurations();
    assert!(configurations.len() > 2, "the examples are gone: {configurations:?}");
    for folder in configurations {
        terraform.succeed(&folder, &["init", "-input=false"]);
        let said: Value = serde_json::from_str(&terraform.succeed(&folder, &["validate", "-json"])).expect("JSON");
        assert_eq!(said["diagnostics"], json!([]), "{folder}");
        eprintln!("{folder}: valid");
    }
}

#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn the_google_module_passes_its_tests() {
    assert_passes("gcp");
}

#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn the_azure_module_passes_its_tests() {
    assert_passes("azure");
}

fn assert_passes(module: &str) {
    let Some(terraform) = Terraform::copy() else { return };
    let report = terraform.test(module, None);
    eprintln!("terraform/{module}: {} passed, {} not", report.passed, report.others);
    assert!(report.others == 0 && report.passed > 0, "{:#?}", report.faults);
}

/// Exceptions stand in the modules, each with its reason.
#[test]
#[ignore = "needs checkov: tests/run e2e"]
fn the_modules_have_no_known_weakness() {
    let Some(checkov) = tools::checkov() else { return };
    let mut command = Command::new(checkov);
    command.args(["--framework", "terraform", "--compact", "--output", "json", "--skip-download", "--directory"]).arg(modules());
    let output = command.output().expect("checkov runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let summary = &said["summary"];
    eprintln!("checkov: {summary}");
    assert!(summary["passed"].as_u64().is_some_and(|passed| passed > 0), "nothing was looked at: {said}");
    assert_eq!(
        (&summary["failed"], &summary["parsing_errors"]),
        (&0.into(), &0.into()),
        "{:#}",
        said["results"]["failed_checks"]
    );
    assert!(output.status.success(), "{}", output.status);
}

/// No name that the function does not know, and none that is the platform's to set.
fn assert_known<'a>(function: Function, names: impl IntoIterator<Item = &'a String>) {
    for name in names {
        assert!(settings_of(function).any(|setting| setting.name == *name), "{name} is no setting of the function");
        assert!(!matches!(&name[..], "PORT" | "FUNCTIONS_CUSTOMHANDLER_PORT" | "FUNCTIONS_APP_ROOT_PATH"), "{name}");
    }
}

/// Nothing above `info`, such as a name that is a slip of another, or too little memory for a push; but that what stands in for the cloud is one.
fn assert_no_complaints(lines: &[Value]) {
    assert!(lines.iter().any(|line| says(line, "listening")), "{lines:?}");
    let loud =
        lines.iter().filter(|line| line["severity"] != "INFO" && !line["message"].to_string().contains("STORAGE_EMULATOR_HOST"));
    let loud: Vec<_> = loud.collect();
    assert!(loud.is_empty(), "{loud:?}");
}

/// Names and values, as both clouds list them.
fn pairs(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("not known in the plan: {list}")).to_owned();
    list.as_array().expect("a list").iter().map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect()
}

/// The service of the plan, before a double of Cloud Storage that has its bucket.
fn planned_service(plan: &Plan) -> (Program, StorageDouble, String) {
    let container = &plan.resource("google_cloud_run_v2_service")["template"][0]["containers"][0];
    let environment = pairs(&container["env"]);
    assert_known(Function::Gcp, environment.keys());
    let archive = environment["PERSISTOR_ARCHIVE"].strip_prefix("gs://").expect("a bucket").to_owned();
    let (bucket, prefix) = archive.split_once('/').unwrap_or((&archive, ""));
    assert_eq!(plan.resource("google_storage_bucket")["name"], bucket);
    let double = StorageDouble::start(bucket);
    // What Cloud Run sets.
    let setup = Setup::new(programs::gcp_function()).port(ports::free()).set("K_SERVICE", "persistor");
    let setup = environment.iter().fold(setup, |setup, (name, value)| setup.set(name, value));
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    (setup.set("STORAGE_EMULATOR_HOST", double.url()).start(), double, prefix)
}

/// What the plan's push URL names.
fn planned_stream(plan: &Plan) -> String {
    let url = plan.resource("google_pubsub_subscription")["push_config"][0]["push_endpoint"].as_str().expect("known in the plan");
    url.rsplit('/').next().expect("a path").to_owned()
}

#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn the_push_handler_takes_the_plans_settings_and_stores_where_they_say() {
    let Some(terraform) = Terraform::copy() else { return };
    let plan = terraform.plan_of_defaults("gcp");
    let (program, double, prefix) = planned_service(&plan);
    let push = Push { stream: planned_stream(&plan), ..Push::new("14217110643", "hello") };
    assert_eq!(pusher::send(program.port(), &push.request()).expect("an answer").status, 204);
    let key = format!("{prefix}{}", push.key());
    assert_eq!(double.objects().get(&key).map(Vec::as_slice), Some(&b"hello"[..]), "{:?}", double.objects().keys());
    assert_no_complaints(&program.logs().entries());
}

/// Google's emulator makes a subscription of the plan's own values. It knows neither the backoff nor a clock that can be moved, so what it shows is that a
/// subscription without dead letters gives nothing up, not how long.
#[test]
#[ignore = "needs Terraform and the Pub/Sub emulator: tests/run e2e"]
fn an_outage_with_the_plans_subscription_loses_nothing() {
    let (Some(terraform), Some(emulator)) = (Terraform::copy(), Emulator::start()) else { return };
    let plan = terraform.plan_of_defaults("gcp");
    let (program, double, prefix) = planned_service(&plan);
    let stream = planned_stream(&plan);
    let subscription = plan.resource("google_pubsub_subscription");
    assert_eq!(subscription["dead_letter_policy"], json!([]));
    assert_eq!(subscription["expiration_policy"][0]["ttl"], "");
    let seconds = |value: &Value| {
        let text = value.as_str().and_then(|text| text.strip_suffix('s')).expect("seconds");
        Duration::from_secs(text.parse().expect("a number"))
    };
    let retry = &subscription["retry_policy"][0];
    let terms = Terms {
        ack_deadline_seconds: i32::try_from(subscription["ack_deadline_seconds"].as_i64().expect("a number"))
            .expect("not so long"),
        retention: seconds(&subscription["message_retention_duration"]),
        backoff: (seconds(&retry["minimum_backoff"]), seconds(&retry["maximum_backoff"])),
    };
    eprintln!("{terms:?}");
    assert_eq!(terms.retention, Duration::from_secs(31 * 24 * 3600), "the longest that the platform has");
    // The emulator knows seven days at most.
    let terms = Terms { retention: Duration::from_secs(7 * 24 * 3600), ..terms };

    let witness = Witness::before(program.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    pubsub.create_push_on("persistor", &topic, &witness.url(&stream), terms);
    double.next(usize::MAX, Reply::fixture("403-no-create"));
    let publications =
        (0..MESSAGES).map(|number| Publication { payload: number.to_string().into(), attributes: BTreeMap::new() });
    let ids = pubsub.publish(&topic, publications);
    thread::sleep(OUTAGE);
    let refused = witness.since(0);
    assert!(refused.len() > MESSAGES / 2, "there was no outage: {} pushes", refused.len());
    assert!(refused.iter().all(|exchange| matches!(exchange.end, End::Answered(503))), "acknowledged without a store");
    double.clear();
    witness.wait_for_acknowledged(&ids.iter().cloned().collect(), 0);
    let objects = double.objects();
    let stored = objects.keys().filter(|key| key.starts_with(&format!("{prefix}{stream}/"))).count();
    assert_eq!(stored, MESSAGES, "{:?}", objects.keys());
    eprintln!("{} pushes refused in {OUTAGE:?}, then {stored} of {MESSAGES} stored", refused.len());
}

/// The app of the plan, in a folder with all functions that we ship.
fn planned_app(plan: &Plan) -> (BTreeMap<String, String>, FunctionApp, String) {
    let app = plan.resources("azapi_resource")["azapi_resource.app"];
    let settings = pairs(&app["body"]["properties"]["siteConfig"]["appSettings"]);
    let ours = settings.keys().filter(|name| name.starts_with("PERSISTOR_") || name.starts_with("AZURE_"));
    assert_known(Function::Azure, ours);
    let (app, functions) = FunctionApp::shipped_whole();
    let disabled = |name: &String| settings.get(&format!("AzureWebJobs.{name}.Disabled")).is_some_and(|value| value == "1");
    let (off, on): (Vec<_>, Vec<_>) = functions.into_iter().partition(disabled);
    let [function] = &on[..] else { panic!("{on:?} are switched on, {off:?} off") };
    let known = settings.keys().filter(|name| name.ends_with(".Disabled")).count();
    assert_eq!(known, off.len(), "a function that is switched off is not in the package: {settings:?}");
    (settings.clone(), settings.iter().fold(app, |app, (name, value)| app.set(name, value)), function.clone())
}

#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn the_custom_handler_takes_the_plans_settings_and_stores_where_they_say() {
    let Some(terraform) = Terraform::copy() else { return };
    let plan = terraform.plan_of_defaults("azure");
    let (settings, app, function) = planned_app(&plan);
    let archive = settings["PERSISTOR_ARCHIVE"].clone();
    let (account, rest) = archive.strip_prefix("az://").and_then(|place| place.split_once('/')).expect("a container");
    let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let double = BlobDouble::start(account, container);
    // A signature in the place of the managed identity, which only Azure has.
    let setup = app
        .setup(Path::new(&archive))
        .set("AZURE_STORAGE_SERVICE_ENDPOINT", double.endpoint())
        .set("AZURE_STORAGE_SAS_TOKEN", sas("c"));
    let host = FunctionsHost::start(app, setup, Duration::from_secs(100));
    let (topic, subscription) = (&settings["ServiceBusTopicName"], &settings["ServiceBusSubscriptionName"]);
    let binding = Binding::subscription(&function, topic, subscription, Cardinality::One);
    let namespace = &settings["ServiceBusConnection__fullyQualifiedNamespace"];
    let entity = Entity::new(Rules::default());
    entity.send((0..MESSAGES).map(|number| Message::new(number.to_string(), number.to_string())));
    Listener { host: &host, entity: &entity, binding, namespace, form: Form::Doubled, options: Options::default() }.drain();
    host.assert_no_faults();
    let stream = settings.get("PERSISTOR_STREAM").cloned().unwrap_or_else(|| {
        let namespace = namespace.split('.').next().expect("a name");
        format!("{namespace}.{topic}.{subscription}")
    });
    let place = [prefix, &stream].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/") + "/";
    let blobs = double.blobs();
    assert_eq!(blobs.keys().filter(|key| key.starts_with(&place)).count(), MESSAGES, "below {place}: {:?}", blobs.keys());
    let lines = host.lines().0.iter().map(|line| serde_json::from_str(line).expect("lines are JSON")).collect::<Vec<_>>();
    assert_no_complaints(&lines);
}
