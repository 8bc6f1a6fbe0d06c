//! The one table of settings: `--help`, README's table and the resolver are all made from it.
//!
//! What a value means once it is parsed is left to whoever resolves it.

/// The functions, each a program that has settings of its own beside those of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Receives Pub/Sub pushes.
    Gcp,
    /// Is called by the Azure Functions host.
    Azure,
}

/// One environment variable that our programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable's name; a command-line flag has the same name in another spelling.
    pub name: &'static str,
    /// What it means, in Markdown.
    pub meaning: &'static str,
    /// What holds where it is not set, as shown to people.
    pub default: &'static str,
    /// What holds on Azure instead.
    pub azure_default: Option<&'static str>,
    /// Whether the defaults are themselves values that can be parsed, rather than descriptions.
    pub literal: bool,
    /// A right value, shown beside every fault.
    pub example: &'static str,
    /// Whether the value must never be shown, not even in the message that refuses it.
    pub secret: bool,
    /// The one function that reads it, where the others do not.
    pub only: Option<Function>,
}

const fn literal(name: &'static str, meaning: &'static str, default: &'static str, example: &'static str) -> Setting {
    Setting { name, meaning, default, azure_default: None, literal: true, example, secret: false, only: None }
}

const fn described(name: &'static str, meaning: &'static str, default: &'static str, example: &'static str) -> Setting {
    Setting { literal: false, ..literal(name, meaning, default, example) }
}

impl Setting {
    const fn of(self, function: Function) -> Self {
        Self { only: Some(function), ..self }
    }

    const fn on_azure(self, default: &'static str) -> Self {
        Self { azure_default: Some(default), ..self }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Whether this function reads it.
    pub fn concerns(&self, function: Function) -> bool {
        self.only.is_none_or(|only| only == function)
    }

    /// What holds for this function where it is not set.
    pub fn default_of(&self, function: Function) -> &'static str {
        self.azure_default.filter(|_| function == Function::Azure).unwrap_or(self.default)
    }
}

/// Every setting of every program, in the order in which people read them.
pub const SETTINGS: &[Setting] = &[
    described("PORT", "port to listen on, all interfaces (Cloud Run sets it)", "without it: 127.0.0.1:8080", "8080")
        .of(Function::Gcp),
    described("FUNCTIONS_CUSTOMHANDLER_PORT", "port to listen on, at 127.0.0.1 (the Functions host sets it)", "8080", "8080")
        .of(Function::Azure),
    described(
        "FUNCTIONS_APP_ROOT_PATH",
        "folder of the function app, which holds a folder with a `function.json` for each function (the Functions host sets it)",
        "the working folder",
        "./app",
    )
    .of(Function::Azure),
    literal(
        "PERSISTOR_ARCHIVE",
        "where blobs go: a folder, `memory:`, from Pub/Sub `gs://BUCKET/PREFIX`, on Azure `az://ACCOUNT/CONTAINER/PREFIX`",
        "./archive",
        "./archive",
    ),
    described(
        "PERSISTOR_STREAM",
        "the stream's name: of pushes whose path does not say it, and on Azure of an app with one entity",
        "the entity",
        "orders",
    ),
    literal(
        "PERSISTOR_KEY_TEMPLATE",
        "key template",
        "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}",
        "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}",
    ),
    literal("PERSISTOR_RECORD", "`auto` or `always` (a `.record` blob for every message)", "auto", "auto"),
    literal("PERSISTOR_PUSH", "`wrapped` or `unwrapped`", "wrapped", "wrapped").of(Function::Gcp),
    described(
        "PERSISTOR_OIDC_AUDIENCE",
        "the audience that the token of every push must have; with `PERSISTOR_OIDC_EMAIL`, or neither",
        "none: who may push is decided before the program",
        "https://archive.example.com/orders",
    )
    .of(Function::Gcp),
    described(
        "PERSISTOR_OIDC_EMAIL",
        "the service account whose token every push must have",
        "none",
        "persistor-push@my-project.iam.gserviceaccount.com",
    )
    .of(Function::Gcp),
    literal(
        "PERSISTOR_OIDC_KEYS",
        "where the keys are that these tokens are verified with",
        "https://www.googleapis.com/oauth2/v3/certs",
        "https://www.googleapis.com/oauth2/v3/certs",
    )
    .of(Function::Gcp),
    literal("PERSISTOR_MAX_BODY", "largest request body", "32MiB", "32MiB").on_azure("144MiB"),
    literal("PERSISTOR_MEMORY", "bytes in flight", "256MiB", "256MiB").on_azure("512MiB"),
    literal("PERSISTOR_WRITE_TIMEOUT", "total time for one durable write, retries included", "8s", "8s"),
    described(
        "PERSISTOR_DEADLINE",
        "time in which an invocation's writes are tried again and again, and memory is waited for, before it fails",
        "4m; 45s with cardinality many",
        "4m",
    )
    .of(Function::Azure),
    literal("PERSISTOR_DRAIN_TIMEOUT", "time to finish after SIGTERM", "8s", "8s"),
    literal("PERSISTOR_LOG", "level of the log: `error`, `warn`, `info`, `debug` or `trace`", "info", "info"),
    described(
        "STORAGE_EMULATOR_HOST",
        "an emulator that is asked instead of Cloud Storage, without an identity; for tests",
        "none",
        "http://127.0.0.1:4443",
    )
    .of(Function::Gcp),
    described(
        "AZURE_TOKEN_CREDENTIALS",
        "the identity for Blob Storage: `ManagedIdentityCredential`, `WorkloadIdentityCredential` or `AzureCliCredential`",
        "what the platform offers, else the Azure CLI's",
        "ManagedIdentityCredential",
    )
    .of(Function::Azure),
    described(
        "AZURE_CLIENT_ID",
        "client id of a user-assigned identity",
        "the system-assigned one",
        "00000000-0000-0000-0000-000000000000",
    )
    .of(Function::Azure),
    described(
        "AZURE_STORAGE_SERVICE_ENDPOINT",
        "the blob service's URL, for sovereign clouds and emulators",
        "`https://ACCOUNT.blob.core.windows.net`",
        "http://127.0.0.1:10000/devstoreaccount1",
    )
    .of(Function::Azure),
    described(
        "AZURE_STORAGE_SAS_TOKEN",
        "a shared access signature instead of an identity; for tests",
        "none",
        "sv=…&sp=c&sig=…",
    )
    .of(Function::Azure)
    .secret(),
];

/// The setting of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// A function's settings.
pub fn of(function: Function) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.concerns(function))
}

/// A function's table as `--help` shows it: two lines for each setting, without a heading.
pub fn table_text(function: Function) -> String {
    let mut text = String::new();
    for setting in of(function) {
        let meaning = setting.meaning.replace('`', "");
        text.push_str(&format!("  {}\n          {meaning} [{}]\n", setting.name, default_text(setting, function)));
    }
    text
}

/// A default that already reads as a sentence needs no word in front of it.
fn default_text(setting: &Setting, function: Function) -> String {
    let default = setting.default_of(function).replace('`', "");
    if default.starts_with("without it") { default } else { format!("default: {default}") }
}

/// The table as README shows it, a line for each setting and a newline at the end.
pub fn table_markdown() -> String {
    let mut text = String::from("| setting | for | meaning | default |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let code = |value: &str| if setting.literal { format!("`{value}`") } else { value.to_owned() };
        let azure = setting.azure_default.map(|default| format!("; on Azure {}", code(default))).unwrap_or_default();
        let function = match setting.only {
            None => "both",
            Some(Function::Gcp) => "gcp",
            Some(Function::Azure) => "azure",
        };
        let (name, meaning, default) = (setting.name, setting.meaning, code(setting.default));
        text.push_str(&format!("| `{name}` | {function} | {meaning} | {default}{azure} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..at].iter().all(|earlier| earlier.name != setting.name));
        }
    }

    #[test]
    fn both_tables_name_every_setting_once() {
        let markdown = table_markdown();
        for function in [Function::Gcp, Function::Azure] {
            let text = table_text(function);
            for setting in SETTINGS {
                let expected = usize::from(setting.concerns(function));
                assert_eq!(text.matches(&format!("  {}\n", setting.name)).count(), expected, "{}", setting.name);
                assert!(expected == 0 || text.contains(&default_text(setting, function)));
            }
        }
        for setting in SETTINGS {
            assert_eq!(markdown.matches(&format!("| `{}` |", setting.name)).count(), 1);
        }
        assert_eq!(markdown.lines().count(), SETTINGS.len() + 2);
    }

    #[test]
    fn a_cell_never_breaks_the_markdown_table() {
        for line in table_markdown().lines() {
            assert_eq!(line.matches('|').count(), 5, "{line}");
        }
    }
}
