//! The dialplan: which call goes where. It knows numbers and names, and nothing of SIP or agents.
