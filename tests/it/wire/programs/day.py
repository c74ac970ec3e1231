"""A day of calls, led by a client that was generated from our OpenAPI document and knows nothing else.

It begins calls, looks at them, has things said, lets callers wait, sends them elsewhere, ends them,
reads what is kept of them, and counts them. It prints what it did as one line of JSON.
"""

import csv
import io
import json
import sys
import time
from collections import Counter

from voxtrunk_client import AuthenticatedClient, models
from voxtrunk_client.api.agents import agents_delete, agents_get, agents_list, agents_patch, agents_put
from voxtrunk_client.api.analytics import analytics_get
from voxtrunk_client.api.calls import (
    calls_create,
    calls_dtmf,
    calls_end,
    calls_export,
    calls_get,
    calls_hold,
    calls_list,
    calls_mute,
    calls_recording,
    calls_say,
    calls_sip,
    calls_transcript,
    calls_transfer,
    calls_unhold,
    calls_unmute,
)
from voxtrunk_client.api.keys import keys_create, keys_list, keys_revoke, tickets_create
from voxtrunk_client.api.phones import phones_list
from voxtrunk_client.api.server import status_get
from voxtrunk_client.api.trunks import trunks_list
from voxtrunk_client.api.usage import usage_list

ROUNDS = 4
BASE, KEY = sys.argv[1], sys.argv[2]
client = AuthenticatedClient(base_url=BASE, token=KEY, timeout=30)


def asked(function, *args, who=client, **kwargs):
    """What an operation answers; as often as the server says, later."""
    while True:
        answer = function.sync_detailed(*args, client=who, **kwargs)
        if answer.status_code != 429:
            break
        time.sleep(int(answer.headers["retry-after"]))
    assert 200 <= answer.status_code < 300, (function.__name__, answer.status_code, answer.content)
    assert not isinstance(answer.parsed, models.Problem), answer.content
    return answer


def refused(function, status, *args, who=client, **kwargs):
    answer = function.sync_detailed(*args, client=who, **kwargs)
    assert answer.status_code == status, (function.__name__, answer.status_code, answer.content)
    problem = models.Problem.from_dict(json.loads(answer.content))
    assert problem.detail and problem.code and problem.request_id, problem
    return problem


def until(what, found):
    """Looks at a call until it is so."""
    for _ in range(300):
        seen = found()
        if seen is not None:
            return seen
        time.sleep(0.2)
    raise AssertionError(f"not in a minute: {what}")


def call(identity):
    return asked(calls_get, identity).parsed


def up(identity):
    def found():
        seen = call(identity)
        is_up = isinstance(seen, models.CallView) and seen.agent == "desk" and seen.answered_ms
        return seen if is_up else None

    return until(f"{identity} is up", found)


def ended(identity):
    def found():
        seen = call(identity)
        return seen if isinstance(seen, models.RecordView) else None

    return until(f"{identity} has ended", found)


def begin(to="phone:101"):
    return asked(calls_create, body=models.Create(to=to, agent="desk")).parsed.id


def end(identity):
    asked(calls_end, identity, body=models.End(q850=16))
    return ended(identity)


def is_ended(identity):
    up(identity)
    return end(identity)


def says_goodbye(identity):
    up(identity)
    asked(calls_say, identity, body=models.Say(text="That was all for today.", end=True))
    return ended(identity)


def waits(identity):
    up(identity)
    assert asked(calls_hold, identity).parsed.on_hold is True
    assert call(identity).on_hold is True
    assert asked(calls_unhold, identity).parsed.on_hold is False
    record = end(identity)
    assert [hold["by"] for hold in record.holds], record
    return record


def is_muted(identity):
    up(identity)
    assert asked(calls_mute, identity).parsed.muted is True
    assert asked(calls_unmute, identity).parsed.muted is False
    assert asked(calls_dtmf, identity, body=models.Press(digits="12#")).parsed.digits == 3
    messages = asked(calls_sip, identity).parsed.data
    assert any(message.raw.startswith("INVITE sip:101") for message in messages), messages
    return end(identity)


def is_sent_on(identity):
    up(identity)
    asked(calls_transfer, identity, body=models.Transfer(to="agent:night"))
    until("the other agent has it", lambda: call(identity).agent == "night" or None)
    return end(identity)


def nobody(identity):
    return ended(identity)


FATES = [is_ended, says_goodbye, waits, is_muted, is_sent_on]


def settings():
    """An agent is made, changed and looked at; a key may only look, and then not even that."""
    body = models.AgentsPutBody.from_dict(
        {
            "first_message": "Good evening.",
            "llm": {"provider": "rules"},
            "tts": {"provider": "flite"},
            "intents": [{"id": "bye", "phrases": ["goodbye"], "say": "Goodbye."}],
        }
    )
    assert asked(agents_put, "night", body=body, dry_run=True).parsed.dry is True
    assert asked(agents_put, "night", body=body).parsed.created is True
    tag = asked(agents_get, "night").headers["etag"]
    patch = models.AgentsPatchBody.from_dict({"first_message": "Good night."})
    assert asked(agents_patch, "night", body=patch, if_match=tag).parsed.created is False
    refused(agents_patch, 412, "night", body=patch, if_match=tag)
    assert {agent.name for agent in asked(agents_list).parsed.data} == {"desk", "night"}
    made = asked(keys_create, body=models.NewKey(name="looks", scope=models.Reach.READ)).parsed
    looks = AuthenticatedClient(base_url=BASE, token=made.key)
    assert len(asked(phones_list, who=looks).parsed.data) == 2
    problem = refused(calls_create, 403, who=looks, body=models.Create(to="phone:101", agent="desk"))
    assert "operate" in problem.detail, problem
    ticket = asked(tickets_create, who=looks).parsed
    assert ticket.scope == "read", ticket
    assert {key.name for key in asked(keys_list).parsed.data} >= {"looks"}
    asked(keys_revoke, made.id)
    refused(phones_list, 401, who=looks)


def day():
    """Each call has its fate, one after the other; one of each round reaches nobody."""
    calls = {}
    for _ in range(ROUNDS):
        for fate in FATES:
            identity = begin()
            calls[identity] = (fate, fate(identity))
        identity = begin("phone:102")
        calls[identity] = (nobody, nobody(identity))
    return calls


def look_back(calls):
    for identity, (fate, record) in calls.items():
        assert record.id == identity and record.direction == "outbound", record
        spoken = [line.text for line in record.transcript if line.role == "agent"]
        if fate is nobody:
            assert record.status != "completed" and not spoken, record
            continue
        assert record.status == "completed" and record.recorded, record
        kept = asked(calls_transcript, identity).parsed.to_dict()
        assert [line["text"] for line in kept["data"] if line["role"] == "agent"] == spoken, kept
        sound = until("the recording", lambda: recording(identity))
        assert sound[:4] == b"RIFF", sound[:40]
        if fate is says_goodbye:
            assert spoken[-1] == "That was all for today.", record
    seen = pages()
    assert seen == list(reversed(calls)), (seen, list(calls))
    refused(calls_list, 422, limit=0)
    counted = asked(analytics_get, by="agent").parsed
    return counted.to_dict()


def recording(identity):
    answer = calls_recording.sync_detailed(identity, client=client)
    return answer.content if answer.status_code == 200 else None


def pages():
    """All calls, the newest first, some at a time."""
    seen, cursor = [], {}
    while True:
        page = asked(calls_list, limit=7, **cursor).parsed
        seen += [one.id for one in page.data]
        if not page.next_cursor:
            return seen
        cursor = {"cursor": page.next_cursor}


def main():
    assert asked(status_get).parsed.version
    assert [trunk.name for trunk in asked(trunks_list).parsed.data] == ["local"]
    settings()
    calls = day()
    counted = look_back(calls)
    table = list(csv.DictReader(io.StringIO(asked(calls_export, format_="csv").content.decode())))
    assert sorted(row["id"] for row in table) == sorted(calls), table
    asked(usage_list)
    ends = Counter(record.end_reason for _, record in calls.values())
    refused(agents_delete, 412, "night", if_match="another")
    print(json.dumps({"calls": len(calls), "ends": ends, "counted": counted}))


main()
