//! The server and a real Keycloak with the realm that we ship. A test target of its own: one Keycloak serves all of these tests, and
//! where there is none they are left out and said to be, which `#[test]` cannot.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says so"
)]

mod keycloak {
    pub(crate) mod account;
    pub(crate) mod admin;
    pub(crate) mod broker;
    pub(crate) mod browser;
    pub(crate) mod defaults;
    pub(crate) mod ending;
    pub(crate) mod process;
    pub(crate) mod program;
    pub(crate) mod realm;
    pub(crate) mod shared;
    pub(crate) mod step_up;
}
#[expect(dead_code, reason = "most of it is for the tests over FHIR")]
#[expect(unused_imports, reason = "the same")]
mod harness;

use keycloak::process::{self, Absent};
use keycloak::shared::City;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;
type Test = (&'static str, fn(Arc<City>) -> Running);

/// With the names that `cargo xtask requirements` reads.
macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((concat!("keycloak::", stringify!($module), "::", stringify!($name)),
            |city| Box::pin(keycloak::$module::$name(city)))),*]
    };
}

static TESTS: [Test; 16] = tests![
    realm::kc_01_a_login_gives_a_token_that_is_taken,
    realm::kc_01_every_scope_that_is_listed_can_be_asked_for,
    realm::kc_01_scopes_are_for_those_whose_role_they_are,
    realm::kc_01_only_codes_with_a_challenge_and_exact_addresses,
    realm::kc_01_every_client_keeps_to_the_rules_whoever_registers_it,
    realm::kc_01_a_refresh_token_is_used_once,
    account::kc_01_only_administrators_change_what_decides_rights,
    program::kc_01_a_hospital_proves_itself_by_its_own_key,
    defaults::kc_01_what_keycloak_does_by_itself_is_refused,
    defaults::kc_01_tokens_of_others_are_refused,
    defaults::kc_02_the_check_says_what_is_wrong_and_how_it_is_put_right,
    step_up::kc_03_emergencies_take_a_second_factor,
    broker::kc_04_groups_of_a_hospital_become_roles_by_mappers_alone,
    ending::kc_05_a_session_that_was_ended_gets_no_more_tokens,
    ending::kc_05_a_user_who_was_disabled_gets_no_more_tokens,
    ending::tok_09_a_change_of_keys_is_followed,
];

fn main() -> ExitCode {
    let mut filters: Vec<String> = std::env::args().skip(1).collect();
    let lists = filters.iter().any(|argument| argument == "--list");
    filters.retain(|argument| !argument.starts_with('-'));
    let is_asked = |name: &str| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    };
    let asked: Vec<Test> = TESTS.into_iter().filter(|(name, _)| is_asked(name)).collect();
    if lists {
        asked.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if asked.is_empty() {
        return ExitCode::SUCCESS;
    }
    let distribution = match process::distribution() {
        Ok(distribution) => distribution,
        Err(Absent(reason)) => {
            println!("left out: {} tests with a real Keycloak: {reason}", asked.len());
            return ExitCode::SUCCESS;
        }
    };
    let began = Instant::now();
    println!("running {} tests", asked.len());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let failed = runtime.block_on(async {
        let city = Arc::new(City::start(&distribution).await);
        println!("keycloak took {:.1} s to start", began.elapsed().as_secs_f64());
        let mut failed = 0;
        for (name, test) in &asked {
            let outcome = tokio::spawn(test(Arc::clone(&city))).await;
            println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
            if outcome.is_err() {
                // A 401 does not say why; the figures do.
                let figures = city.server.get_outside("metrics").await.text;
                let refusals =
                    figures.lines().filter(|line| line.starts_with("bund_token_refusals"));
                refusals.for_each(|line| println!("  {line}"));
                failed += 1;
            }
        }
        failed
    });
    let state = if failed == 0 { "ok" } else { "FAILED" };
    let passed = asked.len() - failed;
    println!(
        "test result: {state}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s",
        began.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
