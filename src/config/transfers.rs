//! Tools of the type `transfer`: a list of destinations that several agents share.

use std::collections::BTreeMap;

use crate::agent::assistant::Assistant;
use crate::agent::tool::names;
use crate::agent::tools::definition::{Definition, Kind};
use crate::base::destination::Destination;

/// Gives an agent the transfers of the tools that it names.
pub fn spread(agent: &mut Assistant, tools: &BTreeMap<String, Definition>) {
    let is_transfer =
        |name: &String| tools.get(name).is_some_and(|definition| definition.kind == Kind::Transfer);
    let named: Vec<String> = agent.tools.iter().filter(|name| is_transfer(name)).cloned().collect();
    if named.is_empty() {
        return;
    }
    for transfer in named.iter().filter_map(|name| tools.get(name)).flat_map(|it| &it.destinations)
    {
        // What stands in the agent's own table is meant for it.
        agent.transfers.entry(name_of(&transfer.to)).or_insert_with(|| transfer.clone());
    }
    agent.tools.retain(|name| !named.contains(name));
    if !agent.tools.iter().any(|name| name == names::TRANSFER_CALL) {
        agent.tools.push(names::TRANSFER_CALL.to_owned());
    }
}

/// What a model calls a destination: `sales` for `group:sales`.
fn name_of(to: &Destination) -> String {
    let text = to.to_string();
    text.split_once(':').map_or(text.as_str(), |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_share_the_destinations_of_a_tool_and_keep_their_own() {
        let tools: BTreeMap<String, Definition> = toml::from_str(
            "[people]\ntype = \"transfer\"\n\
             [[people.destinations]]\nto = \"group:sales\"\ndescription = \"Wants to buy.\"\n\
             [[people.destinations]]\nto = \"tel:+4971112340\"\n",
        )
        .expect("tools");
        let read = |text: &str| toml::from_str::<Assistant>(text).expect("an agent");
        let mut agent = read(
            "tools = [\"people\", \"end_call\"]\n\
             [transfers.sales]\nto = \"phone:101\"\ndescription = \"Anna.\"\n",
        );
        spread(&mut agent, &tools);
        assert_eq!(agent.tools, ["end_call", "transfer_call"]);
        let names: Vec<&String> = agent.transfers.keys().collect();
        assert_eq!(names, ["+4971112340", "sales"]);
        assert_eq!(agent.transfers["sales"].description, "Anna.");
        let mut other = read("tools = [\"people\"]");
        spread(&mut other, &tools);
        assert_eq!(other.transfers["sales"].description, "Wants to buy.");
        let mut none = read("tools = [\"end_call\"]");
        let before = none.clone();
        spread(&mut none, &tools);
        assert_eq!(none, before);
    }
}
