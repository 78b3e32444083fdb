//! `family`: signals to the parent and the children, and onwards.

use serde_json::json;

use super::{Scenario, acts::*, play};

/// Ann, her child Bob, who is quiet, his child Cid, and Cid's child Dan. One child each, so that nothing happens at the same time.
const MEMBERS: [&str; 4] = ["ann", "ann/bob", "ann/bob/cid", "ann/bob/cid/dan"];

#[tokio::test]
async fn news_in_a_family_survive_any_crash() {
    // E5, E6, E7, E8, S9
    let [ann, _, _, dan] = MEMBERS;
    let family = json!({"children": [
        {"name": "bob", "quiet": true, "children": [
            {"name": "cid", "children": [{"name": "dan"}]},
        ]},
    ]});
    let mut acts = vec![start(ann, "FamilyWorkflow", [family]), rest(MEMBERS)];
    // Up to Bob, who keeps it from Ann; and from her down to Dan.
    for (member, news) in [(dan, "The sun shines"), (ann, "It snows")] {
        let tell = signal(member, "tell", [json!(news), json!(true)]);
        acts.extend([tell, rest(MEMBERS)]);
    }
    acts.extend(MEMBERS.map(|member| query(member, "get_heard")));
    acts.push(last_signal(ann, "leave"));
    acts.extend(MEMBERS.map(end));
    play(Scenario {
        name: "family",
        modules: &[("family", "families")],
        executions: &MEMBERS,
        shards: &[1, 3],
        acts,
        commits: 20,
        ..Scenario::default()
    })
    .await;
}
