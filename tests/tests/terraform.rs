//! `terraform/gcp` and `terraform/azure`: their own tests, what a linter says, and whether the programs take what the plans give them. Providers are mocked
//! throughout, so nothing here shows what a cloud makes of a plan.

use std::collections::{BTreeMap, BTreeSet};
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
use persistor_tests::http::{Connection, Request};
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::logs::says;
use persistor_tests::program::{Program, Setup};
use persistor_tests::pubsub::{Publication, Pubsub};
use persistor_tests::push::Push;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::{Entity, Rules};
use persistor_tests::storage_double::{Reply, StorageDouble};
use persistor_tests::terraform::{Plan, Report, Terraform, configurations, modules};
use persistor_tests::witness::{End, Witness};
use persistor_tests::{ports, programs, pusher, tools, waiting};
use serde_json::{Value, json};

/// How long a store is out, of real time: the emulator's clock cannot be moved.
const OUTAGE: Duration = Duration::from_secs(20);
const MESSAGES: usize = 40;
/// Where nobody listens: nothing is stored there, and nothing needs to be.
const NOBODY: &str = "http://127.0.0.1:9";

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

/// Every environment that any of the tests plans is one that the program starts with.
#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn the_google_module_passes_its_tests_and_plans_what_the_program_takes() {
    let Some(report) = passed("gcp") else { return };
    let environments: BTreeSet<_> = report.plans().filter_map(|plan| plan.service_environment()).collect();
    assert!(environments.len() > 1, "all plans are alike");
    for environment in &environments {
        assert_known(Function::Gcp, environment.keys());
        let setup = Setup::new(programs::gcp_function()).set("STORAGE_EMULATOR_HOST", NOBODY);
        assert_starts(environment.iter().fold(setup, |setup, (name, value)| setup.set(name, value)), "PORT", "/health/live");
    }
    eprintln!("terraform/gcp: {} environments", environments.len());
}

/// The same, with the functions that we ship.
#[test]
#[ignore = "needs Terraform: tests/run e2e"]
fn the_azure_module_passes_its_tests_and_plans_what_the_program_takes() {
    let Some(report) = passed("azure") else { return };
    let environments: BTreeSet<_> = report.plans().filter_map(|plan| plan.app_settings()).collect();
    assert!(environments.len() > 1, "all plans are alike");
    for settings in &environments {
        assert_known(Function::Azure, settings.keys().filter(|name| is_ours(name)));
        let (app, _) = FunctionApp::shipped_whole();
        let app = settings.iter().fold(app, |app, (name, value)| app.set(name, value));
        let setup = app.setup(Path::new(&settings["PERSISTOR_ARCHIVE"]));
        let setup = setup.set("AZURE_STORAGE_SERVICE_ENDPOINT", NOBODY).set("AZURE_STORAGE_SAS_TOKEN", sas("c"));
        assert_starts(setup, "FUNCTIONS_CUSTOMHANDLER_PORT", "/");
    }
    eprintln!("terraform/azure: {} environments", environments.len());
}

/// By its answer, for not every level of the log says that it listens.
fn assert_starts(setup: Setup, port_setting: &str, path: &str) {
    let port = ports::free();
    let mut program = setup.set(port_setting, port.to_string()).spawn();
    waiting::until("the program to answer", || {
        if let Some(status) = program.status() {
            panic!("it does not take its settings: {status}");
        }
        let answer = Connection::open(port).and_then(|mut connection| connection.exchange(&Request::get(path)));
        answer.ok().filter(|answer| answer.status == 200)
    });
}

/// What `terraform test` says of a module, which must be that all is well; or a skip.
fn passed(module: &str) -> Option<Report> {
    let report = Terraform::copy()?.test(module, None);
    eprintln!("terraform/{module}: {} passed, {} not", report.passed, report.others);
    assert!(report.others == 0 && report.passed > 0, "{:#?}", report.faults);
    Some(report)
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

/// Whether the program reads it, and not the host.
fn is_ours(name: &str) -> bool {
    name.starts_with("PERSISTOR_") || name.starts_with("AZURE_")
}

/// Nothing above `info`, such as a name that is a slip of another, or too little memory for a push; but that what stands in for the cloud is one.
fn assert_no_complaints(lines: &[Value]) {
    assert!(lines.iter().any(|line| says(line, "listening")), "{lines:?}");
    let loud =
        lines.iter().filter(|line| line["severity"] != "INFO" && !line["message"].to_string().contains("STORAGE_EMULATOR_HOST"));
    let loud: Vec<_> = loud.collect();
    assert!(loud.is_empty(), "{loud:?}");
}

/// The service of the plan, before a double of Cloud Storage that has its bucket.
fn planned_service(plan: &Plan) -> (Program, StorageDouble, String) {
    let environment = plan.service_environment().expect("known in the plan");
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

/// What a lost hour comes to by the plan's values, and a short outage between Google's emulator, whose clock cannot be moved, and the program as it is planned. (Given the
/// plan's pauses the emulator waits for minutes, so it keeps its own.)
#[test]
#[ignore = "needs Terraform and the Pub/Sub emulator: tests/run e2e"]
fn an_outage_with_the_plans_subscription_loses_nothing() {
    let (Some(terraform), Some(emulator)) = (Terraform::copy(), Emulator::start()) else { return };
    let plan = terraform.plan_of_defaults("gcp");
    let subscription = plan.resource("google_pubsub_subscription");
    // Attempts are not counted, and it never goes away: what remains is how long messages are kept.
    assert_eq!((&subscription["dead_letter_policy"], &subscription["expiration_policy"][0]["ttl"]), (&json!([]), &json!("")));
    assert_eq!(subscription["message_retention_duration"], format!("{}s", 31 * 24 * 3600), "the longest that the platform has");

    let (program, double, prefix) = planned_service(&plan);
    let stream = planned_stream(&plan);
    let witness = Witness::before(program.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    pubsub.create_push("persistor", &topic, &witness.url(&stream), 20);
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
    let settings = plan.app_settings().expect("known in the plan");
    assert_known(Function::Azure, settings.keys().filter(|name| is_ours(name)));
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
