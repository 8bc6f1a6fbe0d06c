//! The parts that are not ours: where they are on this machine, and what happens to a test whose part is missing.
//!
//! `tests/run` names each part in a variable; without the variable the machine is looked at.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that the running test is skipped, on standard error whatever the test runner captures; the test then returns. In CI a skip
/// is a failure.
///
/// # Panics
/// With `CI=true` in the environment.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test");
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{test} may not be skipped in CI: {reason}");
    // The stream itself: what goes through `eprintln!` is shown for failed tests only.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}

/// Java and Google's Pub/Sub emulator for it.
#[derive(Clone, Debug)]
pub struct PubsubEmulator {
    pub java: PathBuf,
    pub jar: PathBuf,
}

/// The Pub/Sub emulator, or a skip.
pub fn pubsub_emulator() -> Option<PubsubEmulator> {
    let found = named("TEST_JAVA")
        .or_else(|| on_path("java"))
        .zip(named("TEST_PUBSUB_EMULATOR_JAR").or_else(|| jar_below(&gcloud_root()?)))
        .map(|(java, jar)| PubsubEmulator { java, jar });
    or_skip(found, "java or the Pub/Sub emulator is missing (gcloud components install pubsub-emulator)")
}

/// libfaketime, which moves a program's clock, or a skip.
pub fn faketime_library() -> Option<PathBuf> {
    let library = || {
        let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
        folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1")).find(|path| path.is_file())
    };
    or_skip(named("TEST_FAKETIME_LIB").or_else(library), "libfaketime is missing (Debian: libfaketime)")
}

/// strace, if it may attach itself to a running program here, or a skip.
pub fn strace() -> Option<PathBuf> {
    let strace = or_skip(named("TEST_STRACE").or_else(|| on_path("strace")), "strace is missing (Debian: strace)")?;
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let allowed = is_root() || matches!(scope.trim(), "" | "0");
    or_skip(allowed.then_some(strace), "this user may not trace a running program (kernel.yama.ptrace_scope)")
}

/// fake-gcs-server, an emulator of Cloud Storage, or a skip.
pub fn fake_gcs_server() -> Option<PathBuf> {
    let built = || Some(crate::scratch::target().join("tools/go/bin/fake-gcs-server")).filter(|path| path.is_file());
    or_skip(named("TEST_FAKE_GCS_SERVER").or_else(built), "fake-gcs-server is missing (tests/run tools builds it where Go is)")
}

/// Node and Azurite's script for blobs.
#[derive(Clone, Debug)]
pub struct AzuriteProgram {
    pub node: PathBuf,
    pub script: PathBuf,
}

/// Azurite, an emulator of Blob Storage, or a skip.
pub fn azurite() -> Option<AzuriteProgram> {
    let installed = || {
        let folder = crate::scratch::target().join("tools/azurite/node_modules/azurite");
        Some(folder.join("dist/src/blob/main.js")).filter(|path| path.is_file())
    };
    let found = named("TEST_NODE")
        .or_else(|| on_path("node"))
        .zip(named("TEST_AZURITE").or_else(installed))
        .map(|(node, script)| AzuriteProgram { node, script });
    or_skip(found, "node or Azurite is missing (tests/run tools installs it where npm is)")
}

/// The script of Apache Artemis that makes an instance of it, Node, and rhea's main file.
#[derive(Clone, Debug)]
pub struct ArtemisProgram {
    pub script: PathBuf,
    pub node: PathBuf,
    pub rhea: PathBuf,
}

/// Apache Artemis, a broker of AMQP 1.0, and another client for it, or a skip.
pub fn artemis() -> Option<ArtemisProgram> {
    let below = |path: &str| Some(crate::scratch::target().join("tools").join(path)).filter(|path| path.is_file());
    let script = named("TEST_ARTEMIS").or_else(|| below("artemis/apache-artemis-2.44.0/bin/artemis"));
    let rhea = named("TEST_RHEA").or_else(|| below("rhea/node_modules/rhea/lib/container.js"));
    let node = named("TEST_NODE").or_else(|| on_path("node"));
    let found = script.zip(rhea).zip(node).map(|((script, rhea), node)| ArtemisProgram { script, node, rhea });
    let java = named("TEST_JAVA").or_else(|| on_path("java"));
    or_skip(
        found.filter(|_| java.is_some()),
        "java, node, Artemis or rhea is missing (tests/run tools gets the latter two by Maven and npm)",
    )
}

/// Terraform, and how it is told where providers are, if not in their registry.
#[derive(Clone, Debug)]
pub struct Terraform {
    pub program: PathBuf,
    /// For `TF_CLI_CONFIG_FILE`.
    pub configuration: Option<PathBuf>,
}

/// Terraform, or a skip.
pub fn terraform() -> Option<Terraform> {
    let found = named("TEST_TERRAFORM").or_else(|| on_path("terraform"));
    let terraform = |program| Terraform { program, configuration: named("TEST_TERRAFORM_CONFIG") };
    or_skip(found.map(terraform), "terraform is missing")
}

/// checkov, which knows what is risky in a Terraform configuration, or a skip.
pub fn checkov() -> Option<PathBuf> {
    or_skip(named("TEST_CHECKOV").or_else(|| on_path("checkov")), "checkov is missing (tests/run tools installs it where pip is)")
}

/// Python 3, or a skip.
pub fn python() -> Option<PathBuf> {
    or_skip(named("TEST_PYTHON").or_else(|| on_path("python3")), "python3 is missing")
}

/// Whether this process may mount, or a skip.
pub fn may_mount() -> Option<()> {
    let allowed = is_root() && Command::new("mount").arg("--version").output().is_ok_and(|output| output.status.success());
    or_skip(allowed.then_some(()), "mounting needs root")
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn or_skip<T>(part: Option<T>, reason: &str) -> Option<T> {
    if part.is_none() {
        skip(reason);
    }
    part
}

/// What the variable names. One that names nothing is a mistake, not a missing part.
fn named(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable).filter(|value| !value.is_empty())?);
    assert!(path.is_file(), "{variable} names `{}`, which is not there", path.display());
    Some(path)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn gcloud_root() -> Option<PathBuf> {
    let output = Command::new(on_path("gcloud")?).args(["info", "--format=value(installation.sdk_root)"]).output().ok()?;
    let root = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(root.trim()))
}

fn jar_below(root: &Path) -> Option<PathBuf> {
    let folder = root.join("platform/pubsub-emulator/lib");
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "jar")).max()
}
