//! The functions of the app: the folders with a `function.json` below the app's own, as the host finds them.

use std::collections::BTreeMap;
use std::path::Path;

use persistor_core::{Entity, Stream};

use crate::app_settings::AppSettings;
use crate::function::{Cardinality, Function, Trigger};
use crate::function_json::{self, Read};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Those that the host calls.
    pub(crate) enabled: Vec<Function>,
    /// The names of those that it does not.
    pub(crate) disabled: Vec<String>,
}

/// Finds the functions of an app.
///
/// # Errors
/// All that is wrong, each with the file it is in.
pub(crate) fn find(root: &Path, settings: &AppSettings) -> Result<Found, Vec<String>> {
    let listed = std::fs::read_dir(root).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = listed.map_err(|error| vec![format!("`{}` cannot be read: {error}", root.display())])?;
    let mut names: Vec<_> = entries.iter().filter(|entry| entry.path().join("function.json").is_file()).collect();
    names.sort_by_key(|entry| entry.file_name());
    let (mut found, mut faults) = (Found::default(), Vec::new());
    for entry in names {
        let name = entry.file_name().to_string_lossy().into_owned();
        let read = match std::fs::read_to_string(entry.path().join("function.json")) {
            Ok(text) => function_json::read(&name, text.trim_start_matches('\u{feff}'), settings),
            Err(error) => Err(vec![format!("it cannot be read: {error}")]),
        };
        match read {
            Ok(Read::Enabled(function)) => found.enabled.push(function),
            Ok(Read::Disabled) => found.disabled.push(name),
            Err(of_it) => faults.extend(of_it.into_iter().map(|fault| format!("`{name}/function.json`: {fault}"))),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// What is served where an app has no function at all, so that a first request can be made by hand.
pub(crate) fn default_function() -> Function {
    Function {
        name: "ServiceBusTopic".to_owned(),
        trigger: Trigger::ServiceBus,
        cardinality: Cardinality::One,
        binding: "message".to_owned(),
        entity: Entity::new("localhost/orders/Subscriptions/persistor").expect("it is not empty"),
        stream: Stream::new("localhost.orders.persistor").expect("it is not empty"),
    }
}

/// Gives all functions the one stream that was asked for.
///
/// # Errors
/// Where they have more than one entity: a stream belongs to one.
pub(crate) fn name_stream(functions: &mut [Function], stream: &Stream) -> Result<(), String> {
    if let [first, rest @ ..] = &*functions
        && let Some(other) = rest.iter().find(|other| other.entity != first.entity)
    {
        return Err(format!(
            "one name for the streams of two entities, `{}` and `{}`: leave it away (streams are named after entities then), or put each into an app of its own",
            first.entity, other.entity
        ));
    }
    functions.iter_mut().for_each(|function| function.stream = stream.clone());
    Ok(())
}

/// Two entities whose names give the same stream.
pub(crate) fn clash(functions: &[Function]) -> Option<String> {
    let mut streams = BTreeMap::new();
    functions.iter().find_map(|function| {
        let first = streams.entry(&function.stream).or_insert(function);
        (first.entity != function.entity).then(|| {
            format!(
                "the functions `{}` and `{}` would share the stream `{}`, but not the entity: put each into an app of its own",
                first.name, function.name, function.stream
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An app with these files.
    fn app(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            std::fs::write(path, text).expect("it is written");
        }
        folder
    }

    fn settings(variables: &[(&str, &str)]) -> AppSettings {
        let bus = [("Bus__fullyQualifiedNamespace", "ns.servicebus.windows.net")];
        AppSettings::new(bus.iter().chain(variables).map(|(name, value)| (name.into(), value.into())))
    }

    const QUEUE: &str = r#"{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"m","queueName":"a.b","connection":"Bus","dataType":"binary"}]}"#;
    const TOPIC: &str = r#"{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"m","topicName":"a","subscriptionName":"b","connection":"Bus","dataType":"binary"}]}"#;

    #[test]
    fn the_folders_with_a_file_are_the_functions() {
        let marked = format!("\u{feff}{QUEUE}");
        let app = app(&[
            ("host.json", "{}"),
            ("B/function.json", TOPIC),
            ("A/function.json", &marked),
            ("Off/function.json", "{}"),
            ("docs/x", ""),
        ]);
        let found = find(app.path(), &settings(&[("AzureWebJobs.Off.Disabled", "true")])).expect("nothing is wrong");
        let names: Vec<_> = found.enabled.iter().map(|function| function.name.as_str()).collect();
        assert_eq!((names, found.disabled), (vec!["A", "B"], vec!["Off".to_owned()]));
        // Enabled, it is wrong, and said to be with its file.
        let faults = find(app.path(), &settings(&[])).expect_err("Off");
        assert!(matches!(&faults[..], [fault] if fault.starts_with("`Off/function.json`: it has 0 triggers")), "{faults:?}");
        assert!(find(&app.path().join("not-there"), &settings(&[])).is_err());
        assert_eq!(find(&app.path().join("docs"), &settings(&[])), Ok(Found::default()));
    }

    #[test]
    fn a_stream_belongs_to_one_entity() {
        let app = app(&[("A/function.json", QUEUE), ("B/function.json", TOPIC)]);
        let mut functions = find(app.path(), &settings(&[])).expect("nothing is wrong").enabled;
        let reason = clash(&functions).expect("both are `ns.a.b`");
        assert!(reason.contains("`A` and `B`") && reason.contains("`ns.a.b`"), "{reason}");
        let orders = Stream::new("orders").expect("a stream");
        assert!(name_stream(&mut functions, &orders).is_err());
        functions.pop();
        assert_eq!((name_stream(&mut functions, &orders), clash(&functions)), (Ok(()), None));
        assert_eq!(functions[0].stream, orders);
        // Two ways into one entity may share its stream.
        functions.push(Function { name: "C".to_owned(), ..functions[0].clone() });
        assert_eq!((name_stream(&mut functions, &orders), clash(&functions)), (Ok(()), None));
    }
}
