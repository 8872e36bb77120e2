//! Requests that nobody wrote by hand, made of the document by Schemathesis.

use std::env;

use tokio::process::Command;

use crate::harness::{Adapter, Installation};
use crate::tools::{run, tests, tool};

on_every_adapter!(every_answer_is_one_of_the_document);

const ISSUER: &str = "https://issuer.example.com";
const SECRET: &str = "a secret that the issuer shares with us";

/// No status and no body that is not declared, no 5xx. `LARDER_FUZZ_EXAMPLES` makes it long: so many random requests for each operation,
/// and all systematic ones. `LARDER_FUZZ_SEED` asks for other ones.
async fn every_answer_is_one_of_the_document(adapter: Adapter) {
    let issuer = format!(
        "[{{ name = \"some\", iss = \"{ISSUER}\", aud = \"larder\", algorithms = [\"HS256\"], secret = \"{SECRET}\" }}]"
    );
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__EXTERNAL_ISSUERS", &issuer);
    let service = larder.start().await;
    // No two adapters get the same requests, so that together they get more.
    let seed: u32 = env::var("LARDER_FUZZ_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let seed = 3 * seed + adapter as u32;
    let (share, examples) = match env::var("LARDER_FUZZ_EXAMPLES") {
        Ok(examples) => ("1", examples),
        Err(_) => ("0.2", "4".to_owned()),
    };
    let printed = run(Command::new(tool("python/bin/python"))
        .arg(tests("fuzz.py"))
        .args([&format!("http://{}", service.address()), &seed.to_string(), share])
        .args([
            &format!("--max-examples={examples}"),
            "--phases=examples,coverage,fuzzing",
        ])
        .envs([("LARDER_FUZZ_ISSUER", ISSUER), ("LARDER_FUZZ_SECRET", SECRET)])
        .current_dir(larder.data_folder()))
    .await;
    assert!(printed.contains("Answers: "), "{printed}");
    println!("{printed}");
}
