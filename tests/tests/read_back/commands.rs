//! What each command has to say of an archive of [`Bulk`], by what was sent.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use persistor_tests::bulk::{Bulk, TWICE};
use persistor_tests::cli::Cli;
use persistor_tests::naming::sha256;
use serde_json::{Value, json};

/// An archive, and how to read it.
pub(crate) struct Archived {
    pub(crate) bulk: Bulk,
    pub(crate) cli: Cli,
    /// Blobs that nobody of Persistor made.
    pub(crate) foreign: u64,
    /// Blobs under reserved names.
    pub(crate) later: u64,
}

/// What one command has to say.
type Step = fn(&Archived);

impl Archived {
    pub(crate) fn check(&self) {
        let steps: [(&str, Step); 9] = [
            ("ls", Self::ls),
            ("selections", Self::selections),
            ("streams", Self::streams),
            ("show and cat", Self::show_and_cat),
            ("grep", Self::grep),
            ("timeline", Self::timeline),
            ("verify", Self::verify),
            ("diff", Self::diff),
            ("keys", Self::keys),
        ];
        for (name, step) in steps {
            let start = std::time::Instant::now();
            step(self);
            eprintln!("{name}: {:.1} s", start.elapsed().as_secs_f32());
        }
    }

    /// What is said where talk is unwanted too: it is not in the result.
    fn passed_over(&self) -> String {
        format!("persistor: {} blobs of a later version of Persistor were passed over\n", self.later)
    }

    fn number_of(&self, line: &Value) -> usize {
        line["attributes"]["number"]
            .as_str()
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no number: {line}"))
    }

    fn ls(&self) {
        let keys = self.bulk.keys();
        let listed = self.cli.fine(&["ls"]);
        assert!(listed.lines().iter().eq(keys.keys()), "{} keys listed of {}", listed.lines().len(), keys.len());
        assert!(listed.errors.contains(&format!("{TWICE} of these")), "{}", listed.errors);
        let counted = self.cli.fine(&["ls", "--count", "--quiet"]);
        assert_eq!((counted.text(), &counted.errors), (format!("{}\n", self.bulk.messages).as_str(), &self.passed_over()));

        let listed = self.cli.fine(&["ls", "--json"]).json();
        assert_eq!(listed.len(), keys.len());
        let mut twice = 0;
        for (line, (key, number)) in listed.iter().zip(&keys) {
            let push = self.bulk.push(*number);
            let expected = json!({
                "key": key, "stream": push.stream, "entity": persistor_tests::push::SUBSCRIPTION, "id": push.id, "publish_time": push.publish_time,
                "size": push.payload.len(), "sha256": sha256(&push.payload), "attributes": push.attributes, "properties": {},
                "duplicate_of": line["duplicate_of"],
            });
            assert_eq!(*line, expected);
            if let Some(first) = line["duplicate_of"].as_str() {
                twice += 1;
                assert!(first < key.as_str() && keys[first] == *number, "{first} is said to be the first of {key}");
            }
        }
        assert_eq!(twice, TWICE);

        let long = self.cli.fine(&["ls", "-l", "--limit", "3"]);
        let number = keys.values().next().expect("there are some");
        let push = self.bulk.push(*number);
        let words: Vec<_> = long.lines()[0].split_whitespace().collect();
        assert_eq!(words[..3], [push.publish_time.as_str(), &push.payload.len().to_string(), push.id.as_str()]);
        assert_eq!(long.lines().len(), 3);
    }

    fn selections(&self) {
        let bulk = self.bulk;
        let numbers = |arguments: &[&str]| -> BTreeSet<usize> {
            let said = self.cli.fine(&[&["ls", "--json", "--quiet"][..], arguments].concat());
            said.json().iter().map(|line| self.number_of(line)).collect()
        };
        let expected =
            |wanted: &dyn Fn(usize) -> bool| (0..bulk.messages).filter(|number| wanted(*number)).collect::<BTreeSet<_>>();
        let (since, until) = ("2026-11-22T05:41:00Z", "2026-11-22T05:41:30.5Z");
        let within = |number: usize| {
            let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
            (time(since)..time(until)).contains(&bulk.time(number))
        };
        assert_eq!(numbers(&["--since", since, "--until", until]), expected(&within));
        let refunds = |number: usize| within(number) && number % 4 == 3;
        // The same moments, with another zone.
        let zoned = ["--since", "2026-11-22 06:41 +01:00", "--until", "2026-11-22T06:41:30.5+01:00"];
        assert_eq!(numbers(&[&zoned[..], &["--stream", "refunds"]].concat()), expected(&refunds));
        let both = ["--stream", "refunds", "--stream", "orders", "--since", since, "--until", until];
        assert_eq!(numbers(&both), expected(&within));
        for (filter, wanted) in [
            ("tenant=north", (|number| number % 3 == 0) as fn(usize) -> bool),
            ("tenant=south/é", |number| number % 3 == 1),
            ("tenant", |number| number % 3 != 2),
            ("tenant!=north", |number| number % 3 != 0),
            ("tenant^=sou", |number| number % 3 == 1),
            ("long 3", |number| number % 50 == 49),
        ] {
            let found = numbers(&["--since", since, "--until", until, "--attribute", filter]);
            assert_eq!(found, expected(&|number| within(number) && wanted(number)), "{filter}");
        }
        let (one, other) = (bulk.push(7), bulk.push(bulk.messages - 1));
        assert_eq!(numbers(&["--id", &one.id, "--id", &other.id, "--all"]), [7, bulk.messages - 1].into());
    }

    fn streams(&self) {
        let refunds = (0..self.bulk.messages).filter(|number| number % 4 == 3).count();
        for (arguments, counted) in [(&["streams", "--json"][..], false), (&["streams", "--json", "--count"], true)] {
            let streams: BTreeMap<_, _> = self
                .cli
                .fine(arguments)
                .json()
                .into_iter()
                .map(|line| (line["stream"].as_str().unwrap_or_default().to_owned(), line))
                .collect();
            assert_eq!(streams.keys().collect::<Vec<_>>(), ["orders", "refunds"]);
            let orders = &streams["orders"];
            assert_eq!(orders["entities"], json!([persistor_tests::push::SUBSCRIPTION]));
            // The second template's keys say no more than the hour.
            let [_, second] = self.bulk.halves();
            let hour = self.bulk.time(second.start).format("%Y-%m-%dT%H:00:00Z").to_string();
            assert_eq!(orders["first"].as_str(), Some(hour.as_str().min("2026-11-22T05:40:00Z")));
            let last = self.bulk.time(self.bulk.messages - 1).format("%Y-%m-%dT%H").to_string();
            assert!(orders["last"].as_str().is_some_and(|text| text.starts_with(&last) || text < last.as_str()), "{orders}");
            if counted {
                // Each key counts.
                let counts = |stream: &str| streams[stream]["messages"].as_u64().unwrap_or(0);
                assert_eq!(counts("orders") + counts("refunds"), (self.bulk.messages + TWICE) as u64);
                assert!(counts("refunds").abs_diff(refunds as u64) <= TWICE as u64);
            }
        }
        let status = self.cli.fine(&["status", "--json"]).json();
        assert!(status.len() == 2 && status.iter().all(|line| line["state"] == "idle"), "{status:?}");
    }

    fn show_and_cat(&self) {
        for number in [0, 3, 5, 10, 15, 49, self.bulk.messages - 1] {
            let (key, push) = (self.bulk.key(number), self.bulk.push(number));
            assert!(self.cli.fine(&["cat", &key]).output == push.payload, "{key}");
            let shown = self.cli.fine(&["show", &key]);
            for part in [key.as_str(), &push.id, &push.publish_time, &sha256(&push.payload)] {
                assert!(shown.text().contains(part), "{part}: {}", shown.text());
            }
            assert_eq!(self.number_of(&self.cli.fine(&["show", "--json", &format!("{key}.record")]).json()[0]), number);
        }
        let two = self.cli.fine(&["cat", &self.bulk.key(1), &self.bulk.key(2)]);
        assert_eq!(two.output, [self.bulk.push(1).payload, self.bulk.push(2).payload].concat());
        let absent = self.cli.ends_with(4, &["cat", &self.bulk.key(1).replace("2026", "2025")], b"");
        assert!(absent.output.is_empty() && absent.errors.contains("there is no blob"), "{}", absent.errors);
    }

    fn grep(&self) {
        let (since, until) = ("2026-11-22T05:40:30Z", "2026-11-22T05:41:30Z");
        let (first, last) = (417, 1249);
        let keys = |arguments: &[&str]| {
            let said = self.cli.fine(&[&["grep", "--quiet", "--since", since, "--until", until][..], arguments].concat());
            said.text().lines().map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let expected = |wanted: &dyn Fn(usize) -> bool| -> BTreeSet<_> {
            (first..=last).filter(|number| wanted(*number)).map(|number| self.bulk.key(number)).collect()
        };
        assert_eq!(keys(&["-F", "was paid\r\n"]), expected(&|number| number % 10 == 0));
        assert_eq!(keys(&["-i", "^ORDER 50[0-9] "]), expected(&|number| number == 500));
        assert_eq!(keys(&["json:/order/id=777"]), expected(&|number| number == 777));
        assert_eq!(
            keys(&["json:/order/customer=7"]),
            expected(&|number| number % 40 == 7 && number % 10 != 0 && number % 10 != 5)
        );
        let zero = Self::has_byte(self.bulk, 0);
        assert_eq!(keys(&[r"(?-u:\x00)"]), expected(&zero));
        assert_eq!(keys(&["--attributes", "^tenant=north$"]), expected(&|number| number % 3 == 0));
        let json = self.cli.fine(&["grep", "--json", "--since", since, "--until", until, "json:/order/id=777"]).json();
        assert!(json.len() == 1 && self.number_of(&json[0]) == 777, "{json:?}");
        let nothing = self.cli.ends_with(4, &["grep", "--since", since, "--until", until, "no such text"], b"");
        assert!(nothing.output.is_empty() && nothing.errors.contains("no payload"), "{}", nothing.errors);
    }

    fn has_byte(bulk: Bulk, byte: u8) -> impl Fn(usize) -> bool {
        move |number| bulk.push(number).payload.contains(&byte)
    }

    fn timeline(&self) {
        let rows = self.cli.fine(&["timeline", "--json", "--by", "minute"]).json();
        let mut expected = BTreeMap::new();
        for number in 0..self.bulk.messages {
            let minute = self.bulk.time(number).format("%Y-%m-%dT%H:%M:00Z").to_string();
            *expected.entry(minute).or_insert(0) += 1;
        }
        let counted: BTreeMap<_, _> = rows
            .iter()
            .map(|row| (row["start"].as_str().unwrap_or_default().to_owned(), row["messages"].as_u64().unwrap_or(0)))
            .filter(|(_, messages)| *messages > 0)
            .collect();
        assert_eq!(counted, expected);
        let bytes: usize = (0..self.bulk.messages).map(|number| self.bulk.push(number).payload.len()).sum();
        assert_eq!(rows.iter().map(|row| row["bytes"].as_u64().unwrap_or(0)).sum::<u64>(), bytes as u64);
        let picture = self.cli.fine(&["timeline", "--by", "minute", "--quiet"]);
        assert!(picture.text().contains("nothing for "), "{}", picture.text());
        assert_eq!(picture.errors, self.passed_over());
    }

    fn verify(&self) {
        for (arguments, read) in
            [(&["verify", "--json"][..], 0), (&["verify", "--json", "--read-data"], self.bulk.messages + TWICE)]
        {
            let lines = self.cli.fine(arguments).json();
            let (summary, findings) = lines.split_last().expect("a summary");
            let found = |fault: &str| findings.iter().filter(|line| line["fault"] == fault).count() as u64;
            assert_eq!((found("foreign"), found("later-version")), (self.foreign, self.later), "{findings:?}");
            assert_eq!(findings.len() as u64, self.foreign + self.later, "{findings:?}");
            let keys = self.bulk.messages + TWICE;
            let expected = json!([keys, read, TWICE, 0]);
            assert_eq!(
                json!([summary["messages"], summary["payloads_read"], summary["duplicates"], summary["damage"]]),
                expected
            );
        }
        let text = self.cli.fine(&["verify", "--sample", "20%", "--since", "2026-11-22T05:40", "--until", "2026-11-22T05:41"]);
        assert!(text.text().contains("no damage found") && text.text().contains("a sample of 20 %"), "{}", text.text());
    }

    fn diff(&self) {
        // The consumer lost 137: some here and there, the rest in a row.
        let count = self.bulk.messages;
        let lost: BTreeSet<usize> = (0..37).map(|n| n * (count / 80) + 11).chain(count * 3 / 5..count * 3 / 5 + 100).collect();
        assert_eq!(lost.len(), 137);
        let arrived = |value: &dyn Fn(usize) -> String| {
            let kept = (0..count).rev().filter(|number| !lost.contains(number));
            kept.flat_map(|number| [value(number), "\n".to_owned()]).collect::<String>()
        };
        let keys: BTreeSet<String> = lost.iter().map(|number| self.bulk.key(*number)).collect();
        let ids = arrived(&|number| self.bulk.push(number).id);
        let numbers = arrived(&|number| number.to_string());
        for (what, lines) in [("id", &ids), ("attribute:number", &numbers)] {
            let said = self.cli.ends_with(0, &["diff", "--match", what], lines.as_bytes());
            // One that is stored twice can be told by either key; the first one listed is told.
            let told: BTreeSet<String> = said.lines().into_iter().map(str::to_owned).collect();
            assert_eq!(told, keys, "{what}");
            assert!(said.errors.contains("137 messages did not arrive"), "{}", said.errors);
        }
        let whole = self.cli.ends_with(0, &["diff", "--match", "id", "--json"], ids.as_bytes()).json();
        assert_eq!(whole.iter().map(|line| self.number_of(line)).collect::<BTreeSet<_>>(), lost);

        let said = self.cli.ends_with(0, &["diff", "--match", "json:/order/id", "--all"], numbers.as_bytes());
        let json = |number: &&usize| !number.is_multiple_of(5);
        let told: BTreeSet<String> = said.lines().into_iter().map(str::to_owned).collect();
        assert_eq!(told, lost.iter().filter(json).map(|number| self.bulk.key(*number)).collect());
        assert!(said.errors.contains("have no value for `json:/order/id`"), "{}", said.errors);

        let unknown = format!("{ids}never sent\r\n0\n");
        let said = self.cli.ends_with(0, &["diff", "--match", "id", "--reverse"], unknown.as_bytes());
        assert_eq!(said.text(), "0\nnever sent\n");
        let all = arrived(&|number| sha256(&self.bulk.push(number).payload).to_uppercase());
        let said = self.cli.ends_with(0, &["diff", "--match", "sha256", "--reverse"], all.as_bytes());
        assert_eq!(said.text(), "");
    }

    fn keys(&self) {
        let wanted = [30, 3, 4, self.bulk.messages - 1, 3];
        let absent = self.bulk.key(5).replace("2026", "2025");
        let input: String =
            wanted.iter().map(|number| self.bulk.key(*number)).chain([absent.clone()]).map(|key| key + "\n").collect();
        let said = self.cli.ends_with(3, &["ls", "--json", "--keys", "-"], input.as_bytes());
        let found: BTreeSet<_> = said.json().iter().map(|line| self.number_of(line)).collect();
        assert_eq!((found, said.json().len()), (wanted.into(), 4));
        assert!(said.errors.contains(&absent), "{}", said.errors);
        let bytes = self.cli.ends_with(3, &["timeline", "--json", "--keys", "-"], input.as_bytes()).json();
        assert_eq!(bytes.iter().map(|row| row["messages"].as_u64().unwrap_or(0)).sum::<u64>(), 4);
    }
}
