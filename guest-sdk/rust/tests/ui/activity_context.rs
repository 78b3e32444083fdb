use longhaul_sdk::activities::{ActivityContext, ActivityError, activities, activity_definitions};

struct Mail;

#[activities]
impl Mail {
    #[activity]
    async fn send(to: String) -> Result<String, ActivityError> {
        Ok(to)
    }
}

struct Bank;

#[activities]
impl Bank {
    #[activity]
    async fn charge(&self, _: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }
}

struct Shop;

#[activity_definitions]
impl Shop {
    #[activity]
    fn ship() -> Result<(), ActivityError> {
        Ok(())
    }
}

fn main() {}
