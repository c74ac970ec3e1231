//! Tests of queues as they stand in the files.

use super::{loaded, rendered};

#[test]
fn queues_that_serve_nobody_are_reported_word_for_word() {
    let dialplan = "[[route]]\nto = \"queue:sale\"\n\n[queues.sales]\nmembers = [\"agent:x\", { to = \"phone:101\", skill = [] }]\n\n\
                    [queues.help]\nmembers = [\"agent:x\", \"phone:101\", \"tel:+4930\", \"tel:+4930\"]\nstrategy = \"round-robin\"\n\
                    else = \"queue:help\"\nannounce = { position = true, every = \"1s\" }\n\n\
                    [queues.none]\nmembers = []\nring = \"1s\"\nagent = \"nobody\"\nsay = \"Hello {{ name\"\n";
    insta::assert_snapshot!("queues_that_serve_nobody", rendered(&loaded("", dialplan)));
}
