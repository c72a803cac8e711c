//! Times rsigma on the rules and events of a lane.
//!
//! Reads a job (JSON, `Job`) from the file named by its only argument, loads, and prints `Ready` as a line of JSON.
//! Then, for each line on standard input, a line of JSON: `go` times a round, `dump PATH` writes the matches, `memory`
//! tells the peak of the rounds. A round takes every event from its bytes: decode, tell its logsource, evaluate.
//!
//! The engine's options (its two ways to ask about a logsource, bloom filters, the index over all rules' texts) are
//! tried on the first events, and the quickest are taken: the peer is to run as its authors would have it.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, Write};
use std::time::Instant;

use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::{LogSource, parse_sigma_directory};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events on which the options are compared.
const TRIAL_EVENTS: usize = 2_000;

/// What to do: folder of rules, streams of events.
#[derive(Deserialize)]
struct Job {
    rules: String,
    streams: Vec<Stream>,
}

/// A file of JSON lines. Its events have `logsources`, unless `kinds` knows others by the values of `by`.
#[derive(Deserialize)]
struct Stream {
    path: String,
    logsources: Vec<Named>,
    #[serde(default)]
    by: Vec<String>,
    #[serde(default)]
    kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    values: Vec<String>,
    logsources: Vec<Named>,
}

/// A logsource. What is not named is set to a word that no rule uses, so that rules that ask for it are left out.
#[derive(Deserialize, Clone, Default)]
struct Named {
    product: Option<String>,
    service: Option<String>,
    category: Option<String>,
}

#[derive(Serialize)]
struct Ready {
    engine: String,
    rules: usize,
    refused: Vec<String>,
    options: String,
    load_seconds: f64,
    loaded_mib: f64,
    events: usize,
}

struct Lines {
    bytes: Vec<u8>,
    spans: Vec<(usize, usize)>,
    logsources: Vec<LogSource>,
    by: Vec<String>,
    kinds: HashMap<String, Vec<LogSource>>,
}

#[derive(Clone, Copy)]
struct Options {
    strict: bool,
    bloom: bool,
    index: bool,
}

fn logsource(named: &Named) -> LogSource {
    let or_none = |given: &Option<String>| Some(given.clone().unwrap_or_else(|| "-".to_string()));
    LogSource {
        product: or_none(&named.product),
        service: or_none(&named.service),
        category: or_none(&named.category),
        ..LogSource::default()
    }
}

fn read(stream: Stream) -> Lines {
    let bytes = fs::read(&stream.path).expect("events are readable");
    let mut spans = Vec::new();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            spans.push((from, at));
            from = at + 1;
        }
    }
    let kinds = stream.kinds.iter().map(|kind| {
        (
            kind.values.join("\u{1f}"),
            kind.logsources.iter().map(logsource).collect(),
        )
    });
    Lines {
        bytes,
        spans,
        logsources: stream.logsources.iter().map(logsource).collect(),
        by: stream.by,
        kinds: kinds.collect(),
    }
}

fn text(value: Option<&Value>, into: &mut String) {
    match value {
        Some(Value::String(text)) => into.push_str(text),
        Some(Value::Number(number)) => into.push_str(&number.to_string()),
        _ => {}
    }
}

impl Lines {
    fn logsources_of<'a>(&'a self, event: &Value, key: &mut String) -> &'a [LogSource] {
        if self.by.is_empty() {
            return &self.logsources;
        }
        key.clear();
        for (number, field) in self.by.iter().enumerate() {
            if number > 0 {
                key.push('\u{1f}');
            }
            text(event.get(field), key);
        }
        self.kinds.get(key.as_str()).unwrap_or(&self.logsources)
    }

    /// Every event of the first `limit`: decoded, routed, evaluated; `told` hears of each match.
    fn run(&self, engine: &Engine, options: Options, limit: usize, mut told: impl FnMut(usize, &str)) -> usize {
        let mut matches = 0;
        let mut key = String::new();
        for (number, (from, to)) in self.spans.iter().take(limit).enumerate() {
            let Ok(value) = serde_json::from_slice::<Value>(&self.bytes[*from..*to]) else {
                continue;
            };
            let event = JsonEvent::borrow(&value);
            for logsource in self.logsources_of(&value, &mut key) {
                let found = if options.strict {
                    engine.evaluate_with_logsource(&event, logsource)
                } else {
                    engine.evaluate_pruned(&event, logsource)
                };
                matches += found.len();
                for each in &found {
                    told(
                        number,
                        each.header.rule_id.as_deref().unwrap_or(&each.header.rule_title),
                    );
                }
            }
        }
        matches
    }
}

fn set(engine: &mut Engine, options: Options) {
    engine.set_bloom_prefilter(options.bloom);
    engine.set_cross_rule_ac(options.index);
}

/// The options that take the first events in the least time.
fn quickest(engine: &mut Engine, streams: &[Lines]) -> Options {
    let mut best = (
        f64::MAX,
        Options {
            strict: false,
            bloom: false,
            index: false,
        },
    );
    for index in [false, true] {
        for bloom in [false, true] {
            for strict in [false, true] {
                let options = Options { strict, bloom, index };
                set(engine, options);
                let mut least = f64::MAX;
                for _ in 0..3 {
                    let began = Instant::now();
                    for lines in streams {
                        lines.run(engine, options, TRIAL_EVENTS / streams.len(), |_, _| {});
                    }
                    least = least.min(began.elapsed().as_secs_f64());
                }
                if least < best.0 {
                    best = (least, options);
                }
            }
        }
    }
    set(engine, best.1);
    best.1
}

/// What Linux tells of this process, in MiB: `VmRSS` (memory now), `VmHWM` (its peak).
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or("");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

/// Seconds that this process, which has one thread, has been on a core.
fn on_core() -> f64 {
    let told = fs::read_to_string("/proc/self/schedstat").expect("Linux tells the time on a core");
    let first = told
        .split_whitespace()
        .next()
        .and_then(|nanoseconds| nanoseconds.parse::<f64>().ok());
    first.expect("the first figure is nanoseconds") / 1e9
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: rsigma-bench JOB.json");
    let job: Job = serde_json::from_slice(&fs::read(path).expect("the job is readable")).expect("the job is JSON");

    let began = Instant::now();
    let collection = parse_sigma_directory(job.rules.as_ref()).expect("the rules are readable");
    let mut engine = Engine::new();
    let errors = engine.add_rules(&collection.rules);
    let load_seconds = began.elapsed().as_secs_f64();
    let mut refused: Vec<String> = collection.errors.iter().map(|error| error.to_string()).collect();
    refused.extend(errors.iter().map(|(at, error)| {
        let rule = &collection.rules[*at];
        format!("{}: {error}", rule.id.as_deref().unwrap_or(&rule.title))
    }));

    let loaded_mib = memory("VmRSS");
    let streams: Vec<Lines> = job.streams.into_iter().map(read).collect();
    let options = quickest(&mut engine, &streams);
    let ready = Ready {
        engine: "rsigma-eval 0.23.0".to_string(),
        rules: engine.rule_count(),
        refused,
        options: format!(
            "{}{}{}",
            if options.strict {
                "strict logsources"
            } else {
                "pruned logsources"
            },
            if options.bloom { ", bloom filters" } else { "" },
            if options.index { ", index over all rules" } else { "" },
        ),
        load_seconds,
        loaded_mib,
        events: streams.iter().map(|lines| lines.spans.len()).sum(),
    };
    tell(&ready);

    let _ = fs::write("/proc/self/clear_refs", "5");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("commands are text");
        if line == "go" {
            let (began, at) = (Instant::now(), on_core());
            let matches: usize = streams
                .iter()
                .map(|lines| lines.run(&engine, options, usize::MAX, |_, _| {}))
                .sum();
            let (seconds, cpu) = (began.elapsed().as_secs_f64(), on_core() - at);
            tell(&json!({"seconds": seconds, "cpu": cpu, "matches": matches}));
        } else if line == "memory" {
            tell(&json!({"peak_mib": memory("VmHWM")}));
        } else if let Some(path) = line.strip_prefix("dump ") {
            dump(path, &streams, &engine, options);
            tell(&json!({"dumped": path}));
        }
    }
}

/// Write each match as stream, record and rule, parted by tabs.
fn dump(path: &str, streams: &[Lines], engine: &Engine, options: Options) {
    let mut out = std::io::BufWriter::new(fs::File::create(path).expect("the matches can be written"));
    for (stream, lines) in streams.iter().enumerate() {
        lines.run(engine, options, usize::MAX, |record, rule| {
            writeln!(out, "{stream}\t{record}\t{rule}").expect("the matches can be written");
        });
    }
}

fn tell(said: &impl Serialize) {
    println!("{}", serde_json::to_string(said).expect("it is JSON"));
}
