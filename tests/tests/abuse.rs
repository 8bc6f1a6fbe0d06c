//! Abuse of both functions over HTTP, from outside: what breaks the rules ([`cases`]), and what keeps them and takes its time ([`floods`]). Beside each
//! attack well-behaved publishers go on ([`publishers`]): all of their messages are acknowledged, whatever is done. Nothing is stored but what was sent as
//! a message, memory stays within its bound, and the program lives ([`victim`]).

#[path = "abuse/cases.rs"]
mod cases;
#[path = "abuse/floods.rs"]
mod floods;
#[path = "abuse/publishers.rs"]
mod publishers;
#[path = "abuse/victim.rs"]
mod victim;
#[path = "abuse/wire.rs"]
mod wire;

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use cases::{Case, End};
use publishers::{Beside, Served, beside};
use victim::{Function, Victim};
use wire::{Tally, exchange, is_closed};

/// A list of cases against a program.
type List = fn(&Victim) -> Vec<Case>;

/// The attacks that are lists of cases, each with its own program.
const LISTS: [(&str, List); 7] = [
    ("lengths that lie", cases::lengths),
    ("chunk games", cases::chunks),
    ("pipelines, smuggling", cases::pipelines),
    ("versions, targets, methods", cases::heads),
    ("compressed bodies", cases::codings),
    ("header bombs", cases::header_bombs),
    ("JSON bombs", cases::json_bombs),
];

#[test]
#[ignore = "needs some time: tests/run e2e"]
fn every_attack_leaves_the_others_served() {
    let failed = Mutex::new(Vec::new());
    eprintln!(
        "\n| attack | function | sent | answers | peak memory | others served | p50 | p99 |\n|---|---|---|---|---|---|---|---|"
    );
    thread::scope(|scope| {
        for function in [Function::Gcp, Function::Azure] {
            let failed = &failed;
            let attacked = move |attack, files, with: &(dyn Fn(&Victim, &Beside) -> Tally + Sync)| {
                let line = || {
                    let victim = Victim::start(function, files);
                    let (ends, served) = beside(&victim, |others| with(&victim, others));
                    print(attack, function, &ends, victim.end(attack), &served);
                };
                // One that fails does not keep the others from being seen.
                if thread::scope(|scope| scope.spawn(line).join()).is_err() {
                    failed.lock().expect("no thread panics with it").push(format!("{attack} on {function}"));
                }
            };
            scope.spawn(move || {
                for (attack, list) in LISTS {
                    attacked(attack, None, &|victim, others| run(victim, list(victim), others));
                }
            });
            scope.spawn(move || {
                for (attack, files, flood) in floods::FLOODS {
                    if files.is_some() && function == Function::Azure {
                        // The same code, and the limit is set for one program.
                        continue;
                    }
                    attacked(attack, files, &flood);
                }
            });
        }
    });
    assert_eq!(failed.into_inner().expect("no thread panics with it"), [""; 0], "see above");
}

/// One line of the table. Times are measured, and nothing depends on them.
fn print(attack: &str, function: Function, ends: &Tally, peak: u64, Served { count, p50, p99 }: &Served) {
    let (sent, mib) = (ends.count(), peak as f64 / f64::from(1 << 20));
    eprintln!("| {attack} | {function} | {sent} | {ends} | {mib:.0} MiB | {count} of {count} | {p50:.1?} | {p99:.1?} |");
}

/// Sends each case, looks at its replies, and at what can be done with its connection afterwards.
fn run(victim: &Victim, cases: Vec<Case>, others: &Beside) -> Tally {
    let mut faults = Vec::new();
    let mut ends = Tally::default();
    for Case { name, bytes, replies, end, taken } in cases {
        let (statuses, mut connection) = exchange(victim.port(), &bytes, replies.len());
        if statuses != replies {
            faults.push(format!("{name}: {statuses:?}, not {replies:?}"));
            continue;
        }
        taken.into_iter().for_each(|id| victim.was_taken(id));
        statuses.iter().for_each(|status| ends.add(status));
        if statuses.is_empty() {
            ends.add("closed");
        }
        if end == End::Closed {
            let _ = connection.set_time_limit(Duration::from_secs(60));
            if !is_closed(&mut connection) {
                faults.push(format!("{name}: the connection stays open, or what is behind it is answered"));
            }
        } else {
            let id = format!("after-{}", ends.count());
            match connection.exchange(&victim.request(&id)) {
                Ok(answer) if answer.status == victim.yes() => victim.was_taken(id),
                Err(_) if end == End::Either => victim.may_be_taken(id),
                other => faults.push(format!("{name}: the connection is of no use afterwards: {other:?}")),
            }
        }
        others.wait_for(1);
    }
    assert!(faults.is_empty(), "{} on {}:\n{}", faults.len(), victim.function, faults.join("\n"));
    ends
}
