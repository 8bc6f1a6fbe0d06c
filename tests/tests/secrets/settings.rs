//! Secrets where they do not belong: pasted into every setting of every program, with whatever belongs to them, and into the arguments of commands.

use persistor_serve::SETTINGS;
use persistor_tests::cli::Cli;
use persistor_tests::program::Setup;
use persistor_tests::{programs, scratch};

use crate::functions::outputs;
use crate::markers::{ACCOUNT_KEY, AUTHORIZATION, AZURE_TOKEN, PASSWORD, SAS, SHARED_KEY, Said};

/// What people have in their clipboards.
pub(crate) fn pasted() -> Vec<String> {
    let sas = format!("sv=2026-04-06&ss=b&sp=rwdl&se=2030-01-01T00%3A00%3A00Z&sig={}%3D", SAS.1);
    vec![
        sas.clone(),
        format!("?{sas}"),
        format!("https://acme.blob.core.windows.net/archive?{sas}"),
        format!("https://acme.blob.core.windows.net/archive/orders/x?{sas}"),
        format!("az://acme/archive?{sas}"),
        format!("https://user:{}@archive.example/path", PASSWORD.1),
        format!("gs://user:{}@bucket/prefix", PASSWORD.1),
        format!("http://{}@127.0.0.1:4443", PASSWORD.1),
        format!("127.0.0.1:4443/?token={}", AZURE_TOKEN.1),
        format!("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={}==;EndpointSuffix=core.windows.net", ACCOUNT_KEY.1),
        format!("BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature={sas}"),
        format!("Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey={}=", SHARED_KEY.1),
        format!("Bearer {}", AUTHORIZATION.1),
        format!("Authorization: Bearer {}", AUTHORIZATION.1),
        format!("Basic {}", AUTHORIZATION.1),
        format!("eyJhbGciOiJSUzI1NiJ9.eyJhIjoiYiJ9.{}", AUTHORIZATION.1),
        format!("ya29.{}", AUTHORIZATION.1),
        format!("AccountKey={}", ACCOUNT_KEY.1),
        format!("password={}", PASSWORD.1),
        format!("{{\"type\":\"service_account\",\"private_key\":\"-----BEGIN PRIVATE KEY-----\\n{}\\n\"}}", ACCOUNT_KEY.1),
    ]
}

/// All settings at once, so that all their faults are said together; and each alone, where a program would not begin for the others.
pub(crate) fn said() -> Vec<Said> {
    let mut all = Vec::new();
    let folder = scratch::folder_in_memory();
    for (number, text) in pasted().iter().enumerate() {
        for program in [programs::gcp_function(), programs::azure_function()] {
            let everything = SETTINGS.iter().fold(Setup::new(program.clone()), |setup, setting| setup.set(setting.name, text));
            let everything = everything.set("PERSISTOR_SERVICE_HOST", text).set("PERSISTOR_ARCHVE", text);
            let run = format!("{} with everything set to what was pasted, number {number}", program.display());
            let mut ended = everything.spawn();
            assert_eq!(ended.wait().code(), Some(2), "{run}");
            all.extend(outputs(&run, &ended));
        }
        // What is alone in being wrong, or in being taken for right.
        for name in ["PERSISTOR_ARCHIVE", "PERSISTOR_STREAM", "PERSISTOR_KEY_TEMPLATE", "STORAGE_EMULATOR_HOST"] {
            let root = folder.path().join(number.to_string());
            let mut program = Setup::gcp_function(&root).set(name, text).set("PERSISTOR_LOG", "trace").spawn();
            let run = format!("a function with {name} set to what was pasted, number {number}");
            assert_eq!(program.wait().code(), Some(2), "{run}");
            all.extend(outputs(&run, &program));
        }
        let cli = Cli::new(folder.path());
        for command in ["gcp", "azure"] {
            let said = cli.run(&["serve", command, "--archive", text]);
            let run = format!("serve {command} with what was pasted, number {number}");
            assert_eq!(said.code, Some(2), "{run}");
            all.push(Said::new(&run, "its standard error", said.errors));
            all.push(Said::new(&run, "its output", said.output));
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 0, "a folder is named after a secret");
    all
}
