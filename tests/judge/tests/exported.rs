//! Judges the histories that the end-to-end tests have exported.

use longhaul_judge::{Alteration, Error, Export, Options, Script, Verdict, judge, judge_against};

/// Every exported history is accepted; and each one with a command is refused when an event of it is altered, which
/// shows that the acceptance meant something.
#[test]
fn exported_histories_are_accepted_and_altered_ones_refused() {
    let exports = Export::read_all(&Export::default_folder()).unwrap_or_else(|error| panic!("{error}"));
    let options = Options::default();
    let mut faults = Vec::new();
    let (mut commands_in_all, mut controls) = (0, 0);
    for Export { name, history } in &exports {
        match judge(history, &options) {
            Ok(Verdict::Accepted { commands, .. }) => commands_in_all += commands,
            Ok(Verdict::Refused {
                reason,
                event,
                last_started,
            }) => {
                faults.push(format!(
                    "{name}: refused at event {event:?} (last task: {last_started}): {reason}"
                ));
                continue;
            }
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        }
        let code = Script::read(history).unwrap_or_else(|error| panic!("{name} was just read: {error}"));
        for alteration in Alteration::ALL {
            let Some((altered, event)) = alteration.apply(history) else {
                continue;
            };
            controls += 1;
            match judge_against(&altered, &code, &options) {
                Ok(Verdict::Refused { .. }) | Err(Error::Merged { .. }) => {}
                other => faults.push(format!(
                    "{name}: not refused although event {event} was altered ({alteration:?}): {other:?}"
                )),
            }
        }
    }
    assert!(
        faults.is_empty(),
        "of {} histories:\n{}",
        exports.len(),
        faults.join("\n")
    );
    assert!(
        commands_in_all > 0 && controls > 0,
        "{} histories without a command judge nothing",
        exports.len()
    );
    eprintln!(
        "{} histories accepted: {commands_in_all} commands; {controls} altered ones refused",
        exports.len()
    );
}
