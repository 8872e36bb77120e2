//! Clients that generators make of the document do all that a person does.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::harness::{Adapter, Installation};
use crate::tools::{run, scratch, tests, tool};

on_every_adapter!(
    a_python_client_goes_the_whole_way,
    a_typescript_client_goes_the_whole_way
);

async fn a_python_client_goes_the_whole_way(adapter: Adapter) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let client = CLIENT.get_or_init(generate_python).await;
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    run(Command::new(tool("python/bin/python"))
        .arg(tests("clients/flow.py"))
        .arg(format!("http://{}", service.address()))
        .env("PYTHONPATH", client))
    .await;
}

async fn a_typescript_client_goes_the_whole_way(adapter: Adapter) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let client = CLIENT.get_or_init(generate_typescript).await;
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    run(Command::new("node")
        .arg(client.join("flow.js"))
        .arg(format!("http://{}", service.address())))
    .await;
}

fn document() -> PathBuf {
    tests("../openapi/openapi.json")
}

/// Gives the folder of the package `larder_client`.
async fn generate_python() -> PathBuf {
    let folder = scratch("python-client");
    let programs = tool("python/bin");
    // The generator formats what it made with a program that it finds there.
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    run(Command::new(programs.join("openapi-python-client"))
        .args([
            "generate",
            "--fail-on-warning",
            "--meta=none",
            "--output-path=larder_client",
            "--path",
        ])
        .arg(document())
        .env("PATH", path)
        .current_dir(&folder))
    .await;
    folder
}

/// Gives the folder of `flow.js`, which the compiler accepted.
async fn generate_typescript() -> PathBuf {
    // Below the packages, where the compiler and Node look for them.
    let folder = scratch("node/client");
    for file in ["package.json", "tsconfig.json", "flow.ts"] {
        std::fs::copy(tests("clients").join(file), folder.join(file)).unwrap();
    }
    let node = |program: &str| {
        let mut command = Command::new("node");
        command
            .arg(tool("node/node_modules").join(Path::new(program)))
            .current_dir(&folder);
        command
    };
    run(node("openapi-typescript/bin/cli.js")
        .arg(document())
        .args(["--output", "schema.d.ts"]))
    .await;
    run(&mut node("typescript/bin/tsc")).await;
    folder
}
