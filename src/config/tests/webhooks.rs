//! Webhooks and the database, as they are checked.

use super::{agent, loaded, rendered};

#[test]
fn webhooks_that_cannot_be_are_reported_word_for_word() {
    let server = "[security.webhooks]\nallow = [\"crm.internal:8080\"]\n\n\
                  [storage]\ndatabase = \"mysql://db.test/calls\"\n\n\
                  [storage.retention]\ncdr = \"5m\"\n\n\
                  [webhooks.crm]\nurl = \"http://crm.test/x\"\nevents = [\"call.endet\", \"cal.*\", \"call.*\"]\n\n\
                  [webhooks.inside]\nurl = \"https://10.0.0.5/x\"\nevents = []\nsecret = \"sesame\"\n\n\
                  [webhooks.user]\nurl = \"https://me:too@crm.test/x\"\nevents = [\"*\"]\n\
                  secret = [\"whsec_x\", \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\ntimeout = \"5m\"\n\n\
                  [webhooks.plain]\nurl = \"http://crm.internal:8080/x\"\nevents = [\"trunk.up\"]\n\
                  secret = \"${env:KEY:-whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\"\n";
    let dialplan = agent("first_message = \"x\"");
    insta::assert_snapshot!("webhooks_that_cannot_be", rendered(&loaded(server, &dialplan)));
}

#[test]
fn webhooks_in_the_words_of_others_are_checked_as_theirs() {
    let server = "[http]\npublic_url = \"voice.example.com/\"\n\n\
                  [webhooks.vapi]\nurl = \"https://a.test/x\"\nformat = \"vapi\"\nsecret = \"two words\"\n\
                  events = [\"call.*\", \"trunk.up\", \"call.analyzed\"]\n\n\
                  [webhooks.retell]\nurl = \"https://a.test/x\"\nformat = \"retell\"\n\
                  secret = [\"key_1\", \"key_2\"]\nevents = [\"call.ringing\", \"call.ended\"]\n\n\
                  [webhooks.bare]\nurl = \"https://a.test/x\"\nformat = \"retell\"\nevents = [\"call.ended\"]\n\n\
                  [webhooks.other]\nurl = \"https://a.test/x\"\nformat = \"bland\"\nevents = [\"call.ended\"]\n";
    let dialplan = agent("first_message = \"x\"");
    insta::assert_snapshot!("webhooks_of_others", rendered(&loaded(server, &dialplan)));
}
