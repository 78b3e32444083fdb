//! `workflow delete`, and what the server deletes by itself.

use longhaul_tests::Server;

use crate::{NOT_FOUND, QUEUE, count, eventually, kill_and_restart, run_id, server, workflow};

// E9: with an execution goes all that there is of it; open or closed, one run or what has the id.
#[test]
fn what_is_deleted_is_gone() {
    let mut server = server(&["counter"]);
    server.start_workflow("Counter", "c", &[]).ok();
    server.signal("c", "finish", &[]).ok();
    server.result("c").ok();
    let first = run_id(&server, "c");
    server.start_workflow("Counter", "c", &[]).ok();
    let second = run_id(&server, "c");

    workflow(&server, "delete", &["-w", "c", "-r", &first]).ok();
    workflow(&server, "show", &["-w", "c", "-r", &first]).refused(&[NOT_FOUND]);
    assert_eq!(run_id(&server, "c"), second, "the other run stays");
    server.update("c", "add_and_get", &["3"]).ok();

    // This one is open.
    let deleted = workflow(&server, "delete", &["-w", "c"]);
    kill_and_restart(&mut server);
    assert_eq!(
        (deleted.stdout.as_str(), deleted.stderr.as_str()),
        ("", "Workflow deleted\n")
    );
    for answer in [
        workflow(&server, "describe", &["-w", "c"]),
        workflow(&server, "show", &["-w", "c"]),
        workflow(&server, "delete", &["-w", "c"]),
        workflow(&server, "delete", &["-w", "c", "-r", &first]),
        server.query("c", "all"),
        server.signal("c", "add", &["1"]),
    ] {
        answer.refused(&[NOT_FOUND]);
    }
    assert_eq!(count(&server, ""), 0);
    workflow(&server, "delete", &["-w", "c", "-r", "no-run-id"]).refused(&["RunId"]);

    // The id is free.
    server.start_workflow("Counter", "c", &[]).ok();
    assert_eq!(server.ask("c", "total"), 0);
}

// E9
#[test]
fn what_has_closed_goes_after_its_retention_and_what_is_open_stays() {
    let server = Server::start_with(&["--retention", "1s"]);
    server.upload("counter", QUEUE);
    for id in ["closes", "stays"] {
        server.start_workflow("Counter", id, &[]).ok();
    }
    server.signal("closes", "finish", &[]).ok();
    eventually("the closed one is deleted", || {
        count(&server, "WorkflowId = 'closes'") == 0
    });
    workflow(&server, "describe", &["-w", "closes"]).refused(&[NOT_FOUND]);
    assert_eq!(server.ask("stays", "total"), 0);
    server
        .longhaul(&["server", "start", "--retention", "soon"])
        .wrong_usage(&["--retention"]);
}
