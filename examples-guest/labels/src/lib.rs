//! Values by which executions are found, and that tools show: search attributes and a memo, also those that a run goes on with.

use std::time::Duration;

use longhaul_sdk::search_attributes::{SearchAttributeKey, SearchAttributes, Timestamp};
use longhaul_sdk::{
    ContinueAsNewOptions, MemoValue, MemoValues, RetryPolicy, SyncWorkflowContext, WorkflowContext,
    WorkflowResult, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};

const CITY: SearchAttributeKey<String> = SearchAttributeKey::keyword("LabelsCity");
const NOTE: SearchAttributeKey<String> = SearchAttributeKey::text("LabelsNote");
const PARCELS: SearchAttributeKey<i64> = SearchAttributeKey::int("LabelsParcels");
const WEIGHT: SearchAttributeKey<f64> = SearchAttributeKey::float("LabelsWeight");
const FRAGILE: SearchAttributeKey<bool> = SearchAttributeKey::bool("LabelsFragile");
const DUE: SearchAttributeKey<Timestamp> = SearchAttributeKey::datetime("LabelsDue");
const TAGS: SearchAttributeKey<Vec<String>> = SearchAttributeKey::keyword_list("LabelsTags");
/// Given with the start.
const OWNER: SearchAttributeKey<String> = SearchAttributeKey::keyword("LabelsOwner");

/// 2026-01-02T03:04:05Z.
const DUE_S: i64 = 1_767_323_045;

/// What a workflow reads of itself.
#[derive(Deserialize, Serialize)]
struct Labels {
    owner: Option<String>,
    city: Option<String>,
    note: Option<String>,
    parcels: Option<i64>,
    weight: Option<f64>,
    fragile: Option<bool>,
    due_s: Option<i64>,
    tags: Option<Vec<String>>,
    sender: Option<String>,
    size: Option<(u32, u32)>,
}

/// Labels itself, changes the labels when it is told to, and goes on as another workflow with labels of its own.
#[workflow]
#[derive(Default)]
struct LabelsWorkflow {
    steps: u32,
}

#[workflow_methods]
impl LabelsWorkflow {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, again: bool) -> WorkflowResult<Labels> {
        if again {
            return read(ctx);
        }
        ctx.upsert_search_attributes([
            CITY.value_set("Wien".to_owned()),
            NOTE.value_set("mind the glass".to_owned()),
            PARCELS.value_set(3),
            WEIGHT.value_set(2.5),
            FRAGILE.value_set(true),
            DUE.value_set(Timestamp::new(DUE_S, 0)),
            TAGS.value_set(vec!["new".to_owned(), "hot".to_owned()]),
        ]);
        ctx.upsert_memo([
            ("sender", Some(MemoValue::new("Ann".to_owned()))),
            ("size", Some(MemoValue::new((20_u32, 30_u32)))),
        ])?;
        // It reads what it has just set.
        ctx.upsert_memo([("read", Some(MemoValue::new(read(ctx)?)))])?;
        ctx.wait_condition(|labels| labels.steps > 0).await?;

        ctx.upsert_search_attributes([NOTE.value_unset(), TAGS.value_unset(), PARCELS.value_set(2)]);
        ctx.upsert_memo([("read", None), ("size", None)])?;
        ctx.wait_condition(|labels| labels.steps > 1).await?;

        let mut memo = MemoValues::new();
        memo.insert("sender", "Bob".to_owned());
        let retry_policy = RetryPolicy::builder()
            .initial_interval(Duration::from_secs(2))
            .maximum_attempts(3)
            .build();
        let options = ContinueAsNewOptions::builder()
            .workflow_type("LabelsWorkflow".to_owned())
            .task_queue("labels".to_owned())
            .run_timeout(Duration::from_secs(3_600))
            .task_timeout(Duration::from_secs(20))
            .memo(memo)
            .search_attributes(SearchAttributes::new([CITY.value_set("Graz".to_owned())]))
            .retry_policy(retry_policy)
            .build();
        match ctx.continue_as_new(true, options)? {}
    }

    /// Go on
    #[signal]
    fn step(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.steps += 1;
    }
}

/// What the workflow has now, its own changes with it.
fn read(ctx: &WorkflowContext<LabelsWorkflow>) -> WorkflowResult<Labels> {
    let (found, memo) = (ctx.search_attributes(), ctx.memo());
    Ok(Labels {
        owner: found.get(&OWNER),
        city: found.get(&CITY),
        note: found.get(&NOTE),
        parcels: found.get(&PARCELS),
        weight: found.get(&WEIGHT),
        fragile: found.get(&FRAGILE),
        due_s: found.get(&DUE).map(|due| due.seconds()),
        tags: found.get(&TAGS),
        sender: memo.get("sender")?,
        size: memo.get("size")?,
    })
}

longhaul_sdk::export!(LabelsWorkflow);
