//! Requests that nobody wrote by hand, made of the document by Schemathesis.

use std::env;

use tokio::process::Command;

use crate::harness::{Adapter, Installation};
use crate::tools::{run, tests, tool};

on_every_adapter!(every_answer_is_one_of_the_document);

const ISSUER: &str = "https://issuer.example.com";
const SECRET: &str = "a secret that the issuer shares with us";

/// No status and no body that is not declared, no 5xx. `LARDER_FUZZ_OPTIONS` replaces the bounds: `--max-examples=1000
/// --phases=examples,coverage,fuzzing,stateful` is the long run. `LARDER_FUZZ_SEED` asks for other requests.
async fn every_answer_is_one_of_the_document(adapter: Adapter) {
    let issuer = format!(
        "[{{ name = \"some\", iss = \"{ISSUER}\", aud = \"larder\", algorithms = [\"HS256\"], secret = \"{SECRET}\" }}]"
    );
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__EXTERNAL_ISSUERS", &issuer);
    let service = larder.start().await;
    let seed = env::var("LARDER_FUZZ_SEED").unwrap_or_else(|_| "1".to_owned());
    let options = env::var("LARDER_FUZZ_OPTIONS")
        .unwrap_or_else(|_| "--max-examples=5 --phases=examples,coverage,fuzzing".to_owned());
    let printed = run(Command::new(tool("python/bin/python"))
        .arg(tests("fuzz.py"))
        .args([format!("http://{}", service.address()), seed])
        .args(options.split_whitespace())
        .envs([("LARDER_FUZZ_ISSUER", ISSUER), ("LARDER_FUZZ_SECRET", SECRET)])
        .current_dir(larder.data_folder()))
    .await;
    assert!(printed.contains("Answers: "), "{printed}");
    println!("{printed}");
}
