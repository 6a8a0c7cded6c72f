//! A thread that panics must end the process, loudly.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const CHILD: &str = "INLAND_TEST_PANIC";

#[test]
fn a_panic_in_a_thread_aborts_the_process_and_names_the_thread() {
    if std::env::var_os(CHILD).is_some() {
        let thread = inland_native::sys::thread::spawn("doomed", || panic!("on purpose")).unwrap();
        let _ = thread.join();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_panic_in_a_thread_aborts_the_process_and_names_the_thread"])
        .arg("--nocapture")
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("thread doomed has panicked"), "{said}");
}
