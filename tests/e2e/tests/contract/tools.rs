//! The tools that `tests/run` installed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Far more than any of them needs.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// A folder or file of `tests`.
pub(crate) fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// An empty folder among the tools, for what is made of the document.
pub(crate) fn scratch(path: &str) -> PathBuf {
    let folder = tool(".").join(path);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the folder of an earlier run can be removed");
    }
    std::fs::create_dir(&folder).expect("the folder can be made");
    folder
}

/// A file of the installed tools.
pub(crate) fn tool(path: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(3).expect("target/<profile>/deps/<test>");
    let tool = target.join("tools").join(path);
    assert!(
        tool.exists(),
        "{} is not there: run `tests/run`, which installs it.",
        tool.display()
    );
    tool
}

/// Runs a command to its end, which must be a good one, and gives what it printed.
pub(crate) async fn run(command: &mut Command) -> String {
    let output = timeout(PATIENCE, command.kill_on_drop(true).output())
        .await
        .unwrap_or_else(|_| panic!("{command:?} hangs"))
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = [&output.stdout[..], &output.stderr[..]]
        .map(String::from_utf8_lossy)
        .concat();
    assert!(output.status.success(), "{command:?}, {}:\n{printed}", output.status);
    printed
}
